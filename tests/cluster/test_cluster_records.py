"""Which of two versions of a record stays: as observed, total, and sensible around the wrap."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.records import (
    GENERATIONS,
    REMOVAL,
    TOMBSTONE,
    ConflictPolicy,
    RecordVersion,
    ahead,
    from_row,
    is_wanted,
    next_generation,
    wins,
)

GENERATION, TIME = ConflictPolicy.GENERATION, ConflictPolicy.LAST_UPDATE_TIME
ROWS = st.builds(
    RecordVersion,
    st.just(b"d1"),
    st.sampled_from([1, 2, 65535]),
    st.integers(0, 2),
    st.integers(0, 1),
    st.sampled_from(["", "s"]),
    st.sampled_from([0, TOMBSTONE, REMOVAL]),
    st.sampled_from([b"", b"x"]),
).map(RecordVersion.row)


def row(generation: int, updated_ms: int, body: bytes = b""):
    return RecordVersion(b"d1", generation, updated_ms, body=body).row()


def test_by_generation_the_higher_stays_even_if_it_is_older():
    assert wins(row(4, 100), row(2, 900), GENERATION)
    assert not wins(row(2, 900), row(4, 100), GENERATION)
    assert wins(row(4, 101), row(4, 100), GENERATION)


def test_by_time_the_later_stays_whatever_the_generation():
    assert wins(row(2, 101), row(4, 100), TIME)
    assert not wins(row(4, 100), row(2, 101), TIME)
    assert wins(row(4, 100), row(2, 100), TIME)


@given(st.integers(1, GENERATIONS), st.integers(1, 1000))
def test_a_generation_is_behind_those_that_follow_it_through_the_wrap(generation, steps):
    later = generation
    for _ in range(steps):
        later = next_generation(later)
    assert ahead(later, generation) == 1
    assert ahead(generation, later) == -1
    assert wins(row(later, 0), row(generation, 9), GENERATION)


@given(st.integers(1, GENERATIONS), st.integers(1, GENERATIONS))
def test_of_two_generations_one_is_ahead(one, other):
    assert ahead(one, other) == -ahead(other, one)
    assert (ahead(one, other) == 0) == (one == other)


@pytest.mark.parametrize("policy", ConflictPolicy)
@given(one=ROWS, other=ROWS)
def test_two_versions_that_differ_never_tie(policy, one, other):
    assert wins(one, other, policy) + wins(other, one, policy) == (one != other)
    assert wins(one, None, policy)


@pytest.mark.parametrize("policy", ConflictPolicy)
@given(versions=st.lists(ROWS, min_size=1, max_size=4))
def test_versions_come_to_one_whatever_their_order(policy, versions):
    ends = set()
    for order in permutations(versions):
        kept = None
        for version in order:
            kept = version if wins(version, kept, policy) else kept
        ends.add(kept)
    assert len(ends) == 1


@pytest.mark.parametrize("policy", ConflictPolicy)
@given(one=ROWS, other=ROWS)
def test_what_would_win_is_wanted(policy, one, other):
    mine, theirs = from_row(other).summary(len(other[6])), from_row(one).summary(len(one[6]))
    if wins(one, other, policy) and (one[4], one[6]) == (other[4], other[6]):
        assert is_wanted(theirs, mine, policy)
    assert is_wanted(theirs, None, policy)
    assert not is_wanted(mine, mine, policy)
    assert is_wanted(theirs, mine, None) == (theirs != mine)


def test_records_go_through_messages_whole():
    record = RecordVersion(b"d", 65535, 2, 3, "set", TOMBSTONE, b"body")
    assert from_row(record.row()) == record
    assert record.is_tombstone
    assert not record.is_removal
