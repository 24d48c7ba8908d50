"""The primary index beside a dict, and the things a dict does not have."""

from __future__ import annotations

import mmap
import struct

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from storage import area
from storage.index import ENTRY, ENTRY_SIZE, TOMBSTONE, Entry, PrimaryIndex


def make_digest(partition: int, home: int, tail: int) -> bytes:
    return struct.pack("<HIQ6x", partition, home, tail)


# 24 digests of two partitions (4096 is partition 0 again) and few homes: most collide.
digests = st.builds(
    make_digest,
    st.sampled_from([0, 4096, 65535]),
    st.sampled_from([0, 1, 11, 2**32 - 1]),
    st.integers(0, 1),
)
metadata = st.tuples(
    st.integers(1, 65535),
    st.sampled_from([0, 1, 65535]),
    st.sampled_from([0, 10, 20, 2**32 - 1]),
    st.sampled_from([0, 5, TOMBSTONE]),
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
)


class IndexBesideDict(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.index = PrimaryIndex()
        self.model: dict[bytes, tuple[int, ...]] = {}

    @rule(digest=digests, values=metadata)
    def write(self, digest, values):
        slot = self.index.find(digest)
        assert bool(slot) == (digest in self.model)
        if slot:
            self.index.update(slot, *values)
        else:
            slot = self.index.insert(digest, *values)
        assert self.index.find(digest) == slot
        self.model[digest] = values

    @rule(digest=digests, values=metadata)
    def look_up_or_add(self, digest, values):
        *fields, location, size = values
        front = ENTRY.pack(digest, *values)[:40]
        offset = self.index.look_up_or_add(digest, front, fields[1], fields[3], location, size)
        assert bool(offset) == (digest in self.model)
        if offset:
            assert self.index.recent[digest] == offset == self.index.find(digest) * ENTRY_SIZE
        self.model.setdefault(digest, values)

    @rule(many=st.dictionaries(digests, metadata, min_size=5))
    def write_many(self, many):
        for digest, values in many.items():
            self.write(digest, values)

    @rule(digest=digests, location=st.integers(0, 2**64 - 1))
    def relocate(self, digest, location):
        if digest in self.model:
            self.index.relocate(self.index.find(digest), location)
            *others, _, size = self.model[digest]
            self.model[digest] = (*others, location, size)

    @rule(some=st.lists(digests, min_size=1))
    def remove(self, some):
        for digest in some:
            removed = self.index.remove(digest)
            expected = self.model.pop(digest, None)
            assert removed == (None if expected is None else Entry(digest, *expected))

    @rule(some=st.lists(digests, min_size=1))
    def look_up(self, some):
        for digest in some:
            offset = self.index.recent.get(digest) or self.index.look_up(digest)
            assert offset == self.index.find(digest) * ENTRY_SIZE
            assert bool(offset) == (digest in self.model)

    @rule()
    def clear(self):
        self.index.clear()
        self.model.clear()

    @rule(partition=st.sampled_from([0, 4095]), after=st.none() | digests)
    def walk(self, partition, after):
        mine = [d for d in self.model if int.from_bytes(d[:2], "little") % 4096 == partition]
        assert self.index.count(partition) == len(mine)
        expected = sorted(d for d in mine if after is None or d > after)
        assert self.index.digests(partition, after) == expected

    @rule(now=st.sampled_from([0, 10, 11, 20, 21, 2**32]), size=st.integers(1, 9))
    def pass_over_void_times(self, now, size):
        found = []
        for first, last in self.index.slices(size):
            found += self.index.expired(now, first, last)
        expected = [d for d, v in self.model.items() if 0 < v[2] < now]
        assert sorted(found) == sorted(expected)

    @rule(set_id=st.sampled_from([0, 1, 65535]), size=st.integers(1, 9))
    def pass_over_sets(self, set_id, size):
        found = []
        for first, last in self.index.slices(size):
            found += self.index.in_set(set_id, first, last)
        assert sorted(found) == sorted(d for d, v in self.model.items() if v[1] == set_id)

    @invariant()
    def agree(self):
        self.index._check()
        assert len(self.index) == len(self.model)
        tombstones = sum(1 for v in self.model.values() if v[3] & TOMBSTONE)
        assert self.index.tombstones == tombstones
        assert self.index.objects == len(self.model) - tombstones
        for digest, values in self.model.items():
            assert self.index.entry(self.index.find(digest)) == Entry(digest, *values)


TestIndexBesideDict = IndexBesideDict.TestCase
TestIndexBesideDict.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)


def test_the_digests_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr("storage.index.RECENT_CAPACITY", 16)
    index = PrimaryIndex()
    for digest in fill(index, 100):
        assert index.look_up(digest) == index.find(digest) * ENTRY_SIZE
        assert len(index.recent) <= 16
    index._check()


def fill(index: PrimaryIndex, count: int) -> list[bytes]:
    digests = [make_digest(n * 7919 % 65536, n * 2654435761 % 2**32, n) for n in range(count)]
    for n, digest in enumerate(digests):
        index.insert(digest, 1, n % 3, n, 0, n, n, 0)
    return digests


def test_an_entry_is_64_bytes():
    index = PrimaryIndex()
    fill(index, 5000)
    entries = index.end * ENTRY_SIZE
    assert ENTRY_SIZE == 64
    assert index.end == 5001
    assert index.memory_bytes >= entries


def test_grows_past_the_first_arena_and_keeps_every_entry():
    index = PrimaryIndex()
    digests = fill(index, 5000)
    index._check()
    assert [index.entry(index.find(d)).last_update_time for d in digests] == list(range(5000))


def test_a_partition_may_hold_far_more_than_its_share():
    index = PrimaryIndex()
    digests = [make_digest(7, n * 2654435761 % 2**32, n) for n in range(2000)]
    for digest in digests:
        index.insert(digest, 1, 0, 0, 0, 0, 0, 0)
    index._check()
    assert index.digests(7) == sorted(digests)
    assert index.count(7) == 2000
    assert index.digests(8) == []


@pytest.mark.parametrize("add", ["insert", "look_up_or_add"])
def test_a_table_may_be_longer_than_sixteen_bits_count(add):
    index = PrimaryIndex()
    digests = [make_digest(7, n * 2654435761 % 2**32, n) for n in range(40_000)]
    for digest in digests:
        if add == "insert":
            index.insert(digest, 1, 0, 0, 0, 0, 0, 0)
        else:
            front = ENTRY.pack(digest, 1, 0, 0, 0, 0, 0, 0)[:40]
            assert index.look_up_or_add(digest, front, 0, 0, 0, 0) == 0
    assert index.sizes[7] == 1 << 17
    assert all(map(index.find, digests))


def test_removed_slots_are_used_again_before_new_ones():
    index = PrimaryIndex()
    digests = fill(index, 100)
    for digest in digests[:40]:
        index.remove(digest)
    end = index.end
    for n in range(40):
        index.insert(make_digest(n, n, 1000 + n), 1, 0, 0, 0, 0, 0, 0)
    assert index.end == end
    index._check()


def test_columns_show_free_slots_as_zero():
    index = PrimaryIndex()
    first, second, third = fill(index, 3)
    index.remove(second)
    for name in ("generation", "set_id", "void_time", "flags", "last_update_time", "location"):
        expected = [getattr(index.entry(index.find(d)), name) for d in (first, third)]
        assert index.column(name, 1, index.end) == [expected[0], 0, expected[1]]
    with pytest.raises(KeyError):
        index.column("digest", 1, index.end)


def test_free_slots_are_in_no_set_and_do_not_expire():
    index = PrimaryIndex()
    first, second, third, *_ = fill(index, 4)  # in the sets 0, 1, 2, 0
    for digest in (first, second):
        index.remove(digest)
    assert index.in_set(0, 1, index.end) == index.digests(3 * 7919 % 4096)
    assert index.in_set(1, 1, index.end) == []
    assert index.expired(3, 1, index.end) == [third]


def test_slices_end_where_the_index_ended_when_they_began():
    index = PrimaryIndex()
    fill(index, 10)
    seen = []
    for first, last in index.slices(8):
        seen += range(first, last)
        if first == 1:
            index.insert(make_digest(1, 1, 99999), 1, 0, 0, 0, 0, 0, 0)
    assert seen == list(range(1, 11))


def test_slices_end_early_when_the_index_is_cleared():
    index = PrimaryIndex()
    fill(index, 20)
    slices = index.slices(8)
    assert next(slices) == (1, 9)
    index.clear()
    index.insert(make_digest(1, 1, 99999), 1, 0, 0, 0, 0, 0, 0)
    assert list(slices) == []


def test_the_usage_of_a_set_follows_its_records():
    index = PrimaryIndex()
    a, b = make_digest(1, 1, 1), make_digest(2, 2, 2)
    index.insert(a, 1, 9, 0, 0, 0, 0, 100)
    index.insert(b, 1, 9, 0, 0, 0, 0, 20)
    usage = index.sets[9]
    assert (usage.objects, usage.tombstones, usage.bytes) == (2, 0, 120)
    index.update(index.find(b), 2, 9, 0, TOMBSTONE, 0, 0, 0)
    assert (usage.objects, usage.tombstones, usage.bytes) == (1, 1, 100)
    index.remove(a)
    index.remove(b)
    assert index.sets == {}


@pytest.mark.parametrize("digest", [b"", bytes(19), bytes(21)])
def test_a_digest_of_another_length_is_refused(digest):
    index = PrimaryIndex()
    with pytest.raises(struct.error):
        index.find(digest)
    with pytest.raises(struct.error):
        index.insert(digest, 1, 0, 0, 0, 0, 0, 0)


def test_an_entry_out_of_range_changes_nothing():
    index = PrimaryIndex()
    digest = make_digest(1, 1, 1)
    with pytest.raises(struct.error):
        index.insert(digest, 65536, 0, 0, 0, 0, 0, 0)
    assert index.find(digest) == 0
    slot = index.insert(digest, 1, 2, 3, 4, 5, 6, 7)
    with pytest.raises(struct.error):
        index.update(slot, 1, 2, 2**32, 4, 5, 6, 7)
    assert index.entry(slot) == Entry(digest, 1, 2, 3, 4, 5, 6, 7)
    index._check()


def test_an_area_grows_where_mappings_cannot_move():
    class FixedMap(mmap.mmap):
        def resize(self, _size: int) -> None:
            raise SystemError("mmap: resizing not available--no mremap()")

    fixed = FixedMap(-1, 4096)
    fixed[:3] = b"abc"
    longer = area.extend(fixed, 8192)
    assert len(longer) == 8192
    assert longer[:4] == b"abc\0"
    assert longer[4096:] == bytes(4096)
