"""The records of a partition in order, read in one loop that calls little: calls are what costs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from struct import error as struct_error
from typing import TYPE_CHECKING

from google_crc32c import extend

from storage.coding import PLAIN
from storage.engine import DamagedRecord, NotResident, Record
from storage.index import ENTRY, ENTRY_SIZE, TOMBSTONE
from storage.ssd.layout import (
    CODING_AT,
    POSITION_MASK,
    PROOF,
    RECORD_HEADER,
    RECORD_MAGIC,
)

if TYPE_CHECKING:
    from storage.ssd.engine import SsdEngine

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
                    magic, crc, found_digest, coding = _proof(record)
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


def _entries(engine: SsdEngine, partition: int, after: bytes | None) -> bytes:
    """The partition's index entries behind `after`, in order."""
    arena = engine.index.arena
    starts = [slot << 6 for slot in engine.index.tables[partition] if slot]
    entries = sorted([arena[start : start + ENTRY_SIZE] for start in starts])
    if after is not None:
        del entries[: bisect_right(entries, after, key=_digest_of)]
    return b"".join(entries)


def _digest_of(entry: bytes) -> bytes:
    return entry[:20]


def _look_up(engine: SsdEngine, digest: bytes) -> Record | None:
    """The record as it is now, waited for; None also when it is damaged."""
    try:
        return engine.get(digest)
    except NotResident as missing:
        missing.load()
    except DamagedRecord:
        return None
    try:
        return engine.get(digest)
    except DamagedRecord:
        return None
