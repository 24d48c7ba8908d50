"""Queries by a secondary index."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, ParticleType, ResultCode
from asd.bins.particle import Particle
from asd.query.index_range import parse_range
from asd.query.index_walk import BURST, IndexWalk
from asd.sindex import IndexDefinition, KeyType, Source
from storage.engine import NotResident
from storage.memory import MemoryEngine


def span(low: int, high: int, name: bytes = b"v") -> bytes:
    """A range field for integers."""
    ends = b"".join(struct.pack(">Iq", 8, end) for end in (low, high))
    return bytes((1, len(name))) + name + b"\x01" + ends


def number(value: int) -> Particle:
    return Particle(ParticleType.INTEGER, value.to_bytes(8, "big", signed=True))


def numbers(*values: int) -> Particle:
    return Particle(ParticleType.LIST, as_msgpack.pack(list(values)))


BY_VALUE = IndexDefinition("i", b"s", b"v", KeyType.NUMERIC)
BY_ELEMENT = IndexDefinition("i", b"s", b"v", KeyType.NUMERIC, Source.LIST)


def digest(number: int) -> bytes:
    return bytes((number % 2, 0)) + number.to_bytes(18, "big")


def bursts(entries: list[tuple[int, bytes]], most: int = 0) -> list[tuple[int, bytes]]:
    """The rows of a query, at most so many, from the entries of a partition: the model.

    Each record once within 100 entries.
    """
    rows: list[tuple[int, bytes]] = []
    for at in range(0, len(entries), BURST):
        firsts: dict[bytes, int] = {}
        for bval, its in entries[at : at + BURST]:
            firsts.setdefault(its, bval)
        rows += [(bval, its) for its, bval in firsts.items()]
    return rows[:most] if most else rows


def pages(entries: list[tuple[int, bytes]], page: int) -> list[tuple[int, bytes]]:
    """The rows of queries that each begin anew behind the last row, until nothing is left."""
    rows: list[tuple[int, bytes]] = []
    while found := bursts([e for e in entries if not rows or e > rows[-1]], page):
        rows += found
    return rows


@settings(max_examples=60, deadline=None)
@given(
    lists=st.lists(st.sets(st.integers(0, 150), max_size=3), min_size=1, max_size=20),
    long=st.integers(0, 150),
    ends=st.tuples(st.integers(0, 150), st.integers(0, 150)),
    page=st.integers(1, 4),
)
def test_pages_of_an_index_query_make_the_whole(
    kit: Any, lists: list[set[int]], long: int, ends: tuple[int, int], page: int
) -> None:
    """In order, and each record once in a burst, wherever a page ends."""
    node = kit.make_node()
    lists = [set(range(long)), *lists]
    for at, values in enumerate(lists):
        kit.store(node.namespaces[b"test"], digest(at), {b"v": numbers(*values)})
    kit.build(node, BY_ELEMENT)
    low, high = min(ends), max(ends)
    fields = {FieldType.INDEX_RANGE: span(low, high), FieldType.INDEX_TYPE: b"\x01"}
    fields[FieldType.MAX_RECORDS] = struct.pack(">Q", page)

    async def run(partition: int) -> list[tuple[int, bytes]]:
        client = kit.Client(node)
        seen: list[tuple[int, bytes]] = []
        more: dict[int, bytes] = {}
        while True:
            partitions = None if more else [partition]
            *found, last = await client.ask(kit.query(partitions, fields={**fields, **more}))
            assert last.result_code == 0
            if not found:
                return seen
            seen += [(struct.unpack("<q", m.fields[15])[0], m.fields[4]) for m in found]
            more = {12: found[-1].fields[4], 15: found[-1].fields[15]}

    for partition in (0, 1):
        entries = sorted(
            (value, digest(at))
            for at, values in enumerate(lists)
            for value in values
            if digest(at)[0] == partition and low <= value <= high
        )
        assert asyncio.run(run(partition)) == pages(entries, page)


def ask_all(kit: Any, node: Any, fields: dict[int, bytes]) -> list[Any]:
    """The rows of an index query over everything."""

    async def run() -> Any:
        return await kit.Client(node).ask(kit.query(fields=fields))

    *rows, last = asyncio.run(run())
    assert last.result_code == 0
    return rows


@pytest.mark.parametrize(("size", "times"), [(1, 1), (100, 1), (101, 2), (250, 3), (1000, 10)])
def test_a_record_comes_once_for_each_100_of_its_elements(kit: Any, size: int, times: int) -> None:
    node = kit.make_node()
    kit.store(node.namespaces[b"test"], digest(4), {b"v": numbers(*range(size))})
    kit.build(node, BY_ELEMENT)
    fields = {FieldType.INDEX_RANGE: span(0, size), FieldType.INDEX_TYPE: b"\x01"}
    rows = ask_all(kit, node, fields)
    assert [row.fields[4] for row in rows] == [digest(4)] * times
    bvals = [struct.unpack("<q", row.fields[15])[0] for row in rows]
    assert bvals == list(range(0, size, BURST))


@pytest.mark.parametrize("lists", [[100, 1], [50, 60], [99, 1, 1]])
def test_records_of_a_partition_share_bursts(kit: Any, lists: list[int]) -> None:
    node = kit.make_node()
    for at, size in enumerate(lists):
        kit.store(node.namespaces[b"test"], digest(2 * at), {b"v": numbers(*range(size))})
    kit.build(node, BY_ELEMENT)
    fields = {FieldType.INDEX_RANGE: span(0, 200), FieldType.INDEX_TYPE: b"\x01"}
    entries = sorted((v, digest(2 * at)) for at, size in enumerate(lists) for v in range(size))
    rows = [(struct.unpack("<q", r.fields[15])[0], r.fields[4]) for r in ask_all(kit, node, fields)]
    assert rows == bursts(entries)


def geo_list(*texts: bytes) -> Particle:
    return Particle(ParticleType.LIST, as_msgpack.pack(["\x17" + text.decode() for text in texts]))


def point(longitude: float, latitude: float) -> bytes:
    return b'{"type":"Point","coordinates":[%f,%f]}' % (longitude, latitude)


def square(half: float) -> bytes:
    corners = [[-half, -half], [half, -half], [half, half], [-half, half], [-half, -half]]
    return b'{"type":"Polygon","coordinates":[%s]}' % str(corners).encode()


def test_a_record_comes_once_for_each_cell_range_it_has_points_in(kit: Any) -> None:
    node = kit.make_node()
    quadrants = [point(x, y) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]
    namespace = node.namespaces[b"test"]
    kit.store(namespace, digest(2), {b"v": geo_list(*quadrants)})
    kit.store(namespace, digest(4), {b"v": geo_list(quadrants[0], point(-0.51, -0.5))})
    kit.store(namespace, digest(6), {b"v": geo_list(point(5, 5), square(0.2))})
    kit.build(node, IndexDefinition("i", b"s", b"v", KeyType.GEO2DSPHERE, Source.LIST))
    text = square(1)
    sized = struct.pack(">I", len(text)) + text
    fields = {FieldType.INDEX_RANGE: b"\x01\x01v\x17" + sized + sized}
    rows = ask_all(kit, node, {**fields, FieldType.INDEX_TYPE: b"\x01"})
    assert sorted(row.fields[4] for row in rows) == [digest(2)] * 4 + [digest(4)]


def test_a_burst_left_in_the_middle_goes_on(kit: Any) -> None:
    """However little time there is, and whatever changes meanwhile, none is lost or made up."""
    node = kit.make_node()
    namespace = node.namespaces[b"test"]
    for at in range(300):
        kit.store(namespace, digest(2 * at), {b"v": Particle(ParticleType.STRING, b"same")})
    index = kit.build(node, IndexDefinition("i", b"s", b"v", KeyType.STRING))
    text = struct.pack(">I", 4) + b"same"
    walk = IndexWalk(namespace, index, parse_range(b"\x01\x01v\x03" + text + text), {0: None})
    seen: list[bytes] = []
    step = 0
    while (batch := walk.next(40, lambda: True)) is not None:
        seen += [entry[:20] for entry in batch.entries]
        step += 1
        if step % 10 == 0 and step < 300:  # the one after the next changes, or goes
            its = digest(2 * (len(seen) + 1))
            if step % 20:
                namespace.door.remove_unread(its)
            else:
                kit.store(namespace, its, {b"v": Particle(ParticleType.STRING, b"other")})
    assert step > 250
    assert len(seen) == len(set(seen)) < 300
    left = [digest(2 * at) for at in range(300) if digest(2 * at) not in seen]
    for its in left:
        record = namespace.engine.get(its)
        assert record is None or b"other" in record[5]


def test_an_integer_changed_in_the_middle_of_a_burst_is_not_made_up(kit: Any) -> None:
    node = kit.make_node()
    namespace = node.namespaces[b"test"]
    for at in range(90):
        kit.store(namespace, digest(2 * at), {b"v": number(1)})
    index = kit.build(node, BY_VALUE)
    walk = IndexWalk(namespace, index, parse_range(span(1, 1)), {0: None})
    first = walk.next(40, lambda: False)
    assert first is not None
    assert len(first.entries) == 40
    kit.store(namespace, digest(2 * 40), {b"v": number(2)})
    namespace.door.remove_unread(digest(2 * 41))
    second = walk.next(100, lambda: False)
    assert second is not None
    assert [entry[:20] for entry in second.entries] == [digest(2 * at) for at in range(42, 90)]


def test_rows_before_one_not_in_memory_are_not_lost(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = kit.make_node()
    namespace = node.namespaces[b"test"]
    for at in range(10):
        kit.store(namespace, digest(at), {b"v": Particle(ParticleType.STRING, b"same")})
    kit.build(node, IndexDefinition("i", b"s", b"v", KeyType.STRING))
    get, waited = MemoryEngine.get, set()

    def get_after_a_wait(self: MemoryEngine, its: bytes) -> Any:
        if its not in waited:
            raise NotResident(lambda: waited.add(its))
        return get(self, its)

    monkeypatch.setattr(MemoryEngine, "get", get_after_a_wait)
    text = struct.pack(">I", 4) + b"same"
    try:
        rows = ask_all(kit, node, {FieldType.INDEX_RANGE: b"\x01\x01v\x03" + text + text})
    finally:
        node.transaction_threads.stop()
    assert sorted(row.fields[4] for row in rows) == sorted(map(digest, range(10)))


def test_a_walk_while_values_change(kit: Any) -> None:
    node = kit.make_node()
    namespace = node.namespaces[b"test"]
    for at in range(600):
        kit.store(namespace, digest(2 * at), {b"v": number(at % 50)})
    index = kit.build(node, BY_VALUE)
    walk = IndexWalk(namespace, index, parse_range(span(0, 49)), {0: None})
    seen: list[bytes] = []
    step = 0
    while (batch := walk.next(40, lambda: False)) is not None:
        seen += [entry[:20] for entry in batch.entries]
        step += 1
        for at in range(step, 600, 97):
            if at % 2:  # these change, those with even numbers stay
                kit.store(namespace, digest(2 * at), {b"v": number((at * step) % 60)})
        kit.store(namespace, digest(2 * (600 + step)), {b"v": number(step % 50)})
        namespace.door.remove_unread(digest(2 * (4 * step + 1)))
    assert step > 10
    stay = [digest(2 * at) for at in range(0, 600, 2)]
    assert all(seen.count(d) == 1 for d in stay)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({FieldType.INDEX_RANGE: span(5, 4)}, ResultCode.PARAMETER),
        ({FieldType.INDEX_RANGE: span(0, 1)[:-1]}, ResultCode.PARAMETER),
        ({FieldType.INDEX_RANGE: b""}, ResultCode.PARAMETER),
        ({FieldType.INDEX_RANGE: b"\x02" + span(0, 1)[1:]}, ResultCode.PARAMETER),
        ({FieldType.INDEX_RANGE: span(0, 1, b"w")}, ResultCode.SINDEX_NOT_FOUND),
        (
            {FieldType.INDEX_RANGE: span(0, 1), FieldType.INDEX_TYPE: b"\x02"},
            ResultCode.SINDEX_NOT_FOUND,
        ),
        (
            {FieldType.INDEX_RANGE: span(0, 1), FieldType.INDEX_NAME: b"i"},
            ResultCode.PARAMETER,
        ),
        (
            {FieldType.INDEX_RANGE: span(0, 1, b""), FieldType.INDEX_NAME: b"j"},
            ResultCode.SINDEX_NOT_FOUND,
        ),
        ({FieldType.INDEX_RANGE: span(0, 1, b"")}, ResultCode.PARAMETER),
    ],
)
def test_refusals(kit: Any, fields: dict[int, bytes], code: int) -> None:
    node = kit.make_node()
    kit.build(node, BY_VALUE)

    async def run() -> Any:
        return await kit.Client(node).ask(kit.query(fields=fields))

    (message,) = asyncio.run(run())
    assert (message.result_code, message.info3) == (code, 0)


def test_an_index_that_is_being_built_cannot_be_read(kit: Any) -> None:
    node = kit.make_node()
    node.namespaces[b"test"].indexes.create(BY_VALUE)

    async def run() -> Any:
        return await kit.Client(node).ask(kit.query(fields={22: span(0, 1)}))

    (message,) = asyncio.run(run())
    assert message.result_code == ResultCode.SINDEX_NOT_READABLE


def test_dropping_the_index_ends_its_queries(kit: Any) -> None:
    node = kit.make_node()
    for at in range(3000):
        kit.store(node.namespaces[b"test"], digest(at), {b"v": number(at)})
    kit.build(node, BY_VALUE)

    async def run() -> Any:
        client = kit.Client(node)
        fields = {22: span(0, 5000), FieldType.RECORDS_PER_SECOND: struct.pack(">I", 100_000)}
        client.begin(kit.query(fields=fields))
        await asyncio.sleep(0)
        node.namespaces[b"test"].indexes.delete("i")
        return await client.finish()

    messages = asyncio.run(run())
    assert messages[-1].result_code == ResultCode.SINDEX_NOT_FOUND
    assert len(messages) < 3000
