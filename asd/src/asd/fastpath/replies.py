"""The heads of the replies that fast paths send: each layout stands here once."""

from __future__ import annotations

import struct
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.message import reply_frame

NOT_FOUND: Final = reply_frame(ResultCode.NOT_FOUND)
NO_OPS: Final = b"\0\0"
"""The count of ops of a reply without any."""

START: Final = b"\x02\x03\x00\x00"
"""What every frame begins with: version and type; then the size of the body, of 6 bytes."""
HEADER_OK: Final = b"\x16\x00\x00\x00\x00\x00"
"""A message's header up to the result code OK."""

# Frame start, body size, message header to the result code, generation, void-time, then the timeout
# and the number of fields (0); what follows begins with the number of ops.
with_ops: Final = struct.Struct(">4sI6sII6x").pack
without_ops: Final = struct.Struct(">14sII8x").pack
EMPTY_OK: Final = START + b"\x00\x00\x00\x16" + HEADER_OK

# `without_ops(EMPTY_OK, generation, void-time)` is the whole reply to a write that answers no ops.

# The same of a row: no frame, and the row's index where the timeout is.
row_with_ops: Final = struct.Struct(">6sII4s2x").pack
row_without_record: Final = struct.Struct(">6s8x4s4x").pack
ROW_NOT_FOUND: Final = bytes((22, 0, 0, 0, 0, ResultCode.NOT_FOUND))


def framed(generation: int, void_time: int, ops: bytes) -> bytes:
    """A successful reply; `ops` begins with their number."""
    return with_ops(START, 20 + len(ops), HEADER_OK, generation, void_time) + ops
