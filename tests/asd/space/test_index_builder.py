"""Indexes of records on a device: exact while they are built, and when records go unread."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common.wire.codes import ParticleType
from asd.bins.particle import Particle
from asd.config import Config, NamespaceConfig
from asd.config.storage import StorageConfig
from asd.node import Node
from asd.records.change import Change
from asd.records.record import find_bin, pack_payload
from asd.sindex import IndexDefinition, KeyType
from asd.space.index_builder import IndexBuilder
from asd.space.namespace import Namespace
from asd.space.nsup import Nsup
from asd.space.truncation import Truncator
from citrusleaf.cf_clock import VirtualClock
from cluster import PARTITIONS
from storage.testing import FaultyDisk

KEYS = 8

changes = st.tuples(
    st.integers(0, 3),  # turns of the loop before it
    st.integers(0, KEYS - 1),
    st.sampled_from([b"s", b"other"]),
    st.none() | st.integers(0, 5),  # the new value, or the record is taken out
)


def digest(number: int) -> bytes:
    return bytes((number % 2, 0)) + bytes((number,)) * 18


def write(node: Node, number: int, set_name: bytes, value: int | None) -> None:
    namespace = node.namespaces[b"test"]
    if value is None:
        namespace.door.remove_unread(digest(number))
        return
    bins = {
        b"n": Particle(ParticleType.INTEGER, value.to_bytes(8, "big")),
        b"large": Particle(ParticleType.BLOB, bytes(1500)),
    }
    old = namespace.engine.get(digest(number))
    generation = old[0] % 65535 + 1 if old else 1
    namespace.store(digest(number), generation, 0, set_name, False, pack_payload(bins, b""))


def reopened(disk: FaultyDisk, before: list[Any]) -> Node:
    """A node on the disk, with records of which nothing is in memory."""
    storage = StorageConfig(engine="ssd", file=("a",), post_write_cache=0)
    space = NamespaceConfig("test", storage_engine=storage, nsup_period=120)
    node = Node(Config(namespaces={"test": space}), VirtualClock(), machine_id=1, disk=disk)
    namespace = node.namespaces[b"test"]
    namespace.engine.open()
    for _, number, set_name, value in before:
        write(node, number, set_name, value)
    namespace.engine.close()
    namespace.engine.open()
    return node


def entries(index: Any, namespace: Namespace) -> list[tuple[int, bytes]]:
    """What is in the index, in order."""
    found = []
    for partition in (0, 1):
        part = index.entries.find(partition, -(2**63), 2**63 - 1)
        digests = namespace.engine.index.digests_at(part.slots)
        found += zip(part.bvals, digests, strict=True)
    return sorted(found)


def value_of(payload: bytes) -> int:
    """Of the bin `n`."""
    particle = find_bin(payload, b"n")
    assert particle is not None
    return int.from_bytes(particle.data, "big")


@settings(max_examples=100, deadline=None)
@given(
    before=st.lists(changes, max_size=20),
    during=st.lists(changes, max_size=20),
    slow=st.booleans(),
)
def test_an_index_is_exact_whatever_changes_while_it_is_built(
    before: list[Any], during: list[Any], slow: bool
) -> None:
    disk = FaultyDisk()
    node = reopened(disk, before)
    namespace = node.namespaces[b"test"]

    async def build() -> None:
        builder = IndexBuilder(namespace, node.transaction_threads)
        task = asyncio.create_task(builder._build(index))
        for turns, number, set_name, value in during:
            for _ in range(turns):
                await asyncio.sleep(0)
            disk.slow.clear()  # a write of the real server would wait here
            write(node, number, set_name, value)
            if slow:
                disk.slow.add("a")
        await task

    if slow:
        disk.slow.add("a")
    namespace.indexes.create(IndexDefinition("n", b"s", b"n", KeyType.NUMERIC))
    index = namespace.indexes.find("n")
    assert index is not None
    try:
        asyncio.run(build())
    finally:
        node.transaction_threads.stop()
    disk.slow.clear()
    expected = []
    for number in range(KEYS):
        record = namespace.engine.get(digest(number))
        if record is not None and namespace.set_names[record[3]] == b"s":
            expected.append((value_of(record[5]), digest(number)))
    assert entries(index, namespace) == sorted(expected)


@pytest.mark.parametrize("removed_by", ["expiry", "truncation"])
@pytest.mark.parametrize("trouble", ["slow", "unreadable"])
def test_records_that_cannot_be_read_at_once_go_from_the_index_too(
    trouble: str, removed_by: str
) -> None:
    disk = FaultyDisk()
    node = reopened(disk, [])
    namespace = node.namespaces[b"test"]
    clock: Any = node.clock
    for number in range(KEYS):
        void_time = clock.epoch_s() + (10 if number % 4 else 1000)
        payload = pack_payload({b"n": Particle(ParticleType.INTEGER, bytes(8))}, b"")
        set_name = b"s" if number % 4 else b"other"
        namespace.store(digest(number), 1, void_time, set_name, False, payload)
    namespace.indexes.create(IndexDefinition("n", b"", b"n", KeyType.NUMERIC))
    index = namespace.indexes.find("n")
    assert index is not None

    async def run() -> None:
        await IndexBuilder(namespace, node.transaction_threads)._build(index)
        namespace.engine.close()
        namespace.engine.open()
        getattr(disk, trouble).add("a")
        clock.advance(20)
        if removed_by == "expiry":
            nsup = Nsup(namespace, node.machine, lambda: None)
            assert await nsup._expire(clock.epoch_s()) == KEYS * 3 // 4
        else:
            namespace.truncation.begin(namespace.find_set(b"s"), clock.epoch_ms())
            assert await Truncator(namespace)._remove_hidden() == KEYS * 3 // 4

    asyncio.run(run())
    left = [digest(number) for number in range(0, KEYS, 4)]
    assert [found for _, found in entries(index, namespace)] == sorted(left)
    index.entries._check()


def test_a_set_index_is_built_without_tombstones() -> None:
    before = [(0, number, b"s", number) for number in range(4)]
    node = reopened(FaultyDisk(), before)
    namespace = node.namespaces[b"test"]
    dead = namespace.engine.get(digest(1))
    assert dead is not None
    namespace.commit(Change(digest(1), dead, namespace.tombstone(dead)))
    namespace.indexes.keep_set_indexes({b"s"})
    (index,) = namespace.indexes
    builder = IndexBuilder(namespace, node.transaction_threads)
    asyncio.run(builder._build(index))
    assert entries(index, namespace) == [(0, digest(0)), (0, digest(2)), (0, digest(3))]
    write(node, 1, b"s", 7)
    assert entries(index, namespace) == [(0, digest(number)) for number in (0, 2, 1, 3)]


def test_an_index_of_an_empty_set_waits_for_no_other() -> None:
    """Readable within a few turns of the loop, while another is being built."""
    space = NamespaceConfig("test", nsup_period=120)
    node = Node(Config(namespaces={"test": space}), VirtualClock(), machine_id=1)
    namespace = node.namespaces[b"test"]
    namespace.engine.open()
    for at in range(20_000):
        partition = at % PARTITIONS
        its = partition.to_bytes(2, "little") + at.to_bytes(18, "big")
        namespace.store(its, 1, 0, b"full", False, pack_payload({}, b""))
    namespace.intern_set(b"empty")

    async def run() -> None:
        task = asyncio.create_task(IndexBuilder(namespace, node.transaction_threads).run())
        create, find = namespace.indexes.create, namespace.indexes.find
        create(IndexDefinition("i", b"full", b"n", KeyType.NUMERIC))
        await asyncio.sleep(0)
        for name, set_name in (("j", b"empty"), ("k", b"unknown")):
            create(IndexDefinition(name, set_name, b"n", KeyType.NUMERIC))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first, second, third = find("i"), find("j"), find("k")
        assert first is not None
        assert second is not None
        assert third is not None
        assert not first.readable
        assert second.readable
        assert third.readable
        value = Particle(ParticleType.INTEGER, (5).to_bytes(8, "big"))
        namespace.store(digest(1), 1, 0, b"empty", False, pack_payload({b"n": value}, b""))
        assert entries(second, namespace) == [(5, digest(1))]
        task.cancel()

    asyncio.run(run())


def test_an_index_of_a_whole_namespace_is_not_of_an_empty_set() -> None:
    node = Node(Config(namespaces={"test": NamespaceConfig("test")}), VirtualClock(), machine_id=1)
    namespace = node.namespaces[b"test"]
    namespace.engine.open()
    value = Particle(ParticleType.INTEGER, (5).to_bytes(8, "big"))
    namespace.store(digest(1), 1, 0, b"", False, pack_payload({b"n": value}, b""))

    async def run() -> None:
        task = asyncio.create_task(IndexBuilder(namespace, node.transaction_threads).run())
        namespace.indexes.create(IndexDefinition("i", b"", b"n", KeyType.NUMERIC))
        index = namespace.indexes.find("i")
        assert index is not None
        while not index.readable:
            await asyncio.sleep(0)
        assert entries(index, namespace) == [(5, digest(1))]
        task.cancel()

    asyncio.run(run())
