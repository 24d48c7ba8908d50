"""The value of an expression op: the msgpack list [expression] or [expression, flags].

What the protocol reads as flags is what follows the expression, behind a list of one too.
"""

from __future__ import annotations

from typing import Any

from msgpack import Unpacker

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError


def split_payload(payload: bytes) -> tuple[bytes, int]:
    """The wire form of the expression, and the flags: 0 when they are absent or no integer.

    What follows the flags is not looked at, whatever the list counts. `OperationError` PARAMETER
    when there is no list, or one of another length.
    """
    unpacker = Unpacker(max_buffer_size=len(payload) or 1)
    unpacker.feed(payload)
    try:
        count = unpacker.read_array_header()
        start = unpacker.tell()
        unpacker.skip()
    except Exception:  # whatever msgpack finds wrong, the value is not a list of one or two
        count = 0
    if not 1 <= count <= 2:
        raise OperationError(ResultCode.PARAMETER, "not [expression, flags]")
    end = unpacker.tell()
    return payload[start:end], _flags(unpacker)


def _flags(unpacker: Any) -> int:
    try:
        flags = unpacker.unpack()
    except Exception:  # cut off or malformed counts as absent
        return 0
    return flags if type(flags) is int else 0
