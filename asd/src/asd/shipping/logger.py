"""The logger: what has changed in a namespace and waits to be shipped to one destination.

Theory of operation
-------------------
The door tells of every change (`asd.space.commit`); the logger notes the digest and the
last-update-time and nothing else. Versions are not kept: the record is read when its turn comes, so
what is shipped is its newest state, and a record that is written ten times while it waits is
shipped once. That also is what bounds the memory: an entry a *record*, never an entry a write.

One queue a partition, in the order in which records changed first. A partition is in one of two
states:

    logged      its queue is a dict, digest -> time of the first change that is not shipped
    unlogged    its queue is None: changes are not noted, and the partition must be scanned for what
                changed since its last ship time (`asd.shipping.recovery`) before it is logged again

Unlogged are partitions whose queue was longer than `transaction-queue-limit`, those of a
destination that has been away for long, and those that this node does not serve. So a destination
may be away for days: after a while nothing is kept for it but a time for each partition.

What must hold:

- A change of a logged partition that is to be shipped is in its queue until it is taken.
- Entries of a queue are in the order of their times, but for what one turn of the loop may turn
  round: the first is the oldest, within the `MARGIN_MS` that recovery goes back.
- An unlogged partition is never forgotten: recovery has it, or another node serves it.

Rejected: a queue of writes (a hot key would fill it), one queue for all partitions (they change
hands one by one), and a journal on disk (every record has its last-update-time there already).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from asd.space.commit import Observer
from cluster import PARTITIONS
from cluster.consistency.stamp import time_of
from storage.engine import Record

RECORDS_A_LAP: Final = 50
"""Records taken from one partition in one look at all of them."""
MOST_LOOKED_AT: Final = 4 * RECORDS_A_LAP
"""Entries of a queue looked at for these: some may have to wait."""


class Logger:
    """The queues of one namespace and destination. Times are milliseconds since 2010."""

    def __init__(self, limit: int) -> None:
        """`limit`: records that may wait in one partition. All partitions are unlogged."""
        self.limit = limit
        self.queues: list[dict[bytes, int] | None] = [None] * PARTITIONS
        self.waiting: dict[int, None] = {}
        """Partitions with something in their queue, in the order in which they are looked at."""
        self.overflown: list[int] = []
        """Partitions that became unlogged because too much waited; whoever looks takes them."""

    def __len__(self) -> int:
        """Records that wait. O(partitions that have some)."""
        return sum(len(self.queues[partition] or ()) for partition in self.waiting)

    def log(self, partition: int) -> None:
        """Note changes of the partition from now on."""
        if self.queues[partition] is None:
            self.queues[partition] = {}

    def unlog(self, partition: int) -> None:
        """Note none any more, and forget those that wait."""
        self.queues[partition] = None
        self.waiting.pop(partition, None)

    def is_logged(self, partition: int) -> bool:
        """Are changes of the partition noted?"""
        return self.queues[partition] is not None

    def note(self, digest: bytes, time_ms: int) -> None:
        """A record has changed."""
        partition = digest[0] | (digest[1] & 15) << 8
        queue = self.queues[partition]
        if queue is None or digest in queue:
            return
        queue[digest] = time_ms
        if len(queue) == 1:
            self.waiting[partition] = None
        elif len(queue) > self.limit:
            self.unlog(partition)
            self.overflown.append(partition)

    def take(
        self, partition: int, most: int, before_ms: int, may_go: Callable[[bytes], bool]
    ) -> list[tuple[bytes, int]]:
        """Up to `most` records of a partition, changed before `before_ms`, that may go: digest and
        time. They wait no longer."""
        queue = self.queues[partition]
        if not queue:
            return []
        taken: list[tuple[bytes, int]] = []
        for looked_at, (digest, time_ms) in enumerate(queue.items()):
            if len(taken) >= most or looked_at >= MOST_LOOKED_AT or time_ms > before_ms:
                break
            if may_go(digest):
                taken.append((digest, time_ms))
        for digest, _ in taken:
            del queue[digest]
        if not queue:
            del self.waiting[partition]
        return taken

    def oldest_ms(self, partition: int) -> int | None:
        """When the record that waits longest changed; None when none waits."""
        queue = self.queues[partition]
        return next(iter(queue.values())) if queue else None

    def _check(self) -> None:
        """Assert every invariant. O(partitions)."""
        assert set(self.waiting) == {p for p in range(PARTITIONS) if self.queues[p]}
        assert all(len(self.queues[p] or ()) <= self.limit for p in self.waiting)


def observer(logger: Logger, ships: Callable[[int, int], bool]) -> Observer:
    """What the door tells of changes (`asd.space.commit.Observer`). `ships` says of a record's set
    (its number) and flags whether such records go at all; it is asked once for each pair."""
    known: dict[int, bool] = {}
    """By set and flags in one integer: a tuple would cost as much as all the rest."""
    queues, note = logger.queues, logger.note

    def changed(digest: bytes, new: Record | None) -> None:
        queue = queues[digest[0] | (digest[1] & 15) << 8]
        if queue and digest in queue:  # as most are where the destination is behind
            return
        if new is None:  # it has left nothing that could be shipped
            return
        kind = new[3] | new[4] << 16
        wanted = known.get(kind)
        if wanted is None:
            wanted = known[kind] = ships(new[3], new[4])
        if not wanted:
            return
        if queue and len(queue) < logger.limit:
            queue[digest] = time_of(new[2])
            return
        note(digest, time_of(new[2]))

    return changed
