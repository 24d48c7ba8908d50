"""Building indexes in the background: partition by partition, a slice of time after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from itertools import compress
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

from asd.record import find_bin
from asd.sindex.definition import KeyType, Source
from asd.sindex.indexes import SecondaryIndex
from asd.sindex.keys import bvals
from cluster import PARTITIONS
from storage.bulk import column, entries_at, partition_slots, payloads
from storage.engine import NotResident
from storage.memory import MemoryEngine

if TYPE_CHECKING:
    from asd.namespace import Namespace
    from asd.transaction_threads import TransactionThreads

log = logging.getLogger("asd.sindex")

SLICE_S: Final = 0.002
"""How long building may hold the loop."""

_TYPE_AT: Final = 7  # in a payload, of the first bin
_VALUE_AT: Final = 10  # likewise, behind a name of no bytes
_integer = Struct(">q").unpack_from

_Row: TypeAlias = tuple[int, bytes, int]
"""(index value, digest and what may follow it, slot): sorted, they are in the order of entries."""


class IndexBuilder:
    """Fills the new indexes of a namespace."""

    def __init__(self, namespace: Namespace, threads: TransactionThreads) -> None:
        self._namespace = namespace
        self._threads = threads

    async def run(self) -> None:
        """Build whatever is new. Ends by cancellation."""
        indexes = self._namespace.indexes
        while True:
            await indexes.unbuilt.wait()
            indexes.unbuilt.clear()
            for index in list(indexes):
                if not index.readable:
                    await self._build(index)

    async def _build(self, index: SecondaryIndex) -> None:
        loop = asyncio.get_running_loop()
        started_s = until_s = loop.time()
        while index.built < PARTITIONS and not index.dropped:
            if loop.time() >= until_s:
                await asyncio.sleep(0)
                until_s = loop.time() + SLICE_S
                continue
            try:
                rows = self._rows(index, index.built)
            except NotResident as absent:
                await self._threads.run(absent.load)
                continue
            index.entries.load(index.built, rows)
            index.built += 1
            index.load_time_s = int(loop.time() - started_s)
        if not index.dropped:
            name = index.definition.name or "set index"
            log.info("{%s} %s built: %d", self._namespace.name, name, len(index.entries))

    def _rows(self, index: SecondaryIndex, partition: int) -> list[_Row]:
        """The entries of a partition, in order. Raises NotResident."""
        namespace = self._namespace
        primary = namespace.engine.index
        slots = partition_slots(primary, partition)
        if not slots:
            return []
        entries = entries_at(primary, slots)
        set_name = index.definition.set_name
        if set_name:
            wanted = namespace.find_set(set_name)
            sets = column(b"".join(entries), "set_id")
            if sets.count(wanted or 0) < len(sets) or wanted is None:
                chosen = [at for at, set_id in enumerate(sets) if set_id == wanted]
                slots = [slots[at] for at in chosen]
                entries = [entries[at] for at in chosen]
        if not entries:
            return []
        if index.definition.source is Source.SET:
            rows = [(0, entry, slot) for entry, slot in zip(entries, slots, strict=True)]
        elif isinstance(namespace.engine, MemoryEngine) and index.keys.direct:
            rows = _direct_rows(index, namespace.engine, entries, slots)
        else:
            rows = self._any_rows(index, entries, slots)
        rows.sort()
        return rows

    def _any_rows(
        self, index: SecondaryIndex, entries: Iterable[bytes], slots: Iterable[int]
    ) -> list[_Row]:
        namespace = self._namespace
        rows = []
        for entry, slot in zip(entries, slots, strict=True):
            digest = entry[:20]
            record = namespace.engine.get(digest)
            if record is not None:
                set_name = namespace.set_names[record[3]]
                keys = index.keys_of(digest, record, set_name)
                rows += [(bval, digest, slot) for bval in keys]
        return rows


def _direct_rows(
    index: SecondaryIndex, engine: MemoryEngine, entries: Sequence[bytes], slots: Sequence[int]
) -> list[_Row]:
    """The rows of an index of bins as they are."""
    joined = b"".join(entries)
    bin_name = index.definition.bin_name
    wanted = index.definition.key_type.particle_type
    found = payloads(engine, column(joined, "location"), column(joined, "size"))
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
        particle = find_bin(payload, bin_name) if payload else None  # none of a tombstone
        if particle is not None and particle.type == wanted:
            rows += [(bval, entry, slot) for bval in bvals(particle)]
    return rows
