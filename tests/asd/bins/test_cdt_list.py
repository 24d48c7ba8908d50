"""List operations against plain Python lists and brute-force searching."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.as_msgpack import INF, WILDCARD, compare
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt
from asd.bins.cdt.list_ops import MAX_PADDING
from asd.bins.particle import Particle


class NoExpressions:
    """A compiler for tests without path expressions."""

    def compile(self, wire: bytes) -> cdt.PathExpression:
        raise AssertionError("nothing to compile here")


VALUES = st.one_of(
    st.integers(-3, 6),
    st.sampled_from(["\x03a", "\x03b", "\x04a", None, True, 1.5, [1], [1, 2], {1: 2}]),
)
INVERTED = 0x10000


def list_particle(values: list[Any], *, ordered: bool = False) -> Particle:
    if ordered:
        values = [ExtType(1, b""), *sorted(values, key=cmp_to_key(compare))]
    return Particle(ParticleType.LIST, mp.pack(values))


def value_of(particle: Particle | None) -> Any:
    """The plain value a result carries."""
    if particle is None:
        return None
    if particle.type in (ParticleType.LIST, ParticleType.MAP):
        return mp.unpack_stored(particle.data)
    if particle.type == ParticleType.INTEGER:
        return int.from_bytes(particle.data, signed=True)
    if particle.type == ParticleType.BOOL:
        return particle.data == b"\1"
    return (bytes([particle.type]) + particle.data).decode("utf-8", "surrogateescape")


def read(particle: Particle | None, *op: Any) -> Any:
    return value_of(cdt.read(particle, mp.pack(list(op)), NoExpressions))


def modify(particle: Particle | None, *op: Any) -> tuple[Any, Any]:
    after, result = cdt.modify(particle, mp.pack(list(op)), NoExpressions)
    return value_of(after), value_of(result)


def code_of(particle: Particle | None, *op: Any, write: bool = True) -> ResultCode:
    with pytest.raises(OperationError) as caught:
        (modify if write else read)(particle, *op)
    return caught.value.code


class UnorderedList(RuleBasedStateMachine):
    """An unordered list beside a Python list."""

    @initialize(values=st.lists(VALUES, max_size=6))
    def start(self, values: list[Any]) -> None:
        self.model = list(values)
        self.bin: Particle | None = list_particle(values)

    def modify(self, *op: Any) -> Any:
        self.bin, result = cdt.modify(self.bin, mp.pack(list(op)), NoExpressions)
        return value_of(result)

    @rule(value=VALUES)
    def append(self, value: Any) -> None:
        self.model.append(value)
        assert self.modify(1, value) == len(self.model)

    @rule(values=st.lists(VALUES, max_size=3))
    def append_items(self, values: list[Any]) -> None:
        self.model.extend(values)
        assert self.modify(2, values) == len(self.model)

    @rule(index=st.integers(0, 9), value=VALUES)
    def insert(self, index: int, value: Any) -> None:
        self.model += [None] * (index - len(self.model))
        self.model.insert(index, value)
        assert self.modify(3, index, value) == len(self.model)

    @rule(index=st.integers(0, 9), value=VALUES)
    def set(self, index: int, value: Any) -> None:
        self.model += [None] * (index + 1 - len(self.model))
        self.model[index] = value
        assert self.modify(9, index, value) is None

    @rule(index=st.integers(-4, 8), count=st.integers(0, 4))
    def remove_range(self, index: int, count: int) -> None:
        start = index + len(self.model) if index < 0 else index
        gone = range(max(0, start), max(0, start + count))
        kept = [value for at, value in enumerate(self.model) if at not in gone]
        assert self.modify(8, index, count) == len(self.model) - len(kept)
        self.model = kept

    @rule(index=st.integers(-4, 8))
    def pop(self, index: int) -> None:
        if -len(self.model) <= index < len(self.model):
            popped = value_of(cdt.read(self.bin, mp.pack([17, index]), NoExpressions))
            del self.model[index]
            assert self.modify(5, index) == popped
        else:
            assert self.bin is not None
            assert code_of(self.bin, 5, index) is ResultCode.OP_NOT_APPLICABLE

    @rule(flags=st.sampled_from([0, 1, 2]))
    def sort(self, flags: int) -> None:
        if len(self.model) < 2:
            return
        self.model.sort(key=cmp_to_key(compare), reverse=flags == 1)
        if flags == 2:
            kept: list[Any] = []
            for value in self.model:
                if not kept or compare(kept[-1], value):
                    kept.append(value)
            self.model = kept
        assert self.modify(13, flags) is None

    @rule()
    def clear(self) -> None:
        self.model = []
        self.modify(11)

    @invariant()
    def same_bytes(self) -> None:
        assert self.bin is not None
        assert self.bin.data == mp.pack(self.model)


UnorderedList.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_unordered_list = UnorderedList.TestCase


@given(st.lists(VALUES, max_size=8), VALUES, st.lists(VALUES, max_size=4))
def test_ordered_lists_stay_ordered(values: list[Any], value: Any, more: list[Any]) -> None:
    particle = list_particle(values, ordered=True)
    for added, op in (([value], [1, value]), (more, [2, more])):
        after, result = cdt.modify(particle, mp.pack(op), NoExpressions)
        assert after == list_particle(values + added, ordered=True)
        assert value_of(result) == len(values) + len(added)
    made_ordered, _ = cdt.modify(list_particle(values), mp.pack([0, 1]), NoExpressions)
    assert made_ordered == particle


# -- selecting ---------------------------------------------------------------------------


def naive_positions(values: list[Any], code: int, args: list[Any]) -> list[int]:
    """The storage positions that a get_by operation means, brute force. Ranks are not here."""
    size = len(values)
    if code == 24:
        index, count = args
        start = index + size if index < 0 else index
        return [at for at in range(size) if start <= at < start + count]
    if code == 22:
        return [at for at in range(size) if compare(values[at], args[0]) == 0]
    if code == 23:
        return [at for at in range(size) if any(compare(values[at], v) == 0 for v in args[0])]
    begin, end = args
    return [
        at for at in range(size) if compare(values[at], begin) >= 0 and compare(values[at], end) < 0
    ]


SELECTIONS = st.one_of(
    st.tuples(st.just(24), st.tuples(st.integers(-9, 9), st.integers(0, 9))),
    st.tuples(st.just(22), st.tuples(VALUES)),
    st.tuples(st.just(23), st.tuples(st.lists(VALUES, max_size=3))),
    st.tuples(st.just(25), st.tuples(VALUES, st.one_of(VALUES, st.just(INF)))),
)
REMOVE = {24: 37, 22: 35, 23: 36, 25: 38, 26: 39, 27: 40}


@given(st.lists(VALUES, max_size=8), st.booleans(), st.booleans(), SELECTIONS)
@settings(max_examples=300)
def test_selections_by_index_and_value(
    values: list[Any], ordered: bool, inverted: bool, selection: tuple[int, tuple[Any, ...]]
) -> None:
    particle = list_particle(values, ordered=ordered)
    values = mp.list_items(mp.unpack_stored(particle.data))
    code, args = selection
    expected = naive_positions(values, code, list(args))
    flag = 0
    if inverted:
        flag = INVERTED
        expected = [at for at in range(len(values)) if at not in expected]

    def answer(return_type: int) -> Any:
        return read(particle, code, flag | return_type, *args)

    assert answer(5) == len(expected)
    assert answer(0) is None
    if code != 23 or not ordered or inverted:  # repeats show there
        assert answer(7) == [values[at] for at in expected]
        assert answer(1) == expected
        assert sorted(answer(2)) == sorted(len(values) - 1 - at for at in expected)
        assert sorted(answer(4)) == sorted(len(values) - 1 - rank for rank in answer(3))
    kept = [value for at, value in enumerate(values) if at not in expected]
    after, result = cdt.modify(particle, mp.pack([REMOVE[code], flag | 5, *args]), NoExpressions)
    assert value_of(result) == len(expected)
    assert after == list_particle(kept, ordered=ordered)


def heap_model(values: list[Any], start: int, count: int) -> list[int]:
    """The rank selection of unordered lists, step by step as the protocol describes it."""
    tail = len(values) - start - count
    sign = 1 if start <= tail else -1

    def before(a: int, b: int) -> bool:
        return sign * compare(values[a], values[b]) < 0

    heap = list(range(len(values)))

    def sift(at: int, size: int) -> None:
        while 2 * at + 1 < size:
            child = 2 * at + 1
            if child + 1 < size and before(heap[child + 1], heap[child]):
                child += 1
            if not before(heap[child], heap[at]):
                return
            heap[at], heap[child] = heap[child], heap[at]
            at = child

    for at in range(len(values) // 2 - 1, -1, -1):
        sift(at, len(values))
    size = len(values)
    for _ in range((start if sign > 0 else tail) + count):
        size -= 1
        heap[0], heap[size] = heap[size], heap[0]
        sift(0, size)
    return heap[size : size + count]


@given(st.lists(VALUES, max_size=12), st.integers(0, 11), st.integers(1, 12))
@settings(max_examples=300)
def test_rank_ranges_of_unordered_lists_follow_the_heap(
    values: list[Any], start: int, count: int
) -> None:
    count = min(count, len(values) - start)
    if count <= 0:
        return
    particle = list_particle(values)
    chosen = heap_model(values, start, count)
    assert read(particle, 26, 7, start, count) == [values[at] for at in chosen]
    assert read(particle, 26, 1, start, count) == sorted(chosen)
    assert read(particle, 26, 3, start, count) == list(range(start, start + count))
    assert read(particle, 21, 1, start) == heap_model(values, start, 1)[0]
    after, _ = cdt.modify(particle, mp.pack([39, 0, start, count]), NoExpressions)
    kept = [value for at, value in enumerate(values) if at not in chosen]
    assert after == list_particle(kept)


@given(st.lists(VALUES, max_size=9), st.integers(-9, 9), st.integers(0, 9), VALUES)
def test_rank_ranges_of_ordered_lists(values: list[Any], rank: int, count: int, value: Any) -> None:
    particle = list_particle(values, ordered=True)
    values = sorted(values, key=cmp_to_key(compare))
    start = rank + len(values) if rank < 0 else rank
    expected = values[max(0, start) : max(0, start + count)]
    assert read(particle, 26, 7, rank, count) == expected
    below = sum(compare(other, value) < 0 for other in values)
    start = below + rank
    expected = values[max(0, start) : max(0, start + count)]
    assert read(particle, 27, 7, value, rank, count) == expected


# -- flags, codes and limits -------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "after", "result"),
    [
        ([1, 3, 0, 1 | 4], [1, 2, 3], 3),
        ([1, 4, 0, 1], [1, 2, 3, 4], 4),
        ([2, [3, 4, 5], 0, 1 | 4], [1, 2, 3], 3),
        ([2, [3, 4, 4, 5], 0, 1 | 4 | 8], [1, 2, 3, 4, 5], 5),
        ([3, 9, 4, 2 | 4], [1, 2, 3], 3),
        ([3, -1, 4], [1, 2, 4, 3], 4),
        ([9, 3, 4, 2], [1, 2, 3, 4], None),
        ([12, 0], [2, 2, 3], 2),
        ([12, 4, 7], [1, 2, 3, None, 7], 7),
        ([12, -1, 0x7FFFFFFFFFFFFFFF], [1, 2, -(2**63) + 2], -(2**63) + 2),
        ([12, 0, 2.9], [3, 2, 3], 3),
        ([10, 1, 1], [2], 2),
        ([6, -2], [1], [2, 3]),
        ([0, 0x11], [ExtType(1, b""), 1, 2, 3], None),
    ],
)
def test_modifies(op: list[Any], after: list[Any], result: Any) -> None:
    assert modify(list_particle([1, 2, 3]), *op) == (after, result)


@pytest.mark.parametrize(
    ("op", "code"),
    [
        ([1, 3, 0, 1], ResultCode.ELEMENT_EXISTS),
        ([2, [7, 7], 0, 1], ResultCode.OP_NOT_APPLICABLE),
        ([3, 4, 9, 2], ResultCode.OP_NOT_APPLICABLE),
        ([3, -9, 9], ResultCode.OP_NOT_APPLICABLE),
        ([3, 2**31, 9], ResultCode.OP_NOT_APPLICABLE),
        ([3, MAX_PADDING + 4, 9], ResultCode.RECORD_TOO_BIG),
        ([12, 5, "\x03a"], ResultCode.PARAMETER),
        ([1, WILDCARD], ResultCode.PARAMETER),
        ([1, [1, INF]], ResultCode.PARAMETER),
        ([1], ResultCode.PARAMETER),
        ([1, 1, 0, 0, 0], ResultCode.PARAMETER),
        ([5, "\x03a"], ResultCode.PARAMETER),
        ([5, 3], ResultCode.OP_NOT_APPLICABLE),
        ([0, 2], ResultCode.OP_NOT_APPLICABLE),
        ([13, 3], ResultCode.PARAMETER),
        ([32, INVERTED | 7, 0], ResultCode.OP_NOT_APPLICABLE),
        ([35, 6, 1], ResultCode.OP_NOT_APPLICABLE),
        ([37, 11, 0, 2], ResultCode.OP_NOT_APPLICABLE),
        ([39, 9, 0, 2], ResultCode.OP_NOT_APPLICABLE),
        ([67, 1, 1], ResultCode.BIN_TYPE),
        ([16], ResultCode.PARAMETER),
        ([60], ResultCode.PARAMETER),
        ([], ResultCode.PARAMETER),
    ],
)
def test_refused_modifies(op: list[Any], code: ResultCode) -> None:
    assert code_of(list_particle([1, 2, 3]), *op) is code


def test_an_ordered_list_places_its_elements_itself() -> None:
    particle = list_particle([1, 5], ordered=True)
    for op in ([3, 0, 3], [4, 0, [3]], [9, 0, 3], [9, 0, 3, 4], [12, 3]):
        assert code_of(particle, *op) is ResultCode.OP_NOT_APPLICABLE
    assert modify(particle, 12, 0, 9) == ([ExtType(1, b""), 5, 10], 10)


def test_missing_bins() -> None:
    for op in ([5, 0], [6, 0], [7, 0], [8, 0], [10, 0, 1], [11], [32, 7, 0], [39, 7, "\x03x"]):
        assert modify(None, *op) == (None, None)
    assert read(None, 16) is None
    assert modify(None, 1, 7, 1) == ([ExtType(1, b""), 7], 1)
    assert modify(None, 3, 2, 7) == ([None, None, 7], 3)
    assert modify(None, 12, 0, 4) == ([4], 4)
    assert code_of(None, 13) is ResultCode.BIN_TYPE


def test_nothing_changed_is_the_same_object() -> None:
    particle = list_particle([1, 2, 3])
    for op in ([2, []], [35, 7, 9], [1, 1, 0, 5], [8, 3], [13, 0]):
        after, _ = cdt.modify(particle, mp.pack(op), NoExpressions)
        assert after is particle


def test_old_encoding_and_trailing_bytes() -> None:
    particle = list_particle([1, 2, 3])
    assert value_of(cdt.read(particle, b"\0\x11" + mp.pack([1]), NoExpressions)) == 2
    assert value_of(cdt.read(particle, b"\0\x10", NoExpressions)) == 3
    assert value_of(cdt.read(particle, mp.pack([17, -1]) + b"\xc1junk", NoExpressions)) == 3


@pytest.mark.parametrize("count", [None, -1, 2**62])
def test_counts_are_unsigned(count: int | None) -> None:
    args = [] if count is None else [count]
    assert read(list_particle([1, 2, 3]), 18, 1, *args) == [2, 3]
    assert read(list_particle([1, 2, 3]), 18, -9, *args) == [1, 2, 3]


def test_scalar_results_of_every_type() -> None:
    values = ["\x03text", "\x04\udcff", True, 2.5, {1: 2}, [3], None, "\x12hll"]
    kinds = [3, 4, 17, 2, 19, 20, None, 18]
    particle = list_particle(values)
    for index, kind in enumerate(kinds):
        result = cdt.read(particle, mp.pack([17, index]), NoExpressions)
        assert (None if result is None else result.type) == kind


def test_evaluate_leaves_its_value_alone() -> None:
    value = [ExtType(1, b""), 1, [2, 3]]
    assert cdt.evaluate(value, [1, 0], modify=True, paths=NoExpressions) == (
        [ExtType(1, b""), 0, 1, [2, 3]],
        3,
    )
    op = [0xFF, [0x10, 1], [1, 4]]
    after, result = cdt.evaluate(value, op, modify=True, paths=NoExpressions)
    assert (after, result) == ([ExtType(1, b""), 1, [2, 3, 4]], 3)
    assert value == [ExtType(1, b""), 1, [2, 3]]
    assert cdt.evaluate(value, [16], modify=False, paths=NoExpressions) == (value, 2)
    assert cdt.evaluate(None, [1, 5], modify=True, paths=NoExpressions) == ([5], 1)
    assert cdt.evaluate(None, [16], modify=False, paths=NoExpressions) == (None, None)


@pytest.mark.parametrize(
    ("wire", "stored"),
    [
        ("91d40501", "91d40501"),
        ("93d6010000000005 06", "93d6010000000005 06"),
        ("dc0002d4010105", "92c7000105"),  # a long header is not kept
        ("93d4010105cd0006", "93c700010506"),  # nor is a long integer
        ("92c701010505", "92c7000105"),
        ("9105", "9105"),
    ],
)
def test_written_lists_keep_flags_of_fixed_size(wire: str, stored: str) -> None:
    kept = cdt.check_write(ParticleType.LIST, bytes.fromhex(wire))
    assert kept == bytes.fromhex(stored)
    written = Particle(ParticleType.LIST, kept)
    assert read(written, 16) == len(read(written, 24, 7, 0))
    cleared = cdt.modify(written, mp.pack([11]), NoExpressions)[0]
    assert cleared is not None
    assert cleared.data == (b"\x90" if wire == "9105" else bytes.fromhex("91c70001"))
