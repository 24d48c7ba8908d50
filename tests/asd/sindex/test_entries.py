"""The packed entries of an index against sorted lists of triples."""

from __future__ import annotations

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from asd.sindex.entries import IndexEntries
from storage.index import PrimaryIndex

RECORDS = 24
PARTITIONS = (0, 7)

bvals = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([-(1 << 63), (1 << 63) - 1]),
    st.integers(-(1 << 40), 1 << 40),
)


def digest(number: int) -> bytes:
    """Digests of two partitions, in an order of their own."""
    return bytes((PARTITIONS[number % 2], 0)) + (number * 7919 % 251).to_bytes(2, "big") * 9


class Entries(RuleBasedStateMachine):
    """Any changes, then any question: the model gives the same answer."""

    @initialize()
    def begin(self) -> None:
        self.primary = PrimaryIndex()
        self.digests = sorted({digest(n) for n in range(RECORDS)})
        self.slots = {d: self.primary.insert(d, 1, 0, 0, 0, 0, 0, 0) for d in self.digests}
        self.entries = IndexEntries(self.primary)
        self.model: set[tuple[int, bytes]] = set()
        self.in_runs: set[bytes] = set()

    def without_run(self, which: int) -> bytes:
        """A record whose entries are not in a run: one that is loses them."""
        d = self.digests[which % len(self.digests)]
        assert self.entries.drop_run(d[0], self.slots[d]) == (d in self.in_runs)
        if d in self.in_runs:
            self.in_runs.discard(d)
            self.model = {pair for pair in self.model if pair[1] != d}
        return d

    @rule(which=st.integers(0, RECORDS - 1), values=st.sets(st.integers(-8, 8) | bvals))
    def put_run(self, which: int, values: set[int]) -> None:
        """A record has these values, apart from all others."""
        d = self.without_run(which)
        self.entries.discard_slots(d[0], {self.slots[d]})
        self.entries.put_run(d[0], self.slots[d], array("q", sorted(values)))
        self.in_runs.add(d)
        self.model = {pair for pair in self.model if pair[1] != d} | {(v, d) for v in values}

    @rule(which=st.integers(0, RECORDS - 1), bval=bvals)
    def add_or_remove(self, which: int, bval: int) -> None:
        d = self.without_run(which)
        if (bval, d) in self.model:
            assert self.entries.remove(d[0], bval, d) == self.slots[d]
            self.model.discard((bval, d))
        else:
            self.entries.add(d[0], bval, d, self.slots[d])
            self.model.add((bval, d))

    @rule(which=st.integers(0, 1000), bval=bvals)
    def move(self, which: int, bval: int) -> None:
        placed = sorted(pair for pair in self.model if pair[1] not in self.in_runs)
        if not placed:
            return
        old, d = placed[which % len(placed)]
        if (bval, d) not in self.model:
            self.entries.move(d[0], old, bval, d, self.slots[d])
            self.model.remove((old, d))
            self.model.add((bval, d))

    @rule(which=st.integers(0, RECORDS - 1), values=st.sets(st.integers(-8, 8) | bvals))
    def change(self, which: int, values: set[int]) -> None:
        """A record has these values from now on, many or few."""
        d = self.without_run(which)
        had = {bval for bval, its in self.model if its == d}
        self.entries.change(d[0], had - values, values - had, d, self.slots[d])
        self.model -= {(bval, d) for bval in had}
        self.model |= {(bval, d) for bval in values}

    @rule(which=st.integers(0, RECORDS - 1), bval=bvals, ends=st.tuples(bvals, bvals))
    def ask(self, which: int, bval: int, ends: tuple[int, int]) -> None:
        d = self.digests[which % len(self.digests)]
        assert self.entries.holds(d[0], bval, d) == ((bval, d) in self.model)
        low, high = min(ends), max(ends)
        wanted = {d[0] for bval, d in self.model if low <= bval <= high}
        assert self.entries.having((0, 3, 7), low, high) == sorted(wanted)

    @rule(which=st.integers(0, RECORDS - 1))
    def discard(self, which: int) -> None:
        d = self.digests[which % len(self.digests)]
        self.entries.discard_slots(d[0], {self.slots[d]})
        self.model = {pair for pair in self.model if pair[1] != d}
        self.in_runs.discard(d)

    @rule(partition=st.sampled_from(PARTITIONS))
    def load(self, partition: int) -> None:
        rows = sorted((b, d, self.slots[d]) for b, d in self.model if d[0] == partition)
        self.entries.load(partition, rows)
        self.in_runs = {d for d in self.in_runs if d[0] != partition}

    @rule(
        partition=st.sampled_from(PARTITIONS),
        ends=st.tuples(bvals, bvals),
        after=st.none() | st.tuples(bvals, st.integers(0, RECORDS - 1)),
        most=st.none() | st.integers(1, 5),
    )
    def find(
        self,
        partition: int,
        ends: tuple[int, int],
        after: tuple[int, int] | None,
        most: int | None,
    ) -> None:
        low, high = min(ends), max(ends)
        behind = None if after is None else (after[0], self.digests[after[1] % len(self.digests)])
        wanted = sorted(
            (b, d)
            for b, d in self.model
            if d[0] == partition and low <= b <= high and (behind is None or (b, d) > behind)
        )[:most]
        found = self.entries.find(partition, low, high, behind, most)
        assert found.bvals == [b for b, _ in wanted]
        assert found.slots == [self.slots[d] for _, d in wanted]

    @rule(ends=st.tuples(bvals, bvals), most=st.integers(0, 8))
    def gather(self, ends: tuple[int, int], most: int) -> None:
        low, high = min(ends), max(ends)
        each = [self.entries.find(partition, low, high) for partition in PARTITIONS]
        done, found = self.entries.gather(PARTITIONS, low, high, most)
        assert found.bvals == [bval for one in each[:done] for bval in one.bvals]
        assert found.slots == [slot for one in each[:done] for slot in one.slots]
        size = len(found.bvals)
        assert size <= most
        assert done == len(PARTITIONS) or size + len(each[done].bvals) > most

    @invariant()
    def is_whole(self) -> None:
        if hasattr(self, "entries"):
            self.entries._check()
            assert len(self.entries) == len(self.model)


TestEntries = Entries.TestCase
TestEntries.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@given(st.integers(1, 40), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_density_of_few_entries_is_exact(records: int, values: int) -> None:
    primary = PrimaryIndex()
    entries = IndexEntries(primary)
    for number in range(records):
        d = number.to_bytes(20, "big")
        slot = primary.insert(d, 1, 0, 0, 0, 0, 0, 0)
        for value in range(values):
            entries.add(0, value, d, slot)
    assert entries.density() == (records, values)


def test_density_of_many_entries_is_estimated() -> None:
    primary = PrimaryIndex()
    entries = IndexEntries(primary)
    for number in range(200_000):
        partition = number * 2654435761 % 4096
        d = partition.to_bytes(2, "little") + number.to_bytes(18, "big")
        slot = primary.insert(d, 1, 0, 0, 0, 0, 0, 0)
        entries.add(partition, number // 20, d, slot)
    per_bval, per_record = entries.density()
    assert 16 <= per_bval <= 24
    assert per_record == 1


def test_an_entry_takes_little_memory() -> None:
    primary = PrimaryIndex()
    entries = IndexEntries(primary)
    for partition in range(64):
        rows = []
        for number in range(250):
            d = partition.to_bytes(2, "little") + number.to_bytes(18, "big")
            rows.append((number, d, primary.insert(d, 1, 0, 0, 0, 0, 0, 0)))
        entries.load(partition, rows)
    assert entries.memory_bytes / len(entries) < 16
    entries.clear()
    assert (len(entries), entries.memory_bytes) == (0, 0)
