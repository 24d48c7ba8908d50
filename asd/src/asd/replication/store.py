"""One namespace as the cluster library asks for it: load, apply, survey, compare, drop.

What must hold:

- `apply` has its effect at once, in order, through the door like any other change; so secondary
  indexes and sets are exact on every copy. Observers do not hear of it (`Commit.adopt`), or copies
  would send each other the same write for ever.
- What a medium refuses is not acknowledged. It is tried again, and what comes behind it waits, so
  that the order stays.
- Records that a truncation hides do not come back with a partition that moves: what migrates is
  held against the thresholds that all nodes share. What the master writes is not: it was written
  after the truncation, whatever the clocks say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from aerospike_common.wire.errors import OperationError
from asd.membership.metadata import SystemMetadata
from asd.membership.settings import policy
from asd.records.change import Change
from asd.replication.rows import (
    record_flags,
    record_of,
    row_of,
    set_bytes,
    set_text,
    summary_of,
)
from asd.space import truncation
from asd.space.namespace import Namespace
from citrusleaf.cf_digest import partition_id
from cluster import REMOVAL, ConflictPolicy, is_wanted, wins
from cluster import TOMBSTONE as DELETED
from cluster.consistency.stamp import time_of
from cluster.messages import RecordRow, SummaryRow
from storage.bulk import entries_at, partition_slots
from storage.engine import (
    TOMBSTONE,
    DamagedRecord,
    NotResident,
    Record,
    StorageError,
    get_waited,
)
from storage.index import ENTRY, Entry

SURVEY_SLICE: Final = 32
"""Records surveyed in one turn of the loop: about 0.1 ms."""


class Store:
    """The records of one namespace."""

    def __init__(self, namespace: Namespace, metadata: SystemMetadata) -> None:
        self.namespace = namespace
        self._metadata = metadata

    @property
    def policy(self) -> ConflictPolicy:
        """Which of two versions stays."""
        return policy(self.namespace.config)

    # ------------------------------------------------------------------- reading

    def missing(self, digests: tuple[bytes, ...]) -> list[Callable[[], None]]:
        """What is to be run, on any thread, before these records can be read without blocking."""
        loads = []
        for digest in digests:
            try:
                self.namespace.engine.get(digest)
            except NotResident as wait:
                loads.append(wait.load)
            except StorageError:
                continue
        return loads

    def load(self, digests: tuple[bytes, ...]) -> tuple[RecordRow, ...]:
        """The records as they are, tombstones too; what is not there, or damaged, is left out.

        Blocks for what is not in memory.
        """
        return tuple([row for digest in digests if (row := self.row(digest)) is not None])

    def row(self, digest: bytes) -> RecordRow | None:
        """One record as it stands, dead or alive."""
        record = self._record(digest)
        if record is None:
            return None
        return row_of(digest, record, set_text(self.namespace.set_names[record[3]]))

    def _record(self, digest: bytes) -> Record | None:
        engine = self.namespace.engine
        try:
            record = get_waited(engine, digest)
        except DamagedRecord:
            return None
        if record is not None:
            return record
        entry = engine.index.find_entry(digest)
        return None if entry is None else _tombstone(entry)

    def is_empty(self, partition: int) -> bool:
        """Is there nothing of a partition, not even a tombstone? As of most where few records are:
        they are not worth a turn of the loop each."""
        return not self.namespace.engine.index.count(partition)

    def survey(self, partition: int) -> Iterator[list[SummaryRow]]:
        """What there is of a partition, in slices; between them the store may change.

        A record that was there when it began, and still is, is told. What stands meanwhile in the
        place of one that has gone is told only if it is the partition's own.
        """
        index = self.namespace.engine.index
        slots = partition_slots(index, partition)
        for at in range(0, len(slots), SURVEY_SLICE):
            yield [
                summary_of(Entry._make(ENTRY.unpack(entry)))
                for entry in entries_at(index, slots[at : at + SURVEY_SLICE])
                if partition_id(entry) == partition
            ]

    def compare(self, summaries: tuple[SummaryRow, ...], resolve: bool) -> tuple[int, ...]:
        """The places of those that are wanted."""
        index, rule = self.namespace.engine.index, self.policy if resolve else None
        places = []
        for place, theirs in enumerate(summaries):
            entry = index.find_entry(theirs[0])
            if is_wanted(theirs, summary_of(entry) if entry is not None else None, rule):
                places.append(place)
        return tuple(places)

    # ------------------------------------------------------------------- writing

    def apply(self, rows: tuple[RecordRow, ...], resolve: bool, migrates: bool) -> int:
        """Keep these versions; how many were, before one was refused for now (all, or fewer)."""
        asks = resolve or migrates or self.namespace.indexes.in_use
        if not asks and self.namespace.consistency is None:
            return self._replace(rows)
        rule = self.policy if resolve else None
        hidden = self._hidden() if migrates else None
        adopt = self.namespace.door.adopt
        for done, row in enumerate(rows):
            if hidden is not None and time_of(row[2]) < hidden(row[4]):
                continue
            if rule is not None and not wins(row, self.row(row[0]), rule):
                continue
            try:
                if not self._is_truncated(row):
                    adopt(*self._change(row))
            except (OperationError, StorageError):
                return done
        return len(rows)

    def _replace(self, rows: tuple[RecordRow, ...]) -> int:
        """As `apply`, spelled out where nothing is asked of what is there: each write that comes
        from a master comes through here."""
        adopt, intern = self.namespace.door.adopt, self.namespace.intern_set
        known, set_id = "", 0  # neighbours are in one set, mostly
        done = 0
        try:
            for digest, generation, updated_ms, void_time, set_name, flags, payload in rows:
                if flags & REMOVAL:
                    adopt(digest, None, None)
                else:
                    if set_name != known:
                        known, set_id = set_name, intern(set_bytes(set_name))
                    flags = flags and record_flags(flags)
                    new = generation, void_time, updated_ms, set_id, flags, payload
                    adopt(digest, None, new)
                done += 1
        except (OperationError, StorageError):
            pass  # refused, for now
        return done

    def _change(self, row: RecordRow) -> Change:
        """A version in place of what is there. Raises OperationError when its set is refused."""
        namespace, digest = self.namespace, row[0]
        if namespace.consistency is not None:
            namespace.consistency.seen(row[2], bool(row[5] & DELETED))
        old = self._record(digest) if namespace.indexes.in_use else None
        if old is not None and old[4] & TOMBSTONE:
            old = None
        new = None if row[5] & REMOVAL else record_of(row, namespace.intern_set)
        return Change(digest, old, new)

    def take_winner(self, row: RecordRow) -> None:
        """Another node's version of a record, if it wins over ours: from now on it is committed
        here. Raises OperationError when it is refused."""
        if not self._is_truncated(row) and wins(row, self.row(row[0]), self.policy):
            self.namespace.commit(self._change(row))

    def _is_truncated(self, row: RecordRow) -> bool:
        """Has a truncation taken this version already? One that was under way, to be given once
        more over another connection, say, would else come back.

        Of strong consistency only: there what is written after a truncation has a later time,
        whatever the clock does. Elsewhere the fast lane is believed.
        """
        space = self.namespace
        if space.consistency is None or row[5] & REMOVAL or not space.truncation.thresholds:
            return False
        return space.truncation.covers(space.intern_set(set_bytes(row[4])), time_of(row[2]))

    def _hidden(self) -> Callable[[str], int] | None:
        """Set to the time before which its records are gone by a truncation; None: of no set."""
        name = self.namespace.name
        items = {
            key: int(item.value)
            for key, item in self._metadata.items(truncation.MODULE).items()
            if item.value is not None and key.partition("|")[0] == name
        }
        if not items:
            return None
        every = items.get(name, 0)

        def before(set_name: str) -> int:
            text = set_bytes(set_name).decode("utf-8", "surrogateescape")
            return max(every, items.get(f"{name}|{text}", 0))

        return before

    def drop(self, partition: int) -> None:
        """All records of a partition go, tombstones too."""
        index = self.namespace.engine.index
        slots = partition_slots(index, partition)
        if slots:
            self.namespace.door.remove_slots(partition, slots)


def _tombstone(entry: Entry) -> Record:
    return (
        *(entry.generation, entry.void_time, entry.last_update_time),
        *(entry.set_id, entry.flags | TOMBSTONE, b""),
    )
