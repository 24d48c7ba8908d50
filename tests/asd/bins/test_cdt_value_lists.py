"""Selections by a list of values, and what the complements of selections answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.as_msgpack import INF, WILDCARD, compare
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt
from asd.bins.cdt.search import Places, ranks_by_item
from asd.bins.cdt.selection import Pieces
from asd.bins.particle import Particle

INVERTED = 0x10000
VALUES = st.one_of(st.integers(-3, 6), st.sampled_from(["\x03a", None, 1.5, [1], [1, 2], {1: 2}]))
LISTS = st.lists(VALUES, max_size=12)


class NoExpressions:
    """A compiler for tests without path expressions."""

    def compile(self, wire: bytes) -> cdt.PathExpression:
        raise AssertionError("nothing to compile here")


def answer(value: Any, *op: Any) -> Any:
    """What a read answers, as a plain value."""
    return cdt.evaluate(value, list(op), modify=False, paths=NoExpressions)[1]


def code_of(value: Any, payload: bytes) -> ResultCode:
    kind = ParticleType.LIST if type(value) is list else ParticleType.MAP
    with pytest.raises(OperationError) as caught:
        cdt.modify(Particle(kind, mp.pack(value)), payload, NoExpressions)
    return caught.value.code


@given(LISTS, LISTS)
def test_a_list_without_wildcards_is_a_set(values: list[Any], wanted: list[Any]) -> None:
    found = [value for value in values if any(compare(value, item) == 0 for item in wanted)]
    assert answer(values, 23, 7, wanted) == found
    rest = [value for value in values if all(compare(value, item) for item in wanted)]
    assert answer(values, 23, INVERTED | 7, wanted) == rest


@given(LISTS, LISTS)
def test_ranks_count_what_is_less(values: list[Any], wanted: list[Any]) -> None:
    expected = set()
    for item in wanted:
        less = sum(compare(value, item) < 0 for value in values)
        expected |= {less + more for more in range(sum(compare(v, item) == 0 for v in values))}
    found = ranks_by_item(values, wanted)
    assert sorted(found) == sorted(expected)
    assert found == answer(values, 23, 3, wanted)


@given(LISTS, st.lists(st.one_of(VALUES, st.just(WILDCARD)), max_size=8))
def test_what_is_found_is_equal(values: list[Any], wanted: list[Any]) -> None:
    places = Places(wanted)
    assert sorted(places.order) == list(range(len(wanted)))
    for value in values:
        place, found = places.find(value)
        if found:
            assert compare(value, wanted[places.order[place]]) == 0


@pytest.mark.parametrize(
    ("values", "wanted", "found"),
    [
        # The wildcard ends up last: what is less than the middle never gets there.
        ([-4, False, 9], [False, 7, 2, WILDCARD], [False, 9]),
        ([8, 2, 5], [6, WILDCARD, 7], [8, 2, 5]),
        (["\x03a", 5, 3, 4], [3, 3, 4, False, -1.5, WILDCARD], [3, 4]),
        ([1, 2], [WILDCARD], [1, 2]),
    ],
)
def test_wildcards_are_searched_for(values: list[Any], wanted: list[Any], found: Any) -> None:
    assert answer(values, 23, 7, wanted) == found


@pytest.mark.parametrize(
    ("value", "op", "result"),
    [
        # Ranks come item by item; of equal items the one that the search meets first counts.
        ([6, 5, 4, 0], [23, 3, [0, 1, 4]], [0, 1]),
        ([1, 5, 2, "\x03a"], [23, 3, [1, "\x03a", [4], 1]], [3, 0]),
        ([2, 3, "\x03b"], [23, 4, [WILDCARD, 3, 3, "\x03b", 3, 3]], [2, 0, 1]),
        ([5, [4], "\x03b"], [23, 4, [0, WILDCARD]], [2, 1, 0]),
        ({1: "\x03a"}, [108, 2, ["\x03a", "\x03a", 5, "\x03a"]], [0, 0, 0]),
        ({1: 2}, [108, 4, [2, 2, 1]], [0, 0]),
        ({1: 2}, [108, 7, [2, 2]], [2]),
        # Indexes of a complement are named one by one, by an interval as a range.
        ({1: 3, 2: 4}, [108, INVERTED | 2, [0]], [1, 0]),
        ({1: 3, 2: 4}, [102, INVERTED | 2, 0], [0, 1]),
        # A complement that is one range of ranks comes in rank order, one in two parts does not.
        ({1: 5, 2: 2, 3: 6}, [106, INVERTED | 6, 2, 5], [2, 1]),
        ({1: 5, 2: 2, 3: 6}, [106, INVERTED | 6, 1, 1], [2, 3]),
        ({1: 3, 2: 2, 3: 4}, [106, INVERTED | 6, 5], [2, 1, 3]),
        # EXISTS of a complement asks whether nothing was found, save at the ends of an order.
        ({1: 1, 2: 2, 3: 3}, [103, INVERTED | 13, 1, 3], False),
        ({1: 1, 2: 2, 3: 3}, [104, INVERTED | 13, 0, 2], True),
        ({1: 1, 2: 2, 3: 3}, [104, INVERTED | 13, 1, 1], False),
        ({1: 1, 2: 2}, [102, INVERTED | 13, 1], False),
        ([2], [26, INVERTED | 12, -5, 1000], [0, 0]),
        # A wildcard is met in the middle of an ordered map's keys.
        ({ExtType(1, b""): None, 1: 1, 2: 2, 3: 3, 4: 4}, [103, 1, WILDCARD, 4], [2]),
        ({1: 1, 2: 2, 3: 3, 4: 4}, [103, 1, WILDCARD, 4], [0, 1, 2]),
    ],
)
def test_answers(value: Any, op: list[Any], result: Any) -> None:
    assert answer(value, *op) == result


@pytest.mark.parametrize(
    ("value", "op", "code"),
    [
        ([1, 2], [36, 11, -1], ResultCode.OP_NOT_APPLICABLE),
        ([1, 2], [36, 7, -1], ResultCode.PARAMETER),
        ({1: 2}, [83, 11, -1], ResultCode.PARAMETER),
        ([1], [37, INVERTED | 12, 0, 3], ResultCode.OP_NOT_APPLICABLE),
        ({}, [84, INVERTED | 10, -2], ResultCode.OP_NOT_APPLICABLE),
        ([1], [12, 2**31, True], ResultCode.OP_NOT_APPLICABLE),
        ([1], [12, 1, True], ResultCode.PARAMETER),
        ([1], [3, 2**32, 1, 6], ResultCode.OP_NOT_APPLICABLE),
        # What leads to the container is looked at before what follows can be decoded.
        ([1], [0xFF, [0x10, 0, 0x10, 0], [1, INF]], ResultCode.OP_NOT_APPLICABLE),
        ([[1]], [0xFF, [0x10, 0], [70, 1]], ResultCode.BIN_TYPE),
        ([[1]], [0xFF, [0x10, 0], [1, 1]], ResultCode.PARAMETER),
    ],
)
def test_errors_come_in_order(value: Any, op: list[Any], code: ResultCode) -> None:
    payload = mp.pack(op)
    assert code_of(value, payload if op[0] != 0xFF else payload[:-1] + b"\xc1") is code


def test_a_set_element_does_not_count_itself() -> None:
    unique = [9, -1, 6, 1]
    assert cdt.evaluate([5, 6], unique, modify=True, paths=NoExpressions)[0] == [5, 6]
    assert code_of([6, 6], mp.pack(unique)) is ResultCode.ELEMENT_EXISTS


def test_a_denied_insert_is_none() -> None:
    after, result = cdt.evaluate(
        [[5]],
        [0xFF, [0x10, 0, 0xD0, 1], [3, 2**31 - 1, 5, 6]],
        modify=True,
        paths=NoExpressions,
    )
    assert (after, result) == ([[5]], 0)
    bounded = [0xFF, [0x62, 7], [9, 6, 5, 15]]
    assert cdt.evaluate({1: 2}, bounded, modify=True, paths=NoExpressions) == ({1: 2}, None)


def test_a_wildcard_beside_a_value_counts_each_element_once() -> None:
    """The places of the wildcard hold those of the value."""
    pieces = Pieces([range(2, 4), range(6), range(2, 4), range(5, 5)])
    assert len(pieces) == 10
    assert pieces.distinct() == [0, 1, 2, 3, 4, 5]
    assert Pieces([range(4, 6), range(2)]).distinct() == [0, 1, 4, 5]
