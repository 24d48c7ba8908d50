"""Commands that are too big to succeed, known by how their frame begins.

A frame of 100 MB takes a quarter of a second to be put together and taken apart, for everybody. If
what makes it so big is a value that no record can hold, it need not be: the rest is thrown away as
it comes, and what is answered in its place is the same command with a value that is just too big.
So whatever else there is to say about the command is said all the same, in the same order.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from aerospike_common.wire.codes import FieldType, Info1, Info2, MessageType, OpType
from aerospike_common.wire.frame import frame
from aerospike_common.wire.message import MESSAGE_HEADER_SIZE, OP_HEAD_SIZE, op_head, pack_op_head
from asd.bins.effort import MOST_BYTES
from asd.space.namespace import Namespace

BIG_FRAME: Final = 1 << 20
"""Bytes of a frame from which on its beginning is looked at before the rest has come."""

_COUNTS_AT: Final = 18
_COUNTS: Final = struct.Struct(">HH")
_FIELD_HEAD: Final = struct.Struct(">IB")
_VALUES: Final = frozenset({OpType.WRITE, OpType.APPEND, OpType.PREPEND})
_BESIDE: Final = 4 + 8
"""Bytes behind the size of an op that are neither its name nor its value, at most."""


def shortened(start: bytes, namespaces: Mapping[bytes, Namespace]) -> bytes | None:
    """The frame to answer in place of one whose body begins so, because it writes a value over
    `max-record-size`: it ends with that op. None where that is not so, or cannot be told yet."""
    if len(start) < MESSAGE_HEADER_SIZE or start[1] & Info1.BATCH or not start[2] & Info2.WRITE:
        return None
    fields, ops = _COUNTS.unpack_from(start, _COUNTS_AT)
    at, namespace = MESSAGE_HEADER_SIZE, None
    for _ in range(fields):
        if len(start) < at + _FIELD_HEAD.size:
            return None
        size, kind = _FIELD_HEAD.unpack_from(start, at)
        if kind == FieldType.NAMESPACE and namespace is None:
            namespace = namespaces.get(start[at + _FIELD_HEAD.size : at + 4 + size])
        at += 4 + size
    if namespace is None:
        return None
    most = namespace.config.max_record_size or MOST_BYTES
    for number in range(ops):
        if len(start) < at + OP_HEAD_SIZE:
            return None
        size, kind, particle_type, flags, name_size = op_head(start, at)
        just_too_big = _BESIDE + name_size + most + 1
        if kind in _VALUES and size > just_too_big:
            head = start[:_COUNTS_AT] + _COUNTS.pack(fields, number + 1)
            head += start[MESSAGE_HEADER_SIZE:at]
            head += pack_op_head(just_too_big, kind, particle_type, flags, name_size)
            op = start[at + OP_HEAD_SIZE : at + 4 + just_too_big].ljust(just_too_big - 4, b"\0")
            return frame(MessageType.AS_MSG, head + op)
        at += 4 + size
    return None
