"""The secondary indexes of one namespace, kept exact by every change of a record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence, Set
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.records.record import CEMETERY
from asd.records.record_view import RecordView
from asd.sindex.definition import IndexDefinition, KeyType, Source
from asd.sindex.entries import IndexEntries
from asd.sindex.keys import Keys
from citrusleaf.cf_digest import partition_id
from cluster import PARTITIONS
from cluster.consistency.stamp import time_of
from storage.engine import Record
from storage.index import PrimaryIndex

MAX_INDEXES: Final = 256
"""Indexes of a namespace."""


def _view(digest: bytes, record: Record | None, set_name: bytes) -> RecordView | None:
    """A record as it is indexed; None when there is none, or but a tombstone.

    Index values depend on the record alone, not on the time: for an expression it is always the
    moment of the last update.
    """
    if record is None or record[4] >= CEMETERY:
        return None
    return RecordView(digest, record, set_name, time_of(record[2]))


class SecondaryIndex:
    """One index: its definition, its entries, and how far it is built.

    Partitions are built in order; one that is not built yet has no entries, and changes of its
    records are left to the building.
    """

    def __init__(self, definition: IndexDefinition, primary: PrimaryIndex) -> None:
        self.definition = definition
        self.keys = Keys(definition)
        self.particle_type = definition.key_type.particle_type
        self.entries = IndexEntries(primary)
        self.built = 0
        """Partitions below this are built."""
        self.load_time_s = 0
        self.dropped = False
        """The index is no longer kept up and must not be read."""

    @property
    def readable(self) -> bool:
        """Is all of it built?"""
        return self.built == PARTITIONS

    @property
    def load_pct(self) -> int:
        """How much of it is built."""
        return 100 * self.built // PARTITIONS

    def watches(self, set_name: bytes) -> bool:
        """Are records of this set indexed?"""
        return self.definition.set_name in (b"", set_name)

    def keys_of(self, digest: bytes, record: Record | None, set_name: bytes) -> Set[int]:
        """The index values of a record; none for None or a tombstone."""
        view = _view(digest, record, set_name)
        return frozenset() if view is None else self.keys.of_record(view)


class SecondaryIndexes:
    """All indexes of a namespace."""

    def __init__(self, primary: PrimaryIndex) -> None:
        self._primary = primary
        self._by_name: dict[str, SecondaryIndex] = {}
        self._set_indexes: dict[bytes, SecondaryIndex] = {}  # that the configuration asks for
        self._watching: dict[bytes, tuple[SecondaryIndex, ...]] = {}
        self.in_use = False
        """There is at least one index."""
        self.unbuilt = asyncio.Event()
        """Set when there may be something to build."""

    def __iter__(self) -> Iterator[SecondaryIndex]:
        yield from self._by_name.values()
        yield from self._set_indexes.values()

    # ---------------------------------------------------------------- definitions

    @property
    def named(self) -> Sequence[SecondaryIndex]:
        """The indexes with a name, in the order of their making."""
        return list(self._by_name.values())

    def find(self, name: str) -> SecondaryIndex | None:
        """The index of this name."""
        return self._by_name.get(name)

    def find_by_subject(self, definition: IndexDefinition) -> SecondaryIndex | None:
        """The index of the same things as the definition, whatever its name."""
        subject = definition.subject
        for index in self._by_name.values():
            if index.definition.subject == subject:
                return index
        return None

    def check(self, definition: IndexDefinition) -> None:
        """Raises OperationError when `create` would."""
        Keys(definition)
        same = self._by_name.get(definition.name)
        if same is not None and same.definition.subject != definition.subject:
            raise OperationError(
                ResultCode.SINDEX_EXISTS, "'indexname' already exists with different definition"
            )
        if self.find_by_subject(definition) is None and len(self._by_name) >= MAX_INDEXES:
            raise OperationError(ResultCode.SINDEX_MAX_COUNT, f"over {MAX_INDEXES} indexes")

    def create(self, definition: IndexDefinition) -> None:
        """Begin an index; one that is there already takes the name. Raises OperationError."""
        self.check(definition)
        index = self.find_by_subject(definition)
        if index is None:
            index = SecondaryIndex(definition, self._primary)
            self.unbuilt.set()
        else:
            del self._by_name[index.definition.name]
            index.definition = definition
        self._by_name[definition.name] = index
        self._redefined()

    def delete(self, name: str) -> bool:
        """Drop an index; False when there is none of this name."""
        return self._drop(self._by_name.pop(name, None))

    def keep_set_indexes(self, wanted: set[bytes]) -> None:
        """Have nameless set indexes of exactly these sets."""
        for set_name in self._set_indexes.keys() - wanted:
            self._drop(self._set_indexes.pop(set_name))
        for set_name in wanted - self._set_indexes.keys():
            definition = IndexDefinition("", set_name, b"", KeyType.NUMERIC, Source.SET)
            self._set_indexes[set_name] = SecondaryIndex(definition, self._primary)
            self.unbuilt.set()
        self._redefined()

    def set_index(self, set_name: bytes) -> SecondaryIndex | None:
        """A built set index of this set."""
        for index in self.watching(set_name):
            if index.definition.source is Source.SET and index.readable:
                return index
        return None

    def _drop(self, index: SecondaryIndex | None) -> bool:
        if index is None:
            return False
        index.dropped = True
        index.entries.clear()
        self._redefined()
        return True

    def _redefined(self) -> None:
        self._watching.clear()
        self.in_use = bool(self._by_name or self._set_indexes)

    # -------------------------------------------------------------------- records

    def watching(self, set_name: bytes) -> tuple[SecondaryIndex, ...]:
        """The indexes that records of a set are in. O(1)."""
        found = self._watching.get(set_name)
        if found is None:
            found = tuple(index for index in self if index.watches(set_name))
            self._watching[set_name] = found
        return found

    def changed(
        self,
        digest: bytes,
        old: Record | None,
        old_set: bytes,
        new: Record | None,
        new_set: bytes,
    ) -> None:
        """A record has been written (`new`), or is about to be taken out (None).

        The record is in the primary index: after the change, or before its removal.
        """
        before, after = self.watching(old_set), self.watching(new_set)
        if not (before or after):
            return
        partition = partition_id(digest)
        was, now = _view(digest, old, old_set), _view(digest, new, new_set)
        for index in before if before is after else dict.fromkeys((*before, *after)):
            if partition < index.built:
                gone, come = index.keys.difference(
                    was if index in before else None, now if index in after else None
                )
                if gone or come:
                    slot = self._primary.find(digest)
                    index.entries.change(partition, gone, come, digest, slot)

    def removing_slots(self, partition: int, slots: Sequence[int]) -> None:
        """The records at these slots of a partition are about to be taken out."""
        gone = set(slots)
        for index in self:
            index.entries.discard_slots(partition, gone)

    def clear(self) -> None:
        """All records are gone."""
        for index in self:
            index.entries.clear()

    def forget(self) -> None:
        """Drop all indexes."""
        for name in list(self._by_name):
            self.delete(name)
        self.keep_set_indexes(set())

    def _check(self) -> None:
        """Assert every invariant. O(entries)."""
        assert self.in_use == bool(self._by_name or self._set_indexes)
        assert all(name == index.definition.name for name, index in self._by_name.items())
        subjects = [index.definition.subject for index in self._by_name.values()]
        assert len(set(subjects)) == len(subjects) <= MAX_INDEXES
        for index in self:
            assert not index.dropped
            index.entries._check()

    # -------------------------------------------------------------------- figures

    @property
    def used_bytes(self) -> int:
        """Bytes of the entries of all but set indexes."""
        return sum(
            index.entries.memory_bytes
            for index in self
            if index.definition.source is not Source.SET
        )

    @property
    def set_index_used_bytes(self) -> int:
        """Bytes of the entries of set indexes."""
        return sum(
            index.entries.memory_bytes for index in self if index.definition.source is Source.SET
        )
