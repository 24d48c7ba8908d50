"""Records as replication sees them: a digest, a version, and bytes nobody looks into.

Also what a node must be able to do with its records for others to be built on it: `RecordStore`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum

from attrs import frozen

from citrusleaf import partition_id
from cluster.messages import RecordRow
from cluster.partitions.map import PARTITIONS
from cluster.partitions.version import PartitionVersion


@frozen
class Record:
    """One version of a record. A tombstone is the version of a record that was deleted durably."""

    digest: bytes
    generation: int
    last_update_ms: int
    tombstone: bool = False
    body: bytes = b""

    def row(self) -> RecordRow:
        """The form in messages."""
        return self.digest, self.generation, self.last_update_ms, self.tombstone, self.body


def from_row(row: RecordRow) -> Record:
    """The record of a message's row."""
    return Record(*row[:5])


class ConflictPolicy(Enum):
    """Which of two versions of a record stays."""

    GENERATION = "generation"
    LAST_UPDATE_TIME = "last-update-time"


def wins(one: Record, other: Record | None, policy: ConflictPolicy) -> bool:
    """Does `one` replace `other`? A total order: every node comes to the same version, whatever
    order versions reach it in. Where all else is equal a tombstone wins, then the greater bytes."""
    if other is None:
        return True
    return rank(one, policy) > rank(other, policy)


def rank(record: Record, policy: ConflictPolicy) -> tuple[int, int, bool, bytes]:
    """The sort key of `wins`."""
    first, second = record.generation, record.last_update_ms
    if policy is ConflictPolicy.LAST_UPDATE_TIME:
        first, second = second, first
    return first, second, record.tombstone, record.body


class RecordStore(ABC):
    """A node's records and partition versions. All calls are durable on return.

    A partition's changes are numbered: `changes_after` gives, from a position on, every record in
    the order of its last change. The `epoch` of a partition's copy changes when it is dropped.
    """

    @abstractmethod
    def partition_of(self, digest: bytes) -> int:
        """The partition that a digest belongs to."""

    @abstractmethod
    def get(self, digest: bytes) -> Record | None:
        """The version that is kept, a tombstone included."""

    @abstractmethod
    def apply(self, record: Record) -> bool:
        """Keep this version unless the one that is kept wins; whether it is kept now."""

    @abstractmethod
    def wins(self, one: Record, other: Record | None) -> bool:
        """Does `one` replace `other`, by the policy of this store?"""

    @abstractmethod
    def changes_after(self, partition: int, position: int, limit: int) -> tuple[int, list[Record]]:
        """At most `limit` records changed after `position` (0: from the start), and the position
        behind them. No records: there is nothing more."""

    @abstractmethod
    def drop(self, partition: int) -> None:
        """Forget the partition's records, its version, and its epoch."""

    @abstractmethod
    def epoch(self, partition: int) -> int:
        """The number of this copy: another one after every `drop`, and after any other loss."""

    @abstractmethod
    def version(self, partition: int) -> PartitionVersion | None:
        """The version of the partition; None when there is no copy."""

    @abstractmethod
    def set_version(self, partition: int, version: PartitionVersion) -> None:
        """Set the version."""


class MemoryRecords(RecordStore):
    """A record store for tests and simulations; it outlives the process that is given it."""

    def __init__(
        self,
        policy: ConflictPolicy,
        partition_of: Callable[[bytes], int] = partition_id,
        partitions: int = PARTITIONS,
    ) -> None:
        """`partition_of` says where a digest belongs, among `partitions`."""
        self.policy = policy
        self.partitions = partitions
        self._partition_of = partition_of
        self.records: dict[int, dict[bytes, Record]] = {}
        self._changes: dict[int, dict[bytes, int]] = {}
        self._versions: dict[int, PartitionVersion] = {}
        self._serial = 0
        self._drops = 0
        self._epochs: dict[int, int] = {}

    def partition_of(self, digest: bytes) -> int:
        """The partition that a digest belongs to. O(1)."""
        return self._partition_of(digest)

    def get(self, digest: bytes) -> Record | None:
        """The version that is kept. O(1)."""
        return self.records.get(self.partition_of(digest), {}).get(digest)

    def wins(self, one: Record, other: Record | None) -> bool:
        """Does `one` replace `other`? O(1)."""
        return wins(one, other, self.policy)

    def apply(self, record: Record) -> bool:
        """Keep this version unless the one that is kept wins. O(1)."""
        partition = self.partition_of(record.digest)
        kept = self.records.setdefault(partition, {})
        if not self.wins(record, kept.get(record.digest)):
            return kept[record.digest] == record
        kept[record.digest] = record
        self._serial += 1
        changes = self._changes.setdefault(partition, {})
        changes.pop(record.digest, None)  # so that the dict stays in the order of change
        changes[record.digest] = self._serial
        return True

    def changes_after(self, partition: int, position: int, limit: int) -> tuple[int, list[Record]]:
        """The next changes. O(records of the partition)."""
        changed = [
            (serial, digest)
            for digest, serial in self._changes.get(partition, {}).items()
            if serial > position
        ][:limit]
        records = [self.records[partition][digest] for _, digest in changed]
        return (changed[-1][0] if changed else position), records

    def drop(self, partition: int) -> None:
        """Forget the partition."""
        self._drops += 1
        self._epochs[partition] = self._drops
        for kept in (self.records, self._changes, self._versions):
            kept.pop(partition, None)

    def epoch(self, partition: int) -> int:
        """The number of this copy."""
        return self._epochs.get(partition, 0)

    def version(self, partition: int) -> PartitionVersion | None:
        """The version of the partition."""
        return self._versions.get(partition)

    def set_version(self, partition: int, version: PartitionVersion) -> None:
        """Set the version."""
        self._versions[partition] = version

    def _check(self) -> None:
        for partition, kept in self.records.items():
            assert kept.keys() == self._changes.get(partition, {}).keys()
            serials = list(self._changes.get(partition, {}).values())
            assert serials == sorted(serials)
