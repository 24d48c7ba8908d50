"""A namespace with its store and replicator, and the lane played by a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asd.measures.turns import Turns
from asd.membership.metadata import SystemMetadata
from asd.replication.replicator import Replicator
from asd.replication.store import Store
from cluster import MemoryStore, Smd
from cluster.messages import RecordRow


class Bench:
    """One namespace of one node."""

    def __init__(self, node: Any) -> None:
        self.namespace = node.namespaces[b"test"]
        self.replicas = True
        self.sent: list[RecordRow] = []
        self.flushes = 0
        self.number = 1
        self.metadata = SystemMetadata(Smd(MemoryStore(), ["truncate"]))
        self.ends: list[Callable[[], None]] = []
        self.namespace.commitments._turns = Turns(node.clock.monotonic_ns, self.ends.append)
        self.replicator = Replicator(self.namespace, self._replicate, self._flush)
        self.store = Store(self.namespace, self.metadata)

    def _replicate(self, name: str, row: RecordRow) -> int:
        assert name == "test"
        self.sent.append(row)
        return self.number if self.replicas else 0

    def _flush(self) -> None:
        self.flushes += 1
        self.number += 1

    def put(self, digest: bytes, value: bytes = b"\0\0", set_name: bytes = b"s") -> None:
        self.namespace.store(digest, 1, 0, set_name, 0, value)

    def end_turns(self) -> None:
        """As many as there is something to do in."""
        while self.ends:
            self.end_turn()

    def end_turn(self) -> None:
        ends, self.ends[:] = list(self.ends), []
        for end in ends:
            end()


@pytest.fixture
def bench(kit: Any) -> Bench:
    return Bench(kit.make_node())
