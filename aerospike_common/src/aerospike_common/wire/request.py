"""Requests as clients build them: one record's, batches, queries. The servers' side is elsewhere.

A frame is one pack of header and message header, then fields and ops that are bytes already: fields
that every command of a set shares (`target_fields`) are made once and kept by whoever likes.

A batch's rows stand in one field:

    u32 row index, 20 bytes digest, u8 flags, u8 info1, [u8 info2, u8 info3], [u8 info4],
    [u16 generation], [u32 ttl], u16 n_fields, u16 n_ops, fields, ops

or, with the flag REPEAT, end after the flags: all else is as in the row before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from aerospike_common.wire.codes import FieldType, MessageType
from aerospike_common.wire.frame import PROTOCOL_VERSION
from aerospike_common.wire.message import MESSAGE_HEADER_SIZE, encode_field

_HEAD: Final = struct.Struct(">HHIBBBBBBIIIHH").pack
_VERSION_AND_TYPE: Final = PROTOCOL_VERSION << 8 | MessageType.AS_MSG
_DIGEST_HEAD: Final = struct.pack(">IB", 21, FieldType.DIGEST)

#: Index of a row, digest, flags, info1 to info3, generation, ttl, numbers of fields and of ops.
_ROW_WRITE: Final = struct.Struct(">I20sBBBBHIHH").pack
_ROW_READ: Final = struct.Struct(">I20sBBBBIHH").pack
_ROW_REPEAT: Final = struct.Struct(">I20sB").pack
_BATCH_HEAD: Final = struct.Struct(">IB").pack


class BatchFlag:
    """Flags of a batch as a whole."""

    ALLOW_INLINE: Final = 0x01
    ALLOW_INLINE_SSD: Final = 0x02
    RESPOND_ALL_KEYS: Final = 0x04
    #: Report the row that ended a batch, too.
    REPORT_FAILING_ROW: Final = 0x08


class RowFlag:
    """Flags of a batch's row: which parts of its head are there."""

    REPEAT: Final = 0x01
    INFO23: Final = 0x02
    GENERATION: Final = 0x04
    TTL: Final = 0x08
    INFO4: Final = 0x10


def target_fields(namespace: str, set_name: str) -> bytes:
    """The fields of namespace and set, in this order; an empty set is sent, too."""
    return encode_field(FieldType.NAMESPACE, namespace.encode()) + encode_field(
        FieldType.SET, set_name.encode()
    )


def digest_field(digest: bytes) -> bytes:
    """The field of a digest."""
    return _DIGEST_HEAD + digest


def request_frame(
    info1: int,
    info2: int,
    info3: int,
    info4: int,
    generation: int,
    ttl: int,
    timeout_ms: int,
    n_fields: int,
    n_ops: int,
    content: bytes,
) -> bytes:
    """The whole frame of a request. `content`: its encoded fields, then its encoded ops.

    `ttl` in seconds or a negative special value; `timeout_ms` 0 = the server's own.
    """
    size = MESSAGE_HEADER_SIZE + len(content)
    return (
        _HEAD(
            _VERSION_AND_TYPE,
            size >> 32,
            size & 0xFFFFFFFF,
            MESSAGE_HEADER_SIZE,
            info1,
            info2,
            info3,
            info4,
            0,
            generation,
            ttl & 0xFFFFFFFF,
            timeout_ms,
            n_fields,
            n_ops,
        )
        + content
    )


class BatchRow(NamedTuple):
    """What a row of a batch asks for, whatever the record: rows of the same are sent once."""

    info1: int
    info2: int
    info3: int
    #: None for reads, which have none.
    generation: int | None
    ttl: int
    n_fields: int
    n_ops: int
    #: Encoded fields (namespace and set first), then encoded ops.
    content: bytes
    #: A row after one with a key of its own may not say "as before".
    repeatable: bool = True


def encode_batch(
    flags: int,
    rows: Sequence[tuple[int, bytes, BatchRow]],
    filter_expression: bytes | None,
    timeout_ms: int,
    info1: int,
) -> bytes:
    """The frame of a batch of rows (index, digest, what is asked). `flags`: `BatchFlag`."""
    parts = [_BATCH_HEAD(len(rows), flags)]
    previous: BatchRow | None = None
    for index, digest, row in rows:
        if row is previous and row.repeatable:
            parts.append(_ROW_REPEAT(index, digest, RowFlag.REPEAT))
            continue
        previous = row
        parts.append(_row_head(index, digest, row))
        parts.append(row.content)
    content = encode_field(FieldType.BATCH, b"".join(parts))
    n_fields = 1
    if filter_expression is not None:
        content = encode_field(FieldType.FILTER, filter_expression) + content
        n_fields = 2
    return request_frame(info1, 0, 0, 0, 0, 0, timeout_ms, n_fields, 0, content)


def _row_head(index: int, digest: bytes, row: BatchRow) -> bytes:
    ttl = row.ttl & 0xFFFFFFFF
    infos = (row.info1, row.info2, row.info3)
    if row.generation is None:
        flags = RowFlag.INFO23 | RowFlag.TTL
        return _ROW_READ(index, digest, flags, *infos, ttl, row.n_fields, row.n_ops)
    flags = RowFlag.INFO23 | RowFlag.GENERATION | RowFlag.TTL
    generation = row.generation & 0xFFFF
    return _ROW_WRITE(index, digest, flags, *infos, generation, ttl, row.n_fields, row.n_ops)


def index_range(bin_name: str, particle_type: int, begin: bytes, end: bytes) -> bytes:
    """The data of an index range field. `bin_name` is empty for an index called by its name."""
    name = bin_name.encode()
    head = struct.pack(">BB", 1, len(name)) + name
    return head + struct.pack(">BI", particle_type, len(begin)) + begin + _sized(end)


def _sized(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def partition_ids(ids: Iterable[int]) -> bytes:
    """The data of the field with the partitions that a query is to read from their beginning."""
    numbers = list(ids)
    return struct.pack(f"<{len(numbers)}H", *numbers)


def bvals(values: Iterable[int]) -> bytes:
    """The data of the field that says, beside digests, where in an index to go on."""
    numbers = list(values)
    return struct.pack(f"<{len(numbers)}q", *numbers)
