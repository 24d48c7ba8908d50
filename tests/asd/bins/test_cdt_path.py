"""Path operations: selecting and changing whatever a path with expressions matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt
from asd.bins.cdt.path import REMOVE, UNKNOWN
from asd.bins.particle import Particle

INDEX, VALUE, MAP_INDEX, MAP_KEY, KEY_LIST = 0x10, 0x13, 0x20, 0x22, 0x2A
EXPRESSION, FILTER = 0x04, 0x204
TREE, VALUES, KEYS, KEYS_AND_VALUES, APPLY, NO_FAIL = 0, 1, 2, 3, 4, 0x10


def _number(function: Callable[[int], Any]) -> Callable[..., Any]:
    return lambda key, value, index: function(value) if type(value) is int else UNKNOWN


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "big": _number(lambda value: value > 2),
    "double": _number(lambda value: 2 * value),
    "negate": _number(lambda value: -value),
    "drop": lambda key, value, index: REMOVE,
    "unknown": lambda key, value, index: UNKNOWN,
    "wrap": lambda key, value, index: [value],
    "infinity": lambda key, value, index: mp.INF,
    "first": lambda key, value, index: UNKNOWN if index is None else index == 0,
    "key a": lambda key, value, index: UNKNOWN if key is None else key == "\x03a",
}


class Named:
    def __init__(self, name: str) -> None:
        self._function = FUNCTIONS[name]

    def evaluate(self, key: Any, value: Any, index: int | None) -> Any:
        return self._function(key, value, index)


class Compiler:
    """Compiles [name] into one of FUNCTIONS."""

    def compile(self, wire: bytes) -> cdt.PathExpression:
        (name,) = mp.unpack(wire)
        if name not in FUNCTIONS:
            raise OperationError(ResultCode.PARAMETER)
        return Named(name)


def particle_of(value: Any) -> Particle:
    kind = ParticleType.LIST if type(value) is list else ParticleType.MAP
    return Particle(kind, mp.pack(mp.normalise_for_storage(value)))


def select(value: Any, context: Any, flags: Any, *rest: Any) -> Any:
    result = cdt.read(particle_of(value), mp.pack([0xFE, context, flags, *rest]), Compiler)
    assert result is not None
    return mp.unpack_stored(result.data)


def apply(value: Any, context: Any, name: str, flags: int = 0) -> Any:
    payload = mp.pack([0xFE, context, APPLY | flags, [name]])
    after, result = cdt.modify(particle_of(value), payload, Compiler)
    assert after is not None
    assert result is None
    return mp.unpack_stored(after.data)


def code_of(run: Callable[..., Any], *args: Any) -> ResultCode:
    with pytest.raises(OperationError) as caught:
        run(*args)
    return caught.value.code


BOOKS = {
    "\x03a": [1, 5, 3],
    "\x03b": {"\x03a": 7, "\x03z": 1},
    "\x03c": 4,
}


@pytest.mark.parametrize(
    ("context", "flags", "result"),
    [
        ([EXPRESSION, True], VALUES, list(BOOKS.values())),
        ([EXPRESSION, True], KEYS, list(BOOKS)),
        ([MAP_KEY, "\x03c"], KEYS_AND_VALUES, ["\x03c", 4]),
        ([MAP_KEY, "\x03a", EXPRESSION, ["big"]], VALUES, [5, 3]),
        ([MAP_KEY, "\x03a", EXPRESSION, ["first"]], VALUES, [1]),
        ([MAP_KEY, "\x03a", EXPRESSION, ["big"]], TREE, {"\x03a": [5, 3]}),
        ([EXPRESSION, True, EXPRESSION, ["big"]], VALUES, [5, 3, 7]),
        (
            [EXPRESSION, True, EXPRESSION, ["big"]],
            TREE,
            {"\x03a": [5, 3], "\x03b": {"\x03a": 7}, "\x03c": 4},
        ),
        ([EXPRESSION, ["key a"], INDEX, 1], VALUES, [5]),
        ([EXPRESSION, ["key a"], INDEX, 9], TREE, {"\x03a": []}),
        ([MAP_KEY, "\x03b", EXPRESSION, ["key a"]], KEYS_AND_VALUES, ["\x03a", 7]),
        ([KEY_LIST, ["\x03c", "\x03x", "\x03a"]], KEYS, ["\x03a", "\x03c"]),
        ([KEY_LIST, []], VALUES, []),
        ([MAP_INDEX, -1, FILTER, ["big"]], VALUES, [4]),
        ([MAP_KEY, "\x03a", VALUE, 5], VALUES, [5]),
        ([EXPRESSION, True, EXPRESSION, True], KEYS | NO_FAIL, ["\x03a", "\x03z"]),
        ([EXPRESSION, ["big"]], VALUES | NO_FAIL, [4]),
        ([MAP_KEY, "\x03c", EXPRESSION, True], VALUES, []),
        ([MAP_KEY, "\x03none"], VALUES, []),
    ],
)
def test_selecting(context: list[Any], flags: int, result: Any) -> None:
    assert select(BOOKS, context, flags) == result


@pytest.mark.parametrize(
    ("context", "flags", "code"),
    [
        ([], VALUES, ResultCode.PARAMETER),
        ([MAP_KEY], VALUES, ResultCode.PARAMETER),
        ([MAP_KEY, 1] * 65, VALUES, ResultCode.PARAMETER),
        (["\x03x", 1], VALUES, ResultCode.PARAMETER),
        ([0x33, 1], VALUES, ResultCode.PARAMETER),
        ([EXPRESSION, False], VALUES, ResultCode.PARAMETER),
        ([EXPRESSION, ["no such"]], VALUES, ResultCode.PARAMETER),
        ([FILTER, ["big"]], VALUES, ResultCode.PARAMETER),
        ([EXPRESSION, True, FILTER, ["big"]], VALUES, ResultCode.PARAMETER),
        ([KEY_LIST, 5], VALUES, ResultCode.PARAMETER),
        ([MAP_INDEX, "\x03x"], VALUES, ResultCode.PARAMETER),
        ([INDEX, 0], VALUES, ResultCode.PARAMETER),
        ([MAP_KEY, 1], 5, ResultCode.PARAMETER),
        ([MAP_KEY, 1], APPLY, ResultCode.PARAMETER),
        ([MAP_KEY, 1], "\x03x", ResultCode.PARAMETER),
        ([EXPRESSION, ["big"]], VALUES, ResultCode.PARAMETER),
        ([MAP_KEY, "\x03a", EXPRESSION, True], KEYS, ResultCode.BIN_TYPE),
        ([MAP_KEY, "\x03b", MAP_INDEX, 0], VALUES, ResultCode.SERVER_ERROR),
    ],
)
def test_refused_selects(context: Any, flags: Any, code: ResultCode) -> None:
    assert code_of(select, BOOKS, context, flags) is code


def test_operands_are_counted() -> None:
    assert code_of(select, BOOKS, [EXPRESSION, True], VALUES, ["big"]) is ResultCode.PARAMETER
    particle = particle_of(BOOKS)
    for wire in ([0xFE], [0xFE, [EXPRESSION, True]], [0xFE, [EXPRESSION, True], APPLY]):
        code = code_of(cdt.modify, particle, mp.pack(wire), Compiler)
        assert code is ResultCode.PARAMETER


def test_other_bins() -> None:
    payload = mp.pack([0xFE, [EXPRESSION, True], VALUES])
    number = Particle(ParticleType.INTEGER, bytes(8))
    assert code_of(cdt.read, number, payload, Compiler) is ResultCode.BIN_TYPE
    assert cdt.read(None, payload, Compiler) is None
    assert cdt.modify(None, payload, Compiler) == (None, None)


def test_a_select_in_a_modify_only_reads() -> None:
    particle = particle_of(BOOKS)
    payload = mp.pack([0xFE, [MAP_KEY, "\x03c"], VALUES])
    after, result = cdt.modify(particle, payload, Compiler)
    assert after is particle
    assert result == Particle(ParticleType.LIST, mp.pack([4]))


@pytest.mark.parametrize(
    ("context", "name", "after"),
    [
        ([MAP_KEY, "\x03a", EXPRESSION, ["big"]], "double", {**BOOKS, "\x03a": [1, 10, 6]}),
        ([MAP_KEY, "\x03a", EXPRESSION, ["big"]], "drop", {**BOOKS, "\x03a": [1]}),
        ([EXPRESSION, ["key a"]], "wrap", {**BOOKS, "\x03a": [[1, 5, 3]]}),
        ([KEY_LIST, ["\x03a", "\x03b"]], "drop", {"\x03c": 4}),
        (
            [EXPRESSION, True, EXPRESSION, True],
            "negate",
            {"\x03a": [-1, -5, -3], "\x03b": {"\x03a": -7, "\x03z": -1}, "\x03c": 4},
        ),
        ([MAP_KEY, "\x03none"], "double", BOOKS),
    ],
)
def test_applying(context: list[Any], name: str, after: Any) -> None:
    assert apply(BOOKS, context, name) == after


def test_what_cannot_be_applied() -> None:
    everything = [EXPRESSION, True]
    assert code_of(apply, BOOKS, everything, "unknown") is ResultCode.SERVER_ERROR
    assert apply(BOOKS, everything, "unknown", NO_FAIL) == BOOKS
    assert apply(BOOKS, everything, "double", NO_FAIL) == {**BOOKS, "\x03c": 8}
    assert code_of(apply, BOOKS, everything, "infinity") is ResultCode.BIN_TYPE


@given(st.lists(st.integers(-5, 5), max_size=8))
def test_ordered_lists_are_sorted_again(values: list[int]) -> None:
    mark = ExtType(1, b"")
    after = apply([mark, *sorted(values)], [EXPRESSION, True], "negate")
    assert after == [mark, *sorted(-value for value in values)]
