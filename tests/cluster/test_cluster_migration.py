"""Versions, plans and the rw-hash: what migration and writes stand on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.partitions.plan import plan
from cluster.partitions.version import (
    EVADES,
    FULL,
    VOUCHES,
    PartitionVersion,
    from_flags,
    groups,
    pack,
    unpack,
    weights,
)
from cluster.replication.rw_hash import PendingLimit, RwHash

ROW = (4, 3, 2, 1)
VERSIONS = st.dictionaries(
    st.sampled_from(ROW),
    st.builds(PartitionVersion, st.integers(1, 2), st.booleans(), st.booleans()),
)


@given(VERSIONS, st.integers(1, 4))
def test_every_copy_that_may_differ_is_sent_to_the_master(versions, factor):
    made = plan(ROW, factor, versions)
    same = groups(versions)
    sent = set(made.senders) | {made.master}
    for node in versions:
        assert same[node] & sent, "one of each group of equal copies"
    assert made.master not in made.senders
    assert set(made.senders) <= set(versions)
    assert made.acting == made.master or made.acting in made.senders


@given(VERSIONS, st.integers(1, 4))
def test_every_replica_gets_what_it_may_lack(versions, factor):
    made = plan(ROW, factor, versions)
    same = groups(versions)
    assert made.replicas == ROW[:factor]
    for node in made.replicas[1:]:
        equal = not versions or (made.master in same and node in same[made.master])
        assert node in made.receivers or (equal and not made.senders)
    assert set(made.members) == {*made.replicas, *versions}
    assert set(made.in_step) <= set(made.replicas)


@given(VERSIONS)
def test_only_a_vouching_copy_makes_others_equal(versions):
    for node, same in groups(versions).items():
        if len(same) > 1:
            keys = {versions[each].cluster_key for each in same}
            assert len(keys) == 1
            assert any(versions[each].vouches and versions[each].full for each in same)
        assert node in same


def test_the_working_master_is_the_first_with_a_full_copy_that_is_vouched_for():
    vouched = PartitionVersion(9, True, True)
    versions = {3: PartitionVersion(8, False), 2: vouched, 1: vouched.without_word()}
    made = plan(ROW, 2, versions)
    assert (made.master, made.acting) == (4, 2)
    assert made.senders == (2, 3)
    assert made.duplicates(2, frozenset()) == (3,)
    assert made.duplicates(4, frozenset({3})) == (2,)


def test_who_went_on_serves_and_not_who_comes_back():
    """A node that had been away served reads of what it had: the copies of those who went on had
    writes under way when it came, so none was vouched for."""
    away, went_on = PartitionVersion(8, True), PartitionVersion(9, True)
    for back in (away, PartitionVersion(8, True, True)):
        versions = {4: back, 3: went_on, 2: went_on}
        assert plan(ROW, 2, versions).acting == 4
        assert plan(ROW, 2, versions, {8: 3, 9: 8}).acting == 3


def test_the_weight_of_a_cluster_is_what_there_is_of_it():
    full, vouched = PartitionVersion(9, True), PartitionVersion(9, True, True)
    one = pack([full, vouched, None, PartitionVersion(8, False)])
    other = pack([full, full, PartitionVersion(7, True), None])
    assert weights([one, other]) == {9: 5, 7: 1}


def test_a_copy_that_began_as_nothing_serves_last():
    newcomer = PartitionVersion(9, False, evades=True)
    made = plan(ROW, 2, {4: newcomer, 2: PartitionVersion(8, False)})
    assert (made.master, made.acting) == (4, 2)


@given(VERSIONS, st.integers(1, 4))
def test_who_serves_asks_one_of_each_group_of_copies_but_its_own(versions, factor):
    made = plan(ROW, factor, versions)
    if not versions:
        assert not made.differing
        return
    same = groups(versions)
    asked = made.duplicates(made.acting, frozenset())
    assert not set(asked) & same[made.acting]
    for node in versions:
        assert same[node] & {*asked, *same[made.acting]}


@given(
    st.lists(
        st.none()
        | st.builds(
            PartitionVersion, st.integers(0, 3), st.booleans(), st.booleans(), st.booleans()
        ),
        max_size=40,
    )
)
def test_versions_go_through_messages_in_groups(versions):
    packed = pack(versions)
    assert dict(unpack(packed, len(versions))) == {
        p: v for p, v in enumerate(versions) if v is not None
    }
    assert len(packed) == len({v for v in versions if v is not None})
    for version in versions:
        if version is not None:
            assert from_flags(version.cluster_key, version.flags) == version
            assert version.flags & ~(FULL | VOUCHES | EVADES) == 0


def test_bits_of_partitions_that_there_are_not_are_nothing():
    assert [p for p, _ in unpack([(1, 1, b"\xff\xff")], 3)] == [0, 1, 2]


class TestRwHash:
    def test_one_is_in_flight_and_the_others_follow_in_order(self):
        line: RwHash[bytes, int] = RwHash(limit=2)
        assert [line.enter(b"d", n) for n in (1, 2, 3)] == [True, False, False]
        assert line.enter(b"e", 4)
        with pytest.raises(PendingLimit):
            line.enter(b"d", 5)
        assert line.in_flight() == [1, 4]
        assert [line.leave(b"d") for _ in range(3)] == [2, 3, None]
        assert len(line) == 1
        assert b"e" in line
        assert line.is_first(b"e", 4)
        assert not line.is_first(b"d", 1)
        line._check()

    def test_all_is_broken_off_at_once(self):
        line: RwHash[bytes, int] = RwHash(limit=0)
        for n in range(30):
            line.enter(b"d", n)
        assert line.clear() == list(range(30))
        assert line.enter(b"d", 1)
