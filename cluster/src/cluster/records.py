"""Whole records as they travel between nodes, and which of two versions of a record stays.

A version of a record is its digest, what the index knows of it (generation, void-time,
last-update-time, flags), its set's name, and bytes that nobody here looks into. In messages, and in
`Apply`, it is a plain tuple (`RecordRow`): on the way of a write no object is built for it.

The conflict rule
-----------------
Two versions meet when copies that lived in different clusters are brought together, or when a write
asks the nodes that may have a newer one. It is *not* asked about what a master sends its replicas:
that is ordered by the link (`cluster.replication.lane`).

- policy `generation`: the higher generation stays, even if it is older in time; of equal ones the
  later last-update-time.
- policy `last-update-time`: the later last-update-time stays, whatever the generations; of equal
  ones the higher generation.
- Where both are equal: a deletion, then the later void-time (0 is never: the latest), then the
  greater set name, flags, bytes. So two versions that differ never tie, and all nodes choose alike.

Generations wrap: 65535 is followed by 1. Of two generations that one is higher which is ahead by
less than half of the ring (serial-number arithmetic). The ring has 65535 places, an odd number, so
of two that differ one is always ahead. Like all serial numbers they are in a circle: of *three*
versions more than a third of the ring apart each may be ahead of another. That is why the master of
a partition alone decides: it collects from all, and the others take what it then has, unasked.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from cluster.messages import RecordRow, SummaryRow

GENERATIONS = 65535
"""Generations are 1 to this, and 1 again."""

TOMBSTONE = 1
"""Flag: the record was deleted durably, and this is kept to say so."""
KEY_STORED = 2
"""Flag: the user's key is among the bytes."""
REMOVAL = 4
"""Flag: a plain delete: what it wins over goes, and nothing is kept."""

NEVER = 1 << 64


@frozen
class RecordVersion:
    """One version of a record, for those that would rather have names than places in a row.

    `generation` 1 to 65535; `void_time` seconds (0: never); `last_update_ms` may step back.
    """

    digest: bytes
    generation: int
    last_update_ms: int
    void_time: int = 0
    set_name: str = ""
    flags: int = 0
    body: bytes = b""

    @property
    def is_tombstone(self) -> bool:
        """Was the record deleted durably?"""
        return bool(self.flags & TOMBSTONE)

    @property
    def is_removal(self) -> bool:
        """Is this a plain delete on its way?"""
        return bool(self.flags & REMOVAL)

    def row(self) -> RecordRow:
        """The form in messages."""
        return (
            *(self.digest, self.generation, self.last_update_ms, self.void_time),
            *(self.set_name, self.flags, self.body),
        )

    def summary(self, mark: int = 0) -> SummaryRow:
        """What an emigration tells of the record before it sends it."""
        return self.digest, self.generation, self.last_update_ms, self.void_time, self.flags, mark


def from_row(row: RecordRow) -> RecordVersion:
    """The version of a message's row."""
    return RecordVersion(*row[:7])


class ConflictPolicy(Enum):
    """Which of two versions of a record stays."""

    GENERATION = "generation"
    LAST_UPDATE_TIME = "last-update-time"


def next_generation(generation: int) -> int:
    """The generation that follows; 0 stands for no record.

    >>> next_generation(0), next_generation(65535)
    (1, 1)
    """
    return generation % GENERATIONS + 1


def ahead(one: int, other: int) -> int:
    """1 when generation `one` is the higher, -1 when `other` is, 0 when they are equal.

    >>> ahead(3, 2), ahead(1, 65535), ahead(65535, 1), ahead(7, 7)
    (1, 1, -1, 0)
    """
    distance = (one - other) % GENERATIONS
    return 0 if not distance else 1 if distance <= GENERATIONS // 2 else -1


def _decide(one: tuple[int, int], other: tuple[int, int], policy: ConflictPolicy) -> int:
    """As `ahead`, for (generation, last-update-time)."""
    by_generation = ahead(one[0], other[0])
    by_time = (one[1] > other[1]) - (one[1] < other[1])
    if policy is ConflictPolicy.LAST_UPDATE_TIME:
        return by_time or by_generation
    return by_generation or by_time


def _remainder(row: RecordRow) -> tuple[bool, int, str, int, bytes]:
    deleted = bool(row[5] & (TOMBSTONE | REMOVAL))
    return deleted, row[3] or NEVER, row[4], row[5], row[6]


def wins(one: RecordRow, other: RecordRow | None, policy: ConflictPolicy) -> bool:
    """Does version `one` replace `other` (None: nothing there)? Equal ones replace nothing."""
    if other is None:
        return True
    decided = _decide((one[1], one[2]), (other[1], other[2]), policy)
    return decided > 0 if decided else _remainder(one) > _remainder(other)


def is_wanted(theirs: SummaryRow, ours: SummaryRow | None, policy: ConflictPolicy | None) -> bool:
    """By its summary, must a record be sent to us?

    `policy` None: the sender is the master, and we want whatever differs. Else we want what may
    win. Only where generation, time, void-time, flags and mark are all equal the two are taken for
    the same; the mark is whatever a store can tell cheaply of the bytes, their length at least.
    """
    if ours is None or policy is None:
        return ours != theirs
    if ours == theirs:
        return False
    return _decide((theirs[1], theirs[2]), (ours[1], ours[2]), policy) >= 0
