"""Both faces behind one blocking interface, so that one test speaks to either."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

from aerospike_client import AsyncClient, Client, ClientPolicy
from aerospike_client.aio.stream import RecordStream
from aerospike_client.aio.task import Task


class Waiting:
    """An object of the asyncio face whose coroutines are run to their end by whoever calls."""

    def __init__(self, runner: asyncio.Runner, target: Any) -> None:
        self._runner = runner
        self._target = target

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._wrapped(attribute(*args, **kwargs))

        return call

    def _wrapped(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            value = self._runner.run(value)
        if isinstance(value, RecordStream | Task):
            return Waiting(self._runner, value)
        return value

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                yield self._runner.run(self._target.__anext__())
            except StopAsyncIteration:
                return


class Face:
    """Opens clients of one face and closes them all."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._runner = asyncio.Runner() if name == "asyncio" else None
        self._opened: list[Any] = []

    def __call__(self, seeds: Any, policy: ClientPolicy | None = None) -> Any:
        """A connected client, blocking whatever the face."""
        client: Any
        if self._runner is None:
            client = Client(seeds, policy)
        else:
            client = Waiting(self._runner, AsyncClient(seeds, policy))
        client.connect()
        self._opened.append(client)
        return client

    def close(self) -> None:
        """Close all clients that were opened."""
        for client in self._opened:
            client.close()
        if self._runner is not None:
            self._runner.close()
