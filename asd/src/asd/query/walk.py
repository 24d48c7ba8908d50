"""The way through an index: its entries in batches, in the order that resuming relies on.

A batch is whole partitions as long as these are small, and is taken and used between two turns of
the loop: nothing changes meanwhile. A partition too large for that is a list of digests taken at
once and looked up piece by piece, so what comes or goes meanwhile may be missed or seen, and what
stays is seen once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Final, NamedTuple, Protocol

from asd.query.request import Resume
from asd.records.record import CEMETERY
from asd.space.truncation import Truncation
from citrusleaf.cf_digest import DIGEST_SIZE
from storage.bulk import FLAGS_AT, column, entries_at, entries_in_order, partition_slots
from storage.index import ENTRY_SIZE, PrimaryIndex

STRETCH: Final = 256
"""Entries that make a batch, if there are so many."""

ASKED_AT_ONCE: Final = 256
"""Partitions that are asked for entries between two looks at the clock."""

EMPTY_TABLE: Final = 1
"""The length of the table of a partition that never had an entry."""

LARGE: Final = 1024
"""A partition with more entries is taken piece by piece."""


class Stretch(NamedTuple):
    """A stretch of a walk: index entries of 64 bytes, and their values in an index query."""

    entries: list[bytes]
    bvals: list[int] | None

    def select(self, wanted: list[bool]) -> Stretch:
        """Those whose place in `wanted` is true."""
        bvals = None if self.bvals is None else list(compress(self.bvals, wanted))
        return Stretch(list(compress(self.entries, wanted)), bvals)

    def first(self, count: int) -> Stretch:
        """The first so many."""
        return Stretch(self.entries[:count], None if self.bvals is None else self.bvals[:count])


class Walk(Protocol):
    """A way through the entries that a query may want."""

    @property
    def partitions_done(self) -> int:
        """How many of its partitions lie behind it."""

    def next(self, count: int, over: Callable[[], bool]) -> Stretch | None:
        """Some more entries, about `count`; fewer, or none, once `over` says that time is up; None
        at the end."""


class SetMembers(Protocol):
    """A set index."""

    def slots(self, partition: int) -> list[int]:
        """The slots of the set's entries in a partition."""

    def having(self, partitions: Sequence[int], low: int, high: int) -> list[int]:
        """Those of the partitions with entries of these values: all of a set have 0."""


class PrimaryWalk:
    """The entries of partitions, each from its highest digest down. Tombstones are among them.

    `partitions`  partition to the digest behind which to go on, or None
    `members`     where there is a set index: the slots of its entries in a partition
    """

    def __init__(
        self,
        index: PrimaryIndex,
        partitions: Mapping[int, Resume | None],
        members: SetMembers | None = None,
    ) -> None:
        self.partitions_done = 0
        self._index = index
        self._members = members
        self._ahead = self._plan(partitions)
        self._rest: list[bytes] = []  # digests of a large partition, the next one last

    def next(self, count: int, over: Callable[[], bool]) -> Stretch | None:
        """As `Walk.next`."""
        entries: list[bytes] = []
        while len(entries) < count:
            if self._rest:
                entries += self._look_up(count)
            else:
                try:
                    ahead = next(self._ahead)
                except StopIteration:
                    return Stretch(entries, None) if entries else None
                if ahead is not None:
                    self._take_partition(*ahead, entries, LARGE if count >= STRETCH else count)
            if over():
                break
        return Stretch(entries, None)

    def _plan(
        self, partitions: Mapping[int, Resume | None]
    ) -> Iterator[tuple[int, Resume | None] | None]:
        """The partitions that have entries; None between the many asked at once."""
        every = list(partitions)
        for at in range(0, len(every), ASKED_AT_ONCE):
            asked = every[at : at + ASKED_AT_ONCE]
            for partition in self._having(asked):
                self.partitions_done += 1
                yield partition, partitions[partition]
            self.partitions_done = at + len(asked)
            yield None

    def _having(self, partitions: Sequence[int]) -> list[int]:
        if self._members is not None:
            return self._members.having(partitions, 0, 0)
        sizes = self._index.sizes
        return [partition for partition in partitions if sizes[partition] > EMPTY_TABLE]

    def _take_partition(
        self, partition: int, resume: Resume | None, entries: list[bytes], most: int
    ) -> None:
        """Add a partition's entries, or, if more than `most`, their digests to `_rest`."""
        found = entries_in_order(self._index, self._slots(partition))
        if resume is not None:
            digest = resume[0]
            found = [entry for entry in found if entry[:DIGEST_SIZE] < digest]
        if len(found) > most:
            self._rest = [entry[:DIGEST_SIZE] for entry in found]
        else:
            found.reverse()
            entries += found

    def _slots(self, partition: int) -> list[int]:
        if self._members is not None:
            return self._members.slots(partition)
        return partition_slots(self._index, partition)

    def _look_up(self, count: int) -> list[bytes]:
        digests = self._rest[: -count - 1 : -1]
        del self._rest[-count:]
        return entries_at(self._index, filter(None, map(self._index.find, digests)))


def served(
    joined: bytes, now_s: int, set_id: int | None, truncation: Truncation
) -> list[bool] | None:
    """Which of the index entries laid end to end a query may serve; None = all.

    Left out are tombstones, what has expired or been truncated, and, unless it is None, all sets
    but `set_id`.
    """
    sets = column(joined, "set_id")
    times = column(joined, "void_time")
    flags = joined[FLAGS_AT::ENTRY_SIZE]
    in_set = set_id is None or sets.count(set_id) == len(sets)
    if (
        in_set
        and max(flags) < CEMETERY
        and min(filter(None, times), default=now_s) >= now_s
        and not truncation.running
    ):
        return None
    wanted = [
        flag < CEMETERY and not 0 < time < now_s for flag, time in zip(flags, times, strict=True)
    ]
    if not in_set:
        wanted = [good and its_set == set_id for good, its_set in zip(wanted, sets, strict=True)]
    if truncation.running:
        updated = column(joined, "last_update_time")
        wanted = [
            good and not truncation.hides(its_set, time)
            for good, its_set, time in zip(wanted, sets, updated, strict=True)
        ]
    return wanted
