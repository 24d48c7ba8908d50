"""What a file of this package holds, read without opening the store.

`inspect_file` finds out what kind of file it is and says so, line by line; the command line is in
`storage.__main__`. Nothing is written, so a damaged file may be looked at as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from google_crc32c import value

from storage import index_file, mapped
from storage.device import Device
from storage.index import ENTRY, ENTRY_SIZE
from storage.inspect_device import describe_device
from storage.ssd.layout import DEVICE_MAGIC
from storage.ssd.log import read_header

Say = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Called with (done, total)."""

_LMDB_MAGIC: Final = b"\xde\xc0\xef\xbe"
_LMDB_MAGIC_AT: Final = 16


class Unknown(Exception):
    """The file is none of this package's."""


def inspect_file(
    device: Device,
    say: Say,
    progress: Progress,
    *,
    records: bool = False,
    verify: bool = False,
    index: Device | None = None,
) -> int:
    """Describe the file; how much in it is bad. Raises Unknown, OSError.

    With `records` every record is listed; with `verify` every checksum is looked at that the
    description alone does not need. `index` is what a clean shutdown has left beside a device: of
    a store with one device, every entry of it is checked against the records.
    """
    magic = device.pread(0, 8)
    copy = device.pread(4096, 8)
    if DEVICE_MAGIC in (magic, copy) or read_header(device) is not None:
        places: dict[int, bytes] = {}
        bad = describe_device(device, say, progress, records, places)
        if index is not None:
            bad += _entries_without_record(index, device, places, say)
        say(f"bad: {bad}")
        return bad
    if magic == index_file.MAGIC:
        return _index(device, say, records, verify)
    if magic == mapped.MAGIC:
        say(f"data of a memory engine, {device.size()} bytes; its index is in the file .index")
        return 0
    if device.pread(_LMDB_MAGIC_AT, 4) == _LMDB_MAGIC:
        raise Unknown("an LMDB file, as the engine kv has: look at it with mdb_stat and mdb_dump")
    raise Unknown("not a file of this package: neither a device, an index nor mapped data")


def _entries_without_record(
    index: Device, device: Device, places: dict[int, bytes], say: Say
) -> int:
    header = read_header(device)
    fields = index_file.HEADER.unpack_from(index.pread(0, index_file.HEADER.size).ljust(128, b"\0"))
    if header is None or fields[0] != index_file.MAGIC or header.devices > 1:
        say("the index beside it was not looked at: damaged, or of several devices")
        return 0
    bad = checked = 0
    for slot, entry in _entries(index, fields[3]):
        digest, generation, location = entry[0], entry[1], entry[6]
        if generation:
            checked += 1
            if places.get(location) != digest:
                say(f"BAD: slot {slot} of the index: no record {digest.hex()} at {location:#x}")
                bad += 1
    say(f"entries of the index that were checked: {checked}; records lost: {bad}")
    return bad


def _index(device: Device, say: Say, records: bool, verify: bool) -> int:
    head = device.pread(0, index_file.PAGE)
    fields = index_file.HEADER.unpack_from(head.ljust(index_file.HEADER.size, b"\0"))
    _, crc, version, end, _, sets, tombstones, tables_size, state_size, tail_crc, length = fields
    say(f"index of {end - 1} slots, version {version}, {tombstones} tombstones, {sets} sets")
    bad = 0
    if value(head[12 : index_file.HEADER.size + length]) != crc:
        say("BAD: the header at 0; nothing more can be read")
        return 1
    if not (verify or records):
        return bad
    size = index_file.arena_pages(end)
    if value(device.pread(index_file.PAGE + size, tables_size + state_size)) != tail_crc:
        say(f"BAD: the tables at {index_file.PAGE + size}")
        bad += 1
    for slot, entry in _entries(device, end):
        digest, generation, set_id, void_time, flags, updated, location, payload = entry
        if generation == 0:
            if any(digest[4:]) or location or payload:
                say(f"BAD: slot {slot} is free, but not empty")
                bad += 1
        elif records:
            say(
                f"  slot {slot}: {digest.hex()} generation={generation} set_id={set_id}"
                f" void_time={void_time} flags={flags} last_update_time={updated}"
                f" location={location:#x} size={payload}"
            )
    say(f"bad: {bad}")
    return bad


def _entries(device: Device, end: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    step = 1 << 14
    for first in range(1, end, step):
        last = min(first + step, end)
        data = device.pread(index_file.PAGE + first * ENTRY_SIZE, (last - first) * ENTRY_SIZE)
        whole = len(data) - len(data) % ENTRY_SIZE
        yield from enumerate(ENTRY.iter_unpack(data[:whole]), first)
