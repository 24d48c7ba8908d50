"""Ranges of ranks against sorting everything; lists long enough to be sampled."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common import as_msgpack as mp
from aerospike_common.as_msgpack import compare
from aerospike_common.wire.codes import ParticleType
from asd.bins import cdt
from asd.bins.cdt.heap import heap_select
from asd.bins.cdt.ranks import HEAP_MAX, RankRange, sorted_slice
from asd.bins.cdt.search import sort_keys
from asd.bins.particle import Particle

BY_ORDER = cmp_to_key(compare)
MIXED = [
    "\x03a",
    "\x03é",
    "\x03\udc80",
    "\x04a",
    "\x17{}",
    None,
    True,
    False,
    -1.5,
    -7,
    [1],
    {1: 2},
]

Make = Callable[[random.Random, int], list[Any]]
KINDS: dict[str, Make] = {
    "distinct": lambda dice, size: dice.sample(range(-size, 9 * size), size),
    "sorted": lambda dice, size: list(range(size)),
    "descending": lambda dice, size: list(range(size, 0, -1)),
    "equal": lambda dice, size: [7] * size,
    "few": lambda dice, size: [dice.randrange(5) for _ in range(size)],
    "waves": lambda dice, size: [at % 6 * 1000 + at for at in range(size)],
    "one side": lambda dice, size: [int(dice.paretovariate(0.5)) for _ in range(size)],
    "with booleans": lambda dice, size: dice.choices([*range(-9, 30), True, False], k=size),
    "floats": lambda dice, size: dice.choices([0.0, -0.0, 1.5, -2.25, 1e300], k=size),
    "ascii": lambda dice, size: [f"\x03{dice.randrange(size)}" for _ in range(size)],
    "texts": lambda dice, size: [f"\x03{chr(dice.randrange(0xA0, 0xD800))}" for _ in range(size)],
    "escaped": lambda dice, size: dice.choices(["\x03\udc80", "\x03é", "\x03€", "\x03b"], k=size),
    "mixed": lambda dice, size: dice.choices([*MIXED, *range(5)], k=size),
    "nested": lambda dice, size: [[dice.randrange(9), {1: dice.randrange(3)}] for _ in range(size)],
}
SIZES = st.one_of(st.integers(1, 20), st.integers(120, 700))


@st.composite
def ranges(draw: st.DrawFn) -> tuple[list[Any], int, int]:
    """Values, a first rank, and a count of at least 1."""
    size = draw(SIZES)
    make = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    values = make(random.Random(draw(st.integers(0, 5))), size)
    start = draw(st.integers(0, size - 1))
    count = draw(st.one_of(st.integers(1, size - start), st.just(1)))
    return values, start, count


def packed(values: list[Any]) -> list[bytes]:
    """To Python 1, 1.0 and True are equal, and so are 0.0 and -0.0."""
    return list(map(mp.pack, values))


@given(ranges())
def test_a_slice_of_the_sorted_keys(given_range: tuple[list[Any], int, int]) -> None:
    values, start, count = given_range
    keys = sort_keys(values)
    assert sorted_slice(keys, start, count) == sorted(keys)[start : start + count]


@given(ranges())
@settings(max_examples=200)
def test_ranges_of_values_of_a_map(given_range: tuple[list[Any], int, int]) -> None:
    values, start, count = given_range
    expected = sorted(range(len(values)), key=lambda at: BY_ORDER(values[at]))[start:][:count]
    found = RankRange(values, start, count, in_heap=False)
    assert packed(found.elements()) == packed([values[at] for at in expected])
    assert list(found) == expected
    assert len(found) == count


@given(ranges())
@settings(max_examples=200)
def test_ranges_of_unordered_lists(given_range: tuple[list[Any], int, int]) -> None:
    values, start, count = given_range
    tail = len(values) - start - count
    descending = start <= tail
    pops = (start if descending else tail) + count
    keys = list(map(BY_ORDER, values))
    expected = heap_select(keys, pops, count, reverse=not descending)
    found = RankRange(values, start, count, in_heap=True)
    assert sorted(found) == sorted(expected)
    answer = found.elements()
    assert sorted(packed(answer)) == sorted(packed([values[at] for at in expected]))
    assert [BY_ORDER(value) for value in answer] == [keys[at] for at in expected]


@given(ranges(), st.booleans())
def test_what_needs_no_positions_is_what_stands_there(
    given_range: tuple[list[Any], int, int], in_heap: bool
) -> None:
    values, start, count = given_range
    found = RankRange(values, start, count, in_heap=in_heap)
    assert packed(found.elements()) == packed([values[at] for at in found])


@pytest.mark.parametrize("in_heap", [False, True])
def test_an_empty_range(in_heap: bool) -> None:
    found = RankRange([], 0, 0, in_heap=in_heap)
    assert (len(found), list(found), found.elements()) == (0, [], [])


@given(
    st.lists(st.floats(), min_size=1, max_size=300) | st.lists(st.just(float("nan")), min_size=1),
    st.data(),
)
def test_not_a_number_has_no_rank_but_is_answered(values: list[float], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(values) - 1))
    count = data.draw(st.integers(1, len(values) - start))
    for in_heap in (False, True):
        found = RankRange(values, start, count, in_heap=in_heap)
        assert len(set(found)) == len(found.elements()) == count


def test_in_a_long_list_the_first_of_equal_elements_are_chosen() -> None:
    particle = Particle(ParticleType.LIST, mp.pack([5, 3] * HEAP_MAX))

    class NoExpressions:
        def compile(self, wire: bytes) -> cdt.PathExpression:
            raise AssertionError("nothing to compile here")

    def indexes(rank: int, count: int) -> Any:
        result = cdt.read(particle, mp.pack([26, 1, rank, count]), NoExpressions)
        assert result is not None
        return mp.unpack_stored(result.data)

    assert indexes(0, 3) == [1, 3, 5]
    assert indexes(-HEAP_MAX, 3) == [0, 2, 4]
    assert indexes(HEAP_MAX - 1, 2) == [0, 2 * HEAP_MAX - 1]
