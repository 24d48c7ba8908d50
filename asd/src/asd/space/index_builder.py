"""Building indexes in the background: partition by partition, a slice of time after the other.

What a heavy record has in an index is left unsettled (`asd.sindex.indexes`), and building goes on
when it is settled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence, Set
from itertools import compress
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

from asd.measures.share import Share
from asd.records.record import CEMETERY, find_bin
from asd.sindex.definition import KeyType, Source
from asd.sindex.indexes import SecondaryIndex, record_view
from asd.sindex.keys import bvals
from citrusleaf.cf_digest import DIGEST_SIZE
from cluster import PARTITIONS
from storage.bulk import FLAGS_AT, column, entries_at, partition_slots
from storage.engine import Bulk, NotResident, StorageError

if TYPE_CHECKING:
    from asd.process.transaction_threads import TransactionThreads
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.sindex")

SLICE_NS: Final = 2_000_000
"""How long building may hold the loop, while nobody else is there."""

_HEAVY: Final[Set[int]] = frozenset((-1,))
"""Stands for the values of a record that are to be settled; it is known as itself."""

_TYPE_AT: Final = 7  # in a payload, of the first bin
_VALUE_AT: Final = 10  # likewise, behind a name of no bytes
_integer = Struct(">q").unpack_from

_Row: TypeAlias = tuple[int, bytes, int]
"""(index value, digest and what may follow it, slot): sorted, they are in the order of entries."""


def _loop_ns() -> int:
    return int(asyncio.get_running_loop().time() * 1e9)


class IndexBuilder:
    """Fills the new indexes of a namespace."""

    def __init__(self, namespace: Namespace, threads: TransactionThreads) -> None:
        self._namespace = namespace
        self._threads = threads
        self._share = Share(namespace.turns, _loop_ns, SLICE_NS)
        self._until_ns = 0
        self._bulk: Bulk | None = None
        self._building: SecondaryIndex | None = None
        self._heavy: list[int] = []
        """Slots of the partition's records that are to be settled."""

    async def run(self) -> None:
        """Build whatever is new. Ends by cancellation."""
        indexes = self._namespace.indexes
        while True:
            await indexes.unbuilt.wait()
            indexes.unbuilt.clear()
            self._settle_empty()
            for index in list(indexes):
                if not index.readable:
                    await self._build(index)

    def _settle_empty(self) -> None:
        """Indexes of sets without records are built at once, and wait for no other's building."""
        for index in self._namespace.indexes:
            begun = index.built or index is self._building
            if not begun and self._is_empty(index.definition.set_name):
                index.built = PARTITIONS
                self._built(index, unread=0)

    def _is_empty(self, set_name: bytes) -> bool:
        """Has the set, or with b"" the namespace, no entry in the primary index?"""
        primary = self._namespace.engine.index
        if not set_name:
            return not len(primary)
        set_id = self._namespace.find_set(set_name)
        usage = None if set_id is None else primary.sets.get(set_id)
        return usage is None or not (usage.objects or usage.tombstones)

    async def _build(self, index: SecondaryIndex) -> None:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        engine = self._namespace.engine
        self._bulk = engine if isinstance(engine, Bulk) else None
        unread = 0
        self._building = index
        while index.built < PARTITIONS and not index.dropped:
            if _loop_ns() >= self._until_ns:
                await self._yield()
                index.load_time_s = int(loop.time() - started_s)
            self._heavy.clear()
            if self._bulk is not None or index.definition.source is Source.SET:
                rows = self._rows(index, *self._members(index, index.built))
            else:
                rows, failed = await self._read_rows(index, index.built)
                unread += failed
            if not index.dropped:
                await self._take(index, rows)
        if not index.dropped:
            index.load_time_s = int(loop.time() - started_s)
            self._built(index, unread)

    async def _take(self, index: SecondaryIndex, rows: list[_Row]) -> None:
        """The next partition has these rows, and records that are to be settled."""
        partition = index.built
        if rows:
            rows.sort()
            index.entries.load(partition, rows)
        index.built += 1
        for slot in self._heavy:
            index.leave_unsettled(partition, slot)
        if self._heavy:
            self._namespace.indexes.left.set()
            await index.settled(partition)

    def _built(self, index: SecondaryIndex, unread: int) -> None:
        namespace, name = self._namespace.name, index.definition.name or "set index"
        log.info("{%s} %s built: %d", namespace, name, len(index.entries))
        if unread:
            log.error("{%s} %s lacks %d records that cannot be read", namespace, name, unread)

    async def _yield(self) -> None:
        """Let others go on."""
        await self._share.others()
        if self._namespace.indexes.unbuilt.is_set():
            self._settle_empty()
        self._until_ns = self._share.begin()

    def _members(self, index: SecondaryIndex, partition: int) -> tuple[list[bytes], list[int]]:
        """The entries, and their slots, of a partition's records that belong into the index."""
        primary = self._namespace.engine.index
        slots = partition_slots(primary, partition)
        if not slots:
            return [], []
        entries = entries_at(primary, slots)
        alive = [entry[FLAGS_AT] < CEMETERY for entry in entries]
        if not all(alive):
            slots, entries = list(compress(slots, alive)), list(compress(entries, alive))
        set_name = index.definition.set_name
        if set_name:
            wanted = self._namespace.find_set(set_name)
            sets = column(b"".join(entries), "set_id")
            if sets.count(wanted or 0) < len(sets) or wanted is None:
                chosen = [at for at, set_id in enumerate(sets) if set_id == wanted]
                slots = [slots[at] for at in chosen]
                entries = [entries[at] for at in chosen]
        return entries, slots

    def _rows(self, index: SecondaryIndex, entries: list[bytes], slots: list[int]) -> list[_Row]:
        """The rows of records that need not be waited for."""
        if index.definition.source is Source.SET:
            return [(0, entry, slot) for entry, slot in zip(entries, slots, strict=True)]
        if self._bulk is not None and index.keys.direct:
            most = self._namespace.indexes.most
            return _direct_rows(index, self._bulk, entries, slots, most, self._heavy)
        keys = (self._keys(index, entry[:DIGEST_SIZE]) for entry in entries)
        return self._rows_of(entries, slots, keys)

    def _rows_of(
        self, entries: list[bytes], slots: list[int], keys: Iterable[Set[int]]
    ) -> list[_Row]:
        """The rows of records with these values; those of heavy ones are kept to be settled."""
        rows: list[_Row] = []
        for entry, slot, its in zip(entries, slots, keys, strict=True):
            if its is _HEAVY:
                self._heavy.append(slot)
            else:
                rows += [(bval, entry, slot) for bval in its]
        return rows

    async def _read_rows(self, index: SecondaryIndex, partition: int) -> tuple[list[_Row], int]:
        """The rows of a partition, waited for, and how many records could not be read.

        Records that change meanwhile are read again, known by their changed entries.
        """
        known: dict[bytes, Set[int] | None] = {}
        while True:
            entries, slots = self._members(index, partition)
            changed = [entry for entry in entries if entry not in known]
            if not changed or index.dropped:
                break
            for entry in changed:
                known[entry] = await self._read_keys(index, entry[:DIGEST_SIZE])
                if _loop_ns() >= self._until_ns:
                    await self._yield()
        found = [known.get(entry) for entry in entries]
        rows = self._rows_of(entries, slots, (keys or frozenset() for keys in found))
        return rows, found.count(None)

    async def _read_keys(self, index: SecondaryIndex, digest: bytes) -> Set[int] | None:
        """The index values of a record; None when it cannot be read."""
        while True:
            try:
                return self._keys(index, digest)
            except NotResident as absent:
                await self._threads.run(absent.load)
            except StorageError:  # the engine has said where and why
                return None

    def _keys(self, index: SecondaryIndex, digest: bytes) -> Set[int]:
        """The index values of a record, or `_HEAVY`. Raises NotResident, StorageError."""
        record = self._namespace.engine.get(digest)
        set_name = self._namespace.set_names[record[3]] if record else b""
        view = record_view(digest, record, set_name)
        if view is None:
            return frozenset()
        most = self._namespace.indexes.most
        heavy = most is not None and index.keys.effort(view) > most
        return _HEAVY if heavy else index.keys.of_record(view)


def _direct_rows(
    index: SecondaryIndex,
    bulk: Bulk,
    entries: Sequence[bytes],
    slots: Sequence[int],
    most: int | None,
    heavy: list[int],
) -> list[_Row]:
    """The rows of an index of bins as they are. Values that would cost more than `most` are not
    looked at: the slots of their records are added to `heavy`."""
    joined = b"".join(entries)
    bin_name = index.definition.bin_name
    wanted = index.definition.key_type.particle_type
    found = bulk.payloads(column(joined, "location"), column(joined, "size"))
    rows: list[_Row] = []
    if index.definition.key_type is KeyType.NUMERIC:
        # Most records have the bin first: type, flags, length of the name, name.
        first = bytes((wanted, 0, len(bin_name))) + bin_name
        start = _VALUE_AT + len(bin_name)
        is_first = [payload.startswith(first, _TYPE_AT) for payload in found]
        rows = [
            (_integer(payload, start)[0], entry, slot)
            for payload, entry, slot, plain in zip(found, entries, slots, is_first, strict=True)
            if plain
        ]
        if len(rows) == len(found):
            return rows
        others = [not plain for plain in is_first]
        found = list(compress(found, others))
        entries, slots = list(compress(entries, others)), list(compress(slots, others))
    for payload, entry, slot in zip(found, entries, slots, strict=True):
        particle = find_bin(payload, bin_name) if payload else None
        if particle is not None and particle.type == wanted:
            if most is not None and index.keys.effort_of(particle) > most:
                heavy.append(slot)
                continue
            rows += [(bval, entry, slot) for bval in bvals(particle)]
    return rows
