"""A primary index at rest: what a clean shutdown leaves so that the next start need not scan.

Byte layout: docs/formats/index-file.md. The arena is mapped, not read; only the tables are read in.
"""

from __future__ import annotations

import mmap
from array import array
from struct import Struct
from typing import Final

from google_crc32c import value

from storage import area
from storage.device import Device
from storage.index import ENTRY_SIZE, PARTITIONS, PrimaryIndex, SetUsage

MAGIC: Final = b"CLeafIDX"
VERSION: Final = 1
PAGE: Final = 4096
HEADER: Final = Struct("<8sIIQIIQQQII")
"""magic, crc of what is behind it, version, end, free slot, sets, tombstones, bytes of tables,
bytes of state, crc of everything behind the arena, bytes of identity; the identity follows."""
_SET: Final = Struct("<H6xQQQ")
_SMALLEST_ARENA: Final = 1024 * ENTRY_SIZE


def arena_pages(slots: int) -> int:
    """Bytes of whole pages that so many slots take."""
    return -(-max(slots * ENTRY_SIZE, _SMALLEST_ARENA) // PAGE) * PAGE


def save_index(
    device: Device, index: PrimaryIndex, identity: bytes, state: bytes, shared: bool = False
) -> None:
    """Write the index and its owner's `state`, on the medium on return. Raises OSError.

    `identity` says what the index is of. With `shared` the arena is a view of the device
    already, and flushed.
    """
    size = arena_pages(index.end)
    if shared:
        index.arena.resize(size)
    else:
        device.resize(PAGE + size)
        with memoryview(index.arena) as view, view[: index.end * ENTRY_SIZE] as used:
            device.pwrite(PAGE, used)
    tail = _pack_tables(index) + state
    device.pwrite(PAGE + size, tail)
    device.fdatasync()
    sizes = (len(tail) - len(state), len(state), value(tail), len(identity))
    fields = (VERSION, index.end, index._free, len(index.sets), index.tombstones, *sizes)
    body = HEADER.pack(MAGIC, 0, *fields)[12:] + identity
    device.pwrite(0, HEADER.pack(MAGIC, value(body), *fields) + identity)
    device.fdatasync()


def load_index(
    device: Device, identity: bytes, shared: bool = False
) -> tuple[PrimaryIndex, bytes] | None:
    """(index, state), or None when the file is not whole or of something else. Raises OSError.

    With `shared`, changes of the arena go to the file.
    """
    head = device.pread(0, HEADER.size + len(identity))
    if len(head) < HEADER.size + len(identity):
        return None
    magic, crc, version, end, free, sets, tombstones, tables_size, state_size, tail_crc, length = (
        HEADER.unpack_from(head)
    )
    if magic != MAGIC or value(head[12:]) != crc or version != VERSION:
        return None
    if length != len(identity) or head[HEADER.size :] != identity:
        return None
    size = arena_pages(end)
    tail = device.pread(PAGE + size, tables_size + state_size)
    if len(tail) != tables_size + state_size or value(tail) != tail_crc:
        return None
    index = PrimaryIndex()
    index.arena = device.map(PAGE, size, shared)
    index.end, index._free, index.tombstones = end, free, tombstones
    _unpack_tables(index, tail, sets)
    return index, tail[tables_size:]


class MappedArena:
    """Where an index keeps its entries in a file, behind a page that `save_index` fills in."""

    def __init__(self) -> None:
        self.device: Device | None = None

    def allocate(self, size: int) -> mmap.mmap:
        """The file's beginning, all zero; ordinary memory while there is no file."""
        if self.device is None:
            return area.allocate(size)
        self.device.resize(0)
        self.device.resize(PAGE + size)
        return self.device.map(PAGE, size, shared=True)

    def extend(self, arena: mmap.mmap, size: int) -> mmap.mmap:
        """The view and the file made longer. Raises OSError when there is no room."""
        if self.device is not None:
            self.device.resize(PAGE + size)
        return area.extend(arena, size)


def _pack_tables(index: PrimaryIndex) -> bytes:
    rows = [
        _SET.pack(set_id, usage.objects, usage.tombstones, usage.bytes)
        for set_id, usage in index.sets.items()
    ]
    numbers = [array("I", index.sizes), array("I", index._counts)]
    return b"".join([*rows, *(row.tobytes() for row in numbers), *map(bytes, index.tables)])


def _unpack_tables(index: PrimaryIndex, tail: bytes, sets: int) -> None:
    at = 0
    for _ in range(sets):
        set_id, objects, tombstones, size = _SET.unpack_from(tail, at)
        at += _SET.size
        usage = index.sets[set_id] = SetUsage()
        usage.objects, usage.tombstones, usage.bytes = objects, tombstones, size
    lengths = array("I", tail[at : at + 4 * PARTITIONS])
    at += 4 * PARTITIONS
    index._counts = array("I", tail[at : at + 4 * PARTITIONS]).tolist()
    at += 4 * PARTITIONS
    index.sizes = lengths.tolist()
    tables = []
    for length in lengths:
        tables.append(array("I", tail[at : at + 4 * length]))
        at += 4 * length
    index.tables = tables
