"""Stored msgpack walked: the same places and orders as decoding it shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType, packb

from aerospike_common import as_msgpack as mp
from aerospike_common import as_msgpack_walk as walk

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=300).map("\x03".__add__),
    st.text(max_size=40).map("\x04".__add__),
    st.binary(min_size=32, max_size=400).map(b"\x04".__add__),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=20),
        st.dictionaries(st.integers(-9, 70000), inner, max_size=20),
        st.lists(inner, max_size=4).map(lambda items: [ExtType(1, b""), *items]),
    ),
    max_leaves=40,
)
INTEGERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-200, 300))
TEXTS = st.text(alphabet="abé\udc80", max_size=4)
KEYS = st.one_of(INTEGERS, TEXTS.map("\x03".__add__), TEXTS.map("\x04".__add__), st.just(""))


@given(st.lists(VALUES, max_size=8), st.binary(max_size=3))
def test_skipping_values(values: list[Any], behind: bytes) -> None:
    data = mp.pack_elements(values) + behind
    ends = [len(mp.pack_elements(values[:count])) for count in range(len(values) + 1)]
    assert [walk.skip(data, 0, count) for count in range(len(values) + 1)] == ends
    for at, value in enumerate(values):
        assert walk.skip(data, ends[at], 1) == ends[at] + len(mp.pack(value))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_all_sizes_and_headers(size: int) -> None:
    raw = bytes(size)
    for value in (raw.decode(), raw, [1] * size, dict.fromkeys(range(size)), ExtType(5, raw)):
        data = packb(value, use_bin_type=True)
        assert walk.skip(data + b"\xc0", 0, 1) == len(data)


@given(INTEGERS, st.binary(max_size=3))
def test_integers(number: int, before: bytes) -> None:
    assert walk.integer_at(before + mp.pack(number), len(before)) == number


@given(st.lists(KEYS, max_size=12), KEYS, st.booleans(), st.sampled_from([1, 2]))
def test_bounds(values: list[Any], wanted: Any, after: bool, width: int) -> None:
    ordered = mp.sort_values(values)
    filler: list[Any] = [["\x03between", 1]] * (width - 1)
    data = mp.pack_elements([part for value in ordered for part in (value, *filler)])
    below = (0,) if after else ()
    position = sum(mp.compare(value, wanted) in (-1, *below) for value in ordered)
    raw = wanted.encode("utf-8", "surrogateescape") if type(wanted) is str else wanted
    bound = walk.bound_of_integer if type(wanted) is int else walk.bound_of_text
    found = bound(data, len(ordered), width, raw, after)
    assert found == (position, walk.skip(data, 0, width * position))


@given(st.lists(SCALARS, max_size=12), INTEGERS, st.booleans())
def test_bounds_among_values_of_all_kinds(values: list[Any], number: int, after: bool) -> None:
    ordered = mp.sort_values([*values, [1], {1: 2}, "\x17{}"])
    data = mp.pack_elements(ordered)
    for wanted, bound in ((number, walk.bound_of_integer), ("\x03m", walk.bound_of_text)):
        raw = wanted.encode() if isinstance(wanted, str) else wanted
        below = (-1, 0) if after else (-1,)
        position = sum(mp.compare(value, wanted) in below for value in ordered)
        assert bound(data, len(ordered), 1, raw, after)[0] == position  # type: ignore[operator] - each bound has its own kind of wanted


@given(st.lists(st.one_of(VALUES, INTEGERS), max_size=6), st.binary(max_size=3))
def test_canonical_scalars_are_what_pack_makes(values: list[Any], behind: bytes) -> None:
    data = mp.pack_elements(values)
    odd = (list, dict, bytes)  # a bin header becomes that of a string
    scalar = not any(isinstance(value, odd) for value in values)
    assert walk.canonical_scalars(data + behind, 0, len(values)) == (len(data) if scalar else -1)
    for end in range(len(data)):
        assert walk.canonical_scalars(data[:end], 0, len(values)) == -1


@given(st.one_of(st.binary(max_size=12), st.binary(max_size=9).map(b"\xcf".__add__)))
def test_whatever_is_taken_for_a_canonical_scalar_is_one(data: bytes) -> None:
    end = walk.canonical_scalars(data, 0, 1)
    if end >= 0:
        value = mp.unpack(data[:end])
        assert type(value) not in (list, dict)
        assert mp.pack(value) == data[:end]


@pytest.mark.parametrize("tag", range(0xC0, 0xE0))
@given(body=st.binary(min_size=9, max_size=9).flatmap(lambda b: st.sampled_from([b, bytes(9)])))
def test_every_tag_is_taken_as_it_is(tag: int, body: bytes) -> None:
    test_whatever_is_taken_for_a_canonical_scalar_is_one.hypothesis.inner_test(  # type: ignore[attr-defined] - Hypothesis adds it
        bytes((tag,)) + body
    )


@given(st.lists(INTEGERS, max_size=12), INTEGERS, INTEGERS, st.booleans())
def test_integers_between(values: list[int], low: int, high: int, bounded: bool) -> None:
    positions = [
        at for at, value in enumerate(values) if low <= value and (value < high or not bounded)
    ]
    expected = positions, sum(value < low for value in values)
    in_list, in_map = mp.pack_elements(values), mp.pack_entries(values, values)
    assert walk.integers_between(in_list, len(values), 1, low, high, bounded) == expected
    assert walk.integers_between(in_map, len(values), 2, low, high, bounded) == expected


@given(st.lists(INTEGERS, max_size=5), SCALARS.filter(lambda value: type(value) is not int))
def test_there_is_nothing_between_others(values: list[int], other: Any) -> None:
    data = mp.pack_elements([*values, other])
    assert walk.integers_between(data, len(values) + 1, 1, 0, 5, True) is None
