"""Heavy records in indexes: nobody sees an index that is not exact, and nobody waits for one."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ParticleType
from asd.bins.particle import Particle
from asd.config import Config, NamespaceConfig
from asd.node import Node
from asd.process.heavy_work import Died, Inline, Overloaded
from asd.query.index_range import parse_range
from asd.query.index_walk import IndexWalk, Unsettled
from asd.records.change import Change
from asd.records.record import pack_payload
from asd.sindex import IndexDefinition, KeyType, SecondaryIndex, Source
from asd.space import index_settler
from asd.space.index_builder import IndexBuilder
from asd.space.index_settler import IndexSettler
from asd.transactions.worker import Worker
from citrusleaf.cf_clock import VirtualClock
from cluster import PARTITIONS

BIG = list(range(70_000, 90_000))
DIGEST = bytes(20)
OTHER = bytes(19) + b"\1"


def _sized(number: int) -> bytes:
    return struct.pack(">Iq", 8, number)


class Gate(Inline):
    """Does work inline, but not before it is let through."""

    def __init__(self) -> None:
        super().__init__(Worker(VirtualClock()))
        self.open = asyncio.Event()
        self.failures: list[Exception] = []
        self.jobs = 0

    async def run(self, job: Any, size: int, limit_s: float) -> Any:
        self.jobs += 1
        await self.open.wait()
        if self.failures:
            raise self.failures.pop()
        return await super().run(job, size, limit_s)


class World:
    """A namespace with a list index of its own, settled and built in the background."""

    def __init__(self) -> None:
        self.gate = Gate()
        spaces = {"test": NamespaceConfig("test", nsup_period=120)}
        self.node = Node(Config(namespaces=spaces), VirtualClock(), machine_id=1, heavy=self.gate)
        self.space = self.node.namespaces[b"test"]
        self.space.engine.open()
        threads = self.node.transaction_threads
        self.settler = IndexSettler(self.space, threads, self.gate)
        self.builder = IndexBuilder(self.space, threads)

    def create(self) -> SecondaryIndex:
        definition = IndexDefinition("i", b"s", b"a", KeyType.NUMERIC, Source.LIST)
        self.space.indexes.create(definition)
        found = self.space.indexes.find("i")
        assert found is not None
        return found

    def write(self, items: list[int], digest: bytes = DIGEST) -> None:
        bins = {b"a": Particle(ParticleType.LIST, as_msgpack.pack(items))}
        self.space.store(digest, 1, 0, b"s", False, pack_payload(bins, b""))

    def ask(self, low: int, high: int) -> list[bytes]:
        """The digests found. Raises Unsettled."""
        index = self.space.indexes.find("i")
        assert index is not None
        wanted = parse_range(b"\x01\x01a\x01" + _sized(low) + _sized(high))
        walk = IndexWalk(self.space, index, wanted, dict.fromkeys(range(PARTITIONS)))
        found: list[bytes] = []
        while (batch := walk.next(100, lambda: False)) is not None:
            found += [entry[:20] for entry in batch.entries]
        return sorted(set(found))

    async def asked(self, low: int, high: int) -> list[bytes]:
        """As a query asks: it waits."""
        while True:
            try:
                return self.ask(low, high)
            except Unsettled as wait:
                await wait.settled()


def play(scene: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World()
        tasks = [asyncio.create_task(each.run()) for each in (world.builder, world.settler)]
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(scene(world), 30)
            world.space.indexes._check()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            world.node.transaction_threads.stop()

    asyncio.run(main())


async def built(index: SecondaryIndex) -> None:
    while not index.readable:
        await asyncio.sleep(0)


def test_a_query_waits_for_a_heavy_record_of_its_partition() -> None:
    async def scene(world: World) -> None:
        await built(world.create())
        world.write(BIG)
        with pytest.raises(Unsettled):
            world.ask(70_000, 70_000)
        asked = asyncio.create_task(world.asked(70_000, 70_000))
        await asyncio.sleep(0)
        assert not asked.done()
        world.gate.open.set()
        assert await asked == [DIGEST]
        assert world.ask(5, 5) == []

    play(scene)


def test_what_was_there_is_gone_at_once_and_others_are_found() -> None:
    async def scene(world: World) -> None:
        await built(world.create())
        world.gate.open.set()
        world.write(BIG)
        world.write([7, 80_000], OTHER)
        assert await world.asked(80_000, 80_000) == [DIGEST, OTHER]
        world.write([5])
        assert world.ask(80_000, 80_000) == [OTHER]
        assert world.ask(5, 5) == [DIGEST]
        world.space.door.remove_unread(DIGEST)
        assert world.ask(5, 5) == []

    play(scene)


def test_a_heavy_record_holds_its_digest_until_it_is_settled() -> None:
    async def scene(world: World) -> None:
        await built(world.create())
        world.write(BIG)
        while not world.gate.jobs:
            await asyncio.sleep(0)
        assert DIGEST in world.space.held.digests
        world.gate.open.set()
        await world.space.held.wait(DIGEST)
        assert world.ask(70_000, 70_000) == [DIGEST]

    play(scene)


def test_what_was_worked_out_of_a_record_that_is_no_more_is_thrown_away() -> None:
    async def scene(world: World) -> None:
        index = world.create()
        await built(index)
        world.write(BIG)
        while not world.gate.jobs:
            await asyncio.sleep(0)
        world.write(list(range(100_000, 120_000)))  # as a replica's rows do, which do not wait
        world.gate.open.set()
        assert await world.asked(70_000, 90_000) == []
        assert await world.asked(100_000, 100_000) == [DIGEST]
        world.write(BIG)
        world.space.commit(Change(DIGEST, world.space.engine.get(DIGEST), None))
        assert not index.unsettled
        assert len(index.entries) == 0

    play(scene)


def test_an_index_that_is_dropped_keeps_nobody_waiting() -> None:
    async def scene(world: World) -> None:
        index = world.create()
        await built(index)
        world.write(BIG)
        waits = asyncio.create_task(index.settled(0))
        await asyncio.sleep(0)
        world.space.indexes.delete("i")
        await waits
        world.gate.open.set()

    play(scene)


def test_an_index_over_heavy_records_is_built_without_holding_the_loop() -> None:
    async def scene(world: World) -> None:
        world.write(BIG)
        world.write([70_001], OTHER)
        index = world.create()
        while not world.gate.jobs:
            await asyncio.sleep(0)
        assert not index.readable
        world.gate.open.set()
        await built(index)
        assert await world.asked(70_001, 70_001) == [DIGEST, OTHER]
        assert len(index.entries) == len(BIG) + 1

    play(scene)


def test_a_worker_that_fails_is_asked_again_and_then_the_record_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(index_settler, "AGAIN_S", 0)

    async def scene(world: World) -> None:
        await built(world.create())
        world.gate.open.set()
        world.gate.failures = [Died(), Overloaded(), Overloaded(), Died()]
        world.write(BIG)
        assert await world.asked(70_000, 70_000) == [DIGEST]
        world.gate.failures = [Died() for _ in range(index_settler.TRIES)]
        world.write([*BIG, 1])
        with caplog.at_level(logging.ERROR, "asd.sindex"):
            assert await world.asked(70_000, 70_000) == []
        assert DIGEST.hex() in caplog.text
        world.write(BIG)
        assert await world.asked(70_000, 70_000) == [DIGEST]

    play(scene)
