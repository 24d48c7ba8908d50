"""Several operations on one bin in one command: the same as one by one, each on packed bytes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import OpType, ParticleType
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Op
from asd.bins import cdt
from asd.bins.cdt.path import PathCompiler
from asd.bins.expressions import ExpressionCache
from asd.bins.particle import Particle
from asd.records.record import BinOrder, Bins, remove_bin
from asd.records.record_view import RecordView
from asd.transactions.ops import READ_OPS, WRITE_OPS, Operands

SMALL = st.integers(-2, 6)
VALUES = st.one_of(SMALL, st.sampled_from(["\x03a", "\x04b", None, 1.5, True, [1, [2]], {1: [3]}]))
KEYS = st.one_of(SMALL, st.sampled_from(["\x03a", "\x04b"]))

LIST_OPS = st.one_of(
    st.tuples(st.just(0), st.integers(0, 1)),
    st.tuples(st.just(1), VALUES, st.integers(0, 1), st.sampled_from([0, 1, 4, 5])),
    st.tuples(st.just(2), st.lists(VALUES, max_size=4), st.integers(0, 1), st.integers(0, 15)),
    st.tuples(st.just(3), SMALL, VALUES),
    st.tuples(st.just(5), SMALL),
    st.tuples(st.just(9), SMALL, VALUES),
    st.tuples(st.just(12), SMALL, SMALL),
    st.tuples(st.just(13), st.integers(0, 3)),
    st.tuples(st.just(23), st.sampled_from([1, 3, 5, 7]), st.lists(VALUES, max_size=3)),
    st.tuples(st.just(36), st.sampled_from([5, 7]), st.lists(VALUES, max_size=3)),
    st.tuples(st.just(34), st.just(7), SMALL),
    st.tuples(st.just(16)),
    st.tuples(st.just(0xFF), st.tuples(st.just(0x10), SMALL).map(list), st.just([1, 7])),
)
MAP_OPS = st.one_of(
    st.tuples(st.just(64), st.sampled_from([0, 1, 3, 0x10, 0x11])),
    st.tuples(st.just(67), KEYS, VALUES, st.sampled_from([0, 1, 0x10]), st.integers(0, 7)),
    st.tuples(st.just(68), st.dictionaries(KEYS, VALUES, max_size=3), st.just(0)),
    st.tuples(st.just(73), KEYS, SMALL),
    st.tuples(st.just(76), st.sampled_from([5, 7]), KEYS),
    st.tuples(st.just(81), st.just(7), st.lists(KEYS, max_size=3)),
    st.tuples(st.just(107), st.sampled_from([1, 5, 7]), st.lists(KEYS, max_size=3)),
    st.tuples(st.just(83), st.just(5), st.lists(VALUES, max_size=3)),
    st.tuples(st.just(104), st.just(8), SMALL, SMALL),
    st.tuples(st.just(96)),
)
START = st.sampled_from([None, [], [1, 2], [3, "\x03a", [1]], {}, {1: 2}, {"\x03a": [1], 4: 5}])


def operation(parts: tuple[Any, ...]) -> Op:
    code = parts[0]
    reads = 16 <= code <= 27 or 96 <= code <= 110
    kind = OpType.CDT_READ if reads else OpType.CDT_MODIFY
    return Op(kind, 0, b"b", as_msgpack.pack(list(parts)))


def no_paths() -> PathCompiler:
    raise AssertionError


def one_by_one(bins: Bins, ops: list[Op]) -> list[Any]:
    results: list[Any] = []
    for op in ops:
        try:
            if op.type == OpType.CDT_READ:
                results.append(cdt.read(bins.get(b"b"), op.value, no_paths))
                continue
            value, result = cdt.modify(bins.get(b"b"), op.value, no_paths)
        except OperationError as error:
            return [*results, error.code]
        results.append(result)
        if value is None:
            bins.pop(b"b", None)
        else:
            bins[b"b"] = value
    return results


def together(bins: Bins, ops: list[Op]) -> list[Any]:
    view = RecordView(bytes(20), None, b"", 0, bins)
    operands = Operands(lambda: view, ExpressionCache(4), bins)
    results: list[Any] = []
    for op in ops:
        handler = WRITE_OPS.get(op.type) or READ_OPS[op.type]
        try:
            results.append(handler(operands, op))
        except OperationError as error:
            return [*results, error.code]
    operands.settle()
    return results


def start_bins(start: Any) -> Bins:
    if start is None:
        return {}
    kind = ParticleType.LIST if isinstance(start, list) else ParticleType.MAP
    return {b"b": Particle(kind, cdt.check_write(kind, as_msgpack.pack(start)))}


@settings(max_examples=400)
@given(
    START,
    st.one_of(st.lists(LIST_OPS, max_size=8), st.lists(MAP_OPS, max_size=8)),
)
def test_operations_on_one_bin(start: Any, parts: list[Any]) -> None:
    ops = [operation(each) for each in parts]
    kept, packed = start_bins(start), start_bins(start)
    results = together(kept, ops)
    assert results == one_by_one(packed, ops)
    if not results or not isinstance(results[-1], int):
        assert kept == packed
        assert {name: type(value) for name, value in kept.items()} == {
            name: type(value) for name, value in packed.items()
        }


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=30))
def test_bins_are_deleted_as_one_by_one(steps: list[tuple[bool, int]]) -> None:
    value = Particle(ParticleType.BLOB, b"x")
    names = [b"%d" % number for number in range(5)]
    bins, model = dict.fromkeys(names, value), dict.fromkeys(names, value)
    order = BinOrder(bins)
    for adds, number in steps:
        name = b"%d" % number
        if adds and name not in model:
            order.add(name)
            bins[name] = model[name] = value
        elif not adds and name in model:
            order.remove(name)
            del bins[name]
            remove_bin(model, name)
    order.restore(bins)
    assert list(bins) == list(model)
