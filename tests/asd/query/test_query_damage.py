"""Records that cannot be read cost a query or an index themselves, and nothing else."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Op
from asd.bins.particle import Particle
from asd.config import Config, NamespaceConfig
from asd.config.storage import StorageConfig
from asd.node import Node
from asd.sindex.definition import IndexDefinition, KeyType
from asd.space.index_builder import IndexBuilder
from citrusleaf.cf_clock import VirtualClock
from storage.testing import FaultyDisk

RECORDS = 40
BAD = (7, 8, 20)


def digest(number: int) -> bytes:
    return bytes((number % 2, 0)) + number.to_bytes(18, "big")


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def node(kit: Any, disk: FaultyDisk) -> Iterator[Node]:
    """On a device, nothing in memory, three records damaged."""
    storage = StorageConfig(engine="ssd", file=("a",), post_write_cache=0)
    space = NamespaceConfig("test", storage_engine=storage)
    node = Node(Config(namespaces={"test": space}), VirtualClock(), machine_id=1, disk=disk)
    namespace = node.namespaces[b"test"]
    engine: Any = namespace.engine
    engine.open()
    for n in range(RECORDS):
        bins = {
            b"v": Particle(ParticleType.INTEGER, n.to_bytes(8, "big")),
            b"large": Particle(ParticleType.BLOB, bytes(2000)),  # too large to be kept by itself
        }
        kit.store(namespace, digest(n), bins)
    places = {n: engine.index.entry(engine.index.find(digest(n))).location for n in BAD}
    engine.close()
    engine.open()
    for location in places.values():
        log, block, at, _ = engine.locate(location)
        disk.flip_bit("a", 8 * (log.position(block) + at + 70))
    yield node
    node.transaction_threads.stop()


@pytest.fixture(params=[True, False], ids=["in the page cache", "not in the page cache"])
def page_cache(request: pytest.FixtureRequest, node: Node, disk: FaultyDisk) -> None:
    """Whether reads are answered at once, from here on."""
    if not request.param:
        disk.slow.add("a")


def found(messages: list[Any]) -> set[int]:
    """The records a query has answered with, having come to its end."""
    assert messages[-1].result_code == ResultCode.OK
    digests = [m.fields[FieldType.DIGEST] for m in messages if FieldType.DIGEST in m.fields]
    assert len(set(digests)) == len(digests)
    return {int.from_bytes(digest[2:], "big") for digest in digests}


GOOD = set(range(RECORDS)) - set(BAD)


@pytest.mark.usefixtures("page_cache")
def test_a_query_leaves_out_what_is_damaged(kit: Any, node: Node) -> None:
    async def run() -> Any:
        return await kit.Client(node).ask(kit.query(info1=Info1.READ | Info1.GET_ALL))

    assert found(asyncio.run(run())) == GOOD


@pytest.mark.usefixtures("page_cache")
def test_an_index_is_built_of_what_is_not_damaged(kit: Any, node: Node) -> None:
    namespace = node.namespaces[b"test"]
    namespace.indexes.create(IndexDefinition("i", b"s", b"v", KeyType.NUMERIC))
    index: Any = namespace.indexes.find("i")
    asyncio.run(IndexBuilder(namespace, node.transaction_threads)._build(index))
    assert index.readable
    assert len(index.entries) == len(GOOD)
    ends = b"".join(struct.pack(">Iq", 8, end) for end in (0, RECORDS))
    fields = {FieldType.INDEX_RANGE: b"\x01\x01v\x01" + ends, FieldType.INDEX_TYPE: b"\0"}

    async def run() -> Any:
        return await kit.Client(node).ask(kit.query(fields=fields))

    assert found(asyncio.run(run())) == GOOD


def test_a_background_query_changes_what_is_not_damaged(kit: Any, node: Node) -> None:
    one = (1).to_bytes(8, "big")
    ops = [Op(OpType.INCR, ParticleType.INTEGER, b"v", one)]

    async def run() -> None:
        client = kit.Client(node)
        await client.ask(kit.query(info1=0, info2=1, info3=0, partitions=None, ops=ops))
        while node.queries.long_active:
            await asyncio.sleep(0.01)

    asyncio.run(run())
    engine = node.namespaces[b"test"].engine
    for n in GOOD:
        record = engine.get(digest(n))
        assert record is not None
        assert record[0] == 2
