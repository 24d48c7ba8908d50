"""Versions, plans, records and the rw-hash: what migration and writes stand on."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.partitions.plan import plan
from cluster.partitions.version import FULL, VOUCHES, PartitionVersion, from_flags, groups
from cluster.records import ConflictPolicy, MemoryRecords, Record, from_row, wins
from cluster.replication.rw_hash import PendingLimit, RwHash

ROW = (4, 3, 2, 1)
VERSIONS = st.dictionaries(
    st.sampled_from(ROW),
    st.builds(PartitionVersion, st.integers(1, 2), st.booleans(), st.booleans()),
)
RECORDS = st.builds(
    Record,
    st.just(b"d1"),
    st.integers(1, 2),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([b"", b"x"]),
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


@given(st.integers(0, (1 << 64) - 1), st.booleans(), st.booleans())
def test_versions_go_through_messages(key, full, vouches):
    version = PartitionVersion(key, full, vouches)
    assert from_flags(key, version.flags) == version
    assert version.flags & ~(FULL | VOUCHES) == 0


@pytest.mark.parametrize("policy", ConflictPolicy)
@given(records=st.lists(RECORDS, min_size=1, max_size=4))
def test_versions_of_a_record_come_to_one_whatever_their_order(policy, records):
    ends = set()
    for order in permutations(records):
        store = MemoryRecords(policy)
        for record in order:
            store.apply(record)
        store._check()
        ends.add(store.get(b"d1"))
    assert len(ends) == 1
    assert all(not wins(record, ends.copy().pop(), policy) for record in records)


def test_changes_come_in_the_order_of_the_last_change():
    store = MemoryRecords(ConflictPolicy.GENERATION, lambda digest: 3)
    for digest, generation in ((b"a", 1), (b"b", 1), (b"c", 1), (b"a", 2)):
        store.apply(Record(digest, generation, 0))
    position, first = store.changes_after(3, 0, 2)
    _, rest = store.changes_after(3, position, 2)
    assert [record.digest for record in first + rest] == [b"b", b"c", b"a"]
    assert store.changes_after(2, 0, 9) == (0, [])
    before = store.epoch(3)
    store.drop(3)
    assert store.epoch(3) != before
    assert store.get(b"a") is None


def test_records_go_through_messages():
    record = Record(b"d", 1, 2, True, b"body")
    assert from_row(record.row()) == record


class TestRwHash:
    def test_one_is_in_flight_and_the_others_follow_in_order(self):
        line: RwHash[int] = RwHash(limit=2)
        assert [line.enter(b"d", n) for n in (1, 2, 3)] == [True, False, False]
        assert line.enter(b"e", 4)
        with pytest.raises(PendingLimit):
            line.enter(b"d", 5)
        assert line.in_flight() == [1, 4]
        assert [line.leave(b"d") for _ in range(3)] == [2, 3, None]
        assert len(line) == 1
        line._check()

    def test_all_is_broken_off_at_once(self):
        line: RwHash[int] = RwHash(limit=0)
        for n in range(30):
            line.enter(b"d", n)
        assert line.clear() == list(range(30))
        assert line.enter(b"d", 1)
