"""Messages: the 22-byte header, fields and ops of requests and replies (frame type 3).

0   u8   header size, 22 (not checked)     6   u32  generation
1   u8   info1                             10  u32  ttl of a request, void-time of a reply
2   u8   info2                             14  u32  timeout in ms, or row of a batch reply
3   u8   info3                             18  u16  number of fields
4   u8   info4                             20  u16  number of ops
5   u8   result code                       22       fields, then ops

field: u32 size of what follows, u8 type, data
op:    u32 size of what follows, u8 op, u8 particle type, u8 flags, u8 name length, name,
       [8 bytes last-update-time when flags has bit 0], value
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable, Mapping
from typing import Final, NamedTuple

from aerospike_common.wire.codes import FieldType, Info1, MessageType
from aerospike_common.wire.errors import MessageError
from aerospike_common.wire.frame import HEADER_SIZE, PROTOCOL_VERSION

#: Size of a message header in bytes.
MESSAGE_HEADER_SIZE: Final = 22

_HEADER_READ: Final = struct.Struct(">xBBBBBIIIHH").unpack_from
_HEADER_WRITE: Final = struct.Struct(">BBBBBBIIIHH").pack
_FRAMED_WRITE: Final = struct.Struct(">HHIBBBBBBIIIHH").pack
_FIELD: Final = struct.Struct(">IB")
_FIELD_READ: Final = _FIELD.unpack_from
_FIELD_WRITE: Final = _FIELD.pack
_OP: Final = struct.Struct(">IBBBB")
_OP_READ: Final = _OP.unpack_from
_OP_WRITE: Final = _OP.pack
OP_HEAD_SIZE: Final = _OP.size
pack_op_head: Final = _OP.pack
op_head: Final = _OP.unpack_from
"""(size of what follows the size, op type, particle type, flags, length of the bin name) of the op
at an offset, in any buffer; `pack_op_head` makes one."""
value_head: Final = struct.Struct(">IxBxB").unpack_from
"""(size of what follows the size, particle type, length of the bin name): what a look at the value
of an op needs, and no more objects than that."""
MAX_FIELDS: Final = 4096
"""Fields of a message; there are some forty kinds, each of which counts once."""

_OP_HAS_LUT: Final = 0x01
_BATCH_FIELDS: Final = (FieldType.BATCH, FieldType.BATCH_WITH_SET)
_VERSION_AND_TYPE: Final = PROTOCOL_VERSION << 8 | MessageType.AS_MSG


class Op(NamedTuple):
    """One operation of a request, or one bin of a reply."""

    #: `OpType` value; unknown ids are kept.
    type: int
    #: `ParticleType` value of `value`.
    particle_type: int
    #: Bin name.
    name: bytes
    #: Particle in wire form, or the operation's argument.
    value: bytes


class Message(NamedTuple):
    """A parsed request or reply."""

    info1: int
    info2: int
    info3: int
    info4: int
    result_code: int
    generation: int
    #: Request: time-to-live in seconds or a special value. Reply: void-time.
    record_ttl: int
    #: Request: timeout in ms. Batch reply: row index.
    transaction_ttl: int
    #: `FieldType` value to data; the first of several fields of one type counts.
    fields: dict[int, bytes]
    ops: list[Op]


# A NamedTuple's own constructor is Python code; the tuple's is not, and costs half.
_new: Final = tuple.__new__


def parse_message(body: bytes) -> Message:
    """Parse the body of a type 3 frame.

    Raises MessageError (result code 4) when the body is shorter than its header, a field or op is
    cut or inconsistent, or bytes remain after the last op. O(len(body)) in time and memory.
    """
    message, position, n_ops = _begun(body)
    # A part that runs over the end moves the position beyond it, where the next read fails; so one
    # comparison at the end is enough for all parts.
    if _take_ops(body, position, n_ops, message.ops) != len(body):
        raise MessageError("message and body differ in length")
    return message


def parse_slices(body: bytes, ops_at_once: int) -> Generator[None, None, Message]:
    """`parse_message` of a body with many ops, so many of them between two stops. The generator
    returns the message."""
    message, position, left = _begun(body)
    while left > ops_at_once:
        position = _take_ops(body, position, ops_at_once, message.ops)
        left -= ops_at_once
        yield
    if _take_ops(body, position, left, message.ops) != len(body):
        raise MessageError("message and body differ in length")
    return message


def count_ops(body: bytes) -> int:
    """How many ops a message has, by its header; 0 when that is cut off. O(1)."""
    return int.from_bytes(body[20:MESSAGE_HEADER_SIZE], "big")


def _begun(body: bytes) -> tuple[Message, int, int]:
    """A message without its ops, where these begin, and how many there are."""
    fields: dict[int, bytes] = {}
    try:
        i1, i2, i3, i4, code, generation, ttl, timeout, n_fields, n_ops = _HEADER_READ(body)
        if n_fields > MAX_FIELDS:
            raise MessageError(f"{n_fields} fields")
        position = MESSAGE_HEADER_SIZE
        while n_fields:
            size, kind = _FIELD_READ(body, position)
            if not size:
                raise MessageError("field of size 0")
            start = position + 5
            position += 4 + size
            if kind not in fields:
                fields[kind] = body[start:position]
            n_fields -= 1
    except struct.error:
        raise MessageError("message cut off") from None
    head = _new(Message, (i1, i2, i3, i4, code, generation, ttl, timeout, fields, []))
    return head, position, n_ops


def _take_ops(body: bytes, position: int, n_ops: int, ops: list[Op]) -> int:
    """Add so many ops, from a place on; where they end."""
    try:
        while n_ops:
            size, kind, particle_type, flags, name_length = _OP_READ(body, position)
            name = position + 8
            value = name + name_length
            position += 4 + size
            start = value + 8 if flags & _OP_HAS_LUT else value
            if start > position:
                raise MessageError("op shorter than its parts")
            ops.append(_new(Op, (kind, particle_type, body[name:value], body[start:position])))
            n_ops -= 1
    except struct.error:
        raise MessageError("message cut off") from None
    return position


def is_batch(body: bytes) -> bool:
    """Is this the body of a batch request? Also when it is cut off behind its second byte."""
    return len(body) > 1 and bool(body[1] & Info1.BATCH)


def parse_batch(body: bytes) -> tuple[Message, int, int]:
    """Parse the body of a batch request, whose framing is looser than that of other messages; where
    the rows begin in it, and where they end (0 and 0: there are none).

    The rows, which may be many, stay where they are. They came in the field BATCH or
    BATCH_WITH_SET, and the last such field counts. Clients get its size wrong when a filter stands
    before it: as the last field of the message it goes on to the message's end, whatever its size
    says. What is behind the last field is not looked at: there are no ops.

    Raises MessageError when the body is shorter than its header or a field is cut.
    """
    fields: dict[int, bytes] = {}
    first = last = 0
    try:
        i1, i2, i3, i4, code, generation, ttl, timeout, n_fields, _ = _HEADER_READ(body)
        if n_fields > MAX_FIELDS:
            raise MessageError(f"{n_fields} fields")
        position = MESSAGE_HEADER_SIZE
        for left in range(n_fields, 0, -1):
            size, kind = _FIELD_READ(body, position)
            start = position + 5
            position += 4 + size
            if kind in _BATCH_FIELDS:
                first, last = start, len(body) if left == 1 else position
                position = last
            elif not size:
                raise MessageError("field of size 0")
            elif kind not in fields:
                fields[kind] = body[start:position]
    except struct.error:
        raise MessageError("message cut off") from None
    if position > len(body):
        raise MessageError("message cut off")
    found = _new(Message, (i1, i2, i3, i4, code, generation, ttl, timeout, fields, []))
    return found, first, last


def split_messages(body: bytes) -> list[bytes]:
    """The messages of one frame of a batch or query reply, each with its header.

    Raises MessageError when the last one is cut.
    """
    messages: list[bytes] = []
    start = 0
    try:
        while start < len(body):
            *_, n_fields, n_ops = _HEADER_READ(body, start)
            end = start + MESSAGE_HEADER_SIZE
            for _ in range(n_fields + n_ops):
                end += 4 + int.from_bytes(body[end : end + 4], "big")
                if end > len(body):
                    raise MessageError("message cut off")
            messages.append(body[start:end])
            start = end
    except struct.error:
        raise MessageError("message cut off") from None
    return messages


def encode_field(field_type: int, data: bytes) -> bytes:
    """One field in wire form."""
    return _FIELD_WRITE(len(data) + 1, field_type) + data


def encode_op(op_type: int, particle_type: int, name: bytes, value: bytes = b"") -> bytes:
    """One op in wire form. `name` has at most 255 bytes here; the server allows 15."""
    name_length = len(name)
    head = _OP_WRITE(4 + name_length + len(value), op_type, particle_type, 0, name_length)
    return head + name + value


def encode_message(
    info1: int = 0,
    info2: int = 0,
    info3: int = 0,
    info4: int = 0,
    result_code: int = 0,
    generation: int = 0,
    record_ttl: int = 0,
    transaction_ttl: int = 0,
    fields: Mapping[int, bytes] | None = None,
    ops: Iterable[Op] = (),
) -> bytes:
    """The body of a type 3 frame; the inverse of `parse_message`, with `Message`'s parameters."""
    fields = fields or {}
    parts = [encode_field(field_type, data) for field_type, data in fields.items()]
    parts += [encode_op(*op) for op in ops]
    header = _HEADER_WRITE(
        MESSAGE_HEADER_SIZE,
        info1,
        info2,
        info3,
        info4,
        result_code,
        generation,
        record_ttl,
        transaction_ttl,
        len(fields),
        len(parts) - len(fields),
    )
    return header + b"".join(parts)


def encode_reply(
    result_code: int,
    generation: int = 0,
    void_time: int = 0,
    n_ops: int = 0,
    ops: bytes = b"",
    *,
    info3: int = 0,
    row: int = 0,
    n_fields: int = 0,
    fields: bytes = b"",
) -> bytes:
    """One reply message without frame header, for streams of several messages in a frame.

    `ops` holds `n_ops` encoded ops (`encode_op`), `fields` `n_fields` encoded fields;
    `void_time` is in seconds since 2010-01-01, 0 = never; `row` is the index of a batch row.
    """
    head = _HEADER_WRITE(
        MESSAGE_HEADER_SIZE,
        0,
        0,
        info3,
        0,
        result_code,
        generation,
        void_time,
        row,
        n_fields,
        n_ops,
    )
    return head + fields + ops


def reply_frame(
    result_code: int,
    generation: int = 0,
    void_time: int = 0,
    n_ops: int = 0,
    ops: bytes = b"",
    info3: int = 0,
) -> bytes:
    """The whole frame of a single-record reply: one pack and one concatenation."""
    size = MESSAGE_HEADER_SIZE + len(ops)
    return (
        _FRAMED_WRITE(
            _VERSION_AND_TYPE,
            size >> 32,
            size & 0xFFFFFFFF,
            MESSAGE_HEADER_SIZE,
            0,
            0,
            info3,
            0,
            result_code,
            generation,
            void_time,
            0,
            0,
            n_ops,
        )
        + ops
    )


assert struct.calcsize(">HHIBBBBBBIIIHH") == HEADER_SIZE + MESSAGE_HEADER_SIZE
