"""Metadata: changed at once on a node alone, begun in a cluster."""

from __future__ import annotations

import asyncio

from asd.membership.metadata import Begun, SystemMetadata
from cluster import MemoryStore, Smd


def test_alone_a_change_is_made_at_once() -> None:
    metadata = SystemMetadata(Smd(MemoryStore(), ["m"]))
    metadata.set("m", "k", "v", 1)
    item = metadata.get("m", "k")
    assert item is not None
    assert item.value == "v"
    metadata.delete("m", "k", 2)
    assert metadata.get("m", "k") is None
    assert metadata.take_begun() == []


def test_in_a_cluster_a_change_is_begun_and_waited_for() -> None:
    async def scene() -> None:
        metadata = SystemMetadata(Smd(MemoryStore(), ["m"]))
        begun: list[Begun] = []

        def begin(module: str, key: str, value: str | None, time_ms: int) -> Begun:
            begun.append(asyncio.get_running_loop().create_future())
            return begun[-1]

        metadata.join(begin)
        metadata.set("m", "k", "v", 1)
        metadata.set("m", "done", "v", 1)
        begun[1].set_result(True)
        assert metadata.get("m", "k") is None
        assert metadata.take_begun() == begun[:1]
        assert metadata.take_begun() == []
        metadata.set("m", "failed", "v", 1)
        begun[2].set_result(False)
        assert metadata.take_begun() == begun[2:]

    asyncio.run(scene())
