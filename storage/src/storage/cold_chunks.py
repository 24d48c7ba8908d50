"""What is in the chunks of an ssd_cold store: docs/formats/ssd-cold.md."""

from __future__ import annotations

from array import array
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
_STATE: Final = Struct("<QI")  # stamp, chunks
_ACCOUNT: Final = Struct("<II")


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


def pack_state(stamp: int, live: array[int], size: array[int]) -> bytes:
    """What a clean shutdown leaves beside the index: the last stamp, and of each chunk the bytes of
    records not released and of all."""
    rows = [_ACCOUNT.pack(*account) for account in zip(live, size, strict=True)]
    return _STATE.pack(stamp, len(live)) + b"".join(rows)


def unpack_state(state: bytes) -> tuple[int, array[int], array[int]]:
    """(stamp, live, size) as they were given to `pack_state`."""
    stamp, chunks = _STATE.unpack_from(state)
    rows = [_ACCOUNT.unpack_from(state, _STATE.size + _ACCOUNT.size * n) for n in range(chunks)]
    return stamp, array("I", [row[0] for row in rows]), array("I", [row[1] for row in rows])
