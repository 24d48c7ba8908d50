"""The upkeep of engines: tombstones end in all of them, whatever keeps them."""

from __future__ import annotations

import asyncio

import pytest

from asd.config import Config, NamespaceConfig
from asd.config.storage import StorageConfig
from asd.node import Node
from asd.space import upkeep
from citrusleaf.cf_clock import VirtualClock
from storage.engine import TOMBSTONE
from storage.testing import FaultyDisk

ENGINES = {
    "memory": StorageConfig(engine="memory"),
    "memory in a file": StorageConfig(engine="memory", file=("a",)),
    "ssd": StorageConfig(engine="ssd", file=("a",)),
    "ssd_cold": StorageConfig(engine="ssd_cold", file=("a",)),
}


@pytest.mark.parametrize("name", ENGINES)
def test_old_tombstones_are_taken_away(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "LOOK_S", 0.001)
    clock = VirtualClock()
    space = NamespaceConfig(
        "test",
        storage_engine=ENGINES[name],
        tomb_raider_period=100,
        tomb_raider_eligible_age=50,
    )
    node = Node(Config(namespaces={"test": space}), clock, machine_id=1, disk=FaultyDisk())
    namespace = node.namespaces[b"test"]
    namespace.engine.open()

    def entomb(number: int) -> None:
        digest = bytes((number,)) * 20
        namespace.engine.put(digest, 1, 0, clock.epoch_ms(), 0, TOMBSTONE, b"")

    async def play() -> None:
        task = asyncio.create_task(upkeep.raid_tombs(namespace, node.transaction_threads))
        await asyncio.sleep(0)
        entomb(1)
        clock.advance(70)
        entomb(2)
        clock.advance(40)
        while namespace.engine.index.tombstones == 2:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])

    try:
        asyncio.run(play())
    finally:
        node.transaction_threads.stop()
    assert namespace.engine.index.tombstones == 1
    assert namespace.engine.index.find(bytes((2,)) * 20)
    namespace.engine.close()
