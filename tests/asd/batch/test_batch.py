"""Batches, from the bytes of a request to the bytes of its replies."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.codes import (
    FieldType,
    Info1,
    Info2,
    Info3,
    OpType,
    ParticleType,
    ResultCode,
)
from aerospike_common.wire.message import (
    Message,
    Op,
    encode_field,
    encode_message,
    encode_op,
    parse_message,
    split_messages,
)
from asd.batch.replies import FRAME_SIZE
from asd.config import Edition
from asd.fastpath.rows import RowPath, RowPaths
from asd.sindex.definition import IndexDefinition, KeyType
from citrusleaf.cf_clock import VirtualClock
from citrusleaf.cf_digest import partition_id
from storage.index import PARTITIONS

INT, STR, NULL = ParticleType.INTEGER, ParticleType.STRING, ParticleType.NULL
GET_ALL = Info1.READ | Info1.GET_ALL
RESPOND_ALL, REPORT_FAILURES = 0x04, 0x08
USUAL = 0x01 | RESPOND_ALL | REPORT_FAILURES
FILTERS_ALL_OUT = b"\x93\x01\x01\x02"  # 1 == 2
LETS_ALL_PASS = b"\x93\x01\x01\x01"

# ------------------------------------------------------------------ requests


def integer(value: int) -> bytes:
    return struct.pack(">q", value)


def digest(number: int) -> bytes:
    return struct.pack("<QQ4x", number * 0x9E3779B97F4A7C15 & 2**64 - 1, number)


def row(
    index: int,
    number: int,
    info1: int = 0,
    info2: int = 0,
    *,
    info3: int = 0,
    generation: int | None = None,
    ttl: int | None = None,
    ops: Iterable[Op] = (),
    namespace: bytes = b"test",
    set_name: bytes = b"demo",
    fields: dict[int, bytes] | None = None,
) -> bytes:
    """A row that says all it asks for."""
    flags, meta = 0x02, bytes((info1, info2, info3))
    if generation is not None:
        flags, meta = flags | 0x04, meta + struct.pack(">H", generation)
    if ttl is not None:
        flags, meta = flags | 0x08, meta + struct.pack(">I", ttl)
    parts = {FieldType.NAMESPACE: namespace, FieldType.SET: set_name, **(fields or {})}
    encoded = [encode_field(kind, data) for kind, data in parts.items()]
    encoded_ops = [encode_op(*op) for op in ops]
    counts = struct.pack(">HH", len(encoded), len(encoded_ops))
    start = struct.pack(">I20sB", index, digest(number), flags)
    return start + meta + counts + b"".join(encoded + encoded_ops)


def repeat(index: int, number: int) -> bytes:
    return struct.pack(">I20sB", index, digest(number), 1)


def get(index: int, number: int, **more: Any) -> bytes:
    return row(index, number, GET_ALL, ttl=0, **more)


def put(index: int, number: int, value: int = 7, name: bytes = b"a", **more: Any) -> bytes:
    info2 = Info2.WRITE | more.pop("info2", Info2.RESPOND_ALL_OPS)
    ops = [Op(OpType.WRITE, INT, name, integer(value))]
    return row(index, number, 0, info2, generation=0, ttl=0, ops=ops, **more)


def framed(body: bytes) -> bytes:
    return b"\x02\x03" + len(body).to_bytes(6, "big") + body


def batch(
    *rows: bytes,
    flags: int = USUAL,
    count: int | None = None,
    wide_filter: bytes | None = None,
    timeout_ms: int = 0,
) -> bytes:
    """A whole request."""
    size = struct.pack(">IB", len(rows) if count is None else count, flags)
    return request(size + b"".join(rows), wide_filter, timeout_ms)


def request(data: bytes, wide_filter: bytes | None = None, timeout_ms: int = 0) -> bytes:
    fields = {} if wide_filter is None else {FieldType.FILTER: wide_filter}
    fields[FieldType.BATCH] = data
    return framed(encode_message(Info1.BATCH, fields=fields, transaction_ttl=timeout_ms))


# ------------------------------------------------------------------- replies


def unpack(data: bytes) -> tuple[list[Message], int]:
    """The rows' replies and the code of the whole; asserts that the stream is as it must be."""
    messages: list[Message] = []
    while data:
        assert data[:2] == b"\x02\x03"
        end = 8 + int.from_bytes(data[2:8], "big")
        parts = split_messages(data[8:end])
        assert end - 8 <= FRAME_SIZE or len(parts) == 1
        messages += map(parse_message, parts)
        data = data[end:]
    assert [bool(m.info3 & Info3.LAST) for m in messages] == [False] * (len(messages) - 1) + [True]
    last = messages.pop()
    assert not last.fields
    assert not last.ops
    return messages, last.result_code


def codes(data: bytes) -> tuple[dict[int, int], int]:
    """Row index to result code, and the code of the whole."""
    messages, last = unpack(data)
    return {m.transaction_ttl: m.result_code for m in messages}, last


def values(data: bytes) -> dict[int, dict[bytes, bytes]]:
    """Row index to the bins read."""
    messages, last = unpack(data)
    assert last == ResultCode.OK
    return {m.transaction_ttl: {op.name: op.value for op in m.ops} for m in messages}


@pytest.fixture
def wire(kit: Any) -> Any:
    return kit.Wire(kit.make_node())


# --------------------------------------------------------------------- tests


def test_rows_of_all_kinds(wire: Any) -> None:
    wire.send(batch(*(put(i, i, i * 10) for i in range(5))))
    read_a = [Op(OpType.READ, NULL, b"a", b""), Op(OpType.READ, NULL, b"b", b"")]
    exp_read = [Op(OpType.EXP_READ, ParticleType.BLOB, b"x", b"\x92\x05\x00")]
    add = [Op(OpType.INCR, INT, b"a", integer(1)), Op(OpType.READ, NULL, b"a", b"")]
    messages, last = unpack(
        wire.send(
            batch(
                get(100, 1),
                row(101, 2, Info1.READ, ops=read_a),
                row(102, 3, Info1.READ | Info1.GET_NO_BINS),
                row(103, 3, Info1.READ, ops=exp_read),
                put(104, 9, 90),
                row(105, 4, Info1.READ, Info2.WRITE, ops=add),
                row(106, 0, 0, Info2.WRITE | Info2.DELETE),
                get(107, 0),
            )
        )
    )
    assert last == ResultCode.OK
    found = [(m.transaction_ttl, m.result_code, m.generation, m.ops) for m in messages]
    assert found == [
        (100, 0, 1, [Op(OpType.READ, INT, b"a", integer(10))]),
        (101, 0, 1, [Op(OpType.READ, INT, b"a", integer(20))]),
        (102, 0, 1, []),
        (103, 0, 1, [Op(OpType.READ, INT, b"x", integer(5))]),  # reads answer as plain reads
        (104, 0, 1, [Op(OpType.WRITE, NULL, b"a", b"")]),
        (105, 0, 2, [Op(OpType.READ, INT, b"a", integer(41))]),
        (106, 0, 0, []),
        (107, ResultCode.NOT_FOUND, 0, []),
    ]


def test_rows_that_repeat(wire: Any) -> None:
    wire.send(batch(put(0, 0, 5), *(repeat(i, i) for i in range(1, 4))))
    # Again, by the fast way, where a repeat follows a row that was not parsed.
    wire.send(batch(put(0, 4, 6), put(1, 5, 6), repeat(2, 6), get(3, 4), repeat(4, 5)))
    read = values(wire.send(batch(get(0, 0), *(repeat(i, i) for i in range(1, 8)))))
    assert read == {i: {b"a": integer(5 if i < 4 else 6)} for i in range(7)} | {7: {}}


def test_a_repeat_of_nothing_or_of_a_row_with_a_key_ends_the_batch(wire: Any) -> None:
    assert codes(wire.send(batch(repeat(0, 1), get(1, 1)))) == ({}, ResultCode.PARAMETER)
    keyed = put(0, 1, fields={FieldType.KEY: b"\x03user"})
    assert codes(wire.send(batch(keyed, repeat(1, 2)))) == ({}, ResultCode.PARAMETER)
    assert values(wire.send(batch(get(0, 1))))[0] == {b"a": integer(7)}


def test_filters_of_the_batch_and_of_rows(wire: Any) -> None:
    wire.send(batch(put(0, 1), put(1, 2)))
    filtered = {FieldType.FILTER: FILTERS_ALL_OUT}
    passing = {FieldType.FILTER: LETS_ALL_PASS}
    rows = (get(0, 1), get(1, 2, fields=filtered), get(2, 1, fields=passing), put(3, 1))
    ok, out = ResultCode.OK, ResultCode.FILTERED_OUT
    assert codes(wire.send(batch(*rows))) == ({0: ok, 1: out, 2: ok, 3: ok}, ok)
    reply = wire.send(batch(*rows, wide_filter=FILTERS_ALL_OUT))
    assert codes(reply) == ({0: out, 1: out, 2: ok, 3: out}, ok)


@pytest.mark.parametrize(
    ("flags", "rows", "last"),
    [
        (RESPOND_ALL | REPORT_FAILURES, {0: 0, 1: 5, 2: 2, 3: 0}, 0),
        (RESPOND_ALL, {0: 0, 1: 5, 2: 2, 3: 0}, 0),
        (REPORT_FAILURES, {0: 0, 1: 5, 2: 2, 3: 0}, 5),
        (0, {}, 5),
    ],
)
def test_what_becomes_of_a_batch_with_a_row_that_fails(
    wire: Any, flags: int, rows: dict[int, int], last: int
) -> None:
    wire.send(batch(put(0, 1)))
    create = put(1, 1, info2=Info2.CREATE_ONLY)
    reply = wire.send(batch(get(0, 1), create, get(2, 99), put(3, 3), flags=flags))
    assert codes(reply) == (rows, last)
    assert values(wire.send(batch(get(0, 3))))[0] == {b"a": integer(7)}


@pytest.mark.parametrize(
    "data",
    [
        batch(),
        request(b"\0\0\0\1"),
        framed(encode_message(Info1.BATCH)),
        batch(get(0, 1), wide_filter=b"\x93\x01"),
        batch(get(0, 1), count=2),
        batch(get(0, 1), count=2**32 - 1),
        batch(get(0, 1, namespace=b"nowhere")),
        batch(get(0, 1)[:-3]),
        batch(get(0, 1)[:20]),
    ],
)
def test_what_is_wrong_with_the_whole_has_one_answer(wire: Any, data: bytes) -> None:
    assert codes(wire.send(data)) == ({}, ResultCode.PARAMETER)


def test_rows_before_a_broken_one_are_done_but_not_answered(wire: Any) -> None:
    assert codes(wire.send(batch(put(0, 1), put(1, 2)[:-1]))) == ({}, ResultCode.PARAMETER)
    assert codes(wire.send(batch(get(0, 1), get(1, 2)))) == ({0: 0, 1: 2}, 0)


def test_a_row_whose_namespace_is_in_another_field(wire: Any) -> None:
    odd = bytearray(get(0, 1))
    odd[odd.index(b"\x00test")] = 24
    reply = codes(wire.send(batch(bytes(odd), put(1, 1))))
    assert reply == ({0: ResultCode.NAMESPACE_NOT_FOUND, 1: 0}, 0)


def test_an_op_without_room_for_its_name_costs_its_row(wire: Any) -> None:
    odd = bytearray(put(0, 1))
    odd[odd.rindex(b"\x01a")] = 16
    reply = codes(wire.send(batch(bytes(odd), put(1, 1))))
    assert reply == ({0: ResultCode.BIN_NAME, 1: 0}, 0)


def test_limits(kit: Any) -> None:
    node = kit.make_node()
    node.config.service.set("batch-max-requests", "2")
    wire = kit.Wire(node)
    assert codes(wire.send(batch(put(0, 1), put(1, 2)))) == ({0: 0, 1: 0}, 0)
    reply = wire.send(batch(put(0, 1), put(1, 2), put(2, 3)))
    assert codes(reply) == ({}, ResultCode.BATCH_MAX_REQUESTS)
    assert node.statistics.batch_index_error == 1


def test_rows_that_a_community_server_refuses(kit: Any) -> None:
    wire = kit.Wire(kit.make_node(edition=Edition.COMMUNITY))
    rows = (
        get(0, 1, info3=Info3.SC_READ_TYPE),
        put(1, 1, fields={FieldType.MRT_ID: bytes(8)}),
        row(2, 1, 0, Info2.WRITE | Info2.DELETE | Info2.DURABLE_DELETE),
    )
    refused = ResultCode.ENTERPRISE_ONLY
    assert codes(wire.send(batch(*rows))) == ({0: refused, 1: refused, 2: refused}, 0)


def test_what_is_counted(wire: Any) -> None:
    namespace = wire.node.namespaces[b"test"]
    for _ in range(3):
        wire.send(batch(*(put(i, i) for i in range(10))))
        wire.send(batch(get(0, 0), *(repeat(i, i) for i in range(1, 12))))
    wire.send(batch(repeat(0, 0)))
    counters = namespace.statistics.batch_sub
    assert (counters.write_success, counters.read_success, counters.read_not_found) == (30, 30, 6)
    assert sum(namespace.batch_sub_write_latency.counts) == 30
    assert sum(namespace.batch_sub_read_latency.counts) == 36
    assert sum(wire.node.batch_index_latency.counts) == 7
    assert sum(namespace.read_latency.counts) == sum(namespace.write_latency.counts) == 0
    statistics = wire.node.statistics
    assert statistics.batch_index_initiate == 7
    assert (statistics.batch_index_complete, statistics.batch_index_error) == (6, 1)
    names = [histogram.name for histogram in wire.node.histograms()]
    assert names[0] == "batch-index"
    assert "{bar}-batch-sub-write" in names


def test_frames_are_bounded(wire: Any) -> None:
    for number, size in ((1, 10_000), (2, 200_000), (3, 100)):
        wire.send(
            batch(row(0, number, 0, Info2.WRITE, ops=[Op(OpType.WRITE, STR, b"s", b"x" * size)]))
        )
    numbers = [1] * 30 + [2] + [3] * 10 + [2, 2] + [1] * 20
    rows = (get(0, 1), *(repeat(i, number) for i, number in enumerate(numbers[1:], 1)))
    messages, _ = unpack(wire.send(batch(*rows)))
    assert [m.transaction_ttl for m in messages] == list(range(len(numbers)))
    sizes = {1: 10_000, 2: 200_000, 3: 100}
    assert [len(m.ops[0].value) for m in messages] == [sizes[number] for number in numbers]


def test_a_bug_in_a_row_costs_that_row(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = wire.node.namespaces[b"test"]

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(namespace, "commit", broken)
    reply = codes(wire.send(batch(put(0, 1), get(1, 1))))
    assert reply == ({0: ResultCode.SERVER_ERROR, 1: ResultCode.NOT_FOUND}, 0)


# --------------------------------------------------------------- any bytes


def valid_field() -> bytes:
    rows = (
        put(0, 1),
        put(1, 2),
        get(2, 1),
        repeat(3, 2),
        row(4, 1, Info1.READ, ops=[Op(1, 0, b"a", b"")]),
    )
    return struct.pack(">IB", len(rows), USUAL) + b"".join(rows)


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(kit: Any, data: bytes) -> None:
    unpack(kit.Wire(kit.make_node()).send(request(data)))


@given(st.data())
def test_damaged_batches_have_an_answer(kit: Any, data: st.DataObject) -> None:
    wire = kit.Wire(kit.make_node())
    field = bytearray(valid_field())
    for _ in range(data.draw(st.integers(1, 4))):
        field[data.draw(st.integers(0, len(field) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(field)))
    for sent in (field, field, field[:cut]):  # the second time with plans
        unpack(wire.send(request(bytes(sent))))


# ------------------------------------------------------ both ways, side by side


class NoRowPaths(RowPaths):
    """Learns nothing: every row takes the general way."""

    def learn(self, *_: Any) -> RowPath | None:
        return None


NUMBERS = st.integers(1, 4)
SETS = st.sampled_from([b"demo", b"demo", b"other", b""])
VALUES = st.sampled_from(
    [(INT, integer(7)), (STR, b"text"), (STR, b"longer"), (INT, b"\x05"), (NULL, b""), (17, b"\1")]
)


@st.composite
def any_row(draw: st.DrawFn) -> bytes:
    index, number, set_name = draw(st.integers(0, 9)), draw(NUMBERS), draw(SETS)
    kind = draw(
        st.sampled_from(["get", "repeat", "repeat", "put", "put", "keyed", "ttl", "delete"])
    )
    if kind == "get":
        return get(index, number, set_name=set_name)
    if kind == "repeat":
        return repeat(index, number)
    if kind == "delete":
        return row(index, number, 0, Info2.WRITE | Info2.DELETE, set_name=set_name)
    particle, value = draw(VALUES)
    info2 = Info2.WRITE | draw(st.sampled_from([0, Info2.RESPOND_ALL_OPS]))
    ops = [Op(OpType.WRITE, particle, draw(st.sampled_from([b"a", b"b", b"x" * 16])), value)]
    return row(
        index,
        number,
        0,
        info2,
        ttl=5 if kind == "ttl" else 0,
        ops=ops,
        set_name=set_name,
        fields={FieldType.KEY: b"\x03user"} if kind == "keyed" else None,
    )


def test_plans_are_made_and_forgotten(wire: Any) -> None:
    plans, reading, writing = wire.node.paths, get(0, 1), put(0, 1)
    heads = reading[24:], writing[24 : writing.index(b"\0\0\0\x0d\x02")]
    wire.send(batch(writing, reading))
    assert all(plans.rows.find(head) for head in heads)
    plans.clear()
    assert not any(plans.rows.find(head) for head in heads)


def entries_of_new_index(wire: Any) -> Any:
    """The entries of an index of the numbers in bin `a`, ready from the start."""
    indexes = wire.node.namespaces[b"test"].indexes
    indexes.create(IndexDefinition("numbers", b"demo", b"a", KeyType.NUMERIC))
    (index,) = indexes
    index.built = PARTITIONS
    return index.entries


@given(st.lists(st.lists(any_row(), min_size=1, max_size=12), max_size=8), st.booleans())
def test_both_ways_answer_alike(kit: Any, script: list[list[bytes]], indexed: bool) -> None:
    clock = VirtualClock()
    planned, general = wires = [kit.Wire(kit.make_node(clock)) for _ in range(2)]
    general.node.paths.rows = NoRowPaths(general.node)
    indexes = [entries_of_new_index(wire) for wire in wires] if indexed else []
    for rows in script:
        data = batch(*rows)
        for _ in range(2):
            assert planned.send(data) == general.send(data)
        clock.advance(2)
    spaces = [wire.node.namespaces[b"test"] for wire in wires]
    for number in range(1, 5):
        records = [space.engine.get(digest(number)) for space in spaces]
        assert records[0] == records[1]
        found = [entries.find(partition_id(digest(number)), 0, 9) for entries in indexes]
        assert found[:1] == found[1:]
    assert spaces[0].statistics == spaces[1].statistics
