"""`Client`: the blocking face."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aerospike_client.blocking.batches import Batches
from aerospike_client.blocking.engine import Engine
from aerospike_client.blocking.queries import Queries
from aerospike_client.blocking.records import Records
from aerospike_client.blocking.schema import Schema
from aerospike_client.blocking.security import Security
from aerospike_client.core.addresses import Seeds
from aerospike_client.core.nodes import Node
from aerospike_client.policies import ClientPolicy
from aerospike_client.settings import Listener, Settings
from citrusleaf.cf_clock import Clock, SystemClock
from citrusleaf.cf_random import CfRandom


class Client(Records, Batches, Queries, Schema, Security):
    """A cluster, as blocking calls. Share one between all threads of a program.

    >>> with Client("127.0.0.1:3000") as client:  # doctest: +SKIP
    ...     client.put(Key("test", "people", "ada"), {"born": 1815})
    """

    def __init__(
        self,
        seeds: Seeds,
        policy: ClientPolicy | None = None,
        *,
        clock: Clock | None = None,
        random: CfRandom | None = None,
    ) -> None:
        """Nothing is connected yet: `connect` does that, or `with`.

        `seeds`: "host:port", several joined by commas, or a list of (host, port). One node that
        answers is enough to find all.

        `clock` and `random`: the system's, unless given.
        """
        settings = Settings.of(seeds, policy or ClientPolicy(), random)
        self._engine = Engine(settings, clock or SystemClock())

    def connect(self) -> Self:
        """Find the cluster. NotConnected when no seed answers (`fail_if_not_connected`)."""
        self._engine.start()
        return self

    def close(self) -> None:
        """Close all connections. The client cannot be used again."""
        self._engine.stop()

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def nodes(self) -> list[Node]:
        """The cluster's nodes with their metrics, as far as they are known and answer."""
        return self._engine.view.active_nodes()

    def add_listener(self, listener: Listener) -> None:
        """Have a function called when nodes come, go, or own other partitions.

        It is called on the thread that tends, and must not block.
        """
        self._engine.settings.listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Call it no more. ValueError when it was not there."""
        self._engine.settings.listeners.remove(listener)
