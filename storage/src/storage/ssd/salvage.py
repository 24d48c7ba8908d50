"""What can still be told of a write block that is damaged."""

from __future__ import annotations

from struct import Struct
from typing import Final

from storage.ssd.layout import (
    BLOCK,
    BLOCK_HEADER,
    BLOCK_MAGIC,
    RECORD_MAGIC_BYTES,
    DeviceHeader,
    block_sequence,
    is_record,
    walk,
)

_SEQUENCE: Final = Struct("<Q")
_SEQUENCE_AT: Final = 16


def sequence_of(data: bytes, number: int, header: DeviceHeader) -> int | None:
    """The sequence of the block that begins with `data`; None when it holds nothing of its own.

    Where the block's header is damaged its records tell: their checksums begin with the sequence,
    so one that fits them is the right one, be it as it stands or with one bit turned over.
    """
    sequence = block_sequence(data, number, header.device_id)
    if sequence is not None or not any(data[:BLOCK_HEADER]) or len(data) < BLOCK_HEADER:
        return sequence
    (found,) = _SEQUENCE.unpack_from(data, _SEQUENCE_AT)
    for bit in range(64):
        turned = found ^ 1 << bit
        if is_record(data, BLOCK_HEADER, header.seed(turned, number)):
            return int(turned)
    return int(found) if walk(data, header.seed(found, number)).places else None


def foreign_number(data: bytes) -> int | None:
    """The number a block's header gives itself, when the header is whole."""
    fields = BLOCK.unpack_from(data)
    magic, _, number = fields[:3]
    if magic != BLOCK_MAGIC or block_sequence(data, number, fields[5]) is None:
        return None
    return int(number)


def records_begun(data: bytes, begin: int, end: int) -> int:
    """How many records seem to begin in a part that should hold nothing else: at least one."""
    places = range(begin, end, 16)
    marked = sum(data[at : at + 4] == RECORD_MAGIC_BYTES for at in places)
    return marked + (data[begin : begin + 4] != RECORD_MAGIC_BYTES)
