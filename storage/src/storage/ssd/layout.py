"""The bytes of an ssd device: header, names, write blocks, records. docs/formats/ssd.md."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from google_crc32c import extend, value

VERSION: Final = 1
DEVICE_MAGIC: Final = b"CLeafSSD"
BLOCK_MAGIC: Final = 0x4B4C4243
RECORD_MAGIC: Final = 0x44524C43
END_MAGIC: Final = 0x444E4C43
RECORD_MAGIC_BYTES: Final = RECORD_MAGIC.to_bytes(4, "little")

DEVICE: Final = Struct("<8sII16s16sHHIIIQQQ40s")
"""magic, crc, version, device id, store id, number, devices, block size, names size, bytes of key,
opens, first sequence, update, wrapped key."""
HEADER_COPY: Final = 4096
"""The header stands at 0 and again here."""
NAMES_START: Final = 8192
"""Where the two copies of the table of `storage.metadata` are, one behind the other."""
NAMES_SIZE: Final = 2044 << 10
"""Bytes of a copy, in a new store: room for MAX_META_ENTRIES and some thousand names; blocks begin
at 4 MiB. Stores made before this was known have 508 KiB."""

BLOCK: Final = Struct("<IIIIQ8s")
"""magic, crc, number, reserved, sequence, first half of the device's id."""
BLOCK_HEADER: Final = 32
END: Final = Struct("<IIQ")
"""magic, crc, position in the block."""
END_SIZE: Final = 16

CHECK: Final = Struct("<II")
"""magic, crc of everything behind these 8 bytes, begun with the block's seed."""
BODY: Final = Struct("<II20sHHIBB2xQQ")
"""stored bytes, payload bytes, digest, generation, set id, void-time, flags, coding,
last-update-time, stamp; the bytes stored follow."""
FRONT: Final = slice(8, 48)
"""The bytes of a body that are the first 40 of the record's index entry."""
CHANGE: Final = Struct("<HHIBB2xQQ")
"""The end of a body: what a new version of a record of the same size changes, payload apart. Its
first 20 bytes are META."""
CHANGE_AT: Final = 36
"""Where that stands in a record; the bytes stored are next to it."""
CRC: Final = Struct("<I")
CRC_AT: Final = 4
PROOF: Final = Struct("<III4x20s9xB")
"""Of a whole record what tells that it is the right one, and how to read it: magic, crc, stored
bytes, digest, coding."""
RECORD_HEADER: Final = 64
DIGEST_AT: Final = 16
DIGEST_END: Final = 36
CODING_AT: Final = 45
UNITS_AT: Final = 44
POSITION_MASK: Final = (1 << UNITS_AT) - 1
"""A location is 44 bits of position in the store and, above, the place's length, both / 16."""
HEAD: Final = Struct("<III")
"""magic, crc, stored bytes: what a record begins with."""
_ROUND: Final = 15

_head = HEAD.unpack_from
_body = BODY.unpack_from


class DeviceHeader(NamedTuple):
    """What a device says of itself."""

    device_id: bytes
    store_id: bytes
    number: int
    devices: int
    block_size: int
    names_size: int
    key_bytes: int
    """Of the device's key; 0 = payloads are not encrypted."""
    opens: int
    """How often the store was opened; the high bits of all sequences and stamps made since."""
    first_sequence: int
    """Blocks with a lower sequence hold nothing."""
    update: int
    """Of two copies of the header, the higher is the newer."""
    wrapped_key: bytes
    """8 bytes longer than the key, then zeros."""

    def pack(self) -> bytes:
        """One sector."""
        fields = (VERSION, *self)
        body = DEVICE.pack(DEVICE_MAGIC, 0, *fields)[12:]
        return DEVICE.pack(DEVICE_MAGIC, value(body), *fields).ljust(512, b"\0")

    @classmethod
    def unpack(cls, data: bytes) -> DeviceHeader | None:
        """The header in a sector; None when there is none, or it is damaged."""
        if len(data) < DEVICE.size:
            return None
        magic, crc, version, *fields = DEVICE.unpack_from(data)
        if magic != DEVICE_MAGIC or crc != value(data[12 : DEVICE.size]) or version != VERSION:
            return None
        return cls(*fields)

    @property
    def data_start(self) -> int:
        """Where block 0 begins."""
        return NAMES_START + 2 * self.names_size

    def seed(self, sequence: int, number: int) -> int:
        """What the CRCs of a block's records begin with, so that records of another block, or of
        an earlier life of this one, are not taken for its own."""
        life = sequence.to_bytes(8, "little") + number.to_bytes(4, "little")
        return int(value(self.device_id + life))


def pack_block_header(number: int, sequence: int, device_id: bytes) -> bytes:
    """The 32 bytes a write block begins with."""
    fields = (number, 0, sequence, device_id[:8])
    crc = value(BLOCK.pack(BLOCK_MAGIC, 0, *fields)[8:])
    return BLOCK.pack(BLOCK_MAGIC, crc, *fields)


def block_sequence(data: bytes, number: int, device_id: bytes) -> int | None:
    """The sequence of the block that begins with `data`; None when it is not this device's."""
    if len(data) < BLOCK_HEADER:
        return None
    magic, crc, its_number, _, sequence, its_device = BLOCK.unpack_from(data)
    if magic != BLOCK_MAGIC or crc != value(data[8:BLOCK_HEADER]):
        return None
    if its_number != number or its_device != device_id[:8]:
        return None
    return int(sequence)


def pack_end(seed: int, at: int) -> bytes:
    """What stands behind the last record of a sealed block."""
    return END.pack(END_MAGIC, extend(seed, at.to_bytes(8, "little")), at)


def place_size(stored: int) -> int:
    """Bytes of a block that a record of so many stored bytes takes."""
    return (RECORD_HEADER + stored + _ROUND) & ~_ROUND


class StoredRecord(NamedTuple):
    """A record as it stands on a device."""

    digest: bytes
    generation: int
    set_id: int
    void_time: int
    flags: int
    coding: int
    last_update_time: int
    stamp: int
    size: int
    """Bytes of the payload, decoded."""
    stored: bytes


def unpack_record(data: bytes, at: int = 0) -> StoredRecord:
    """The record at a place whose CRC is known to be right."""
    length, size, *fields = _body(data, at + CHECK.size)
    start = at + RECORD_HEADER
    return StoredRecord._make((*fields, size, data[start : start + length]))


def is_record(data: bytes, at: int, seed: int) -> bool:
    """Is there a whole, undamaged record of the block with this seed?"""
    if len(data) < at + RECORD_HEADER:
        return False
    magic, crc, stored = _head(data, at)
    end = at + RECORD_HEADER + stored
    if magic != RECORD_MAGIC or end > len(data):
        return False
    return bool(extend(seed, data[at + 8 : end]) == crc)


class BlockContents(NamedTuple):
    """What a walk through a block found."""

    places: list[int]
    """Where whole records begin."""
    headers: list[bytes]
    """The first 64 bytes of each."""
    holes: list[tuple[int, int]]
    """(from, to): what should be records and is not."""
    sealed: bool
    """The block was filled and ended in order; otherwise it was being written at a crash, or its
    end is damaged."""
    end: int
    """Behind the last record."""


def walk(data: bytes, seed: int, start: int = BLOCK_HEADER) -> BlockContents:
    """Find all undamaged records of a block. About 0.5 µs a record."""
    places: list[int] = []
    headers: list[bytes] = []
    holes: list[tuple[int, int]] = []
    found, found_header = places.append, headers.append
    at, limit = start, len(data) - RECORD_HEADER
    while True:
        while at <= limit:
            header = data[at : at + 64]
            magic, crc, stored = _head(header)
            end = at + 64 + stored
            if extend(seed, data[at + 8 : end]) != crc or magic != RECORD_MAGIC:
                break
            found(at)
            found_header(header)
            at = end + 15 & -16
        if _is_end(data, at, seed):
            return BlockContents(places, headers, holes, True, at)
        following = _resume(data, at, seed)
        if following is None:
            return BlockContents(places, headers, holes, False, at)
        holes.append((at, following))
        at = following


def _is_end(data: bytes, at: int, seed: int) -> bool:
    return at + END_SIZE <= len(data) and data[at : at + END_SIZE] == pack_end(seed, at)


def _resume(data: bytes, at: int, seed: int) -> int | None:
    """Where the next whole record or the block's end is, behind a hole."""
    for magic in (RECORD_MAGIC_BYTES, END_MAGIC.to_bytes(4, "little")):
        found = data.find(magic, at + 1)
        while found >= 0:
            if not found % 16 and (is_record(data, found, seed) or _is_end(data, found, seed)):
                return found
            found = data.find(magic, found + 1)
    return None
