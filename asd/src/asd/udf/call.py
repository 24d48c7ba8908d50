"""What a request asks to be called, and a record as functions are given it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from aerospike_common.wire.codes import FieldType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.records.record import stored_key
from cluster.consistency.stamp import time_of
from storage.engine import Record

MAX_NAME: Final = 127
"""Bytes of a module's or function's name in a request."""


class Call(NamedTuple):
    """What a request asks to be called. `arguments` is a msgpack list."""

    module: str
    function: bytes
    arguments: bytes

    @classmethod
    def of(cls, message: Message) -> Call:
        """From a request's fields. Raises PARAMETER."""
        fields = message.fields
        module = fields.get(FieldType.UDF_PACKAGE)
        function = fields.get(FieldType.UDF_FUNCTION)
        arguments = fields.get(FieldType.UDF_ARGS)
        if module is None or function is None or arguments is None:
            raise OperationError(ResultCode.PARAMETER, "module, function and arguments are needed")
        if len(module) > MAX_NAME or len(function) > MAX_NAME:
            raise OperationError(ResultCode.PARAMETER, "a name is too long")
        return cls(module.decode("utf-8", "surrogateescape"), function, arguments)


def lua_record(
    digest: bytes, record: Record | None, set_name: bytes, now_s: int
) -> tuple[Any, ...]:
    """A record as `LuaState.apply_record` and `push_stream` take it."""
    if record is None:
        return None, 0, 0, now_s, 0, b"", digest, None, None
    generation, void_time, updated_ms, _, flags, payload = record
    key = stored_key(payload, flags)
    if key:
        parts = (key[0], key[1:])
        return payload, generation, void_time, now_s, time_of(updated_ms), set_name, digest, *parts
    return payload, generation, void_time, now_s, updated_ms, set_name, digest, None, None
