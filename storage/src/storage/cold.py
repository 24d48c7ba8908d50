"""The `ssd_cold` engine: small on the medium, slow to read, its index in a mapped file.

Records are gathered into chunks of some 64 KiB; a chunk is compressed as a whole, with a dictionary
made from the first records, and kept as one record of an `SsdEngine`, which does what is hard:
checksums, crashes, free space, restarts. Layout: docs/formats/ssd-cold.md.
"""

from __future__ import annotations

import errno
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import compress
from typing import Final

from citrusleaf.cf_hooks import new_mutex
from storage.chunk_coder import ChunkCoder
from storage.cold_chunks import (
    DICTIONARY_KEY,
    OFFSET_BITS,
    OFFSET_MASK,
    chunk_key,
    index_entries,
    pack_state,
    records_in,
    unpack_state,
)
from storage.cold_raid import ColdRaid
from storage.device import Disk, SystemDisk
from storage.engine import DamagedRecord, NotResident, OutOfSpace, Record, get_waited
from storage.index import ENTRY_SIZE, PARTITIONS, TOMBSTONE, PrimaryIndex
from storage.index_builder import IndexBuilder
from storage.index_file import MappedArena, load_index, save_index
from storage.ssd import SsdEngine
from storage.ssd.layout import BODY, NAMES_SIZE
from storage.ssd.log import DEFRAG_RESERVE

CHUNK_BYTES: Final = 64 << 10
"""Bytes of records in a chunk before it is sealed; a longer record is a chunk by itself."""
DICTIONARY_AFTER: Final = 8
"""Chunks from whose records the dictionary is made."""
CHUNKS_KEPT: Final = 64
"""Chunks kept in memory as they were before compression."""

_SLACK: Final = 512  # bytes a chunk may be longer when it is not compressible


class ColdEngine:
    """An `Engine` for records that are seldom read, on one file and one of the index beside it.

    `path`    of the store; the index is in `path`.cold
    `size`    bytes the store may take; None = as much as there is room
    `commit`  puts may be acknowledged only after a `sync`; each rewrites the chunk being filled
    `level`   of zstd, 1..19
    `read_blocking`, `progress`  as for `SsdEngine`

    A get that misses the chunks in memory reads and decompresses a whole chunk, about 0.2 ms. Plain
    removes may come back after a crash; tombstones are kept until a raid finds no older copy.
    """

    def __init__(
        self,
        path: str,
        disk: Disk | None = None,
        *,
        size: int | None = None,
        block_size: int = 1 << 20,
        names_size: int = NAMES_SIZE,
        chunk_bytes: int = CHUNK_BYTES,
        commit: bool = False,
        level: int = 9,
        read_blocking: bool = False,
        progress: Callable[[int, int, int], None] | None = None,
    ) -> None:
        self.disk: Disk = SystemDisk() if disk is None else disk
        self.acknowledges_sync = commit
        self.started_warm = False
        """The last `open` mapped the index of a clean shutdown."""
        self.chunks = SsdEngine(
            [path],
            self.disk,
            size=size,
            block_size=block_size,
            names_size=names_size,
            cache_bytes=0,
            read_blocking=read_blocking,
            progress=progress,
        )
        """The compressed chunks, by `chunk_key`."""
        self.set_names = self.chunks.set_names
        self._index_path = path + ".cold"
        self._arena = MappedArena()
        self.index = PrimaryIndex(self._arena)
        self._chunk_bytes = chunk_bytes
        self._level = level
        self._mutex = new_mutex()
        self.stamp = 0
        self._due = False
        self._flush_due: Callable[[], None] = self._note_due
        self._forget()

    # Life

    def open(self) -> None:
        """Map the index of a clean shutdown, or read all chunks. Raises OSError, StorageError."""
        self._forget()
        self.stamp = 0
        self.chunks.open()
        self._arena.device = device = self.disk.open(self._index_path, create=True)
        self._load_dictionary()
        loaded = load_index(device, self._identity(-1), shared=True)
        self.started_warm = loaded is not None
        if loaded is not None:
            self.index.become(loaded[0])
            self.stamp, *accounts = unpack_state(loaded[1])
            self._set_accounts(*accounts)
        else:
            self._read_all_chunks()
        self.stamp = max(self.stamp, self.chunks.logs[0].header.opens << 40)

    def close(self) -> None:
        """Write everything, and what the index file lacks. Raises OSError."""
        device = self._arena.device
        try:
            self.sync()
            self.index.arena.flush()
            assert device is not None
            device.fdatasync()
            save_index(
                device,
                self.index,
                self._identity(0),
                pack_state(self.stamp, self._live, self._size),
                shared=True,
            )
        finally:
            if device is not None:
                device.close()
            self._arena.device = None
            self.index.clear()
            self._forget()
            self.chunks.close()

    # One record

    def get(self, digest: bytes) -> Record | None:
        """The record, or None. Raises NotResident, DamagedRecord."""
        slot = self.index.find(digest)
        if not slot:
            return None
        _, generation, set_id, void_time, flags, updated, location, size = self.index.entry(slot)
        if flags & TOMBSTONE:
            return None
        number, offset = location >> OFFSET_BITS, location & OFFSET_MASK
        with self._mutex:
            chunk = self._open if number == self._open_number else self._chunk(number)
            start = offset + BODY.size
            payload = bytes(chunk[start : start + size])
        return generation, void_time, updated, set_id, flags, payload

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
        """Store or replace the whole record; now and then compress a chunk, some ms."""
        size = len(payload)
        stamp = self.stamp + 1
        fields = (generation, set_id, void_time, flags)
        record = BODY.pack(size, size, digest, *fields, 0, last_update_time, stamp) + payload
        block_size = self.chunks.geometry.block_size
        if len(record) > block_size - block_size // 64 - 256:  # it may not be compressible
            raise ValueError(f"a record of {size} bytes does not fit a write block")
        with self._mutex:
            most = max(self._chunk_bytes, len(record)) + _SLACK
            if not self.chunks.logs[0].has_room(most):
                self.holds_chunks = False
                self.chunks.defragment()
                raise OutOfSpace("the device is full")
            location = self._append(record)
            self.stamp = stamp
            slot = self.index.find(digest)
            if slot:
                old = self.index.entry(slot)
                self.index.update(slot, *fields, last_update_time, location, size)
                self._release(old.location, old.size)
            else:
                try:
                    self.index.insert(digest, *fields, last_update_time, location, size)
                except OSError as error:
                    self._release(location, size)
                    raise OutOfSpace(f"no room for the index: {error}") from error
            self._defrag()
        if self._due:
            self._due = False
            self._flush_due()

    def remove(self, digest: bytes) -> bool:
        """Forget the record or tombstone; True if there was a record."""
        entry = self.index.remove(digest)
        if entry is None:
            return False
        with self._mutex:
            self._release(entry.location, entry.size)
            self._defrag()
        return not entry.flags & TOMBSTONE

    def scan(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, Record]]:
        """Records of a partition in digest order, beginning behind `after`; reads inline."""
        yield from self._each(self.index.digests(partition, after))

    # The whole store

    def records(self) -> Iterator[tuple[bytes, Record]]:
        """Every record, chunk by chunk; see `storage.engine.Engine`."""
        for slots in self.index.slices():
            used = self.index.column("generation", *slots)
            places = zip(self.index.column("location", *slots), range(*slots), strict=True)
            wanted = sorted(compress(places, used))
            yield from self._each(self.index.digests_at(slot for _, slot in wanted))

    def tomb_raid(self, until: int) -> ColdRaid:
        """Take away the tombstones last updated at or before `until` that no chunk has an older
        copy for. Reads all chunks, one at a time."""
        return ColdRaid(self, until)

    def name_set(self, set_id: int, name: bytes) -> None:
        """Keep a name for a set id."""
        self.chunks.name_set(set_id, name)

    def set_meta(self, key: bytes, value: bytes | None) -> None:
        """Keep, or forget, a little of the caller's own. Raises OutOfSpace, ValueError."""
        self.chunks.set_meta(key, value)

    def meta(self) -> Mapping[bytes, bytes]:
        """What was kept with `set_meta`."""
        return self.chunks.meta()

    def clear(self) -> None:
        """Forget all records, for ever. Raises OSError."""
        with self._mutex:
            self.chunks.clear()
            self.index.clear()
            self._forget()

    def sync(self) -> None:
        """Write the chunk being filled as far as it is, and everything before it."""
        with self._mutex:
            try:
                self._write_open()
            except OutOfSpace as error:
                raise OSError(errno.ENOSPC, str(error)) from error
            if not self.holds_chunks:
                for number in self._retired:
                    self.chunks.remove(chunk_key(number))
                    self._free.append(number)
                self._retired.clear()
        self.chunks.sync()

    def on_flush_due(self, flush_due: Callable[[], None]) -> None:
        """Have it called whenever a MiB more of chunks waits to be written."""
        self._flush_due = flush_due
        self.chunks.on_flush_due(self._note_due)

    def write_behind(self) -> None:
        """Hand chunks to the device, so that less waits for a sync. Raises OSError."""
        self.chunks.write_behind()

    def statistics(self) -> dict[str, int]:
        """Counters and sizes in bytes, under the names the server reports."""
        return {
            **self.chunks.statistics(),
            "objects": self.index.objects,
            "tombstones": self.index.tombstones,
            "index_used_bytes": 0,
            "index_flash_used_bytes": len(self.index) * ENTRY_SIZE,
            "chunks": len(self.chunks.index),
            "defrag_writes": self._moved,
        }

    # Chunks

    def chunk_keys(self) -> list[bytes]:
        """The keys of the chunks in use."""
        with self._mutex:
            index = self.chunks.index
            keys = [key for part in range(PARTITIONS) for key in index.digests(part)]
        return [key for key in keys if key != DICTIONARY_KEY]

    def stored_chunk(self, key: bytes) -> bytes | None:
        """What is kept under a chunk's key. Raises NotResident, DamagedRecord."""
        with self._mutex:
            found = self.chunks.get(key)
        return None if found is None else found[5]

    def _note_due(self) -> None:
        """Chunks are put by whoever syncs, too: the owner passes it on."""
        self._due = True

    def _each(self, digests: list[bytes]) -> Iterator[tuple[bytes, Record]]:
        """The records there are of these, waited for; without those that are damaged."""
        for digest in digests:
            try:
                record = get_waited(self, digest)
            except DamagedRecord:
                continue
            if record is not None:
                yield digest, record

    def _forget(self) -> None:
        self._live = array("I")  # by chunk: bytes of records not released
        self._size = array("I")  # by chunk: bytes of records written
        self._free: deque[int] = deque()
        self._retired: list[int] = []  # emptied, but what was moved out is not written yet
        self._sparse: deque[int] = deque()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._coder = ChunkCoder(self._level)
        self._samples: list[bytes] | None = []
        self._moved = 0
        self.holds_chunks = False  # while it is True none is given up: see `storage.cold_raid`
        self._begin_chunk()

    def _begin_chunk(self) -> None:
        if self._free:
            self._open_number = self._free.popleft()
        else:
            self._open_number = len(self._live)
            self._live.append(0)
            self._size.append(0)
        self._live[self._open_number] = self._size[self._open_number] = 0
        self._open = bytearray()
        self._open_written = 0

    def _append(self, record: bytes) -> int:
        """Add to the chunk being filled; the record's location. Raises OutOfSpace."""
        if self._open and len(self._open) + len(record) > self._chunk_bytes:
            self._seal()
        number, offset = self._open_number, len(self._open)
        self._open += record
        self._live[number] += len(record)
        self._size[number] += len(record)
        if self._samples is not None:
            self._samples.append(record)
        return number << OFFSET_BITS | offset

    def _seal(self) -> None:
        self._write_open()
        number = self._open_number
        self._keep(number, bytes(self._open))
        self._begin_chunk()
        self._wait(number)
        if self._samples is not None and len(self._live) > DICTIONARY_AFTER:
            self._make_dictionary(self._samples)
            self._samples = None

    def _write_open(self) -> None:
        if len(self._open) > self._open_written:
            data = self._coder.compress(bytes(self._open))
            self.chunks.put(chunk_key(self._open_number), 1, 0, 0, 0, 0, data)
            self._open_written = len(self._open)

    def _chunk(self, number: int) -> bytes:
        """A chunk's records. Raises NotResident, DamagedRecord."""
        data = self._kept.get(number)
        if data is not None:
            self._kept.move_to_end(number)
            return data
        found = self.chunks.get(chunk_key(number))
        if found is None:
            raise DamagedRecord(f"chunk {number} is missing")
        data = self._coder.decompress(found[5])
        self._keep(number, data)
        return data

    def _keep(self, number: int, data: bytes) -> None:
        self._kept[number] = data
        if len(self._kept) > CHUNKS_KEPT:
            self._kept.popitem(last=False)

    def _release(self, location: int, size: int) -> None:
        number = location >> OFFSET_BITS
        self._live[number] -= BODY.size + size
        self._wait(number)

    def _wait(self, number: int) -> None:
        if number != self._open_number and self._live[number] * 2 < self._size[number]:
            self._sparse.append(number)

    def _defrag(self) -> None:
        """Move what lives in one chunk that is less than half used to the one being filled."""
        while self._sparse:
            number = self._sparse.popleft()
            if number == self._open_number or not self._size[number]:
                continue
            self.chunks.reserve = 0
            try:
                if self._live[number]:
                    self._empty(number)
            except (OutOfSpace, DamagedRecord):
                return
            finally:
                self.chunks.reserve = DEFRAG_RESERVE
            self._size[number] = 0
            self._kept.pop(number, None)
            self._retired.append(number)
            return

    def _empty(self, number: int) -> None:
        try:
            data = self._chunk(number)
        except NotResident as missing:
            missing.load()
            data = self._chunk(number)
        for offset, size, digest in records_in(data):
            slot = self.index.find(digest)
            if slot and self.index.entry(slot).location == number << OFFSET_BITS | offset:
                location = self._append(data[offset : offset + BODY.size + size])
                self.index.relocate(slot, location)
                self._live[number] -= BODY.size + size
                self._moved += 1

    def _make_dictionary(self, samples: list[bytes]) -> None:
        """Without room for it, or with records that have nothing in common, it goes without."""
        made = self._coder.train(samples)
        if made is not None:
            try:
                self.chunks.put(DICTIONARY_KEY, 1, 0, 0, 0, 0, made)
            except (OutOfSpace, ValueError):  # a block may be shorter than it
                self._coder.set_dictionary(None)

    def _load_dictionary(self) -> None:
        found = self._load(DICTIONARY_KEY)
        if found is not None:
            self._coder.set_dictionary(found)
            self._samples = None

    # Restart

    def _identity(self, back: int) -> bytes:
        header = self.chunks.logs[0].header
        return header.store_id + (header.opens + back).to_bytes(8, "little")

    def _set_accounts(self, live: array[int], size: array[int]) -> None:
        self._live, self._size = live, size
        self._free = deque(number for number, used in enumerate(size) if not used)
        self._begin_chunk()
        for number in range(len(size)):
            if size[number]:
                self._wait(number)

    def _read_all_chunks(self) -> None:
        """Find the newest copy of each record."""
        index = self.index
        index.clear()
        builder = IndexBuilder(index)
        size = array("I")
        for slot in range(1, self.chunks.index.end):
            key = self.chunks.index.entry(slot).digest
            number = int.from_bytes(key[:8], "little")
            if key == DICTIONARY_KEY or self.chunks.index.find(key) != slot:
                continue
            size.extend([0] * (number + 1 - len(size)))
            try:
                data = self._coder.decompress(self._load(key) or b"")
            except DamagedRecord:  # counted and reported by the store of chunks
                continue
            size[number] = len(data)
            builder.add(b"".join(index_entries(data, number)))
        builder.finish()
        self.stamp = builder.stamp
        live = array("I", bytes(4 * len(size)))
        for first, last in index.slices():
            locations, sizes = (index.column(name, first, last) for name in ("location", "size"))
            used = index.column("generation", first, last)
            for location, payload in compress(zip(locations, sizes, strict=True), used):
                live[location >> OFFSET_BITS] += payload + BODY.size
        self._set_accounts(live, size)

    def _load(self, key: bytes) -> bytes | None:
        """A chunk as it is stored, waited for. Raises DamagedRecord."""
        found = get_waited(self.chunks, key)
        return None if found is None else found[5]

    def _check(self) -> None:
        """Assert every invariant. O(records)."""
        self.index._check()
        live = dict.fromkeys(range(len(self._live)), 0)
        for slot in range(1, self.index.end):
            entry = self.index.entry(slot)
            if entry.generation:
                live[entry.location >> OFFSET_BITS] += BODY.size + entry.size
        assert list(live.values()) == list(self._live)
        self.chunks._check()
