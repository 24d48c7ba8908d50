"""The entries of one index: packed arrays, one pair a partition.

A partition's entries are two arrays side by side, the index values (8 bytes) and the records' slots
in the primary index (4 bytes), in the order of (value, digest) that queries are resumed by. A
slot leads to the digest, so digests are not kept. docs/formats/secondary-index.md draws it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import exp
from typing import Final, NamedTuple

from cluster import PARTITIONS
from storage.index import PrimaryIndex

ENTRY_SIZE: Final = 12
"""Bytes of one entry."""

SAMPLE: Final = 65536
"""Entries that are enough to estimate from."""

_DIGEST_SIZE: Final = 20


class Found(NamedTuple):
    """Entries in order: their index values and slots."""

    bvals: list[int]
    slots: list[int]


class _Partition(NamedTuple):
    bvals: array[int]
    slots: array[int]


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

    __slots__ = ("_count", "_partitions", "_primary")

    def __init__(self, primary: PrimaryIndex) -> None:
        self._primary = primary
        self._count = 0
        self._partitions: list[_Partition | None] = [None] * PARTITIONS

    def __len__(self) -> int:
        """Entries. O(1)."""
        return self._count

    @property
    def memory_bytes(self) -> int:
        """Bytes that the arrays take, their slack included. O(4096)."""
        return sum(
            part.bvals.__sizeof__() + part.slots.__sizeof__()
            for part in self._partitions
            if part is not None
        )

    def add(self, partition: int, bval: int, digest: bytes, slot: int) -> None:
        """Add an entry that is not there. O(log n) and a move of half the partition's bytes."""
        part = self._partitions[partition]
        if part is None:
            part = self._partitions[partition] = _Partition(array("q"), array("I"))
        at = self._place(part, bval, digest)
        part.bvals.insert(at, bval)
        part.slots.insert(at, slot)
        self._count += 1

    def remove(self, partition: int, bval: int, digest: bytes) -> int:
        """Take out an entry that is there; its slot. O(log n) and a move of half the partition's
        bytes."""
        part = self._partitions[partition]
        assert part is not None
        at = self._place(part, bval, digest)
        assert part.bvals[at] == bval
        del part.bvals[at]
        self._count -= 1
        return part.slots.pop(at)

    def move(self, partition: int, old: int, new: int, digest: bytes, slot: int) -> None:
        """Give a record that is there under `old` another index value. As `remove` and `add`."""
        part = self._partitions[partition]
        assert part is not None
        bvals, slots = part
        at = bisect_left(bvals, old)
        if slots[at] != slot:  # others have the value, too
            at = self._place(part, old, digest)
            assert slots[at] == slot
        del bvals[at], slots[at]
        at = bisect_left(bvals, new)
        if at < len(bvals) and bvals[at] == new:
            at = self._place(part, new, digest)
        bvals.insert(at, new)
        slots.insert(at, slot)

    def load(self, partition: int, entries: Sequence[tuple[int, bytes, int]]) -> None:
        """Replace a partition by (index value, digest, slot) in order. O(n)."""
        bvals = array("q", [entry[0] for entry in entries])
        slots = array("I", [entry[2] for entry in entries])
        old = self._partitions[partition]
        self._count += len(bvals) - (len(old.bvals) if old else 0)
        self._partitions[partition] = _Partition(bvals, slots) if bvals else None

    def discard_slots(self, partition: int, gone: set[int]) -> None:
        """Take out all entries of some records. O(n)."""
        part = self._partitions[partition]
        if part is None:
            return
        kept = [(b, b"", s) for b, s in zip(part.bvals, part.slots, strict=True) if s not in gone]
        self.load(partition, kept)

    def find(
        self,
        partition: int,
        low: int,
        high: int,
        after: tuple[int, bytes] | None = None,
        most: int | None = None,
    ) -> Found:
        """Entries with low <= value <= high in order: the first `most` behind `after`.

        O(log n + answer).
        """
        part = self._partitions[partition]
        if part is None:
            return Found([], [])
        start = bisect_left(part.bvals, low)
        if after is not None:
            start = max(start, self._place(part, after[0], after[1], behind=True))
        end = bisect_right(part.bvals, high, start)
        if most is not None:
            end = min(end, start + most)
        return Found(part.bvals[start:end].tolist(), part.slots[start:end].tolist())

    def slots(self, partition: int) -> list[int]:
        """The slots of all entries of a partition, in order."""
        part = self._partitions[partition]
        return [] if part is None else part.slots.tolist()

    def density(self) -> tuple[int, int]:
        """(entries for each index value, entries for each record), both rounded.

        Counted when there are few entries, else estimated from some partitions. O(SAMPLE).
        """
        if not self._count:
            return 0, 0
        step = -(-self._count // SAMPLE)
        parts = [part for part in self._partitions[::step] if part is not None]
        sampled = sum(len(part.bvals) for part in parts)
        distinct = len({bval for part in parts for bval in part.bvals})
        records = sum(len(set(part.slots)) for part in parts)
        if not sampled:
            return 1, 1
        return _scaled(sampled / distinct, step), round(sampled / records)

    def clear(self) -> None:
        """Forget all entries. O(4096)."""
        self._count = 0
        self._partitions = [None] * PARTITIONS

    # Parts

    def _place(self, part: _Partition, bval: int, digest: bytes, *, behind: bool = False) -> int:
        """Where (bval, digest) is or belongs; with `behind`, the place after it if it is there."""
        bvals, slots = part
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
        for partition, part in enumerate(self._partitions):
            if part is not None:
                for bval, slot in zip(part.bvals, part.slots, strict=True):
                    yield partition, bval, slot

    def _check(self) -> None:
        """Assert every invariant. O(n)."""
        rows = [(p, bval, self._primary.entry(slot).digest) for p, bval, slot in self._all()]
        assert all(a < b for a, b in pairwise(rows))
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
