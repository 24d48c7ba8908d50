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
from storage.index import ENTRY, ENTRY_SIZE, TOMBSTONE
from storage.ssd.layout import (
    BLOCK_HEADER,
    DEVICE_MAGIC,
    NAMES_START,
    BlockContents,
    DeviceHeader,
    StoredRecord,
    block_sequence,
    place_size,
    unpack_names,
    unpack_record,
    walk,
)
from storage.ssd.log import read_header

Say = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Called with (done, total)."""

_TENTHS: Final = 11
_PREVIEW: Final = 24  # bytes of a payload shown


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
    if DEVICE_MAGIC in (magic, copy):
        places: dict[int, bytes] = {}
        bad = _device(device, say, progress, records, places)
        if index is not None:
            bad += _entries_without_record(index, device, places, say)
        say(f"bad: {bad}")
        return bad
    if magic == index_file.MAGIC:
        return _index(device, say, records, verify)
    if magic == mapped.MAGIC:
        say(f"data of a memory engine, {device.size()} bytes; its index is in the file .index")
        return 0
    raise Unknown("not a file of this package: neither a device, an index nor mapped data")


# Devices


def _device(
    device: Device, say: Say, progress: Progress, records: bool, places: dict[int, bytes]
) -> int:
    """Describe a device; `places` is filled with the digest at each location."""
    bad = _bad_copies(device, say)
    header = read_header(device)
    if header is None:
        say("BAD: neither copy of the header is whole; nothing more can be read")
        return bad + 1
    _say_header(device, header, say)
    blocks = max(0, device.size() - header.data_start) // header.block_size
    fills = [0] * _TENTHS
    found = tombstones = unused = unsealed = 0
    for number in range(blocks):
        progress(number, blocks)
        data = device.pread(header.data_start + number * header.block_size, header.block_size)
        sequence = block_sequence(data, number, header.device_id)
        if sequence is None or sequence < header.first_sequence:
            unused += 1
            bad += _unused(data, number, say)
            continue
        contents = walk(data, header.seed(sequence, number))
        bad += _say_holes(number, sequence, contents, say)
        unsealed += not contents.sealed
        fills[10 * contents.end // header.block_size] += 1
        for at in contents.places:
            found += 1
            record = unpack_record(data, at)
            tombstones += bool(record.flags & TOMBSTONE)
            position = number * header.block_size + at
            places[position >> 4 | place_size(len(record.stored)) >> 4 << 44] = record.digest
            if records:
                say(f"  block {number} at {at}: {_describe(record)}")
    progress(blocks, blocks)
    say(f"blocks: {blocks}, of them {unused} never written or cleared, {unsealed} not sealed")
    say(f"copies of records: {found}, of them {tombstones} tombstones")
    say("fill of blocks, percent of the block written:")
    for tenth, count in enumerate(fills):
        if count:
            say(f"  {10 * tenth:3} %  {count}")
    return bad


def _entries_without_record(
    index: Device, device: Device, places: dict[int, bytes], say: Say
) -> int:
    header = read_header(device)
    fields = index_file.HEADER.unpack_from(index.pread(0, index_file.HEADER.size))
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
    say(f"entries of the index that were checked: {checked}")
    return bad


def _bad_copies(device: Device, say: Say) -> int:
    bad = 0
    for offset in (0, 4096):
        sector = device.pread(offset, 512)
        if any(sector) and DeviceHeader.unpack(sector) is None:
            say(f"BAD: the copy of the header at {offset}")
            bad += 1
    return bad


def _say_header(device: Device, header: DeviceHeader, say: Say) -> None:
    say(f"ssd device {header.number + 1} of {header.devices}, {device.size()} bytes")
    say(f"store {header.store_id.hex()}, device {header.device_id.hex()}")
    say(f"write blocks of {header.block_size} bytes from {header.data_start}")
    say(f"opened {header.opens} times; blocks count from sequence {header.first_sequence}")
    size = header.names_size
    copies = (device.pread(NAMES_START + size * n, size) for n in (0, 1))
    _, names = max(map(unpack_names, copies), key=lambda copy: copy[0])
    for set_id, name in sorted(names.items()):
        say(f"  set {set_id}: {name.decode('utf-8', 'backslashreplace')}")


def _unused(data: bytes, number: int, say: Say) -> int:
    """A block whose header is not right, though it is not empty, is damaged or never synced."""
    if any(data[:BLOCK_HEADER]) and block_sequence(data, number, data[24:32]) is None:
        say(f"BAD: block {number} has a damaged header")
        return 1
    return 0


def _say_holes(number: int, sequence: int, contents: BlockContents, say: Say) -> int:
    for begin, end in contents.holes:
        say(f"BAD: block {number} (sequence {sequence:#x}): {end - begin} bytes at {begin}")
    return len(contents.holes)


def _describe(record: StoredRecord) -> str:
    fields = record._asdict()
    stored = fields.pop("stored")
    digest = fields.pop("digest").hex()
    rest = " ".join(f"{name}={field}" for name, field in fields.items())
    return f"{digest} {rest} place={place_size(len(stored))} {stored[:_PREVIEW].hex()}"


# Indexes


def _index(device: Device, say: Say, records: bool, verify: bool) -> int:
    head = device.pread(0, index_file.PAGE)
    fields = index_file.HEADER.unpack_from(head)
    _, crc, version, end, _, sets, tombstones, tables_size, state_size, tail_crc, length = fields
    say(f"index of {end - 1} slots, version {version}, {tombstones} tombstones, {sets} sets")
    bad = 0
    if value(head[12 : index_file.HEADER.size + length]) != crc:
        say("BAD: the header; nothing more can be read")
        return 1
    if not (verify or records):
        return bad
    size = index_file.arena_pages(end)
    if value(device.pread(index_file.PAGE + size, tables_size + state_size)) != tail_crc:
        say("BAD: the tables")
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
        yield from enumerate(ENTRY.iter_unpack(data), first)
