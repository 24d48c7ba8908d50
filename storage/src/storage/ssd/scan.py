"""Many records at once: a partition's in the order of digests, a store's in that of its devices.

Loops that call little, for calls are what costs.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from struct import error as struct_error
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google_crc32c import extend

from storage.bulk import entries_in_order, partition_slots
from storage.coding import PLAIN
from storage.engine import DamagedRecord, Record, get_waited
from storage.index import ENTRY, ENTRY_SIZE, TOMBSTONE
from storage.ssd.layout import (
    BODY,
    CHECK,
    CODING_AT,
    POSITION_MASK,
    PROOF,
    RECORD_HEADER,
    RECORD_MAGIC,
    UNITS_AT,
)

if TYPE_CHECKING:
    from storage.ssd.engine import SsdEngine

AHEAD: Final = 64 << 10
"""Bytes of a device read at once where enough of them are wanted."""
SLICE: Final = 4096
"""Slots of the index taken at once: about 2 ms."""
WORTH: Final = 8
"""Records in so many bytes from which it costs less to read these than each record by itself."""

_proof = PROOF.unpack_from


def scan(engine: SsdEngine, partition: int, after: bytes | None) -> Iterator[tuple[bytes, Record]]:
    """Do as `SsdEngine.scan`.

    What is as it was when the entries were taken, and plain, is read where the entry says;
    everything else is asked of the engine.
    """
    entries = _entries(engine, partition, after)
    logs = engine.logs
    parts = [(log.memory, log.seeds, log.device.reader()) for log in logs]
    memory, seeds, read = parts[0]
    count, block_units = len(logs), engine.geometry.block_size >> 4
    start = logs[0].header.data_start
    stamp = engine.stamp if engine.payloads.plain else None
    for entry in ENTRY.iter_unpack(entries):
        digest, generation, set_id, void_time, flags, updated, location, size = entry
        if engine.stamp == stamp and flags < TOMBSTONE:
            position = location & POSITION_MASK
            number = position // block_units
            if count > 1:
                units = position - number * block_units
                number, which = divmod(number, count)
                position = number * block_units + units
                memory, seeds, read = parts[which]
            block = memory.get(number)
            if block is not None:
                at = position - number * block_units << 4
                data = block.data
                if data[at + CODING_AT] == PLAIN:
                    payload = data[at + RECORD_HEADER : at + RECORD_HEADER + size]
                    yield digest, (generation, void_time, updated, set_id, flags, payload)
                    continue
            else:
                try:
                    record = read(RECORD_HEADER + size, start + (position << 4))
                    magic, crc, _, found_digest, coding = _proof(record)
                except (OSError, struct_error):
                    coding = -1  # reported when the engine comes to it
                if (
                    coding == PLAIN
                    and found_digest == digest
                    and magic == RECORD_MAGIC
                    and extend(seeds[number], record[8:]) == crc
                ):
                    payload = record[RECORD_HEADER:]
                    yield digest, (generation, void_time, updated, set_id, flags, payload)
                    continue
        found = _look_up(engine, digest)
        if found is not None:
            yield digest, found


def records(engine: SsdEngine) -> Iterator[tuple[bytes, Record]]:
    """Do as `SsdEngine.records`.

    What was put one after the other mostly stands so in the index and on the devices, so a slice of
    the index, sorted, is read in long pieces. Where the store has changed since the slice was
    taken, the engine is asked.
    """
    index = engine.index
    for first, last in index.slices(SLICE):
        entries = index.arena[first * ENTRY_SIZE : last * ENTRY_SIZE]
        rows = [row for row in ENTRY.iter_unpack(entries) if row[1] and row[4] < TOMBSTONE]
        rows.sort(key=_position)
        stamp = engine.stamp
        end = 0
        for n, row in enumerate(rows):
            digest, generation, set_id, void_time, flags, updated, location, _ = row
            if engine.stamp == stamp:
                position = location & POSITION_MASK
                if position + (location >> UNITS_AT) > end:
                    start, end, data, seed = _piece(engine, rows, n)
                at = position - start << 4
                try:
                    magic, crc, stored, found_digest, coding = _proof(data, at)
                except struct_error:
                    magic = stored = 0  # reported when the engine comes to it
                body = data[at + CHECK.size : at + RECORD_HEADER + stored]
                if magic == RECORD_MAGIC and found_digest == digest and extend(seed, body) == crc:
                    payload: bytes | None = body[BODY.size :]
                    if coding != PLAIN:
                        payload = _decoded(engine, location, data[at : at + RECORD_HEADER + stored])
                    if payload is not None:
                        yield digest, (generation, void_time, updated, set_id, flags, payload)
                    continue
            found = _look_up(engine, digest)
            if found is not None:
                yield digest, found


class _Piece(NamedTuple):
    """Bytes of a device from which several records can be taken."""

    start: int
    """Where it begins and ends, as the positions in locations count."""
    end: int
    data: bytes | mmap.mmap
    seed: int


def _piece(engine: SsdEngine, rows: Sequence[tuple[Any, ...]], n: int) -> _Piece:
    """What holds the record of the n-th index entry and perhaps of the next ones, in order."""
    log, number, at, size = engine.locate(rows[n][6])
    start = _position(rows[n])
    block = log.memory.get(number)
    if block is not None:
        block.prove()
        return _Piece(start - (at >> 4), start + (log.block_size - at >> 4), block.data, block.seed)
    ahead = min(AHEAD, log.block_size - at)
    if bisect_left(rows, start + (ahead >> 4), n, key=_position) - n >= WORTH:
        size = ahead
    try:
        data = log.device.pread(log.data_start + number * log.block_size + at, size)
    except OSError:
        data = b""  # each record is asked for by itself then, and what is bad reported
    return _Piece(start, start + (size >> 4), data, log.seeds[number])


def _position(row: tuple[Any, ...]) -> int:
    """Where the record of an index entry begins."""
    location: int = row[6]
    return location & POSITION_MASK


def _decoded(engine: SsdEngine, location: int, record: bytes) -> bytes | None:
    """The payload of a record whose CRC is right; None when it is damaged all the same."""
    log, number, at, _ = engine.locate(location)
    try:
        return engine.decode(log, number, at, record)
    except DamagedRecord:
        return None


def _entries(engine: SsdEngine, partition: int, after: bytes | None) -> bytes:
    """The partition's index entries behind `after`, in order."""
    index = engine.index
    entries = entries_in_order(index, partition_slots(index, partition))
    if after is not None:
        del entries[: bisect_right(entries, after, key=_digest_of)]
    return b"".join(entries)


def _digest_of(entry: bytes) -> bytes:
    return entry[:20]


def _look_up(engine: SsdEngine, digest: bytes) -> Record | None:
    """The record as it is now, waited for; None also when it is damaged."""
    try:
        return get_waited(engine, digest)
    except DamagedRecord:
        return None
