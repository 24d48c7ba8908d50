"""The rows of a batch request (field 41), as the wire has them.

field   u32 number of rows, u8 flags, rows
row     u32 index, 20 bytes digest, u8 row flags, and unless these have REPEAT:
        u8 info1, [u8 info2, u8 info3], [u8 info4], [u16 generation], [u32 ttl],
        u16 number of fields, u16 number of ops, fields, ops

The bytes from the row flags to the end of the fields are the row's *head*: rows that ask for the
same thing have the same head.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import MessageError
from aerospike_common.wire.message import MESSAGE_HEADER_SIZE, Message, op_head, parse_message

RESPOND_ALL: Final = 0x04
"""Batch flag: the batch does not fail when rows do."""
REPORT_FAILURES: Final = 0x08
"""Batch flag: a batch that fails answers its rows all the same."""

REPEAT: Final = 0x01
"""Row flag: all but index and digest is taken from the row before."""
_OP_HAS_LUT: Final = 0x01
_HAS_INFO: Final = 0x02
_HAS_GENERATION: Final = 0x04
_HAS_TTL: Final = 0x08
_HAS_INFO4: Final = 0x10

HEADER_SIZE: Final = 5
"""Bytes before the first row."""
FLAGS_AT: Final = 24
"""Where a row's flags are, and its head begins."""
REPEAT_SIZE: Final = 25
"""Bytes of a row that repeats."""

batch_header: Final = struct.Struct(">IB").unpack_from
"""(number of rows, flags) of the field."""
row_key: Final = struct.Struct(">4s20s").unpack_from
"""(index, digest) of the row at an offset; the index as the reply repeats it."""

_u16: Final = struct.Struct(">H").unpack_from
_u32: Final = struct.Struct(">I").unpack_from
_counts: Final = struct.Struct(">HH").unpack_from
_message_header: Final = struct.Struct(">BBBBBBIIIHH").pack


class Row(NamedTuple):
    """A row that does not repeat."""

    message: Message
    """What the row asks for, as a single command would; without digest."""
    head: bytes
    end: int
    """Offset behind the row."""
    refused: ResultCode | None
    """Why the row cannot be run: an op has no room for its bin name. `message` is without ops."""


def _counts_at(flags: int) -> int:
    """Where the counts of fields and ops are in a row with these flags."""
    size = FLAGS_AT + 2
    for flag, part in ((_HAS_INFO, 2), (_HAS_INFO4, 1), (_HAS_GENERATION, 2), (_HAS_TTL, 4)):
        size += part if flags & flag else 0
    return size


_COUNTS_AT: Final = tuple(_counts_at(flags) for flags in range(32))


def head_end(data: bytes, offset: int) -> int:
    """Where the head of the row at `offset` ends. Raises MessageError when the row is cut."""
    try:
        counts = offset + _COUNTS_AT[data[offset + FLAGS_AT] & 0x1F]
        # No fields are read as one: the namespace is always there.
        return _skip_fields(data, counts + 4, _u16(data, counts)[0] or 1)
    except (struct.error, IndexError):
        raise MessageError("batch row cut off") from None


def parse_row(data: bytes, offset: int, fields_end: int, timeout_ms: int) -> Row:
    """The row at `offset`, whose head ends at `fields_end` and does not repeat.

    Raises MessageError when the row is cut or inconsistent. O(size of the row).
    """
    info2 = info3 = info4 = generation = ttl = 0
    flags, info1 = data[offset + FLAGS_AT], data[offset + FLAGS_AT + 1]
    at = offset + FLAGS_AT + 2
    if flags & _HAS_INFO:
        info2, info3 = data[at], data[at + 1]
        at += 2
    if flags & _HAS_INFO4:
        info4 = data[at]
        at += 1
    if flags & _HAS_GENERATION:
        generation = _u16(data, at)[0]
        at += 2
    if flags & _HAS_TTL:
        ttl = _u32(data, at)[0]
        at += 4
    n_fields, n_ops = _counts(data, at)
    end, names_fit = _skip_ops(data, fields_end, n_ops)
    meta = (MESSAGE_HEADER_SIZE, info1, info2, info3, info4, 0, generation, ttl, timeout_ms)
    head, n_fields = data[offset + FLAGS_AT : fields_end], n_fields or 1
    if names_fit:
        message = parse_message(_message_header(*meta, n_fields, n_ops) + data[at + 4 : end])
        return Row(message, head, end, None)
    # The next row can be found all the same: only this one is refused.
    message = parse_message(_message_header(*meta, n_fields, 0) + data[at + 4 : fields_end])
    return Row(message, head, end, ResultCode.BIN_NAME)


def _skip_ops(data: bytes, offset: int, count: int) -> tuple[int, bool]:
    """Where `count` ops that begin at `offset` end, and whether each has room for its bin name."""
    names_fit, furthest = True, offset
    try:
        for _ in range(count):
            size, _, _, flags, name_size = op_head(data, offset)
            if size < 4 + name_size:
                names_fit = False
                furthest = max(furthest, offset + 8 + name_size + (8 if flags & _OP_HAS_LUT else 0))
            offset += 4 + size
    except struct.error:
        raise MessageError("batch row cut off") from None
    if max(furthest, offset) > len(data):
        raise MessageError("batch row cut off")
    return offset, names_fit


def _skip_fields(data: bytes, offset: int, count: int) -> int:
    """Where `count` fields that begin at `offset` end."""
    for _ in range(count):
        offset += 4 + _u32(data, offset)[0]
    if offset > len(data):
        raise MessageError("batch row cut off")
    return offset
