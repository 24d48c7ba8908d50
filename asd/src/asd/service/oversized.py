"""Big frames on their way, and commands that are too big to succeed.

A frame of 100 MB takes a quarter of a second to be put together and taken apart, for everybody. So
what comes of one is put where it belongs as it comes (`BigFrame`), and what is of no use is thrown
away: no info request has more than some text, and no command on one record more than the values of
a record.

If what makes a frame so big is a value that no record can hold, what is answered in its place is
the same command with a value that is just too big (`shortened`). So whatever else there is to say
about the command is said all the same, in the same order.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Final

from aerospike_common.wire.codes import FieldType, Info1, Info2, MessageType, OpType, ResultCode
from aerospike_common.wire.frame import frame
from aerospike_common.wire.message import (
    MESSAGE_HEADER_SIZE,
    OP_HEAD_SIZE,
    op_head,
    pack_op_head,
    reply_frame,
)
from asd.bins.effort import MOST_BYTES
from asd.measures.statistics import ServiceStatistics
from asd.space.namespace import Namespace

BIG_FRAME: Final = 1 << 20
"""Bytes of a frame from which on its beginning is looked at before the rest has come."""

LOOK: Final = 4096
"""Bytes of a big frame that are enough to see what it is."""

MOST_COMMAND: Final = 16 << 20
"""Bytes of a command on one record, all its values together."""

_MOST_KEPT: Final[Mapping[int, int]] = {MessageType.INFO: 2 << 20, MessageType.ADMIN: 1 << 20}
"""Bytes of other frames of which the rest is of no use; by type. Of internal ones nothing is."""

_COUNTS_AT: Final = 18
_COUNTS: Final = struct.Struct(">HH")
_FIELD_HEAD: Final = struct.Struct(">IB")
_VALUES: Final = frozenset({OpType.WRITE, OpType.APPEND, OpType.PREPEND})
_BESIDE: Final = 4 + 8
"""Bytes behind the size of an op that are neither its name nor its value, at most."""


class BigFrame:
    """A frame of more than BIG_FRAME bytes, of which some have come."""

    __slots__ = ("_body", "_room", "behind", "instead", "kind", "missing", "refused")

    def __init__(self, start: bytes, namespaces: Mapping[bytes, Namespace]) -> None:
        """`start` is what has come, at least the frame's header and two bytes."""
        self.kind = start[1]
        self.missing = int.from_bytes(start[2:8], "big")
        """Bytes that have not come."""
        self.behind = b""
        """What has come behind it."""
        self.instead: bytes | None = None
        """What is to be answered in its place."""
        self.refused = False
        """It is a command that has too many values."""
        self._body = BytesIO()
        self._room = self._most_kept(start, namespaces)
        self.take(start[8:])

    def _most_kept(self, start: bytes, namespaces: Mapping[bytes, Namespace]) -> int:
        if self.kind == MessageType.AS_MSG and not start[9] & Info1.BATCH:
            self.instead = shortened(start[8:], namespaces)
            self.refused = self.instead is None and self.missing > MOST_COMMAND
            return 0 if self.refused or self.instead is not None else self.missing
        if self.kind in (MessageType.AS_MSG, MessageType.AS_MSG_COMPRESSED):
            return self.missing
        return _MOST_KEPT.get(self.kind, 0)

    def take(self, data: bytes) -> None:
        """More has come."""
        missing = self.missing
        if len(data) > missing:
            self.behind += data[missing:]
            data = data[:missing]
        self.missing -= len(data)
        if self._room > 0:
            self._body.write(data[: self._room])
            self._room -= len(data)

    @property
    def size(self) -> int:
        """Bytes that are kept of it, and behind it."""
        return self._body.tell() + len(self.behind)

    def body(self) -> bytes:
        """The body, or what is of use of it."""
        return self._body.getvalue()


def refuse(statistics: ServiceStatistics) -> bytes:
    """The answer to a command that has too many values, which is counted."""
    statistics.early_tsvc_client_error += 1
    return reply_frame(ResultCode.RECORD_TOO_BIG)


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
