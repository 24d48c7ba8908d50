"""Plans and the general way give the same answers: both are played side by side."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.codes import Info1, Info2, Info3, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Op
from asd.fastpath.cache import FastPaths
from citrusleaf.cf_clock import VirtualClock

INT, STR = ParticleType.INTEGER, ParticleType.STRING


def integer(value: int) -> bytes:
    return struct.pack(">q", value)


RECORDS = st.integers(1, 3)
SETS = st.sampled_from([b"demo", b"other", b""])
BINS = st.tuples(st.sampled_from([b"a", b"b", b""]), st.integers(0, 3)).map(
    lambda pick: (
        pick[0],
        (INT, STR, ParticleType.BOOL, ParticleType.DOUBLE)[pick[1]],
        (integer(7), b"text", b"\x01", struct.pack(">d", 0.5))[pick[1]],
    )
)


KINDS = (
    *("get", "exists", "select", "select2", "nothing", "put", "put", "put2"),
    *("append", "append", "size", "bad list", "sizes all", "filter", "bad filter"),
    *("swap", "three", "mixed", "put2", "increment", "delete", "key", "ttl", "wait"),
    *("touch", "grow", "create", "replace", "update", "no bin", "all ops", "read op", "bad name"),
)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """One request, as (kind, arguments)."""
    kind = draw(st.sampled_from(KINDS))
    return kind, {"number": draw(RECORDS), "set_name": draw(SETS), "bin": draw(BINS)}


def build(
    kit: Any, kind: str, number: int, set_name: bytes, bin: tuple[bytes, int, bytes]
) -> bytes:
    match kind:
        case "get":
            return kit.get(number, set_name=set_name)
        case "put":
            return kit.put(number, bin, set_name=set_name)
        case "put2":
            return kit.put(number, bin, (b"z", INT, integer(1)), set_name=set_name)
        case "exists":
            info1 = Info1.READ | Info1.GET_NO_BINS
            return kit.request(number, info1=info1, set_name=set_name)
        case "select":
            ops = [Op(OpType.READ, 0, bin[0], b"")]
            return kit.request(number, info1=Info1.READ, ops=ops, set_name=set_name)
        case "select2":
            ops = [Op(OpType.READ, 0, name, b"") for name in (b"z", b"a", b"a", b"none")]
            return kit.request(number, info1=Info1.READ, ops=ops, set_name=set_name)
        case "nothing":
            return kit.request(number, info1=Info1.READ, set_name=set_name)
        case "append" | "size" | "bad list" | "sizes all":
            return list_request(kit, kind, number, set_name)
        case "filter" | "bad filter":
            good = b"\x93\x01\x93\x51\x02\xa1a\x07"  # bin("a", int) == 7
            fields = {43: good if kind == "filter" else good[:-1]}
            return kit.get(number, set_name=set_name, fields=fields)
        case "swap":
            return kit.put(number, (b"z", INT, integer(3)), bin, set_name=set_name)
        case "three":
            return kit.put(number, bin, (b"z", INT, integer(4)), bin, set_name=set_name)
        case "mixed":
            return kit.put(number, bin, (b"m", ParticleType.MAP, b"\x80"), set_name=set_name)
        case "increment":
            ops = [Op(OpType.INCR, INT, b"a", integer(2)), Op(OpType.READ, 0, b"a", b"")]
            both = {"info1": Info1.READ, "info2": Info2.WRITE}
            return kit.request(number, ops=ops, set_name=set_name, **both)
        case "touch" | "grow" | "create" | "replace" | "update" | "no bin" | "all ops":
            return other_write(kit, kind, number, set_name, bin)
        case "read op":
            ops = [Op(OpType.READ, 0, bin[0], b"")]
            return kit.request(number, info2=Info2.WRITE, ops=ops, set_name=set_name)
        case "bad name":
            ops = [Op(OpType.INCR, INT, b"n" * 16, integer(1))]
            return kit.request(number, info2=Info2.WRITE, ops=ops, set_name=set_name)
        case "delete":
            return kit.request(number, info2=Info2.WRITE | Info2.DELETE, set_name=set_name)
        case "key":
            return kit.put(number, bin, set_name=set_name, fields={2: b"\x03user"})
        case _:
            return kit.put(number, bin, set_name=set_name, record_ttl=5)


def other_write(
    kit: Any, kind: str, number: int, set_name: bytes, bin: tuple[bytes, int, bytes]
) -> bytes:
    name, particle_type, value = bin
    info2, info3 = Info2.WRITE, 0
    ops = [Op(OpType.WRITE, particle_type, name, value)]
    match kind:
        case "touch":
            ops = [Op(OpType.TOUCH, 0, b"", b"")]
        case "grow":
            ops = [Op(OpType.APPEND, STR, b"b", b"more"), Op(OpType.PREPEND, STR, b"b", b"<")]
        case "create":
            info2 |= Info2.CREATE_ONLY
        case "replace":
            info3 = Info3.CREATE_OR_REPLACE
        case "update":
            info3 = Info3.UPDATE_ONLY
        case "no bin":
            ops = [Op(OpType.WRITE, 0, name, b"")]
        case _:
            info2 |= Info2.RESPOND_ALL_OPS
            ops.append(Op(OpType.DELETE_ALL, 0, b"", b""))
            ops.append(Op(OpType.INCR, INT, b"a", integer(-3)))
    return kit.request(number, info2=info2, info3=info3, ops=ops, set_name=set_name)


def list_request(kit: Any, kind: str, number: int, set_name: bytes) -> bytes:
    append, size, unknown = b"\x92\x01\x05", b"\x91\x10", b"\x91\x7e"
    if kind == "append":
        ops = [Op(OpType.CDT_MODIFY, ParticleType.BLOB, b"l", append)]
        return kit.request(number, info2=Info2.WRITE, ops=ops, set_name=set_name)
    if kind == "bad list":
        ops = [Op(OpType.CDT_MODIFY, ParticleType.BLOB, b"l", unknown)]
        return kit.request(number, info2=Info2.WRITE, ops=ops, set_name=set_name)
    info2 = Info2.RESPOND_ALL_OPS if kind == "sizes all" else 0
    ops = [Op(OpType.CDT_READ, ParticleType.BLOB, b"l" if kind == "size" else b"none", size)]
    return kit.request(number, info1=Info1.READ, info2=info2, ops=ops, set_name=set_name)


class NoPaths(FastPaths):
    """Learns nothing: every request takes the general way."""

    def wants(self, head: bytes, body: bytes) -> bool:
        return False


@given(st.lists(steps(), max_size=40))
def test_both_ways_answer_alike(kit: Any, script: list[tuple[str, dict[str, Any]]]) -> None:
    clock = VirtualClock()
    node = kit.make_node(clock)
    node.paths = NoPaths(node)
    planned, general = kit.Wire(kit.make_node(clock)), kit.Wire(node)
    for kind, arguments in script:
        if kind == "wait":
            clock.advance(3)
            continue
        data = build(kit, kind, **arguments)
        assert planned.send(data) == general.send(data), (kind, arguments)
        # Again in one piece with others, where the loop over frames finds the plan.
        assert planned.send(data * 3) == general.send(data * 3), (kind, arguments)
    assert not general.node.paths.table
    for number in (1, 2, 3):
        key = kit.digest(number)
        records = [w.node.namespaces[b"test"].engine.get(key) for w in (planned, general)]
        assert records[0] == records[1]
    counters = [w.node.namespaces[b"test"].statistics for w in (planned, general)]
    assert as_dict(counters[0]) == as_dict(counters[1])
    latencies = [w.node.namespaces[b"test"].write_latency.counts for w in (planned, general)]
    assert sum(latencies[0]) == sum(latencies[1])


def as_dict(counters: object) -> dict[str, Any]:
    names = [name for kind in type(counters).__mro__ for name in getattr(kind, "__slots__", ())]
    values = {name: getattr(counters, name) for name in names if hasattr(counters, name)}
    return {
        name: value if isinstance(value, int | str) else as_dict(value)
        for name, value in values.items()
    }


def test_a_plan_is_made_and_counts(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    for _ in range(3):
        wire.send(kit.put(1, (b"a", INT, integer(1))))
        wire.send(kit.get(1))
    assert len(wire.node.paths.table) == 2
    counters = wire.node.namespaces[b"test"].statistics.client
    assert (counters.write_success, counters.read_success) == (3, 3)
    histogram = wire.node.namespaces[b"test"].read_latency
    assert sum(histogram.counts) == 3
    assert histogram.pending == 0


def test_a_plan_for_a_read_does_not_answer_for_a_truncated_one(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    wire.send(kit.put(1, (b"a", INT, integer(1))))
    wire.send(kit.get(1))
    cut = bytearray(kit.get(1)[:-4])
    cut[7] -= 4
    assert wire.call(bytes(cut)).result_code == ResultCode.PARAMETER


def test_a_change_of_configuration_clears_the_plans(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    for _ in range(2):
        wire.send(kit.put(1, (b"a", INT, integer(1))))
    namespace = wire.node.namespaces[b"test"]
    namespace.config.set("default-ttl", "100")
    wire.node.apply_configuration()
    reply = wire.call(kit.put(1, (b"a", INT, integer(2))))
    assert reply.record_ttl == namespace.clock.epoch_s() + 100


def test_an_op_that_lies_about_its_size_takes_the_general_way(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    good = kit.put(1, (b"a", STR, b"hello"))
    wire.send(good)
    wire.send(good)
    bad = bytearray(good)
    op = good.index(b"\x00\x00\x00\x0a\x02\x03")
    bad[op + 3] = 9
    assert wire.call(bytes(bad)).result_code == ResultCode.PARAMETER
    assert wire.call(kit.get(1)).ops == [Op(OpType.READ, STR, b"a", b"hello")]


def test_a_request_without_plan_is_not_looked_into_twice(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    asked = []
    make = wire.node.paths._make

    class Counting(FastPaths):
        def _make(self, namespace: Any, message: Any, rest: int, head_size: int) -> Any:
            asked.append(message)
            return make(namespace, message, rest, head_size)

    wire.node.paths = Counting(wire.node)
    wire = kit.Wire(wire.node)
    touch = kit.request(1, info2=Info2.WRITE, ops=[Op(OpType.TOUCH, 0, b"", b"")], generation=1)
    wire.send(kit.put(1, (b"a", INT, integer(1))))
    asked.clear()
    for _ in range(3):
        assert wire.call(touch).result_code == ResultCode.OK
    assert len(asked) == 1


def test_reading_some_bins_has_a_plan(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    wire.send(kit.put(1, (b"a", INT, integer(1)), (b"b", INT, integer(2))))
    wire.node.paths.clear()
    ops = [Op(OpType.READ, 0, b"b", b""), Op(OpType.READ, 0, b"c", b"")]
    request = kit.request(1, info1=Info1.READ, ops=ops)
    replies = {wire.send(request) for _ in range(3)}
    assert len(replies) == 1
    assert len(wire.node.paths.table) == 1
    assert [op.name for op in wire.call(request).ops] == [b"b"]


def test_writes_of_one_event_happen_at_the_time_of_that_event(kit: Any) -> None:
    clock = VirtualClock()
    wire = kit.Wire(kit.make_node(clock))
    engine = wire.node.namespaces[b"test"].engine
    number = (b"a", INT, integer(7))
    for _ in range(3):
        wire.send(kit.put(1, number) * 2)
    clock.advance(60)
    # The general way answers the first, and a plan that has not seen this event the second.
    wire.send(kit.put(2, number, info2=Info2.CREATE_ONLY) + kit.put(1, number))
    for written in (1, 2):
        assert engine.get(kit.digest(written))[2] == clock.epoch_ms()
