"""The secondary indexes of one namespace, kept exact by every change of a record.

Exact at once, where that is little work. What a record with a big list has in an index takes tens
of milliseconds to find out; so its entries of before are taken out at once, which is cheap, since
they are a run of their own (`IndexEntries`), and the record is *unsettled* until somebody
(`asd.space.index_settler`) has had its values worked out elsewhere. Whoever reads the entries of a
partition waits until none of its records is unsettled, so nobody sees an index that is not exact.

Which records are heavy is estimated from sizes, and may be estimated otherwise another time: what
stands in a run or is unsettled is known by its slot, never by an estimate.
"""

from __future__ import annotations

import asyncio
from array import array
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

LIGHT: Final = 1 << 14
"""What finding out index values may cost, by `Keys.effort`, where the change stands: about a
millisecond or two."""


def record_view(digest: bytes, record: Record | None, set_name: bytes) -> RecordView | None:
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
        self.unsettled: dict[int, dict[int, object]] = {}
        """Per partition, slots of records whose values are still to be worked out, each with what
        stands for this change and no other. Partitions that have none are not in it."""
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

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
        view = record_view(digest, record, set_name)
        return frozenset() if view is None else self.keys.of_record(view)

    # ---------------------------------------------------------------- changes

    def change(
        self,
        partition: int,
        digest: bytes,
        slot: int,
        was: RecordView | None,
        now: RecordView | None,
        most: int | None,
    ) -> int:
        """A record has changed, or is about to go. What is done at once may cost `most` (None:
        whatever it costs); the rest is left to be settled. What it has cost."""
        keys, entries = self.keys, self.entries
        if self.forget(partition, slot):
            was = None
        effort = 0
        if most is not None:
            effort = sum(keys.effort(view) for view in (was, now) if view is not None)
            if effort > most:
                if was is not None:
                    entries.discard_slots(partition, {slot})
                if now is not None:
                    self.leave_unsettled(partition, slot)
                return 0
        gone, come = keys.difference(was, now)
        if gone or come:
            entries.change(partition, gone, come, digest, slot)
        return effort

    def forget(self, partition: int, slot: int) -> bool:
        """Take out what a record has, if it is a run, or unsettled; False if it is neither. O(1)"""
        return self.entries.drop_run(partition, slot) or self._settle(partition, slot)

    def forget_slots(self, partition: int, gone: set[int]) -> None:
        """Take out all that some records have. O(n)."""
        for slot in gone.intersection(self.unsettled.get(partition, ())):
            self._settle(partition, slot)
        self.entries.discard_slots(partition, gone)

    def forget_all(self) -> None:
        """All records are gone, or the index is."""
        self.entries.clear()
        for partition, slots in list(self.unsettled.items()):
            for slot in list(slots):
                self._settle(partition, slot)

    # ---------------------------------------------------------------- what is unsettled

    def leave_unsettled(self, partition: int, slot: int) -> None:
        """A record's values are still to be worked out; it has no entries."""
        self.unsettled.setdefault(partition, {})[slot] = object()

    def settle(self, partition: int, slot: int, change: object, run: array[int]) -> bool:
        """The values of a record as it was when `change` stood for it, ascending. False when it has
        changed since, and they are of no use."""
        if self.unsettled.get(partition, {}).get(slot) is not change:
            return False
        self.entries.put_run(partition, slot, run)
        self._settle(partition, slot)
        return True

    def next_unsettled(self) -> tuple[int, int] | None:
        """A partition and slot; first those that somebody waits for."""
        for partition in (*self._waiting, *self.unsettled):
            if partition in self.unsettled:
                return partition, next(iter(self.unsettled[partition]))
        return None

    async def settled(self, partition: int) -> None:
        """Return when no record of the partition is unsettled; for the time until others run."""
        while partition in self.unsettled:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(partition, []).append(turn)
            await turn

    def _settle(self, partition: int, slot: int) -> bool:
        slots = self.unsettled.get(partition)
        if slots is None or slots.pop(slot, None) is None:
            return False
        if not slots:
            del self.unsettled[partition]
            for turn in self._waiting.pop(partition, ()):
                if not turn.done():
                    turn.set_result(None)
        return True

    def _check(self) -> None:
        """Assert every invariant. O(entries)."""
        self.entries._check()
        assert all(self.unsettled.values())
        assert self._waiting.keys() <= self.unsettled.keys()
        for partition, slots in self.unsettled.items():
            assert not slots.keys() & set(self.entries.slots(partition))


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
        self.most: int | None = None
        """What a change of a record may cost where it stands; None: whatever it costs."""
        self.left = asyncio.Event()
        """Set when there may be something to settle."""

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
        index.forget_all()
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
        partition, most = partition_id(digest), self.most
        was, now = record_view(digest, old, old_set), record_view(digest, new, new_set)
        slot = 0
        for index in before if before is after else dict.fromkeys((*before, *after)):
            if partition < index.built:
                its_was = was if index in before else None
                its_now = now if index in after else None
                if index.keys.is_same(its_was, its_now):
                    continue
                slot = slot or self._primary.find(digest)
                cost = index.change(partition, digest, slot, its_was, its_now, most)
                if most is not None:
                    most = max(0, most - cost)
                    if index.unsettled:
                        self.left.set()

    def removing_slots(self, partition: int, slots: Sequence[int]) -> None:
        """The records at these slots of a partition are about to be taken out."""
        gone = set(slots)
        for index in self:
            index.forget_slots(partition, gone)

    def clear(self) -> None:
        """All records are gone."""
        for index in self:
            index.forget_all()

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
            index._check()

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
