"""What a device of an ssd store holds, block by block, and what in it is bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from storage.device import Device
from storage.index import TOMBSTONE
from storage.metadata import Table, unpack_table
from storage.ssd.layout import (
    BLOCK_HEADER,
    HEADER_COPY,
    NAMES_START,
    BlockContents,
    DeviceHeader,
    StoredRecord,
    block_sequence,
    place_size,
    unpack_record,
    walk,
)
from storage.ssd.log import read_header
from storage.ssd.salvage import foreign_number, records_begun, sequence_of

Say = Callable[[str], None]
Progress = Callable[[int, int], None]

_PAGE: Final = 4096
_PREVIEW: Final = 24  # bytes of a payload shown


def describe_device(
    device: Device, say: Say, progress: Progress, records: bool, places: dict[int, bytes]
) -> int:
    """Describe a device; how much in it is bad. Raises OSError.

    `places` is filled with the digest at each location.
    """
    bad = _bad_headers(device, say)
    header = read_header(device)
    if header is None:
        say("BAD: neither copy of the header is whole; nothing more can be read")
        return bad + 1
    _say_header(device, header, say)
    bad += _bad_names(device, header, say)
    blocks = max(0, -((header.data_start - device.size()) // header.block_size))
    inspection = _Inspection(device, header, say, records, places)
    for number in range(blocks):
        progress(number, blocks)
        inspection.block(number)
    progress(blocks, blocks)
    inspection.summary(blocks)
    return bad + inspection.bad


class _Inspection:
    """One pass over the blocks of a device."""

    def __init__(
        self,
        device: Device,
        header: DeviceHeader,
        say: Say,
        records: bool,
        places: dict[int, bytes],
    ) -> None:
        self._device = device
        self._header = header
        self._say = say
        self._records = records
        self._places = places
        self._tenths: Counter[int] = Counter()
        self._found = self._tombstones = self._unused = self._unsealed = 0
        self._lost = 0
        self.bad = 0

    def block(self, number: int) -> None:
        """Look at one block and all records in it."""
        header = self._header
        begin = header.data_start + number * header.block_size
        data = self._read(number, begin)
        sequence = sequence_of(data, number, header)
        if sequence is None or sequence < header.first_sequence:
            self._unused += 1
            if sequence is None and any(data[:BLOCK_HEADER]):
                self._not_its_own(number, begin, data)
            return
        contents = walk(data, header.seed(sequence, number))
        if block_sequence(data, number, header.device_id) is None:
            self._bad(number, begin, "has a damaged header; its records are told by their own", 0)
        for start, end in contents.holes:
            lost = records_begun(data, start, end)
            where = f"{end - start} bytes at {begin + start} (sequence {sequence:#x})"
            self._bad(number, begin, f"{where} are no records", lost)
        self._count(number, data, contents)

    def summary(self, blocks: int) -> None:
        """What there is in all."""
        say = self._say
        say(
            f"blocks: {blocks}, of them {self._unused} never written, cleared or lost,"
            f" {self._unsealed} not sealed"
        )
        say(f"copies of records: {self._found}, of them {self._tombstones} tombstones")
        if self.bad:
            say(f"copies of records lost, about: {self._lost}")
        say("fill of blocks, percent of the block written:")
        for tenth, count in sorted(self._tenths.items()):
            say(f"  {10 * tenth:3} %  {count}")

    def _read(self, number: int, begin: int) -> bytes:
        """The block's bytes; what cannot be read, or was cut off, is zero."""
        size = self._header.block_size
        try:
            data = self._device.pread(begin, size)
        except OSError as error:
            self._bad(number, begin, f"cannot be read whole: {error.strerror or error}", 0)
            data = b"".join(self._page(begin + at) for at in range(0, size, _PAGE))[:size]
        if len(data) < size and any(data[:BLOCK_HEADER]):
            missing = f"is cut off: the file ends {size - len(data)} bytes too early"
            self._bad(number, begin, missing, 0)
        return data.ljust(size, b"\0")

    def _page(self, begin: int) -> bytes:
        try:
            return self._device.pread(begin, _PAGE).ljust(_PAGE, b"\0")
        except OSError:
            return bytes(_PAGE)

    def _not_its_own(self, number: int, begin: int, data: bytes) -> None:
        other = foreign_number(data)
        if other is not None:
            what = "is another device's" if other == number else f"holds block {other}, misdirected"
        else:
            what = "has a damaged header"
        self._bad(number, begin, what, records_begun(data, BLOCK_HEADER, len(data)) - 1)

    def _bad(self, number: int, begin: int, what: str, lost: int) -> None:
        self.bad += 1
        self._lost += lost
        say = f"BAD: block {number} at {begin} {what}"
        self._say(f"{say}; records lost: {lost}" if lost else say)

    def _count(self, number: int, data: bytes, contents: BlockContents) -> None:
        size = self._header.block_size
        self._unsealed += not contents.sealed
        self._tenths[10 * contents.end // size] += 1
        for at in contents.places:
            self._found += 1
            record = unpack_record(data, at)
            self._tombstones += bool(record.flags & TOMBSTONE)
            position = number * size + at
            self._places[position >> 4 | place_size(len(record.stored)) >> 4 << 44] = record.digest
            if self._records:
                self._say(f"  block {number} at {at}: {_describe(record)}")


def _bad_headers(device: Device, say: Say) -> int:
    bad = 0
    for offset in (0, HEADER_COPY):
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


def _bad_names(device: Device, header: DeviceHeader, say: Say) -> int:
    """Say which sets there are, and which copies of the table of their names are damaged."""
    size = header.names_size
    bad = 0
    newest = Table(0, {}, {})
    for copy in (0, 1):
        data = device.pread(NAMES_START + size * copy, size)
        table = unpack_table(data)
        if not table.update and any(data[:BLOCK_HEADER]):
            say(f"BAD: the copy of the names of sets at {NAMES_START + size * copy}")
            bad += 1
        newest = max(newest, table, key=lambda found: found.update)
    for set_id, name in sorted(newest.names.items()):
        say(f"  set {set_id}: {name.decode('utf-8', 'backslashreplace')}")
    for key, value in sorted(newest.entries.items()):
        say(f"  metadata {key!r}: {value.hex()}")
    return bad


def _describe(record: StoredRecord) -> str:
    fields = record._asdict()
    stored = fields.pop("stored")
    digest = fields.pop("digest").hex()
    rest = " ".join(f"{name}={field}" for name, field in fields.items())
    return f"{digest} {rest} place={place_size(len(stored))} {stored[:_PREVIEW].hex()}"
