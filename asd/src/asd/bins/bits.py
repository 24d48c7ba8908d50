"""Bitwise operations on blob bins.

Bit 0 is the most significant bit of byte 0. Negative offsets count from the end.

    read(particle, payload)            -> Particle | None              BIT_READ
    modify(particle, payload)          -> (new Particle | None, None)  BIT_MODIFY
    evaluate(value, op_list, modify)   -> int | bytes | None           on decoded arguments
                                          (integers signed; after a modify, the new blob)

`payload` is an op's value, the msgpack list `[op code, argument, ...]`; `op_list` is that list
decoded as in docs/architecture.md "Values" (a blob argument is a `str` beginning with "\\x04").
A missing bin is `None`, for particles and values alike. Everything costs what it takes to copy
the blob once, plus the work on the range itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import op_table
from asd.bins.effort import MOST_BYTES
from asd.bins.op_table import NO_FAIL, Operation, Optional, Refusal, parameter_error
from asd.bins.particle import Particle

Value = int | bytes

PARTIAL = 8
"""Write flag: the part of the range beyond the end of the blob is cut off."""

_FROM_FRONT = 1
_GROW_ONLY = 2
_SHRINK_ONLY = 4

# Members of enumerations cost a look-up of a tenth of a microsecond.
_INTEGER = int(ParticleType.INTEGER)
_BLOB = int(ParticleType.BLOB)

_SIGNED = 1
_SATURATE = 2
_WRAP = 4


def read(particle: Particle | None, payload: bytes) -> Particle | None:
    """The result of one read operation: a blob or an integer; none for a missing bin."""
    if particle is None:
        return None
    operation, arguments = op_table.resolve(READS, op_table.decode(payload))
    result = operation.handler(_blob(particle), *arguments)
    if isinstance(result, int):
        return Particle(_INTEGER, result.to_bytes(8, "big", signed=True))
    return Particle(_BLOB, result)


def modify(
    particle: Particle | None, payload: bytes, most_bytes: int = op_table.BLOB_MAX
) -> tuple[Particle | None, Particle | None]:
    """The bin after one modify operation; there is never a result.

    What would have more than `most_bytes` is not made: RECORD_TOO_BIG.
    """
    operation, arguments = op_table.resolve(MODIFIES, op_table.decode(payload))
    value = None if particle is None else _blob(particle)
    changed = _modify(value, operation, arguments, most_bytes)
    if changed is value:
        return particle, None
    return None if changed is None else Particle(_BLOB, changed), None


def evaluate(value: bytes | None, op_list: object, modify: bool) -> Value | None:
    """One operation on decoded arguments: the read's result, or the blob after the modify."""
    if modify:
        return _modify(value, *op_table.resolve(MODIFIES, op_list), MOST_BYTES)
    if value is None:
        return None
    operation, arguments = op_table.resolve(READS, op_list)
    return operation.handler(value, *arguments)


def _blob(particle: Particle) -> bytes:
    if particle.type != _BLOB:
        raise OperationError(ResultCode.BIN_TYPE)
    return particle.data


def _modify(
    value: bytes | None, operation: Modify, arguments: list[Any], most_bytes: int
) -> bytes | None:
    flags = arguments[len(operation.required)]
    try:
        op_table.check_existence(value is not None, flags)
        if value is None and operation.name not in _CREATORS:
            raise Refusal(ResultCode.BIN_NOT_FOUND)
        if operation.name in _CREATORS:
            _check_size(operation.name, value or b"", arguments, most_bytes)
        changed = operation.handler(value or b"", *arguments)
    except Refusal:
        if flags & NO_FAIL:
            return value
        raise
    if len(changed) >= op_table.BLOB_MAX:
        raise parameter_error("the blob would be too large")
    # An empty blob is kept but never created.
    return changed if changed or value is not None else None


def _check_size(name: str, value: bytes, arguments: list[Any], most_bytes: int) -> None:
    """Raises RECORD_TOO_BIG before a blob is made that no record can hold. (That it would have more
    than BLOB_MAX is an error in the arguments, for the operation itself to find.)"""
    size = arguments[0] if name == "resize" else len(value) + len(arguments[1])
    if name == "insert" and arguments[0] > len(value):
        size = arguments[0] + len(arguments[1])
    if most_bytes < size < op_table.BLOB_MAX:
        raise OperationError(ResultCode.RECORD_TOO_BIG, f"a blob over {most_bytes} bytes")


# ---------------------------------------------------------------------------- argument checks

_INT64_MIN = -(1 << 63)
_BITS_MAX = op_table.BLOB_MAX * 8


def _within(low: int, high: int) -> op_table.Check:
    """An integer from `low` to `high`."""

    def check(value: Any) -> int:
        number = op_table.integer(value)
        if not low <= number <= high:
            raise parameter_error(f"{number} is not within {low}..{high}")
        return number

    return check


def _bytes(value: Any) -> bytes:
    """A non-empty blob argument; its type byte is not looked at."""
    if not isinstance(value, str) or len(value) < 2:
        raise parameter_error("a blob is wanted")
    return value[1:].encode("utf-8", "surrogateescape")


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise parameter_error("a boolean is wanted")
    return value


def _offset(limit: int) -> op_table.Check:
    """An offset of at most `limit` units from either end.

    The smallest 64-bit integer, which has no positive counterpart, counts as 0.
    """
    check = _within(-limit, limit)
    return lambda value: 0 if value == _INT64_MIN else check(value)


_byte_offset = _offset(op_table.BLOB_MAX)
_byte_size = _within(1, op_table.BLOB_MAX)
_new_size = _within(0, op_table.BLOB_MAX)
_bit_offset = _offset(_BITS_MAX)
_bit_size = _within(1, _BITS_MAX)
_integer_size = _within(1, 64)
_shift = _within(0, _BITS_MAX)

_resize_subflags = Optional(
    op_table.flags(_FROM_FRONT | _GROW_ONLY | _SHRINK_ONLY, _GROW_ONLY | _SHRINK_ONLY), 0
)
_arithmetic_subflags = Optional(op_table.flags(_SIGNED | _SATURATE | _WRAP, _SATURATE | _WRAP), 0)
_signed_subflag = Optional(_within(0, _SIGNED), 0)

_CREATE_FLAGS = op_table.write_flags(1 | 2 | 4)
_RANGE_FLAGS = op_table.write_flags(2 | 4 | PARTIAL)
_INTEGER_FLAGS = op_table.write_flags(2 | 4)


# ---------------------------------------------------------------------------- ranges of bits


def _start(offset: int, length: int) -> int:
    """A non-negative offset, from one that may count from the end of `length` units."""
    if offset < 0:
        offset += length
        if offset < 0:
            raise parameter_error("the offset is before the start")
    return offset


def _range(value: bytes, offset: int, size: int, flags: int) -> tuple[int, int]:
    """Start and size, in bits, of a range that lies inside the blob."""
    n_bits = len(value) * 8
    offset = _start(offset, n_bits)
    if offset >= n_bits:
        raise Refusal(ResultCode.OP_NOT_APPLICABLE)
    if offset + size > n_bits:
        if not flags & PARTIAL:
            raise Refusal(ResultCode.OP_NOT_APPLICABLE)
        size = n_bits - offset
    return offset, size


def _field(value: bytes, offset: int, size: int) -> int:
    """The range as an unsigned integer."""
    stop = (offset + size + 7) >> 3
    chunk = int.from_bytes(value[offset >> 3 : stop], "big")
    return (chunk >> (stop * 8 - offset - size)) & ((1 << size) - 1)


def _with_field(value: bytes, offset: int, size: int, field: int) -> bytes:
    """The blob with the range replaced by an unsigned integer of `size` bits."""
    first, stop = offset >> 3, (offset + size + 7) >> 3
    below = stop * 8 - offset - size
    outside = int.from_bytes(value[first:stop], "big") & ~(((1 << size) - 1) << below)
    chunk = (outside | field << below).to_bytes(stop - first, "big")
    view = memoryview(value)
    return b"".join((view[:first], chunk, view[stop:]))


# ---------------------------------------------------------------------------- modify handlers


def _resize(value: bytes, size: int, flags: int, subflags: int) -> bytes:
    growth = size - len(value)
    if (growth < 0 and subflags & _GROW_ONLY) or (growth > 0 and subflags & _SHRINK_ONLY):
        raise Refusal(ResultCode.PARAMETER)
    if subflags & _FROM_FRONT:
        return bytes(growth) + value if growth > 0 else value[-growth:]
    return value + bytes(growth) if growth > 0 else value[:size]


def _insert(value: bytes, offset: int, blob: bytes, flags: int) -> bytes:
    offset = _start(offset, len(value))
    if max(offset, len(value)) + len(blob) >= op_table.BLOB_MAX:
        raise parameter_error("the blob would be too large")
    gap = bytes(max(0, offset - len(value)))
    view = memoryview(value)
    return b"".join((view[:offset], gap, blob, view[offset:]))


def _remove(value: bytes, offset: int, size: int, flags: int) -> bytes:
    offset = _start(offset, len(value))
    if offset >= len(value) or (offset + size > len(value) and not flags & PARTIAL):
        raise Refusal(ResultCode.PARAMETER)
    view = memoryview(value)
    return b"".join((view[:offset], view[offset + size :]))


def _combine(operator: Callable[[int, int], int]) -> Callable[[bytes, int, int, bytes, int], bytes]:
    """The handler that puts `operator(bits of the range, bits of the argument)` in the range."""

    def handler(value: bytes, offset: int, size: int, blob: bytes, flags: int) -> bytes:
        offset, size = _range(value, offset, size, flags)
        operand = _field(blob, 0, size)
        return _with_field(value, offset, size, operator(_field(value, offset, size), operand))

    return handler


def _replacement(field: int, operand: int) -> int:
    return operand


def _check_operand(offset: int, size: int, blob: bytes, flags: int) -> None:
    if size > len(blob) * 8:
        raise parameter_error("the argument is shorter than the range")


def _not(value: bytes, offset: int, size: int, flags: int) -> bytes:
    offset, size = _range(value, offset, size, flags)
    return _with_field(value, offset, size, _field(value, offset, size) ^ ((1 << size) - 1))


def _lshift(value: bytes, offset: int, size: int, shift: int, flags: int) -> bytes:
    offset, size = _range(value, offset, size, flags)
    kept = _field(value, offset + shift, size - shift) if shift < size else 0
    return _with_field(value, offset, size, kept << shift)


def _rshift(value: bytes, offset: int, size: int, shift: int, flags: int) -> bytes:
    offset, size = _range(value, offset, size, flags)
    kept = _field(value, offset, size - shift) if shift < size else 0
    return _with_field(value, offset, size, kept)


def _add(value: bytes, offset: int, size: int, number: int, flags: int, subflags: int) -> bytes:
    offset, size = _range(value, offset, size, 0)
    total = _sum(_field(value, offset, size), number, size, subflags)
    return _with_field(value, offset, size, total)


def _subtract(
    value: bytes, offset: int, size: int, number: int, flags: int, subflags: int
) -> bytes:
    offset, size = _range(value, offset, size, 0)
    if subflags & _SIGNED:
        total = _sum(_field(value, offset, size), -number, size, subflags)
    else:
        total = _difference(_field(value, offset, size), number, size, subflags)
    return _with_field(value, offset, size, total)


def _set_int(value: bytes, offset: int, size: int, number: int, flags: int) -> bytes:
    offset, size = _range(value, offset, size, 0)
    return _with_field(value, offset, size, number & ((1 << size) - 1))


def _sum(field: int, number: int, size: int, subflags: int) -> int:
    """field + number in `size` bits, by the overflow rule of the subflags."""
    mask, sign = (1 << size) - 1, 1 << (size - 1)
    number &= mask
    wrapped = (field + number) & mask
    if subflags & _SIGNED:
        # A sum of two negatives that wraps to exactly 0 is not seen as an overflow.
        negative = bool(field & number & sign)
        underflow = negative and 0 < wrapped < sign
        overflow = field < sign and number < sign and wrapped >= sign
        limit = sign if negative else sign - 1
    else:
        overflow, underflow, limit = field + number > mask, False, mask
    return _limited(wrapped, overflow or underflow, limit, subflags)


def _difference(field: int, number: int, size: int, subflags: int) -> int:
    """Unsigned field - number in `size` bits, by the overflow rule of the subflags."""
    mask = (1 << size) - 1
    number &= mask
    return _limited((field - number) & mask, field < number, 0, subflags)


def _limited(wrapped: int, out_of_range: bool, limit: int, subflags: int) -> int:
    if not out_of_range or subflags & _WRAP:
        return wrapped
    if subflags & _SATURATE:
        return limit
    raise Refusal(ResultCode.OP_NOT_APPLICABLE)


# ---------------------------------------------------------------------------- read handlers


def _get(value: bytes, offset: int, size: int) -> bytes:
    offset, size = _range(value, offset, size, 0)
    n_bytes = (size + 7) >> 3
    return (_field(value, offset, size) << (n_bytes * 8 - size)).to_bytes(n_bytes, "big")


def _count(value: bytes, offset: int, size: int) -> int:
    offset, size = _range(value, offset, size, 0)
    return _field(value, offset, size).bit_count()


def _lscan(value: bytes, offset: int, size: int, wanted: bool) -> int:
    offset, size = _range(value, offset, size, 0)
    field = _searched(value, offset, size, wanted)
    return size - field.bit_length() if field else -1


def _rscan(value: bytes, offset: int, size: int, wanted: bool) -> int:
    offset, size = _range(value, offset, size, 0)
    # The whole first byte is searched: a bit found before the range gives a negative position.
    before = offset & 7
    field = _searched(value, offset - before, before + size, wanted)
    return size - (field & -field).bit_length() if field else -1


def _searched(value: bytes, offset: int, size: int, wanted: bool) -> int:
    """The range with ones where `wanted` stands."""
    field = _field(value, offset, size)
    return field if wanted else field ^ ((1 << size) - 1)


def _get_int(value: bytes, offset: int, size: int, subflags: int) -> int:
    offset, size = _range(value, offset, size, 0)
    field = _field(value, offset, size)
    # What fills all 64 bits comes out signed either way, as integers are.
    if (subflags & _SIGNED or size == 64) and field >> (size - 1):
        field -= 1 << size
    return field


# ---------------------------------------------------------------------------- the tables

_BIT_RANGE = (_bit_offset, _bit_size)
_INTEGER_RANGE = (_bit_offset, _integer_size)
_OPERAND = (*_BIT_RANGE, _bytes)
_SHIFT = (*_BIT_RANGE, _shift)
_ARITHMETIC = (*_INTEGER_RANGE, op_table.integer)

Modify = Operation[Callable[..., bytes]]
Read = Operation[Callable[..., Value]]

MODIFIES: Mapping[int, Modify] = MappingProxyType(
    {
        0: Operation("resize", _resize, (_new_size,), (_CREATE_FLAGS, _resize_subflags)),
        1: Operation("insert", _insert, (_byte_offset, _bytes), (_CREATE_FLAGS,)),
        2: Operation("remove", _remove, (_byte_offset, _byte_size), (_RANGE_FLAGS,)),
        3: Operation(
            "set", _combine(lambda _, bits: bits), _OPERAND, (_RANGE_FLAGS,), _check_operand
        ),
        4: Operation("or", _combine(int.__or__), _OPERAND, (_RANGE_FLAGS,), _check_operand),
        5: Operation("xor", _combine(int.__xor__), _OPERAND, (_RANGE_FLAGS,), _check_operand),
        6: Operation("and", _combine(int.__and__), _OPERAND, (_RANGE_FLAGS,), _check_operand),
        7: Operation("not", _not, _BIT_RANGE, (_RANGE_FLAGS,)),
        8: Operation("lshift", _lshift, _SHIFT, (_RANGE_FLAGS,)),
        9: Operation("rshift", _rshift, _SHIFT, (_RANGE_FLAGS,)),
        10: Operation("add", _add, _ARITHMETIC, (_INTEGER_FLAGS, _arithmetic_subflags)),
        11: Operation("subtract", _subtract, _ARITHMETIC, (_INTEGER_FLAGS, _arithmetic_subflags)),
        12: Operation("set_int", _set_int, _ARITHMETIC, (_INTEGER_FLAGS,)),
    }
)

READS: Mapping[int, Read] = MappingProxyType(
    {
        50: Operation("get", _get, _BIT_RANGE),
        51: Operation("count", _count, _BIT_RANGE),
        52: Operation("lscan", _lscan, (*_BIT_RANGE, _bool)),
        53: Operation("rscan", _rscan, (*_BIT_RANGE, _bool)),
        54: Operation("get_int", _get_int, _INTEGER_RANGE, (_signed_subflag,)),
    }
)

_CREATORS = frozenset({"resize", "insert"})
