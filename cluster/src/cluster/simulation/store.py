"""A node's store in the simulation: what a process has, and what its disk would give back.

Effects are at once, in the order in which they are asked for; that they will survive is said later,
when the disk has them, after a delay of its own. A process that dies loses what the disk has not;
what of that the disk got all the same is drawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.messages import RecordRow, SummaryRow
from cluster.outputs import (
    Close,
    Closed,
    Compare,
    Compared,
    Load,
    Loaded,
    StoreAnswer,
    Survey,
    Surveyed,
)
from cluster.partitions.version import PartitionVersion
from cluster.records import REMOVAL, ConflictPolicy, from_row, is_wanted, wins
from cluster.simulation.loop import Chance

PARTITIONS = 16


def partition_of(digest: bytes) -> int:
    """The simulation's few partitions."""
    return digest[0] % PARTITIONS


class SimulatedStore:
    """One namespace's records and partition versions on one machine."""

    def __init__(self, policy: ConflictPolicy) -> None:
        self.policy = policy
        self.live: dict[bytes, RecordRow] = {}
        self.versions: dict[int, PartitionVersion] = {}
        self.disk: dict[bytes, RecordRow] = {}
        self._disk_versions: dict[int, PartitionVersion] = {}
        self._journal: deque[tuple[bytes | int, RecordRow | PartitionVersion | None]] = deque()
        self._written = 0
        self.flushed = 0

    # --- effects -------------------------------------------------------------------------------

    def wins(self, row: RecordRow, kept: RecordRow | None) -> bool:
        """The conflict rule."""
        return wins(row, kept, self.policy)

    def put(self, row: RecordRow) -> None:
        """Keep a version in place of what is there; a removal leaves nothing."""
        if row[5] & REMOVAL:
            self.live.pop(row[0], None)
            self._note(row[0], None)
        else:
            self.live[row[0]] = row
            self._note(row[0], row)

    def apply(self, rows: tuple[RecordRow, ...], resolve: bool) -> None:
        """What `Apply` asks."""
        for row in rows:
            if not resolve or self.wins(row, self.live.get(row[0])):
                self.put(row)

    def set_versions(self, versions: tuple[tuple[int, PartitionVersion], ...]) -> None:
        """What `SetVersions` asks."""
        for partition, version in versions:
            self.versions[partition] = version
            self._note(partition, version)

    def drop(self, partition: int) -> None:
        """What `Drop` asks: the version first."""
        self.versions.pop(partition, None)
        self._note(partition, None)
        for digest in [d for d in self.live if partition_of(d) == partition]:
            del self.live[digest]
            self._note(digest, None)

    def _note(self, what: bytes | int, value: RecordRow | PartitionVersion | None) -> None:
        self._journal.append((what, value))
        self._written += 1

    # --- questions -----------------------------------------------------------------------------

    def answer(self, asked: Load | Survey | Compare | Close) -> StoreAnswer:
        """A question of the library, answered as things are now."""
        match asked:
            case Load(_, token, digests):
                return Loaded(token, self.load(digests))
            case Survey(_, token, partition):
                return Surveyed(token, self.survey(partition))
            case Compare(_, token, summaries, resolve):
                return Compared(token, self.compare(summaries, resolve))
            case Close(_, _, token):
                return Closed(token)

    def load(self, digests: tuple[bytes, ...]) -> tuple[RecordRow, ...]:
        """What `Load` asks."""
        return tuple(self.live[digest] for digest in digests if digest in self.live)

    def survey(self, partition: int) -> tuple[SummaryRow, ...]:
        """What `Survey` asks."""
        return tuple(
            from_row(row).summary(len(row[6]))
            for digest, row in self.live.items()
            if partition_of(digest) == partition
        )

    def compare(self, summaries: tuple[SummaryRow, ...], resolve: bool) -> tuple[int, ...]:
        """What `Compare` asks."""
        policy = self.policy if resolve else None
        return tuple(
            place
            for place, row in enumerate(summaries)
            if is_wanted(row, self._mine(row[0]), policy)
        )

    def _mine(self, digest: bytes) -> SummaryRow | None:
        row = self.live.get(digest)
        return from_row(row).summary(len(row[6])) if row is not None else None

    def in_partition(self, partition: int) -> dict[bytes, RecordRow]:
        """The records of a partition. O(records)."""
        return {d: row for d, row in self.live.items() if partition_of(d) == partition}

    # --- the disk ------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """What has been written so far."""
        return self._written

    def flush(self, position: int) -> None:
        """The disk has everything up to a position."""
        while self.flushed < position:
            what, value = self._journal.popleft()
            self.flushed += 1
            self._keep(what, value)

    def _keep(self, what: bytes | int, value: RecordRow | PartitionVersion | None) -> None:
        kept: dict[Any, Any] = self.disk if isinstance(what, bytes) else self._disk_versions
        if value is None:
            kept.pop(what, None)
        else:
            kept[what] = value

    def may_come_back(self) -> Iterator[RecordRow]:
        """Every version that a crash may bring back: on the disk, or on its way there."""
        yield from self.disk.values()
        for what, value in self._journal:
            if isinstance(what, bytes) and isinstance(value, tuple):
                yield value

    def start(self, chance: Chance) -> Mapping[int, PartitionVersion]:
        """A process starts: it finds what the disk has, and clears copies without a version."""
        self.flush(self.flushed + chance.below(len(self._journal) + 1))
        self._journal.clear()
        self._written = self.flushed
        self.live = dict(self.disk)
        self.versions = dict(self._disk_versions)
        for partition in range(PARTITIONS):
            if partition not in self.versions:
                self.drop(partition)
        return self.versions

    def _check(self) -> None:
        assert self._written - self.flushed == len(self._journal)
