"""What a query's message may leave out, and what it may not hold."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info2, Info3, OpType, ResultCode
from aerospike_common.wire.message import Op, encode_message
from asd.bins.particle import Particle
from asd.sindex import IndexDefinition, KeyType
from asd.space.ownership import ELSEWHERE
from cluster import PARTITIONS

COUNT = b"function count(s) return s : aggregate(0, function(n) return n + 1 end) end"
BUMP = b"function bump(rec) end"
WRITES = {"info2": int(Info2.WRITE), "ops": [Op(OpType.WRITE, 1, b"n", bytes(8))]}
CALL = {30: b"m", 32: as_msgpack.pack([])}
BASIC: dict[str, Any] = {"info1": 3, "info3": int(Info3.PARTITION_DONE)}
KINDS: dict[str, tuple[dict[str, Any], dict[int, bytes]]] = {
    "basic": (BASIC, {11: struct.pack("<2H", 0, 1)}),
    "background": (WRITES, {}),
    "background function": ({"info2": int(Info2.WRITE)}, {33: b"\2", 31: b"bump", **CALL}),
    "aggregation": ({"info1": 3}, {33: b"\1", 31: b"count", **CALL}),
}
IDS = {"none": None, "empty": b"", "short": b"\0\0\0\1", "long": b"\1" * 9, "zero": bytes(8)}


@pytest.fixture
def node(kit: Any) -> Any:
    node = kit.make_node()
    kit.store(node.namespaces[b"test"], bytes(20), {b"n": Particle(1, bytes(8))})
    node.udf.put("m.lua", COUNT + b"\n" + BUMP)
    return node


def message(kind: str, more: dict[int, bytes] | None = None) -> bytes:
    header, fields = KINDS[kind]
    every = {0: b"test", 1: b"s", **fields, **(more or {})}
    return encode_message(fields=dict(sorted(every.items())), **header)


async def ask(kit: Any, node: Any, body: bytes) -> tuple[int, int, int]:
    """(number of rows, result, info3 of the last message), when nothing runs any more."""
    *rows, last = await kit.Client(node).ask(body)
    while node.queries.long_active:
        await asyncio.sleep(0)
    return len(rows), last.result_code, last.info3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trid", IDS)
def test_a_query_without_an_id_gets_one(kit: Any, node: Any, kind: str, trid: str) -> None:
    data = IDS[trid]
    body = message(kind, {} if data is None else {FieldType.TRID: data})
    rows = 1 if kind in ("basic", "aggregation") else 0

    async def run() -> None:
        for _ in range(3):
            assert await ask(kit, node, body) == (rows, ResultCode.OK, Info3.LAST)

    asyncio.run(run())
    shown = [row.split(":")[0] for row in node.queries.show()]
    assert len(set(shown)) == 3
    assert "trid=0" not in shown


def test_half_a_partition_id_is_left_out(kit: Any, node: Any) -> None:
    body = message("basic", {11: struct.pack("<2H", 0, 1) + b"\5"})
    assert asyncio.run(ask(kit, node, body)) == (1, ResultCode.OK, Info3.LAST)


def test_digests_are_enough_of_partitions(kit: Any, node: Any) -> None:
    fields = {0: b"test", 1: b"s", 12: bytes(2) + b"\xff" * 18}
    body = encode_message(fields=fields, **BASIC)
    assert asyncio.run(ask(kit, node, body)) == (1, ResultCode.OK, Info3.LAST)


def test_a_query_of_an_older_kind_is_not_known(kit: Any, node: Any) -> None:
    fields = {0: b"test", 1: b"s"}
    no_partitions = encode_message(fields=fields, **BASIC)
    no_flag = encode_message(info1=3, fields={**fields, 11: bytes(2)})
    for body in (no_partitions, no_flag):
        assert asyncio.run(ask(kit, node, body)) == (0, ResultCode.UNSUPPORTED_FEATURE, 0)


def test_an_index_query_without_an_id_looks_for_its_index(kit: Any, node: Any) -> None:
    ends = struct.pack(">IqIq", 8, 0, 8, 9)
    body = message("basic", {22: b"\x01\x01n\x01" + ends})
    assert asyncio.run(ask(kit, node, body)) == (0, ResultCode.SINDEX_NOT_FOUND, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_set_name_has_at_most_63_bytes(kit: Any, node: Any, kind: str) -> None:
    _, code, info3 = asyncio.run(ask(kit, node, message(kind, {1: b"x" * 64})))
    assert (code, info3) == (ResultCode.PARAMETER, 0)
    _, code, _ = asyncio.run(ask(kit, node, message(kind, {1: b"x" * 63})))
    assert code == (ResultCode.OK if kind == "basic" else ResultCode.NOT_FOUND)


@pytest.mark.parametrize(("size", "code"), [(15, ResultCode.SINDEX_NOT_FOUND), (16, 4), (255, 4)])
def test_a_bin_name_in_a_range_has_at_most_15_bytes(
    kit: Any, node: Any, size: int, code: int
) -> None:
    ends = struct.pack(">IqIq", 8, 0, 8, 9)
    body = message("basic", {22: bytes((1, size)) + b"x" * size + b"\x01" + ends})
    assert asyncio.run(ask(kit, node, body)) == (0, code, 0)


# ------------------------------------------------------------------ aggregations

IN_PARTITIONS = (0, 0, 0, 7, 7, 4095)
"""Where the records are that are aggregated."""


def spread(kit: Any, node: Any, set_name: bytes) -> None:
    for at, partition in enumerate(IN_PARTITIONS):
        digest = partition.to_bytes(2, "little") + at.to_bytes(18, "big")
        value = Particle(1, at.to_bytes(8, "big"))
        kit.store(node.namespaces[b"test"], digest, {b"n": value}, set_name=set_name)


def aggregate(kit: Any, node: Any, function: bytes, more: dict[int, bytes]) -> list[int]:
    """The numbers that an aggregation sends, in order."""
    body = message("aggregation", {31: function, **more})
    *rows, last = asyncio.run(kit.Client(node).ask(body))
    assert (last.result_code, last.info3) == (ResultCode.OK, Info3.LAST)
    assert [(len(row.ops), row.ops[0].name) for row in rows] == [(1, b"SUCCESS")] * len(rows)
    return [int.from_bytes(row.ops[0].value, "big") for row in rows]


def test_an_aggregation_answers_once_for_each_partition_with_records(kit: Any, node: Any) -> None:
    spread(kit, node, b"t")
    assert aggregate(kit, node, b"count", {1: b"t"}) == [3, 2, 1]
    node.namespaces[b"test"].intern_set(b"nothing in it")
    assert aggregate(kit, node, b"count", {1: b"nothing in it"}) == []


def test_an_index_aggregation_answers_once_for_each_partition_too(kit: Any, node: Any) -> None:
    spread(kit, node, b"t")
    kit.build(node, IndexDefinition("i", b"t", b"n", KeyType.NUMERIC))
    span = b"\x01\x01n\x01" + struct.pack(">IqIq", 8, 1, 8, 5)
    assert aggregate(kit, node, b"count", {1: b"t", 22: span}) == [2, 2, 1]


def test_a_stream_that_wants_no_more_ends_with_its_partition(kit: Any, node: Any) -> None:
    node.udf.put(
        "m.lua",
        b"function first(s) local n = 0\n"
        b"  return s : filter(function(r) n = n + 1 return n <= 1 end)\n"
        b"    : map(function(r) return n end) end",
    )
    spread(kit, node, b"t")
    assert aggregate(kit, node, b"first", {1: b"t"}) == [1, 1, 1]


def test_many_partitions_take_turns_with_others(kit: Any, node: Any) -> None:
    for at in range(2000):
        digest = (at * 2).to_bytes(2, "little") + at.to_bytes(18, "big")
        kit.store(node.namespaces[b"test"], digest, {b"n": Particle(1, bytes(8))}, set_name=b"t")

    async def run() -> tuple[int, int]:
        client = kit.Client(node)
        client.begin(message("aggregation", {1: b"t"}))
        others = 0
        while client.connection.busy:
            await asyncio.sleep(0)
            others += 1
        return len(client.received()), others

    rows, others = asyncio.run(run())
    assert rows == 2000 + 1
    assert others > 8


# -------------------------------------------------------------------- ownership


@pytest.fixture
def half(kit: Any, node: Any) -> Any:
    """A node that owns half of the partitions: those with odd numbers, as 7 and 4095."""
    spread(kit, node, b"t")
    for partition in range(0, PARTITIONS, 2):
        node.namespaces[b"test"].ownership.set(partition, ELSEWHERE)
    return node


def test_a_query_says_which_partitions_are_elsewhere(kit: Any, half: Any) -> None:
    body = message("basic", {1: b"t", 11: struct.pack("<4H", 0, 7, 8, 4095)})
    *found, last = asyncio.run(kit.Client(half).ask(body))
    assert (last.result_code, last.info3) == (ResultCode.OK, Info3.LAST)
    elsewhere = [m for m in found if m.info3 & Info3.PARTITION_DONE]
    assert [(m.generation, m.result_code) for m in elsewhere] == [
        (0, ResultCode.PARTITION_UNAVAILABLE),
        (8, ResultCode.PARTITION_UNAVAILABLE),
    ]
    assert len(found) - len(elsewhere) == 3


def test_an_aggregation_goes_through_what_the_node_owns(kit: Any, half: Any) -> None:
    assert aggregate(kit, half, b"count", {1: b"t"}) == [2, 1]


@pytest.mark.parametrize("by_index", [False, True])
@pytest.mark.parametrize("kind", ["background", "background function"])
def test_a_background_query_goes_through_what_the_node_owns(
    kit: Any, half: Any, kind: str, by_index: bool
) -> None:
    half.udf.put("m.lua", b"function bump(rec) rec.n = 100 aerospike : update(rec) end")
    fields = {1: b"t"}
    if by_index:
        kit.build(half, IndexDefinition("i", b"t", b"n", KeyType.NUMERIC))
        fields[22] = b"\x01\x01n\x01" + struct.pack(">IqIq", 8, 0, 8, 9)
    assert asyncio.run(ask(kit, half, message(kind, fields))) == (0, ResultCode.OK, Info3.LAST)
    engine = half.namespaces[b"test"].engine
    generations = []
    for at, partition in enumerate(IN_PARTITIONS):
        record = engine.get(partition.to_bytes(2, "little") + at.to_bytes(18, "big"))
        generations.append(record[0])
    assert generations == [1, 1, 1, 2, 2, 2]
    shown = dict(pair.split("=", 1) for pair in half.queries.show()[0].split(":"))
    assert (shown["recs-succeeded"], shown["recs-failed"]) == ("3", "0")
