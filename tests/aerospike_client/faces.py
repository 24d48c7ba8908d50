"""Both faces behind one blocking interface, so that one test speaks to either."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import attrs

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


PATIENCE_MS = 30_000
"""A busy machine may keep a server waiting for longer than an application would."""


def patient(policy: ClientPolicy) -> ClientPolicy:
    """The policy with time enough wherever it has the default one."""
    default = ClientPolicy()
    changes: dict[str, Any] = {"connect_timeout": PATIENCE_MS}
    for field in attrs.fields(ClientPolicy):
        part = getattr(policy, field.name)
        if not attrs.has(type(part)) or part != getattr(default, field.name):
            continue
        name = "timeout" if hasattr(part, "timeout") else "total_timeout"
        if getattr(part, name):
            changes[field.name] = attrs.evolve(part, **{name: PATIENCE_MS})
    return attrs.evolve(policy, **changes)


class Face:
    """Opens clients of one face and closes them all."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._runner = asyncio.Runner() if name == "asyncio" else None
        self._opened: list[Any] = []

    def __call__(self, seeds: Any, policy: ClientPolicy | None = None) -> Any:
        """A connected client, blocking whatever the face."""
        client: Any
        policy = patient(policy or ClientPolicy())
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
