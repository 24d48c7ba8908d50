"""What is in the chunks of an ssd_cold store: docs/formats/ssd-cold.md."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from storage.index_builder import BACK, FRONT_SIZE
from storage.ssd.layout import BODY

OFFSET_BITS: Final = 24
OFFSET_MASK: Final = (1 << OFFSET_BITS) - 1
"""Of a record's location: its offset in the chunk; above, the chunk's number."""
FLAGS_AT: Final = 36
"""Where the flags are in a record of a chunk."""

_STAMP: Final = Struct("<Q")


def chunk_key(number: int) -> bytes:
    """The digest a chunk is kept under."""
    return number.to_bytes(8, "little") + bytes(12)


DICTIONARY_KEY: Final = chunk_key((1 << 64) - 1)
"""What the dictionary is kept under."""


def records_in(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(offset, payload bytes, digest) of each record of a chunk, decompressed."""
    offset = 0
    while offset < len(data):
        _, size, digest = BODY.unpack_from(data, offset)[:3]
        yield offset, size, digest
        offset += BODY.size + size


def index_entries(data: bytes, number: int) -> Iterator[bytes]:
    """What `IndexBuilder.add` takes, of the records of a chunk."""
    for offset, size, _ in records_in(data):
        front = offset + 8
        (stamp,) = _STAMP.unpack_from(data, offset + BODY.size - 8)
        location = number << OFFSET_BITS | offset
        yield data[front : front + FRONT_SIZE] + BACK.pack(location, size, stamp)
