"""Operations below a context: finding, changing and creating what lies deep inside a bin."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt
from asd.bins.particle import Particle

INDEX, RANK, VALUE = 0x10, 0x11, 0x13
MAP_INDEX, MAP_RANK, MAP_KEY, MAP_VALUE = 0x20, 0x21, 0x22, 0x23
UNORDERED, PADDED, ORDERED = 0x40, 0x80, 0xC0
LISTS_ORDERED, MAPS_ORDERED, MAPS_BOTH = 1, 1, 3


class NoExpressions:
    """A compiler for tests without path expressions."""

    def compile(self, wire: bytes) -> cdt.PathExpression:
        raise AssertionError("nothing to compile here")


def particle_of(value: Any) -> Particle:
    kind = ParticleType.LIST if type(value) is list else ParticleType.MAP
    return Particle(kind, mp.pack(mp.normalise_for_storage(value)))


def below(context: list[Any], *op: Any) -> bytes:
    return mp.pack([0xFF, context, list(op)])


def read(value: Any, context: list[Any], *op: Any) -> Any:
    result = cdt.evaluate(value, [0xFF, context, list(op)], modify=False, paths=NoExpressions)[1]
    through_bytes = cdt.read(particle_of(value), below(context, *op), NoExpressions)
    assert through_bytes == cdt.answers.result_particle(result)
    return result


def modify(value: Any, context: list[Any], *op: Any) -> tuple[Any, Any]:
    particle = None if value is None else particle_of(value)
    after, result = cdt.modify(particle, below(context, *op), NoExpressions)
    plain = None if after is None else mp.unpack_stored(after.data)
    assert cdt.evaluate(value, [0xFF, context, list(op)], modify=True, paths=NoExpressions) == (
        plain,
        None if result is None else int.from_bytes(result.data, signed=True),
    )
    return plain, None if result is None else int.from_bytes(result.data, signed=True)


def code_of(value: Any, context: Any, *op: Any, write: bool = True) -> ResultCode:
    run = cdt.modify if write else cdt.read
    with pytest.raises(OperationError) as caught:
        run(None if value is None else particle_of(value), below(context, *op), NoExpressions)
    return caught.value.code


def flagged(flags: int, value: Any) -> Any:
    mark = ExtType(flags, b"")
    return [mark, *value] if type(value) is list else {mark: None, **value}


NESTED = {"\x03l": [5, [1, 2], {"\x03x": [7]}], "\x03m": {1: [3], 2: 9}}


@pytest.mark.parametrize(
    ("context", "op", "result"),
    [
        ([MAP_KEY, "\x03l"], [16], 3),
        ([MAP_INDEX, 0], [16], 3),
        ([MAP_KEY, "\x03l", INDEX, 1], [17, 0], 1),
        ([MAP_KEY, "\x03l", INDEX, -2], [17, -1], 2),
        ([MAP_KEY, "\x03l", RANK, 1], [17, 0], 1),
        ([MAP_KEY, "\x03l", VALUE, [1, 2]], [17, 1], 2),
        ([MAP_KEY, "\x03l", INDEX, -1, MAP_KEY, "\x03x"], [17, 0], 7),
        ([MAP_RANK, 1], [97, 7, 2], 9),
        ([MAP_VALUE, {1: [3], 2: 9}, MAP_KEY, 1], [16], 1),
        ([0, 1], [96], 2),
    ],
)
def test_reading(context: list[Any], op: list[Any], result: Any) -> None:
    assert read(NESTED, context, *op) == result


@pytest.mark.parametrize(
    ("context", "op", "code"),
    [
        ([], [16], ResultCode.PARAMETER),
        ([MAP_KEY], [16], ResultCode.PARAMETER),
        (["\x03x", 1], [16], ResultCode.PARAMETER),
        ([0x24, 1], [16], ResultCode.OP_NOT_APPLICABLE),
        ([0x30, 1], [16], ResultCode.OP_NOT_APPLICABLE),
        ([0x12, 1], [16], ResultCode.OP_NOT_APPLICABLE),
        ([MAP_INDEX, "\x03x"], [16], ResultCode.OP_NOT_APPLICABLE),
        ([MAP_KEY, "\x03none"], [16], ResultCode.OP_NOT_APPLICABLE),
        ([MAP_INDEX, 2], [16], ResultCode.OP_NOT_APPLICABLE),
        ([INDEX, 0], [16], ResultCode.OP_NOT_APPLICABLE),
        ([MAP_KEY, "\x03l", MAP_KEY, 1], [16], ResultCode.OP_NOT_APPLICABLE),
        ([MAP_KEY, "\x03l", INDEX, 0, INDEX, 0], [16], ResultCode.OP_NOT_APPLICABLE),
        ([MAP_KEY, "\x03l", INDEX, 0], [16], ResultCode.BIN_TYPE),
        ([MAP_KEY, "\x03l"], [96], ResultCode.BIN_TYPE),
        ([MAP_KEY, "\x03l"], [99], ResultCode.BIN_TYPE),
        ([MAP_KEY, "\x03m"], [97], ResultCode.PARAMETER),
        ([MAP_KEY | UNORDERED, "\x03none"], [16], ResultCode.OP_NOT_APPLICABLE),
    ],
)
def test_refused_reads(context: list[Any], op: list[Any], code: ResultCode) -> None:
    assert code_of(NESTED, context, *op, write=False) is code


def test_a_context_needs_a_container() -> None:
    number = Particle(ParticleType.INTEGER, bytes(8))
    for run, op in ((cdt.read, 16), (cdt.modify, 11)):
        with pytest.raises(OperationError) as caught:
            run(number, below([INDEX, 0], op), NoExpressions)
        assert caught.value.code is ResultCode.PARAMETER
    assert cdt.read(None, below([INDEX, 0], 16), NoExpressions) is None


def test_modifying_deep_inside() -> None:
    after, result = modify(NESTED, [MAP_KEY, "\x03l", INDEX, 2, MAP_KEY, "\x03x"], 1, 8)
    assert result == 2
    assert after == {**NESTED, "\x03l": [5, [1, 2], {"\x03x": [7, 8]}]}
    after, result = modify(NESTED, [MAP_KEY, "\x03m"], 73, 2, 1)
    assert result == 10
    assert after == {**NESTED, "\x03m": {1: [3], 2: 10}}


def test_ordered_parents_take_the_changed_element_to_its_place() -> None:
    value = flagged(1, [[1], [5]])
    assert modify(value, [INDEX, 0], 9, 0, 7) == (flagged(1, [[5], [7]]), None)


@pytest.mark.parametrize(
    ("before", "context", "op", "after", "result"),
    [
        (None, [MAP_KEY | UNORDERED, 1], [1, 5], {1: [5]}, 1),
        (None, [MAP_KEY | PADDED, 1], [1, 5, 1], flagged(1, {1: flagged(1, [5])}), 1),
        (None, [MAP_KEY | ORDERED, 1, INDEX, 0], [67, 2, 3], flagged(3, {1: [{2: 3}]}), 1),
        (None, [INDEX | UNORDERED, 0], [1, 5], [[5]], 1),
        (None, [INDEX | UNORDERED, -1], [1, 5], [[5]], 1),
        (None, [INDEX | PADDED, 2], [1, 5], [None, None, [5]], 1),
        (None, [INDEX | ORDERED, 7], [1, 5], flagged(1, [[5]]), 1),
        ({1: 2}, [MAP_KEY | ORDERED, 0], [67, 2, 3, 1], {0: flagged(1, {2: 3}), 1: 2}, 1),
        ([1], [INDEX | UNORDERED, 1], [1, 5], [1, [5]], 1),
        ([1], [INDEX | PADDED, 3], [1, 5], [1, None, None, [5]], 1),
        (flagged(1, [[9]]), [INDEX | UNORDERED, 5], [1, 5], flagged(1, [[5], [9]]), 1),
        ({1: [2]}, [MAP_KEY | UNORDERED, 1], [1, 5], {1: [2, 5]}, 2),
        ({1: {}}, [MAP_KEY, 1, MAP_KEY | UNORDERED, 2, MAP_KEY, 3], [1, 5], {1: {2: {3: [5]}}}, 1),
        ({1: 2}, [MAP_KEY | UNORDERED, 0], [5, 0], {1: 2}, None),
        (None, [MAP_KEY | UNORDERED, 0], [75], None, None),
    ],
)
def test_creating(before: Any, context: list[Any], op: list[Any], after: Any, result: Any) -> None:
    assert modify(before, context, *op) == (after, result)


@pytest.mark.parametrize(
    ("before", "context", "op", "code"),
    [
        (None, [MAP_KEY, 1], [1, 5], ResultCode.OP_NOT_APPLICABLE),
        (None, [INDEX | UNORDERED, 1], [1, 5], ResultCode.OP_NOT_APPLICABLE),
        (None, [MAP_KEY | UNORDERED, 1, RANK, 0], [1, 5], ResultCode.OP_NOT_APPLICABLE),
        ([1], [INDEX | UNORDERED, 2], [1, 5], ResultCode.OP_NOT_APPLICABLE),
        ([1], [INDEX | UNORDERED, -3], [5, 0], ResultCode.OP_NOT_APPLICABLE),
        ([1], [INDEX | PADDED, 2**40], [1, 5], ResultCode.OP_NOT_APPLICABLE),
        ({1: 2}, [MAP_KEY | UNORDERED, 1.5], [1, 5], ResultCode.PARAMETER),
        ({1: 2}, [MAP_VALUE | UNORDERED, 3], [1, 5], ResultCode.OP_NOT_APPLICABLE),
        ({1: 2}, [UNORDERED, 3], [1, 5], ResultCode.OP_NOT_APPLICABLE),
    ],
)
def test_refused_creations(before: Any, context: Any, op: list[Any], code: ResultCode) -> None:
    assert code_of(before, context, *op) is code


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers())
def test_a_created_way_leads_to_the_value(keys: list[int], value: int) -> None:
    value = (value + 2**63) % 2**64 - 2**63
    context = [part for key in keys for part in (MAP_KEY | UNORDERED, key)]
    after, result = modify(None, context, 1, value)
    assert result == 1
    for key in keys:
        after = after[key]
    assert after == [value]


def test_depth_is_bounded_however_it_grows() -> None:
    """Neither one deep argument nor many contexts make a value deeper than the limit."""
    particle = None
    deep: Any = 1
    for _ in range(mp.MAX_DEPTH - 1):
        deep = [deep]
    particle, _ = cdt.modify(particle, mp.pack([1, deep]), NoExpressions)
    assert particle is not None
    way = [INDEX, 0] * (mp.MAX_DEPTH - 1)
    assert cdt.read(particle, below(way, 16), NoExpressions) is not None
    for argument in ([1], [[1]]):
        with pytest.raises(OperationError):
            cdt.modify(particle, below([*way, *way[:4]], 1, argument), NoExpressions)
    with pytest.raises(OperationError):
        cdt.modify(particle, below(way, 1, [[1]]), NoExpressions)
    creating = [part for _ in range(2000) for part in (MAP_KEY | UNORDERED, 1)]
    with pytest.raises(OperationError):
        cdt.modify(None, below(creating, 1, 1), NoExpressions)


def test_denied_creation_creates_nothing() -> None:
    value = {"\x03y": [1]}
    context = [MAP_KEY | UNORDERED, "\x03n"]
    assert modify(value, context, 67, 1, 2, 0, 2 | 4) == (value, 0)
