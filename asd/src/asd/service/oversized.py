"""Commands that are too big to succeed, known by how their frame begins.

A frame of 100 MB takes a quarter of a second to be put together and taken apart, for everybody. If
what makes it so big is a value that no record can hold, it need not be: the answer is known when
the head of that op is there, and the rest is thrown away as it comes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ResultCode
from aerospike_common.wire.message import MESSAGE_HEADER_SIZE, OP_HEAD_SIZE, op_head
from asd.bins.effort import MOST_BYTES
from asd.space.namespace import Namespace
from asd.transactions.decision import Effect
from asd.transactions.outcome import count_write

BIG_FRAME: Final = 1 << 20
"""Bytes of a frame from which on its beginning is looked at before the rest has come."""

_COUNTS_AT: Final = 18
_counts: Final = struct.Struct(">HH").unpack_from
_FIELD_HEAD: Final = struct.Struct(">IB")
_VALUES: Final = frozenset({OpType.WRITE, OpType.APPEND, OpType.PREPEND})
_MOST_BESIDE: Final = 4 + 255 + 8
"""Bytes behind the size of an op that are not its value, at most."""


def refused_by(start: bytes, namespaces: Mapping[bytes, Namespace]) -> Namespace | None:
    """The namespace that refuses the command whose body begins so, because it brings a value over
    its `max-record-size`; None where that is not so, or cannot be told yet."""
    if len(start) < MESSAGE_HEADER_SIZE or start[1] & Info1.BATCH or not start[2] & Info2.WRITE:
        return None
    fields, ops = _counts(start, _COUNTS_AT)
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
    for _ in range(ops):
        if len(start) < at + OP_HEAD_SIZE:
            return None
        size, kind, *_ = op_head(start, at)
        if kind in _VALUES and size - _MOST_BESIDE > most:
            return namespace
        at += 4 + size
    return None


def count_refused(namespace: Namespace) -> None:
    """Count a command that `refused_by` has found."""
    count_write(namespace.statistics.client, ResultCode.RECORD_TOO_BIG, Effect.NONE)
