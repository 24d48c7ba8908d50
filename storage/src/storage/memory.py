"""The memory engine: payloads in a log of write blocks, in memory.

A record costs 64 bytes of index entry, 7 to 14 of hash table, and its payload, rounded up to 8.
Formats: docs/formats/memory-blocks.md. Figures: bench/storage_memory.py.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from storage import area, direct
from storage.blocks import WriteBlocks
from storage.bulk import column, entries_at, forget_slots, places
from storage.chains import Chains
from storage.engine import OutOfSpace, Record
from storage.index import (
    ENTRY,
    ENTRY_SIZE,
    META,
    META_AT,
    META_END,
    TOMBSTONE,
    PrimaryIndex,
)
from storage.metadata import Metadata
from storage.tomb_raid import IndexRaid

COMPILED: Final = not __file__.endswith(".py")
"""This module is the compiled twin of its source: calls of `storage.direct` cost nothing."""

_ROUND: Final = 7
_DEFRAG_RATE: Final = 2  # bytes moved per byte of garbage: keeps up with blocks half full
_DEFRAG_PLACES: Final = 128  # moved in one call: about 0.3 ms
_FEW: Final = 4  # one in so many of a partition's entries is removed by itself
_KEEP_FREE: Final = 2  # free blocks whose pages stay, so that steady overwriting faults none in

_Fields: TypeAlias = tuple[int, int, int, int, int]
"""(generation, set_id, void_time, flags, last_update_time), the order of the index."""

_entry_at = ENTRY.unpack_from
_pack_meta = META.pack


def _place_size(size: int) -> int:
    """Bytes a payload takes in a block."""
    return (size + _ROUND) & ~_ROUND


class MemoryEngine:
    """An `Engine` whose records live in memory and are gone with `close`.

    `data_size`       limit in bytes on all payloads, each rounded up to 8; None = no limit
    `block_size`      bytes of a write block, of which no payload may have more
    `defrag_lwm_pct`  blocks used less than this are emptied, so that the log is at most
                      100 / defrag_lwm_pct times as long as what lives in it, and a few blocks

    >>> engine = MemoryEngine()
    >>> engine.put(bytes(20), 1, 0, 500, 7, 0, b"payload")
    >>> engine.get(bytes(20))
    (1, 0, 500, 7, 0, b'payload')
    """

    __slots__ = (
        "_block_size",
        "_blocks",
        "_chains",
        "_data",
        "_data_size",
        "_debt",
        "_defrag_lwm_pct",
        "_metadata",
        "_moved",
        "acknowledges_sync",
        "index",
        "set_names",
    )

    acknowledges_sync: bool
    _blocks: WriteBlocks
    _data: mmap.mmap

    def __init__(
        self,
        data_size: int | None = None,
        *,
        block_size: int = 8 << 20,
        defrag_lwm_pct: int = 50,
    ) -> None:
        self._data_size = data_size
        self._block_size = block_size
        self._defrag_lwm_pct = defrag_lwm_pct
        self.acknowledges_sync = False
        self.index = PrimaryIndex()
        self._metadata = Metadata()
        self.set_names: dict[int, bytes] = self._metadata.names
        self._moved = 0
        self._reset_data()

    def open(self) -> None:
        """Nothing to make ready: an engine is empty and usable from its construction."""

    def close(self) -> None:
        """Forget all records, names and metadata, and give the memory back."""
        self.clear()
        self._metadata.forget()

    def get(self, digest: bytes) -> Record | None:
        """The record, or None when absent or deleted. O(1)."""
        index = self.index
        offset = index.recent.get(digest) or index.look_up(digest)
        if not offset:
            return None
        generation, set_id, void_time, flags, last_update_time, start, size = direct.fields_at(
            index.arena, offset
        )
        if flags & TOMBSTONE:
            return None
        if COMPILED:
            payload = direct.bytes_at(self._data, start, size)
        else:
            payload = self._data[start : start + size]
        return generation, void_time, last_update_time, set_id, flags, payload

    def put(
        self,
        digest: bytes,
        generation: int,
        void_time: int,
        last_update_time: int,
        set_id: int,
        flags: int,
        payload: bytes,
    ) -> None:
        """Store or replace the whole record. O(1), and a bounded step of defragmentation.

        Raises OutOfSpace when `data_size` would be exceeded, ValueError for a payload longer than
        a block, struct.error for metadata out of range; the store is then unchanged.
        """
        # Packed first: what is out of range must be refused before anything changes.
        meta = _pack_meta(generation, set_id, void_time, flags, last_update_time)
        index = self.index
        offset = index.recent.get(digest) or index.look_up(digest)
        if not offset:
            fields = (generation, set_id, void_time, flags, last_update_time)
            self._insert(digest, fields, payload)
            return
        arena = index.arena
        _, old_set, _, old_flags, _, start, size = direct.fields_at(arena, offset)
        if size == len(payload) and old_set == set_id and old_flags == flags:
            # Nothing to account for: most updates, at half the cost.
            arena[offset + META_AT : offset + META_END] = meta
            if COMPILED:
                direct.put_bytes(self._data, start, payload)
            else:
                self._data[start : start + size] = payload
            return
        fields = (generation, set_id, void_time, flags, last_update_time)
        self._replace(offset // ENTRY_SIZE, start, size, fields, payload)

    def overwrite(
        self, digest: bytes, last_update_time: int, set_id: int, start: bytes, payload: bytes
    ) -> int:
        """Give a record another payload of the same size, if little else changes. O(1).

        See `storage.engine.Overwrites`.
        """
        index = self.index
        offset = index.recent.get(digest) or index.look_up(digest)
        if not offset:
            return 0
        arena = index.arena
        generation, old_set, void_time, flags, updated, place, size = direct.fields_at(
            arena, offset
        )
        if old_set != set_id or void_time or flags or size != len(payload):
            return 0
        if updated > last_update_time:
            return 0
        data = self._data
        begins = (
            direct.same_at(data, place, start)
            if COMPILED
            else data[place : place + len(start)] == start
        )
        if not begins:
            return 0
        new_generation: int = generation % 65535 + 1
        direct.put_meta(arena, offset + META_AT, new_generation, set_id, 0, 0, last_update_time)
        if COMPILED:
            direct.put_bytes(data, place, payload)
        else:
            data[place : place + size] = payload
        return new_generation

    def exchange(
        self, digest: bytes, last_update_time: int, set_id: int, start: bytes, payload: bytes
    ) -> tuple[int, int, bytes] | None:
        """Do as `overwrite`: (new generation, slot, old payload). O(1).

        See `storage.engine.Exchanges`.
        """
        index = self.index
        offset = index.recent.get(digest) or index.look_up(digest)
        if not offset:
            return None
        arena = index.arena
        generation, old_set, void_time, flags, updated, place, size = direct.fields_at(
            arena, offset
        )
        if old_set != set_id or void_time or flags or size != len(payload):
            return None
        if updated > last_update_time:
            return None
        data = self._data
        old = data[place : place + size]
        if not old.startswith(start):
            return None
        new_generation: int = generation % 65535 + 1
        direct.put_meta(arena, offset + META_AT, new_generation, set_id, 0, 0, last_update_time)
        data[place : place + size] = payload
        return new_generation, offset // ENTRY_SIZE, old

    def remove(self, digest: bytes) -> bool:
        """Forget the record or tombstone; True if there was a record. O(1)."""
        index = self.index
        slot = index.find(digest)
        if not slot:
            return False
        entry = index.entry(slot)
        if entry.size:
            self._chains.remove(index.arena, slot, entry.location // self._block_size)
        index.remove_at(slot, entry)
        if entry.size:
            self._release(entry.location, _place_size(entry.size))
        return not entry.flags & TOMBSTONE

    def scan(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, Record]]:
        """Records of a partition (0..4095) in digest order, beginning behind `after`.

        The partition's digests are taken at the first step; each record as it is when its turn
        comes, so the store may change between two steps.
        """
        for digest in self.index.digests(partition, after):
            record = self.get(digest)
            if record is not None:
                yield digest, record

    def records(self) -> Iterator[tuple[bytes, Record]]:
        """Every record, in the order of the index's slots; see `storage.engine.Engine`."""
        index = self.index
        for first, last in index.slices():
            for slot in range(first, last):
                if slot >= index.end:  # cleared between two steps
                    return
                entry = _entry_at(index.arena, slot * ENTRY_SIZE)
                digest, generation, set_id, void_time, flags, updated, start, size = entry
                if generation and flags < TOMBSTONE:
                    payload = self._data[start : start + size]
                    yield digest, (generation, void_time, updated, set_id, flags, payload)

    # Many records: see `storage.engine.Bulk`

    def payloads(
        self, locations: Sequence[int], sizes: Sequence[int], skip: int = 0
    ) -> list[bytes]:
        """The payloads of index entries, each without its first `skip` bytes."""
        data = self._data
        ends = zip(locations, sizes, strict=True)
        if COMPILED:
            return [direct.bytes_at(data, start + skip, size - skip) for start, size in ends]
        return [data[start + skip : start + size] for start, size in ends]

    def payload_byte(self, locations: Sequence[int], at: int) -> bytes:
        """Byte `at` of each payload, one behind the other."""
        data = self._data
        if COMPILED:
            return bytes([direct.byte_at(data, start + at) for start in locations])
        return bytes([data[start + at] for start in locations])

    def remove_slots(self, partition: int, slots: Sequence[int]) -> int:
        """Forget what is at these slots in use of a partition; how many were records."""
        index = self.index
        if len(slots) * _FEW < index.count(partition):
            return sum([self.remove(entry[:20]) for entry in entries_at(index, slots)])
        joined = b"".join(entries_at(index, slots))
        self._unlink(slots, joined)
        tombstones = forget_slots(index, partition, slots, joined)
        given_up = Counter[int]()
        for size, starts in places(joined):
            for block, count in Counter([start // self._block_size for start in starts]).items():
                given_up[block] += count * _place_size(size)
        for block, total in given_up.items():
            self._free(block * self._block_size, total)
            self._debt += _DEFRAG_RATE * total
        return len(slots) - tombstones

    def settle(self) -> bool:
        """One bounded step of making good for what `remove_slots` gave up; True when done."""
        self._defrag()
        return self._debt <= 0

    # The whole store

    def tomb_raid(self, until: int) -> IndexRaid:
        """Take away the tombstones last updated at or before `until`: no older copy is left."""
        return IndexRaid(self, until)

    def name_set(self, set_id: int, name: bytes) -> None:
        """Keep a name for a set id."""
        self._metadata.name_set(set_id, name)

    def set_meta(self, key: bytes, value: bytes | None) -> None:
        """Keep, or forget, a little of the caller's own, until `close`."""
        self._metadata.set(key, value)

    def meta(self) -> Mapping[bytes, bytes]:
        """What was kept with `set_meta`."""
        return self._metadata.entries

    def clear(self) -> None:
        """Forget all records and give the memory back: about 5 ms per 1,000,000."""
        self.index.clear()
        self._reset_data()

    def sync(self) -> None:
        """Nothing outlives the process, so nothing is ever waited for."""

    def statistics(self) -> dict[str, int]:
        """Counters and sizes in bytes, under the names the server reports. O(4096)."""
        blocks = self._blocks
        total = self._data_size or len(blocks) * self._block_size
        used = blocks.used_bytes
        used_pct = 100 * used // total if total else 0
        return {
            "objects": self.index.objects,
            "tombstones": self.index.tombstones,
            "index_used_bytes": len(self.index) * ENTRY_SIZE,
            "data_total_bytes": total,
            "data_used_bytes": used,
            "data_used_pct": used_pct,
            "data_avail_pct": 100 - used_pct,
            "free_wblocks": len(blocks.free),
            "defrag_q": blocks.sparse_blocks,
            "defrag_writes": self._moved,
        }

    # Parts

    def _allocate(self) -> mmap.mmap:
        """An area of one block."""
        return area.allocate(self._block_size)

    def _lengthen(self, size: int) -> None:
        """Make the area `size` bytes long."""
        self._data = area.extend(self._data, size)

    def _reset_data(self) -> None:
        self._blocks = WriteBlocks(self._block_size, self._defrag_lwm_pct)
        self._chains = Chains()
        self._data = self._allocate()
        self._debt = 0  # bytes still to be moved out of sparse blocks for garbage made so far

    def _insert(self, digest: bytes, fields: _Fields, payload: bytes) -> None:
        size = len(payload)
        place_size = _place_size(size)
        self._require(place_size, place_size)
        start = self._place(place_size) if size else 0
        slot = self.index.insert(digest, *fields, start, size)
        if size:
            self._data[start : start + size] = payload
            self._chains.add(self.index.arena, slot, start // self._block_size)

    def _replace(
        self, slot: int, old_start: int, old_size: int, fields: _Fields, payload: bytes
    ) -> None:
        """Put a record whose size, set or flags change."""
        size = len(payload)
        place_size = _place_size(size)
        old_place_size = _place_size(old_size)
        index = self.index
        if place_size == old_place_size:
            index.update(slot, *fields, old_start, size)
            self._data[old_start : old_start + size] = payload
            return
        self._require(place_size, place_size - old_place_size)
        start = self._place(place_size) if size else 0
        if old_size:
            self._chains.remove(index.arena, slot, old_start // self._block_size)
        index.update(slot, *fields, start, size)
        if size:
            self._data[start : start + size] = payload
            self._chains.add(index.arena, slot, start // self._block_size)
        if old_size:
            self._release(old_start, old_place_size)

    def _unlink(self, slots: Sequence[int], joined: bytes) -> None:
        """Take entries that are about to be forgotten, end to end in `joined`, out of the lists of
        their blocks."""
        arena, remove, block_size = self.index.arena, self._chains.remove, self._block_size
        sizes, starts = column(joined, "size"), column(joined, "location")
        for slot, size, start in zip(slots, sizes, starts, strict=True):
            if size:
                remove(arena, slot, start // block_size)

    def _require(self, place_size: int, more: int) -> None:
        if place_size > self._block_size:
            raise ValueError(f"a place of {place_size} bytes does not fit a write block")
        if self._data_size is not None and self._blocks.used_bytes + more > self._data_size:
            raise OutOfSpace(f"data-size of {self._data_size} bytes is used up")

    def _place(self, size: int) -> int:
        position = self._blocks.place(size)
        if position + size > len(self._data):
            try:
                self._lengthen(2 * len(self._data))
            except OSError as error:
                self._blocks.release(position, size)
                raise OutOfSpace(f"no room for more data: {error}") from error
        return position

    def _release(self, start: int, place_size: int) -> None:
        """Give up the place of a payload that began at `start`, and pay for the garbage made."""
        self._free(start, place_size)
        self._debt += _DEFRAG_RATE * place_size
        self._defrag()

    def _free(self, position: int, size: int) -> None:
        block = self._blocks.release(position, size)
        if block is not None and len(self._blocks.free) > _KEEP_FREE:
            area.discard(self._data, block * self._block_size, self._block_size)

    def _defrag(self) -> None:
        """Empty sparse blocks, moving what lives to the head, until the debt is paid or it is
        enough for one call.
        """
        blocks, first = self._blocks, self._chains.first
        for _ in range(_DEFRAG_PLACES):
            if self._debt <= 0:
                return
            if blocks.emptying is None and blocks.sparse() is None:
                self._debt = 0
                return
            block = blocks.emptying
            assert block is not None
            self._debt -= self._move(first[block], block)

    def _move(self, slot: int, block: int) -> int:
        """Move the payload of an entry out of a block; bytes of its place."""
        index = self.index
        *_, start, size = direct.fields_at(index.arena, slot * ENTRY_SIZE)
        size = _place_size(size)
        target = self._place(size)
        self._data[target : target + size] = self._data[start : start + size]
        self._chains.remove(index.arena, slot, block)
        index.relocate(slot, target)
        self._chains.add(index.arena, slot, target // self._block_size)
        self._free(start, size)
        self._moved += 1
        return size

    def _check(self) -> None:
        """Assert every invariant. O(records)."""
        self.index._check()
        self._blocks._check()
        self._metadata._check()
        places = []
        blocks: dict[int, set[int]] = {}
        for first, last in self.index.slices():
            for slot in range(first, last):
                entry = self.index.entry(slot)
                if entry.generation and entry.size:
                    places.append((entry.location, _place_size(entry.size)))
                    blocks.setdefault(entry.location // self._block_size, set()).add(slot)
        places.sort()
        assert all(a + size <= b for (a, size), (b, _) in pairwise(places))
        assert sum(size for _, size in places) == self._blocks.used_bytes
        for block in range(len(self._blocks)):
            chained = self._chains.slots(self.index.arena, block)
            assert len(chained) == len(set(chained))
            assert set(chained) == blocks.get(block, set())
