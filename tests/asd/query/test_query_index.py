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
from asd.query.index_walk import IndexWalk
from asd.sindex import IndexDefinition, KeyType, Source


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


@settings(max_examples=40, deadline=None)
@given(
    lists=st.lists(st.lists(st.integers(0, 6), max_size=3), min_size=1, max_size=20),
    ends=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    page=st.integers(1, 4),
)
def test_pages_of_an_index_query_make_the_whole(
    kit: Any, lists: list[list[int]], ends: tuple[int, int], page: int
) -> None:
    """Each record once, however many of its elements match and wherever a page ends."""
    node = kit.make_node()
    for at, values in enumerate(lists):
        kit.store(node.namespaces[b"test"], digest(at), {b"v": numbers(*values)})
    kit.build(node, BY_ELEMENT)
    low, high = min(ends), max(ends)
    fields = {FieldType.INDEX_RANGE: span(low, high), FieldType.INDEX_TYPE: b"\x01"}
    fields[FieldType.MAX_RECORDS] = struct.pack(">Q", page)

    async def run() -> list[tuple[bytes, int]]:
        client = kit.Client(node)
        seen: list[tuple[bytes, int]] = []
        for partition in (0, 1):
            more: dict[int, bytes] = {}
            while True:
                partitions = None if more else [partition]
                *found, last = await client.ask(kit.query(partitions, fields={**fields, **more}))
                assert last.result_code == 0
                if not found:
                    break
                seen += [(m.fields[4], struct.unpack("<q", m.fields[15])[0]) for m in found]
                more = {12: found[-1].fields[4], 15: found[-1].fields[15]}
        return seen

    seen = asyncio.run(run())
    wanted = {
        digest(at): min(v for v in values if low <= v <= high)
        for at, values in enumerate(lists)
        if any(low <= v <= high for v in values)
    }
    assert dict(seen) == wanted
    assert len(seen) == len(wanted)
    for partition in (0, 1):
        part = [(bval, d) for d, bval in seen if d[0] == partition]
        assert part == sorted(part)


def test_a_walk_while_values_change(kit: Any) -> None:
    node = kit.make_node()
    namespace = node.namespaces[b"test"]
    for at in range(600):
        kit.store(namespace, digest(2 * at), {b"v": number(at % 50)})
    index = kit.build(node, BY_VALUE)
    walk = IndexWalk(namespace, index, parse_range(span(0, 49)), {0: None})
    seen: list[bytes] = []
    step = 0
    while (batch := walk.next(40)) is not None:
        seen += [entry[:20] for entry in batch.entries]
        step += 1
        for at in range(step, 600, 97):
            if at % 2:  # these change, those with even numbers stay
                kit.store(namespace, digest(2 * at), {b"v": number((at * step) % 60)})
        kit.store(namespace, digest(2 * (600 + step)), {b"v": number(step % 50)})
        namespace.remove(digest(2 * (4 * step + 1)))
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
