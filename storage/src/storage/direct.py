"""Entries and payloads where they stand in an area, without an object in between.

As it is, this names what C libraries do best for plain Python: `struct` for fields, slices for
bytes. Compiled modules take the functions of the same names in `direct.pxd` instead, a few loads
and stores: an area is any buffer, each access is held against its length (IndexError), and no
pointer outlives the call. So an engine's line of Python means the same in both, and costs 200 ns or
20. Slices have a syntax of their own in Python; those are chosen by `COMPILED` where they are used.

What must hold: both give the same results, which `tests/asd/process/test_compiled.py` sees in every
byte that is served, and `tests/storage/test_direct.py` in every field.
"""

from __future__ import annotations

from collections.abc import Iterable
from mmap import mmap
from typing import Final

from storage.index import ENTRY_SIZE, FIELDS, META

fields_at: Final = FIELDS.unpack_from
"""(area, offset) to generation, set_id, void_time, flags, last_update_time, location and size of
the index entry there."""

put_meta: Final = META.pack_into
"""(area, offset, generation, set_id, void_time, flags, last_update_time): write them there."""


def bytes_at(area: mmap, start: int, size: int) -> bytes:
    """The bytes there."""
    return area[start : start + size]


def same_at(area: mmap, start: int, expected: bytes) -> bool:
    """Do these bytes stand there?"""
    return area[start : start + len(expected)] == expected


def put_bytes(area: mmap, start: int, content: bytes) -> None:
    """Write these bytes there."""
    area[start : start + len(content)] = content


def byte_at(area: mmap, start: int) -> int:
    """The byte there."""
    return area[start]


def entries_in_order(area: mmap, slots: Iterable[int]) -> list[bytes]:
    """The index entries at slots in use, by digest."""
    return sorted([area[start : start + ENTRY_SIZE] for start in [slot << 6 for slot in slots]])
