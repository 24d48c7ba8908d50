"""What a node does for the cluster library, from question to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from asd.membership.metadata import SystemMetadata
from asd.replication import service
from asd.replication.service import Replication
from citrusleaf.cf_digest import partition_id
from cluster import (
    Apply,
    ClusterChanged,
    Forwards,
    MemoryStore,
    NamespaceConfig,
    Partitions,
    Smd,
)
from cluster.messages import RecordRow
from cluster.replication.transactions import Transactions
from storage.engine import OutOfSpace

DIGEST = bytes([5, 0]) + bytes(18)


def row(generation: int) -> RecordRow:
    return DIGEST, generation, 100, 0, "s", 0, b"\0\0"


Heard = dict[type, Callable[[Any], None]]
"""Whom the library tells of each kind of event."""


def replication_of(node: Any, heard: Heard) -> Replication:
    """The service of a node whose network is not there."""

    def listen(listener: Callable[[Any], None], *kinds: type) -> None:
        heard.update(dict.fromkeys(kinds, listener))

    partitions = Partitions(1, [(NamespaceConfig("test"), {})])
    transactions = Transactions(1, partitions, partition_of=partition_id)
    forwards = Forwards(1, 1, partitions)
    cluster: Any = SimpleNamespace(listen=listen, tell=lambda answer: None, forwards=forwards)
    metadata = SystemMetadata(Smd(MemoryStore(), ["truncate"]))
    return Replication(node, cluster, partitions, transactions, metadata, lambda: None)


class Medium:
    """An engine that is full, until it is not."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.is_full = True

    def put(self, *record: Any) -> None:
        if self.is_full:
            raise OutOfSpace
        self._engine.put(*record)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@pytest.mark.parametrize("new_cluster", [False, True])
def test_what_the_medium_refused_is_put_later_unless_a_new_cluster_has_made_it_void(
    kit: Any, monkeypatch: pytest.MonkeyPatch, new_cluster: bool
) -> None:
    monkeypatch.setattr(service, "RETRY_S", 0.001)
    node = kit.make_node()
    namespace = node.namespaces[b"test"]
    medium = Medium(namespace.engine)
    monkeypatch.setattr(namespace.door, "_engine", medium)

    async def scenario() -> int:
        heard: Heard = {}
        replication = replication_of(node, heard)
        heard[Apply](Apply("test", ("transactions", 1), (row(5),), False))
        if new_cluster:
            heard[ClusterChanged](ClusterChanged(7, 1, 1, ((1, 1, 0, False),)))
        medium.is_full = False
        assert replication.stores["test"].apply((row(3),), False, False) == 1
        while any(replication._tasks):
            await asyncio.sleep(0)
        kept = replication.stores["test"].row(DIGEST)
        assert kept is not None
        return kept[1]

    assert asyncio.run(scenario()) == (3 if new_cluster else 5)
