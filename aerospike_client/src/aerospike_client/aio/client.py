"""`AsyncClient`: the asyncio face."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aerospike_client.aio.batches import Batches
from aerospike_client.aio.engine import Engine
from aerospike_client.aio.queries import Queries
from aerospike_client.aio.records import Records
from aerospike_client.aio.schema import Schema
from aerospike_client.aio.security import Security
from aerospike_client.changes.stream import ChangeStream
from aerospike_client.core.addresses import Seeds
from aerospike_client.core.nodes import Node
from aerospike_client.policies import ClientPolicy
from aerospike_client.settings import Listener, Settings
from citrusleaf.cf_clock import Clock, SystemClock
from citrusleaf.cf_random import CfRandom


class AsyncClient(Records, Batches, Queries, Schema, Security):
    """A cluster, for asyncio. Use one for all tasks of an event loop.

    >>> async with AsyncClient("127.0.0.1:3000") as client:  # doctest: +SKIP
    ...     await client.put(Key("test", "people", "ada"), {"born": 1815})
    """

    def __init__(
        self,
        seeds: Seeds,
        policy: ClientPolicy | None = None,
        *,
        clock: Clock | None = None,
        random: CfRandom | None = None,
    ) -> None:
        """Nothing is connected yet: `connect` does that, or `async with`.

        `seeds`: "host:port", several joined by commas, or a list of (host, port). One node that
        answers is enough to find all.

        `clock` and `random`: the system's, unless given. A program that runs on a simulated loop
        gives `LoopClock()` and a seeded `CfRandom`.
        """
        settings = Settings.of(seeds, policy or ClientPolicy(), random)
        self._engine = Engine(settings, clock or SystemClock())

    async def connect(self) -> Self:
        """Find the cluster. NotConnected when no seed answers (`fail_if_not_connected`)."""
        await self._engine.start()
        return self

    async def close(self) -> None:
        """Close all connections. The client cannot be used again."""
        await self._engine.stop()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def changes(
        self,
        namespace: str,
        *,
        set_name: str | None = None,
        since: float | str | None = None,
        name: str = "changes",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> ChangeStream:
        """Follow what changes in a namespace, or in a set of it: `async with`, then `async for`.

        `since`: a time in seconds of Unix (`ChangeStream.position`), "all" for every record there
        is, None for what changes from now on. `name`: streams at the same time have names of their
        own. `host` and `port`: where the nodes reach this process; 0 is any free port.
        """
        return ChangeStream(self._engine, namespace, set_name, since, name, host, port)

    @property
    def nodes(self) -> list[Node]:
        """The cluster's nodes with their metrics, as far as they are known and answer."""
        return self._engine.view.active_nodes()

    def add_listener(self, listener: Listener) -> None:
        """Have a function called when nodes come, go, or own other partitions.

        It is called on the event loop, and must not block.
        """
        self._engine.settings.listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Call it no more. ValueError when it was not there."""
        self._engine.settings.listeners.remove(listener)
