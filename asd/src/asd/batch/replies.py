"""The replies of a batch: row by row into frames of bounded size, then the closing message."""

from __future__ import annotations

import struct
from typing import Final

from aerospike_common.wire.codes import Info3, MessageType, OpType
from aerospike_common.wire.frame import PROTOCOL_VERSION
from aerospike_common.wire.message import MESSAGE_HEADER_SIZE, reply_frame
from asd.transactions.transaction import Reply

FRAME_SIZE: Final = 128 << 10
"""Bytes of rows that share a frame; a longer row has one of its own."""

_MESSAGE_START: Final = bytes((MESSAGE_HEADER_SIZE, 0, 0, 0, 0))
# Message header to the flags, result code, generation, void-time, row index, no fields, ops.
_row_header: Final = struct.Struct(">5sBII4s2xH").pack
_frame_header: Final = struct.Struct(">BBHI").pack


def last(code: int) -> bytes:
    """The frame that ends every batch; `code` is the result of the whole."""
    return reply_frame(code, info3=Info3.LAST)


def row_reply(index: bytes, reply: Reply) -> bytes:
    """The reply to the row of this index (4 bytes, as it came)."""
    code, generation, void_time, n_ops, ops = reply
    return _row_header(_MESSAGE_START, code, generation, void_time, index, n_ops) + ops


def as_reads(ops: bytes) -> bytes:
    """Reply ops under the op id of a plain read, whatever op they answer."""
    changed = bytearray(ops)
    offset = 0
    while offset < len(ops):
        changed[offset + 4] = OpType.READ
        offset += 4 + int.from_bytes(ops[offset : offset + 4], "big")
    return bytes(changed)


class Replies:
    """Row replies on their way into frames."""

    __slots__ = ("_frames", "_rows", "_size", "framed")

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._rows: list[bytes] = []
        self._size = 0
        self.framed = 0
        """Bytes of whole frames not yet taken."""

    def add(self, row: bytes) -> None:
        """One more row."""
        if self._size + len(row) > FRAME_SIZE:
            self.close_frame()
        self._rows.append(row)
        self._size += len(row)

    def extend(self, rows: list[bytes]) -> None:
        """Many more rows."""
        size = sum(map(len, rows))
        if self._size + size <= FRAME_SIZE:
            self._rows += rows
            self._size += size
        else:
            for row in rows:
                self.add(row)

    def close_frame(self) -> None:
        """The rows since the last frame are one."""
        if self._rows:
            size = self._size
            header = _frame_header(
                PROTOCOL_VERSION, MessageType.AS_MSG, size >> 32, size & 0xFFFFFFFF
            )
            self._frames.append(header)
            self._frames += self._rows
            self.framed += len(header) + size
            self.drop_rows()

    def drop_rows(self) -> None:
        """Forget the rows that are not in a frame yet."""
        self._rows.clear()
        self._size = 0

    def end(self, code: int) -> None:
        """Close the frame that is open, and the whole."""
        self.close_frame()
        self._frames.append(last(code))

    def take(self) -> bytes:
        """The frames that are whole."""
        frames = b"".join(self._frames)
        self._frames.clear()
        self.framed = 0
        return frames
