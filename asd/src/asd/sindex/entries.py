"""The entries of one index: packed arrays, one pair a partition.

A partition's entries are two arrays side by side, the index values (8 bytes) and the records' slots
in the primary index (4 bytes), in the order of (value, digest) that queries are resumed by. A
slot leads to the digest, so digests are not kept. docs/formats/secondary-index.md draws it.

A record with a big list has its entries in an array of its own, its *run*. Among the others they
would cost the loop a tenth of a second when it changes: to find out which values it had, and to
move everything behind each of them. A run comes and goes as a whole, whatever is in it. Queries pay
for that: where a partition has runs, what is found in each of them is merged.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence, Set
from itertools import chain, compress, pairwise, repeat
from math import exp
from typing import Final, NamedTuple

from cluster import PARTITIONS
from storage.index import PrimaryIndex

ENTRY_SIZE: Final = 12
"""Bytes of one entry."""

FEW: Final = 8
"""Entries of a record that are moved one by one when it changes."""

SAMPLE: Final = 65536
"""Entries that are enough to estimate from."""

_DIGEST_SIZE: Final = 20
_LEAST: Final = -(1 << 63)
_GREATEST: Final = (1 << 63) - 1


class Found(NamedTuple):
    """Entries in order: their index values and slots."""

    bvals: list[int]
    slots: list[int]


class IndexEntries:
    """(index value, record) pairs of a namespace, each at most once.

    The caller names records by slot; a slot must hold its record as long as entries have it.

    >>> primary = PrimaryIndex()
    >>> slot = primary.insert(bytes(20), 1, 0, 0, 0, 0, 0, 0)
    >>> entries = IndexEntries(primary)
    >>> entries.add(0, 7, bytes(20), slot)
    >>> entries.find(0, 5, 9), len(entries)
    (Found(bvals=[7], slots=[1]), 1)
    """

    __slots__ = ("_bvals", "_count", "_primary", "_runs", "_slots")

    _bvals: list[array[int]]
    """Per partition, its index values, ascending; all empty partitions share an array that is
    never written."""
    _slots: list[array[int]]
    """Per partition, the slots that belong to the values."""
    _runs: dict[int, dict[int, array[int]]]
    """Per partition that has any, slots of records to their runs: index values, ascending."""

    def __init__(self, primary: PrimaryIndex) -> None:
        self._primary = primary
        self.clear()

    def __len__(self) -> int:
        """Entries. O(1)."""
        return self._count

    @property
    def memory_bytes(self) -> int:
        """Bytes that the arrays take, their slack included. O(4096)."""
        return sum(
            bvals.__sizeof__() + slots.__sizeof__()
            for bvals, slots in zip(self._bvals, self._slots, strict=True)
            if bvals
        ) + sum(run.__sizeof__() for runs in self._runs.values() for run in runs.values())

    def add(self, partition: int, bval: int, digest: bytes, slot: int) -> None:
        """Add an entry that is not there. O(log n) and a move of half the partition's bytes."""
        if not self._bvals[partition]:
            self._bvals[partition], self._slots[partition] = array("q"), array("I")
        at = self._place(partition, bval, digest)
        self._bvals[partition].insert(at, bval)
        self._slots[partition].insert(at, slot)
        self._count += 1

    def remove(self, partition: int, bval: int, digest: bytes) -> int:
        """Take out an entry that is there; its slot. O(log n) and a move of half the partition's
        bytes."""
        bvals = self._bvals[partition]
        at = self._place(partition, bval, digest)
        assert bvals[at] == bval
        del bvals[at]
        self._count -= 1
        return self._slots[partition].pop(at)

    def change(
        self, partition: int, gone: Set[int], come: Set[int], digest: bytes, slot: int
    ) -> None:
        """Take out a record's entries for the values `gone`, and add those for `come`.

        Few are moved one by one. Many, of a record with a large list, would each move half the
        partition, so both arrays are then written anew once: O(n + k log n).
        """
        if len(gone) + len(come) <= FEW:
            for bval in gone:
                self.remove(partition, bval, digest)
            for bval in come:
                self.add(partition, bval, digest, slot)
            return
        self._cut(partition, self._places(partition, sorted(gone), digest, slot))
        new = sorted(come)
        self._merge(partition, self._places(partition, new, digest, slot), new, slot)

    def move(self, partition: int, old: int, new: int, digest: bytes, slot: int) -> None:
        """Give a record that is there under `old` another index value. As `remove` and `add`."""
        bvals, slots = self._bvals[partition], self._slots[partition]
        at = bisect_left(bvals, old)
        if slots[at] != slot:  # others have the value, too
            at = self._place(partition, old, digest)
            assert slots[at] == slot
        del bvals[at], slots[at]
        at = bisect_left(bvals, new)
        if at < len(bvals) and bvals[at] == new:
            at = self._place(partition, new, digest)
        bvals.insert(at, new)
        slots.insert(at, slot)

    def put_run(self, partition: int, slot: int, run: array[int]) -> None:
        """Add all entries of a record that has none: its index values, ascending. O(1)."""
        runs = self._runs.setdefault(partition, {})
        assert slot not in runs
        runs[slot] = run
        self._count += len(run)

    def drop_run(self, partition: int, slot: int) -> bool:
        """Take out the run of a record; False when it has none. O(1)."""
        runs = self._runs.get(partition)
        run = None if runs is None else runs.pop(slot, None)
        if runs is None or run is None:
            return False
        if not runs:
            del self._runs[partition]
        self._count -= len(run)
        return True

    def load(self, partition: int, entries: Sequence[tuple[int, bytes, int]]) -> None:
        """Replace a partition by (index value, digest, slot) in order. O(n)."""
        for slot in list(self._runs.get(partition, ())):
            self.drop_run(partition, slot)
        bvals = array("q", [entry[0] for entry in entries])
        slots = array("I", [entry[2] for entry in entries])
        self._replace(partition, bvals, slots)

    def discard_slots(self, partition: int, gone: set[int]) -> None:
        """Take out all entries of some records. O(n)."""
        for slot in gone.intersection(self._runs.get(partition, ())):
            self.drop_run(partition, slot)
        bvals, slots = self._bvals[partition], self._slots[partition]
        kept = [slot not in gone for slot in slots]
        if not all(kept):
            left = array("q", compress(bvals, kept)), array("I", compress(slots, kept))
            self._replace(partition, *left)

    def holds(self, partition: int, bval: int, digest: bytes) -> bool:
        """Is there an entry of the record for this value? O(log n)."""
        if partition in self._runs:
            run = self._runs[partition].get(self._primary.find(digest))
            if run is not None:
                place = bisect_left(run, bval)
                return place < len(run) and run[place] == bval
        at = self._place(partition, bval, digest)
        behind = self._place(partition, bval, digest, behind=True)
        return at < behind

    def having(self, partitions: Sequence[int], low: int, high: int) -> list[int]:
        """Those of the partitions that have entries with low <= value <= high.

        About 0.3 µs apiece: it is asked of all partitions to find out that one has something.
        """
        parts = [self._bvals[partition] for partition in partitions]
        starts = map(bisect_left, parts, repeat(low))
        found = [
            partition
            for partition, part, start in zip(partitions, parts, starts, strict=False)
            if start < len(part) and part[start] <= high
        ]
        if self._runs:
            among = {*found, *(each for each in partitions if self._has_in_runs(each, low, high))}
            found = [partition for partition in partitions if partition in among]
        return found

    def find(
        self,
        partition: int,
        low: int,
        high: int,
        after: tuple[int, bytes] | None = None,
        most: int | None = None,
    ) -> Found:
        """Entries with low <= value <= high in order: the first `most` behind `after`.

        O(log n + answer), for each run.
        """
        if partition in self._runs:
            return self._find_among_runs(partition, low, high, after, most)
        return self._find(partition, low, high, after, most)

    def _find(
        self,
        partition: int,
        low: int,
        high: int,
        after: tuple[int, bytes] | None,
        most: int | None,
    ) -> Found:
        """`find`, but for what is in runs."""
        bvals = self._bvals[partition]
        start = bisect_left(bvals, low)
        if after is not None:
            start = max(start, self._place(partition, after[0], after[1], behind=True))
        end = bisect_right(bvals, high, start)
        if most is not None:
            end = min(end, start + most)
        return Found(bvals[start:end].tolist(), self._slots[partition][start:end].tolist())

    def gather(
        self, partitions: Sequence[int], low: int, high: int, most: int
    ) -> tuple[int, Found]:
        """What `find` gives of the first of some partitions, one behind the other: (of how many
        partitions, the entries). At most `most` entries, so maybe of no partition.

        About 1 µs a partition that has an entry or two, where `find` takes three.
        """
        bvals: list[int] = []
        slots: list[int] = []
        runs = self._runs
        for done, partition in enumerate(partitions):
            if partition in runs:
                found = self.find(partition, low, high, None, most - len(bvals) + 1)
                if len(bvals) + len(found.bvals) > most:
                    return done, Found(bvals, slots)
                bvals += found.bvals
                slots += found.slots
                continue
            part = self._bvals[partition]
            start = bisect_left(part, low)
            end = bisect_right(part, high, start)
            if len(bvals) + end - start > most:
                return done, Found(bvals, slots)
            bvals += part[start:end]
            slots += self._slots[partition][start:end]
        return len(partitions), Found(bvals, slots)

    def slots(self, partition: int) -> list[int]:
        """The slots of all entries of a partition, in order."""
        if partition in self._runs:
            return self.find(partition, _LEAST, _GREATEST).slots
        return self._slots[partition].tolist()

    def density(self) -> tuple[int, int]:
        """(entries for each index value, entries for each record), both rounded.

        Counted when there are few entries, else estimated from some partitions. O(SAMPLE).
        """
        if not self._count:
            return 0, 0
        step = -(-self._count // SAMPLE)
        runs = [run for at in range(0, PARTITIONS, step) for run in self._runs.get(at, {}).values()]
        in_runs = sum(map(len, runs))
        sampled = sum(map(len, self._bvals[::step])) + in_runs
        seen = set(chain.from_iterable(self._bvals[::step]))
        if in_runs <= SAMPLE:
            distinct = len(seen.union(*runs))
        else:  # each value is in a run but once, and most of them, likely, in no other
            distinct = len(seen) + in_runs
        records = sum(len(set(slots)) for slots in self._slots[::step]) + len(runs)
        if not sampled:
            return 1, 1
        return _scaled(sampled / distinct, step), round(sampled / records)

    def clear(self) -> None:
        """Forget all entries. O(4096)."""
        self._count = 0
        self._runs = {}
        self._bvals = [array("q")] * PARTITIONS
        self._slots = [array("I")] * PARTITIONS

    # Parts

    def _has_in_runs(self, partition: int, low: int, high: int) -> bool:
        for run in self._runs.get(partition, {}).values():
            start = bisect_left(run, low)
            if start < len(run) and run[start] <= high:
                return True
        return False

    def _find_among_runs(
        self,
        partition: int,
        low: int,
        high: int,
        after: tuple[int, bytes] | None,
        most: int | None,
    ) -> Found:
        """`find` in a partition with runs. Each gives its first `most`, of which the first stay."""
        arena = self._primary.arena
        found = self._find(partition, low, high, after, most)
        rows = [
            (bval, arena[slot << 6 : (slot << 6) + _DIGEST_SIZE], slot)
            for bval, slot in zip(*found, strict=True)
        ]
        for slot, run in self._runs[partition].items():
            digest = arena[slot << 6 : (slot << 6) + _DIGEST_SIZE]
            start = bisect_left(run, low)
            if after is not None:
                behind = bisect_right if digest <= after[1] else bisect_left
                start = max(start, behind(run, after[0]))
            end = bisect_right(run, high, start)
            if most is not None:
                end = min(end, start + most)
            rows += [(bval, digest, slot) for bval in run[start:end]]
        rows.sort()
        return Found([row[0] for row in rows[:most]], [row[2] for row in rows[:most]])

    def _replace(self, partition: int, bvals: array[int], slots: array[int]) -> None:
        self._count += len(bvals) - len(self._bvals[partition])
        self._bvals[partition], self._slots[partition] = bvals, slots

    def _places(self, partition: int, values: Sequence[int], digest: bytes, slot: int) -> list[int]:
        """Where a record's entries for these values, ascending, are or belong."""
        bvals, slots = self._bvals[partition], self._slots[partition]
        size = len(bvals)
        return [
            at
            if at == size or bvals[at] != bval or slots[at] == slot
            else self._place(partition, bval, digest)  # others have the value, too
            for bval, at in zip(values, map(bisect_left, repeat(bvals), values), strict=True)
        ]

    def _cut(self, partition: int, places: Sequence[int]) -> None:
        """Take out the entries at these places, ascending."""
        bvals, slots = self._bvals[partition], self._slots[partition]
        kept = array("q"), array("I")
        at = 0
        for place in chain(places, (len(bvals),)):
            if at < place:
                kept[0].extend(bvals[at:place])
                kept[1].extend(slots[at:place])
            at = place + 1
        self._replace(partition, *kept)

    def _merge(self, partition: int, places: Sequence[int], new: Sequence[int], slot: int) -> None:
        """Add entries of one record for `new` before what is at these places; both ascend."""
        bvals, slots = self._bvals[partition], self._slots[partition]
        merged = array("q"), array("I")
        at = 0
        for place, bval in zip(places, new, strict=True):
            if at < place:
                merged[0].extend(bvals[at:place])
                merged[1].extend(slots[at:place])
                at = place
            merged[0].append(bval)
            merged[1].append(slot)
        merged[0].extend(bvals[at:])
        merged[1].extend(slots[at:])
        self._replace(partition, *merged)

    def _place(self, partition: int, bval: int, digest: bytes, *, behind: bool = False) -> int:
        """Where (bval, digest) is or belongs; with `behind`, the place after it if it is there."""
        bvals, slots = self._bvals[partition], self._slots[partition]
        low = bisect_left(bvals, bval)
        if low == len(bvals) or bvals[low] != bval:
            return low
        high = bisect_right(bvals, bval, low)
        arena = self._primary.arena
        while low < high:
            middle = (low + high) >> 1
            start = slots[middle] << 6
            found = arena[start : start + _DIGEST_SIZE]
            if found < digest or (behind and found == digest):
                low = middle + 1
            else:
                high = middle
        return low

    def _all(self) -> Iterator[tuple[int, int, int]]:
        """(partition, index value, slot) of all entries, in order."""
        for partition, parts in enumerate(zip(self._bvals, self._slots, strict=True)):
            for bval, slot in zip(*parts, strict=True):
                yield partition, bval, slot
        for partition, runs in self._runs.items():
            for slot, run in runs.items():
                yield from zip(repeat(partition), run, repeat(slot))

    def _check(self) -> None:
        """Assert every invariant. O(n)."""
        rows = [(p, bval, self._primary.entry(slot).digest) for p, bval, slot in self._all()]
        placed = rows[: sum(map(len, self._bvals))]
        assert all(a < b for a, b in pairwise(placed))
        assert all(self._runs.values())
        for runs in self._runs.values():
            assert not any(a >= b for run in runs.values() for a, b in pairwise(run))
        assert len(set(rows)) == len(rows)
        assert len(rows) == self._count
        for partition, _, digest in rows:
            assert int.from_bytes(digest[:2], "little") % PARTITIONS == partition


def _scaled(seen: float, step: int) -> int:
    """How often a value occurs if each value met occurs `seen` times in one of `step` partitions.

    Values are spread by chance: with a mean of x a partition share, those met occur
    x / (1 - exp(-x)) times there.
    """
    mean = seen
    for _ in range(100):
        mean = seen * (1 - exp(-mean))
    return max(1, round(mean * step if step > 1 else seen))
