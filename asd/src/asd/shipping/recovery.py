"""Recovery: finding out from the records themselves what has changed since a partition's last ship
time.

It is needed whenever the logger cannot know: after a restart, when this node takes a partition over
from another one, when a queue overflowed or a destination was away for long, and for a rewind. The
partition's index is walked, once, and every record with a later last-update-time is shipped as it
is now; tombstones too, which is why a delete leaves one (`asd.shipping.selection`).

Partitions stand in line with the time from which they are to be scanned. `max-recoveries-
interleaved` of them are under way at once; 0 means as many as keep `ROOM` found records, so that
memory is bounded by records and not by partitions. The scan of one partition is one step: there are
250 records in it for each million of the node's.

What must hold:

- When a partition is scanned it is logged already, so a change is in the queue or is found.
- `MARGIN_MS` before the last ship time are scanned as well: clocks of nodes differ, and what one
  turn of the loop writes may have a time that lies a little back.
- The last ship time stands still meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final, TypeAlias

from attrs import define, field

from cluster.consistency.stamp import TIME_MASK
from storage.bulk import FLAGS_AT, column, column_at, entries_at, partition_slots
from storage.index import ENTRY_SIZE, PrimaryIndex

ROOM: Final = 2048
"""Found records that may wait while more partitions are scanned."""
MARGIN_MS: Final = 5000
_DIGEST: Final = 20

Change: TypeAlias = tuple[int, bytes]
"""When a record changed, and its digest."""

Scan: TypeAlias = Callable[[int, int], list[Change]]
"""(partition, time) to what has changed since, the oldest first."""


@define
class Found:
    """A partition under way."""

    since_ms: int
    changes: list[Change]
    """Those that are still to be taken, the last first."""


@define
class Recovery:
    """The partitions of one namespace and destination that are to be scanned."""

    pending: dict[int, int] = field(factory=dict)
    """Partition to the time from which on, in line."""
    running: dict[int, Found] = field(factory=dict)
    started: int = 0
    """Recoveries begun so far."""

    def want(self, partition: int, since_ms: int) -> None:
        """The partition is to be scanned for what changed after `since_ms`. One that is under way
        is scanned again, and from where that one began."""
        running = self.running.pop(partition, None)
        if running is not None:
            since_ms = min(since_ms, running.since_ms)
        self.pending[partition] = min(since_ms, self.pending.get(partition, since_ms))

    def forget(self, partition: int) -> None:
        """Nothing of the partition is to be shipped from here."""
        self.pending.pop(partition, None)
        self.running.pop(partition, None)

    def __len__(self) -> int:
        """Partitions waiting for or in recovery."""
        return len(self.pending) + len(self.running)

    @property
    def unshipped(self) -> list[int]:
        """Partitions under way that have found records waiting."""
        return [partition for partition, each in self.running.items() if each.changes]

    @property
    def found(self) -> int:
        """Found records that wait."""
        return sum(len(each.changes) for each in self.running.values())

    def begin(self, most: int, ready: Callable[[int], bool], scan: Scan) -> None:
        """Scan the partitions whose turn it is. `most`: at once (0: as many as there is room for).
        `scan` must have the partition logged first."""
        if not self.pending:
            return
        room = ROOM - self.found
        for partition in list(self.pending):
            if room <= 0 or (most and len(self.running) >= most):
                break
            if not ready(partition):
                continue
            since_ms = self.pending.pop(partition)
            changes = scan(partition, since_ms)
            changes.reverse()
            self.running[partition] = Found(since_ms, changes)
            self.started += 1
            room -= len(changes)

    def take(
        self, partition: int, most: int, may_go: Callable[[bytes], bool]
    ) -> list[tuple[bytes, int]]:
        """Up to `most` found records that may go, digest and time; those that may not stay."""
        running = self.running[partition]
        taken: list[tuple[bytes, int]] = []
        kept: list[Change] = []
        while running.changes and len(taken) < most and len(kept) < most:
            change = running.changes.pop()
            if may_go(change[1]):
                taken.append((change[1], change[0]))
            else:
                kept.append(change)
        running.changes += reversed(kept)
        return taken

    def finish(self, busy: Container[int]) -> None:
        """Partitions of which all that was found is shipped are over; `busy` are those that have
        something under way."""
        for partition in [p for p, each in self.running.items() if not each.changes]:
            if partition not in busy:
                del self.running[partition]

    def _check(self) -> None:
        """Assert every invariant."""
        assert not self.pending.keys() & self.running.keys()


def changed_since(
    index: PrimaryIndex, partition: int, since_ms: int, ships: Callable[[int, int], bool]
) -> list[Change]:
    """A partition's records that changed after a time (less the margin) and are of a kind (set,
    flags) that is shipped; the oldest change first. O(the partition's records)."""
    slots = partition_slots(index, partition)
    if not slots:
        return []
    times = column_at(index, "last_update_time", slots)
    if max(times) > TIME_MASK:  # those of strong consistency have more in them
        times = [time & TIME_MASK for time in times]
    after_ms = since_ms - MARGIN_MS
    if max(times) <= after_ms:
        return []
    changed = [slot for slot, ms in zip(slots, times, strict=True) if ms > after_ms]
    entries = entries_at(index, changed)
    joined = b"".join(entries)
    sets, flags = column(joined, "set_id"), joined[FLAGS_AT::ENTRY_SIZE]
    kinds = {kind: ships(*kind) for kind in set(zip(sets, flags, strict=True))}
    if not any(kinds.values()):
        return []
    found = [
        (stamp & TIME_MASK, entry[:_DIGEST])
        for stamp, entry, kind in zip(
            column(joined, "last_update_time"), entries, zip(sets, flags, strict=True), strict=True
        )
        if kinds[kind]
    ]
    found.sort()
    return found
