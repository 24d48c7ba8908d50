"""The `ssd` engine: records in logs of write blocks on files or devices, the index in memory."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from google_crc32c import extend

from citrusleaf.cf_hooks import new_mutex
from storage.coding import PLAIN
from storage.device import Device, Disk, SystemDisk
from storage.engine import OutOfSpace, Parameters, Record, StorageError
from storage.index import ENTRY_SIZE, FIELDS, JOINED, TOMBSTONE, PrimaryIndex
from storage.metadata import Metadata
from storage.ssd import defrag, recovery
from storage.ssd.layout import (
    BODY,
    CHECK,
    CODING_AT,
    FRONT,
    NAMES_SIZE,
    NAMES_START,
    POSITION_MASK,
    RECORD_HEADER,
    RECORD_MAGIC,
    UNITS_AT,
    DeviceHeader,
    unpack_record,
)
from storage.ssd.log import DEFRAG_RESERVE, MAX_QUEUE, DeviceLog, WriteBlock
from storage.ssd.overwrite import overwrite
from storage.ssd.payloads import Payloads
from storage.ssd.reader import Reader
from storage.ssd.scan import records, scan
from storage.ssd.tomb_raider import TombRaid
from storage.ssd.tuning import Tuning

Progress = Callable[[int, int, int], None]
"""Called during a cold start with (blocks read, blocks in all, records found)."""

_fields_at = FIELDS.unpack_from
_pack_entry = JOINED.pack_into
_pack_body = BODY.pack
_pack_check = CHECK.pack_into


class SsdEngine:
    """An `Engine` on one or several files or raw devices, over which records are spread by digest.

    `paths`            of the devices; their number and order never change
    `disk`             where they are
    `size`             bytes each may take; None = as much as there is room
    `block_size`       of write blocks; no payload may be longer than this less 112
    `names_size`       bytes for each of two copies of the table of set names and metadata
    `commit`           puts may be acknowledged only after a `sync`
    `compression`      "none", "lz4" or "zstd", and `compression_level`
    `encryption`       "none", "aes-128" or "aes-256" for a new store; it stays so
    `key_file`         whose key wraps the keys of the devices; `old_key_file` had the key before
    `cache_bytes`      of blocks kept in memory after they were written, each device; a quarter of
                       it besides for what is read
    `defrag_lwm_pct`   blocks used less than this are emptied
    `read_blocking`    read inline what is not in memory, instead of raising NotResident
    `progress`         told how a cold start goes on
    `tuning`           what may be changed while the store runs

    `block_size` and `names_size` are those of the first start for ever.
    """

    def __init__(
        self,
        paths: Sequence[str],
        disk: Disk | None = None,
        *,
        size: int | None = None,
        block_size: int = 1 << 20,
        names_size: int = NAMES_SIZE,
        commit: bool = False,
        compression: str = "none",
        compression_level: int = 0,
        encryption: str = "none",
        key_file: str = "",
        old_key_file: str = "",
        cache_bytes: int = 64 << 20,
        defrag_lwm_pct: int = 50,
        read_blocking: bool = False,
        progress: Progress | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self.tuning = tuning or Tuning()
        self.paths = tuple(paths)
        self.disk: Disk = SystemDisk() if disk is None else disk
        self.geometry = recovery.Geometry(block_size, names_size, size, cache_bytes, defrag_lwm_pct)
        self._block_units = block_size >> 4  # locations count in units of 16 bytes
        self.acknowledges_sync = commit
        self.metadata = Metadata()
        self.set_names = self.metadata.names
        self.index = PrimaryIndex()
        self.logs: list[DeviceLog] = []
        self.started_warm = False
        """The last `open` mapped the index of a clean shutdown."""
        self.stamp = 0
        """Of the last record written; each gets a higher one than all before it. Whatever else
        changes what is where raises it too, so that a scan knows when to look again."""
        self.debt = 0.0
        """Bytes of sparse blocks still to go through for garbage made so far."""
        self.pace = defrag.PACE
        self.least_debt = min(defrag.LEAST_DEBT, block_size)
        self.moved = 0
        self.reserve = DEFRAG_RESERVE
        """Free blocks that puts leave alone."""
        self.payloads = Payloads(
            self.disk,
            compression=compression,
            level=compression_level,
            encryption=encryption,
            key_file=key_file,
            old_key_file=old_key_file,
        )
        self.reader = Reader(self.paths, read_blocking)
        self._progress = progress
        self._mutex = new_mutex()
        self.names_update = 0
        self._failure: str | None = None

    @property
    def index_path(self) -> str:
        """Where a clean shutdown leaves the index."""
        return self.paths[0] + ".index"

    # Life

    def open(self) -> None:
        """Map the index of a clean shutdown, or scan the devices, or make new ones.

        Raises OSError, StorageError for devices that are not this store's.
        """
        self._failure = None
        self.debt = 0
        self.reader.forget()
        try:
            recovery.open_store(self, self._progress)
            self._block_units = self.geometry.block_size >> 4
        except BaseException:
            self._let_go()
            raise

    def close(self) -> None:
        """Write everything, and the index. Raises OSError; the next start is then a cold one."""
        try:
            if self._failure is None:
                for device in self.logs:
                    device.seal()
                self.sync()
                recovery.save_store(self)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        for device in self.logs:
            device.device.close()
        self.logs = []
        self.index.clear()

    def tune(self, parameters: Parameters) -> None:
        """Go by these from now on. Raises ValueError for a compression that does not exist."""
        self.payloads.set_compression(parameters.compression, parameters.compression_level)
        percent = parameters.defrag_lwm_pct
        self.geometry = self.geometry._replace(defrag_lwm_pct=percent)
        for device in self.logs:
            device.set_defrag_lwm_pct(percent)
        tuning = self.tuning
        tuning.flush_size = parameters.flush_size
        tuning.max_write_cache = parameters.max_write_cache
        tuning.defrag_queue_min = parameters.defrag_queue_min
        tuning.defrag_sleep_us = parameters.defrag_sleep_us

    def make_log(self, device: Device, header: DeviceHeader) -> DeviceLog:
        """The log on a device of this store."""
        geometry = self.geometry
        return DeviceLog(
            device,
            header,
            max_bytes=geometry.size,
            cache_bytes=geometry.cache_bytes,
            defrag_lwm_pct=geometry.defrag_lwm_pct,
            make_free=self.sync,
            tuning=self.tuning,
        )

    # One record

    def get(self, digest: bytes) -> Record | None:
        """The record, or None when absent or deleted. O(1).

        Raises NotResident when its block is neither in memory nor in the page cache, DamagedRecord.
        """
        index = self.index
        offset = index.recent.get(digest) or index.look_up(digest)
        if not offset:
            return None
        generation, set_id, void_time, flags, updated, location, size = _fields_at(
            index.arena, offset
        )
        if flags & TOMBSTONE:
            return None
        number, units = divmod(location & POSITION_MASK, self._block_units)
        logs = self.logs
        device = logs[0]
        if len(logs) > 1:
            number, which = divmod(number, len(logs))
            device = logs[which]
        at = units << 4
        block = device.memory.get(number)
        if block is None:
            payload = device.read_cache.find(number, at, location, size)
            if payload is None:
                payload = self._read(device, number, at, digest, location, size)
        elif block.data[at + CODING_AT] == PLAIN:
            payload = block.data[at + RECORD_HEADER : at + RECORD_HEADER + size]
        else:
            record = block.data[at : at + (location >> UNITS_AT << 4)]
            payload = self.decode(device, number, at, record)
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
        """Store or replace the whole record. O(1), and a bounded step of defragmentation.

        Raises OutOfSpace, DeviceOverload, StorageError after the medium failed, ValueError for a
        payload longer than a block, struct.error for metadata out of range; the store is then
        unchanged.
        """
        if self._failure is not None:
            raise StorageError(self._failure)
        size = len(payload)
        stamp = self.stamp + 1
        which = digest[8] % len(self.logs)
        coding, stored = PLAIN, payload
        if not self.payloads.plain:
            coding, stored = self.payloads.encode(which, digest, payload, stamp)
        stored_size, updated = len(stored), last_update_time
        head = _pack_body(
            stored_size, size, digest, generation, set_id, void_time, flags, coding, updated, stamp
        )
        location = self._append(which, head + stored)
        self.stamp = stamp
        index = self.index
        front = head[FRONT]
        offset = index.recent.get(digest) or index.look_up_or_add(
            digest, front, set_id, flags, location, size
        )
        if not offset:
            return
        arena = index.arena
        _, old_set, _, old_flags, _, old, old_size = _fields_at(arena, offset)
        if old_set == set_id and old_flags == flags:
            _pack_entry(arena, offset, front, location, size)
            if size != old_size:
                index.sets[set_id].bytes += size - old_size
        else:
            slot = offset // ENTRY_SIZE
            index.update(slot, generation, set_id, void_time, flags, updated, location, size)
        self._release(old)

    overwrite = overwrite

    def remove(self, digest: bytes) -> bool:
        """Forget the record or tombstone; True if there was a record. O(1).

        Nothing is written: after a crash the record, or an older copy, may come back.
        """
        entry = self.index.remove(digest)
        if entry is None:
            return False
        self.stamp += 1
        self._release(entry.location)
        return not entry.flags & TOMBSTONE

    def scan(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, Record]]:
        """Records of a partition (0..4095) in digest order, beginning behind `after`.

        What is not in memory is read inline; a damaged record is counted and left out. Otherwise as
        `MemoryEngine.scan`.
        """
        return scan(self, partition, after)

    def records(self) -> Iterator[tuple[bytes, Record]]:
        """Every record, about in the order they are on the devices; see `storage.engine.Engine`."""
        return records(self)

    def tomb_raid(self, until: int) -> TombRaid:
        """Take away the tombstones last updated at or before `until` that no block has an older
        copy for. Reads all devices, a block at a time."""
        return TombRaid(self, until)

    # The whole store

    def name_set(self, set_id: int, name: bytes) -> None:
        """Keep a name for a set id. Raises OutOfSpace when the table of names is full."""
        self.metadata.name_set(set_id, name)

    def set_meta(self, key: bytes, value: bytes | None) -> None:
        """Keep, or forget, a little of the caller's own. Raises OutOfSpace, ValueError."""
        self.metadata.set(key, value)

    def meta(self) -> Mapping[bytes, bytes]:
        """What was kept with `set_meta`."""
        return self.metadata.entries

    def clear(self) -> None:
        """Forget all records, for ever: one small write to each device. Raises OSError."""
        with self._mutex:
            for device in self.logs:
                device.forget_everything()
        self.index.clear()
        self.stamp += 1
        self.debt = 0

    def sync(self) -> None:
        """Everything put before is on the medium on return.

        Raises OSError when a device fails or has failed before: what a sync that failed has left
        behind, no later one can vouch for.
        """
        self._on_medium(self._sync)

    def on_flush_due(self, flush_due: Callable[[], None]) -> None:
        """Have it called whenever `flush_size` more bytes wait to be written."""
        self.tuning.flush_due = flush_due

    def write_behind(self) -> None:
        """Hand sealed blocks and whole flush units to the devices, so that less waits for a sync.

        On any thread. Raises OSError.
        """
        self._on_medium(partial(self._write_out, whole_units=True))

    def _on_medium(self, work: Callable[[], None]) -> None:
        with self._mutex:
            if self._failure is not None:
                raise OSError(errno.EIO, self._failure)
            try:
                work()
            except OSError as error:
                self._failure = f"a device failed: {error}"
                raise

    def defragment(self) -> None:
        """Take one step of emptying sparse blocks, as who makes garbage does now and then.

        For those who are refused: they make none, and perhaps nobody else does.
        """
        defrag.step(self)

    def statistics(self) -> dict[str, int]:
        """Counters and sizes in bytes, under the names the server reports. O(blocks)."""
        logs = self.logs
        block_size = self.geometry.block_size
        free = sum(len(device.free) + len(device.quarantine) for device in logs)
        blocks = sum(len(device.used) for device in logs)
        total = (self.geometry.size or 0) * len(logs) or blocks * block_size
        used = sum(device.used_bytes for device in logs)
        available = free * block_size + max(0, total - blocks * block_size)
        return {
            "objects": self.index.objects,
            "tombstones": self.index.tombstones,
            "index_used_bytes": len(self.index) * ENTRY_SIZE,
            "data_total_bytes": total,
            "data_used_bytes": used,
            "data_used_pct": 100 * used // total if total else 0,
            "data_avail_pct": 100 * available // total if total else 100,
            "free_wblocks": free,
            "write_q": sum(device.write_queue for device in logs),
            "defrag_q": sum(device.sparse_count for device in logs),
            "writes": sum(device.writes for device in logs),
            "defrag_reads": sum(device.defrag_reads for device in logs),
            "defrag_writes": self.moved,
            "damaged_records": self.reader.damaged,
        }

    # Parts

    def _append(self, which: int, body: bytes) -> int:
        """Add a record to a device's log; its location. Raises OutOfSpace, StorageError."""
        device = self.logs[which]
        length = len(body)
        place = length + 23 & -16
        block = device.head
        if block is None or block.end + place > device.room_end:
            block = self._next_block(device, place)
        at = block.end
        data = block.data
        _pack_check(data, at, RECORD_MAGIC, extend(block.seed, body))
        data[at + 8 : at + 8 + length] = body
        block.end = at + place
        device.used[block.number] += place
        return block.first_unit + (at >> 4) + (place << UNITS_AT - 4)

    def _next_block(self, device: DeviceLog, place: int) -> WriteBlock:
        try:
            block = device.place(place, self.reserve)
            device.forget_written()
            if device.write_queue > MAX_QUEUE and self.tuning.max_write_cache is None:
                with self._mutex:
                    self._write_out()
        except OutOfSpace:
            self.defragment()
            raise
        except OSError as error:
            self._failure = f"a device failed: {error}"
            raise StorageError(self._failure) from error
        return block

    def _release(self, location: int) -> None:
        count = len(self.logs)
        number = (location & POSITION_MASK) // self._block_units
        place = location >> UNITS_AT << 4
        self.logs[number % count].release(number // count, place)
        self.debt += self.pace * place
        if self.debt >= self.least_debt:
            self.defragment()

    def location(self, position: int, place: int) -> int:
        """What the index keeps of a place; `position` counts the devices' blocks in turn."""
        return position >> 4 | place >> 4 << UNITS_AT

    def locate(self, location: int) -> tuple[DeviceLog, int, int, int]:
        """(device, block, position in the block, bytes of the place)."""
        block, at = divmod((location & POSITION_MASK) << 4, self.geometry.block_size)
        number, index = divmod(block, len(self.logs))
        return self.logs[index], number, at, location >> UNITS_AT << 4

    def _read(
        self, device: DeviceLog, number: int, at: int, digest: bytes, location: int, size: int
    ) -> bytes:
        """The payload of a record that is not in memory. Raises as `get`."""
        record = self.reader.read(device, number, at, digest, location)
        if record[CODING_AT] != PLAIN:
            return self.decode(device, number, at, record)
        payload = record[RECORD_HEADER : RECORD_HEADER + size]
        device.read_cache.note(number, at, location, record, payload)
        return payload

    def decode(self, device: DeviceLog, number: int, at: int, record: bytes) -> bytes:
        """The payload of a record whose CRC is right. Raises DamagedRecord."""
        try:
            return self.payloads.decode(device.header.number, unpack_record(record))
        except ValueError as error:
            raise self.reader.damage(device, number, at, str(error)) from error

    def _sync(self) -> None:
        freed = [len(device.quarantine) for device in self.logs]
        self._write_out()
        for device, count in zip(self.logs, freed, strict=True):
            device.device.fdatasync()
            for _ in range(count):
                device.free.append(device.quarantine.popleft())
        for device in self.logs:
            defrag.prefetch(device)

    def _write_out(self, *, whole_units: bool = False) -> None:
        if self.metadata.dirty:
            self.metadata.dirty = False
            self.names_update += 1
            names = self.metadata.pack(self.names_update)
            first = self.logs[0].device
            start = NAMES_START + self.geometry.names_size * (self.names_update % 2)
            first.pwrite(start, names)
            first.fdatasync()
        for device in self.logs:
            device.write_out(whole_units=whole_units)

    def _check(self) -> None:
        """Assert every invariant. O(records)."""
        self.index._check()
        self.metadata._check()
        used: dict[tuple[int, int], int] = {}
        for slot in range(1, self.index.end):
            entry = self.index.entry(slot)
            if entry.generation:
                device, number, _, place = self.locate(entry.location)
                key = self.logs.index(device), number
                used[key] = used.get(key, 0) + place
        for index, device in enumerate(self.logs):
            device._check()
            for number, total in enumerate(device.used):
                assert used.get((index, number), 0) == total
