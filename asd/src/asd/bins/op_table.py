"""What bit and HyperLogLog operations share: op lists, argument shapes and write flags.

An operation travels as a msgpack list `[op code, argument, ...]`. A family's table maps the op
code to an `Operation`, which says how each argument is checked and what missing ones default to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import MessageError, OperationError

CREATE_ONLY = 1
UPDATE_ONLY = 2
NO_FAIL = 4

BLOB_MAX = 134_217_728
"""Bytes; no offset or size exceeds it, no resulting value reaches it."""

_LIST_HEADER_SIZES = MappingProxyType({**dict.fromkeys(range(0x90, 0xA0), 1), 0xDC: 3, 0xDD: 5})
"""Bytes of a list's header, by its first one."""

Check = Callable[[Any], Any]
"""Takes a decoded argument and returns it as the handler wants it, or raises `OperationError`."""

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


class Refusal(OperationError):
    """The operation does not fit the bin as it is; NO_FAIL turns this into a no-op."""


class Optional(NamedTuple):
    """An argument that may be left out, with all that follow it."""

    check: Check
    default: object


class Operation(NamedTuple, Generic[HandlerT]):
    """One row of a family's table: the handler gets the bin's value, then all arguments.

    `check_together`, where set, sees all arguments before the bin is looked at.
    """

    name: str
    handler: HandlerT
    required: tuple[Check, ...] = ()
    optional: tuple[Optional, ...] = ()
    check_together: Callable[..., None] | None = None


def parameter_error(message: str) -> OperationError:
    """The argument list is wrong in itself, whatever the bin holds."""
    return OperationError(ResultCode.PARAMETER, message)


def decode(payload: bytes) -> object:
    """The op list of an op's value; broken msgpack is a parameter error."""
    try:
        return as_msgpack.unpack(payload)
    except MessageError as error:
        raise parameter_error(str(error)) from None


def op_code(payload: bytes) -> int | None:
    """The op code of an op's value, also when what follows it is broken; None without one."""
    header = _LIST_HEADER_SIZES.get(payload[0]) if payload else None
    if header is None or header >= len(payload):
        return None
    tag = payload[header]
    # Tags cc..cf and d0..d3 are integers of 1, 2, 4 and 8 bytes.
    size = 1 << (tag & 3) if 0xCC <= tag <= 0xD3 else 0
    try:
        code = as_msgpack.unpack(payload[header : header + 1 + size])
    except MessageError:
        return None
    return code if type(code) is int else None


def resolve(
    table: Mapping[int, Operation[HandlerT]], op_list: object
) -> tuple[Operation[HandlerT], list[Any]]:
    """The table's row for `op_list` and its arguments, checked, with defaults filled in."""
    if not isinstance(op_list, list) or not op_list:
        raise parameter_error("an operation is a list that begins with its code")
    operation = table.get(op_list[0]) if type(op_list[0]) is int else None
    if operation is None:
        raise parameter_error(f"no such operation: {op_list[0]!r:.40}")
    given = op_list[1:]
    _, _, required, optional, check_together = operation
    n_required = len(required)
    if not n_required <= len(given) <= n_required + len(optional):
        raise parameter_error(f"{operation.name} takes another number of arguments")
    arguments = [check(value) for check, value in zip(required, given, strict=False)]
    for position, (check, default) in enumerate(optional, n_required):
        arguments.append(check(given[position]) if position < len(given) else default)
    if check_together is not None:
        check_together(*arguments)
    return operation, arguments


def integer(value: Any) -> int:
    """Any 64-bit integer."""
    if type(value) is not int:
        raise parameter_error("an integer is wanted")
    return value


def flags(allowed: int, exclusive: int) -> Check:
    """A flag word: bits of `allowed` only, and not all bits of `exclusive` together."""

    def check(value: Any) -> int:
        word = integer(value)
        if word & ~allowed or word & exclusive == exclusive:
            raise parameter_error(f"flags {word:#x} are not allowed here")
        return word

    return check


def write_flags(allowed: int) -> Optional:
    """The write flags of a modify operation, 0 when left out."""
    return Optional(flags(allowed, CREATE_ONLY | UPDATE_ONLY), 0)


def check_existence(exists: bool, word: int) -> None:
    """Apply CREATE_ONLY and UPDATE_ONLY of the flag word to a bin that exists or does not."""
    if exists and word & CREATE_ONLY:
        raise Refusal(ResultCode.BIN_EXISTS)
    if not exists and word & UPDATE_ONLY:
        raise Refusal(ResultCode.BIN_NOT_FOUND)
