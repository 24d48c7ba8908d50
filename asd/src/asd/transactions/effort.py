"""What a command will cost, estimated before it begins: from the sizes of its operands.

The unit is a byte of a list or map that an operation goes through and compares, which takes 20 to
150 ns. What is over `MOST` is heavy: it leaves the loop, which would be held for longer than it
takes to hand the record to another process (`bench/workers.py`: 0.15 ms of the loop's time for a
small record, 1 to 2 ms for a megabyte). The estimate may be
too high, which costs a fraction of a millisecond; where it is too low, the clock tells
(`Transaction.look`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import FieldType, OpType, ParticleType
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message, Op
from asd.bins.effort import MOST_BYTES
from asd.bins.expressions import Expression, ExpressionCache
from asd.records.record import find_bin, unpack_bins
from storage.engine import Record

MOST: Final = 1 << 15
"""The effort up to which a command is done where it stands."""

BIG_ARGUMENT: Final = 1024
"""Bytes of an op's value from which on it is looked at."""

MOST_OPS: Final = MOST // 64
"""Ops of a command that is done where it stands."""

BIG_EXPRESSION: Final = 4096
"""Bytes of an expression that take longer to compile than may be waited for."""

_AN_OP: Final = 64
"""What an operation costs besides."""

_A_BIN: Final = 16
"""What a bin costs that is unpacked and packed again."""

_EVEN: Final = 1 << 10
"""In so many parts each byte is counted below."""

_DECODES: Final = _EVEN >> 3
"""What an operation costs that finds its element without comparing: the bytes are decoded at most,
by C code."""

_COPIES: Final = _EVEN >> 7
"""What one costs that need not even do that."""

_PATH: Final = 16 * _EVEN
"""How many times as much an operation on a path costs, which asks an expression of each element."""

_HLL: Final = 2
"""The same of elements that are added to a sketch, each of which is hashed: 20 ns a byte of
strings, 150 of small integers."""

_BY_PLACE_OR_KEY: Final = frozenset(
    {*range(1, 11), 12, 17, 18, 19, 65, 67, 69, 73, 74, 76, 77, 97, 98}
)
"""Codes of operations on one element or a range of them, by index or key."""

_SIZE_OR_CLEAR: Final = frozenset({11, 16, 75, 96})
_APPENDS: Final = frozenset({1, 2})
_FLAGS: Final = b"\xc7\0"
"""What marks an ordered list or map, among the first bytes."""

_READ: Final = int(OpType.READ)
_REFUSED_IF_BIG: Final = frozenset(
    {int(OpType.WRITE), int(OpType.INCR), int(OpType.APPEND), int(OpType.PREPEND)}
)
_FILTER: Final = int(FieldType.FILTER)
_COLLECTION: Final = frozenset({int(OpType.CDT_READ), int(OpType.CDT_MODIFY)})
_SKETCH: Final = frozenset({int(OpType.HLL_READ), int(OpType.HLL_MODIFY)})
_EXPRESSION: Final = frozenset({int(OpType.EXP_READ), int(OpType.EXP_MODIFY)})
_BITS: Final = frozenset({int(OpType.BIT_READ), int(OpType.BIT_MODIFY)})
_GROW: Final = frozenset({int(OpType.APPEND), int(OpType.PREPEND)})
_PATH_MARK: Final = 0xFE
_CODE_SIZE: Final = 16
"""Bytes at the beginning of an op's value, in which its code is, however it is written."""

_RESIZES: Final = (b"\0", b"\1")
"""The codes of operations on blobs that resize, and insert."""

_DECODED: Final[Mapping[int, int]] = MappingProxyType(
    {ParticleType.LIST: 1, ParticleType.MAP: 1, ParticleType.GEOJSON: 4, ParticleType.HLL: 1}
)
"""How much of what is written is gone through, by particle type: others are kept as they are."""


def may_be_heavy(message: Message, record: Record | None) -> bool:
    """Is it worth an estimate? A first look, which most commands end."""
    ops = message.ops
    size = 0 if record is None else len(record[5])
    if size * (len(ops) + (_FILTER in message.fields)) > MOST:
        return True
    return len(message.fields.get(_FILTER, b"")) > BIG_ARGUMENT or any(
        len(op[3]) > BIG_ARGUMENT for op in ops
    )


def effort_of(
    message: Message,
    record: Record | None,
    expressions: ExpressionCache,
    most_bytes: int = MOST_BYTES,
) -> int:
    """What the filter and the ops of a command will cost, at most, on this record; `most_bytes` is
    what a value may have, and what has more is refused before anything is done with it."""
    payload = b"\0\0" if record is None else record[5] or b"\0\0"
    wire, effort = message.fields.get(_FILTER), 0
    if wire is not None:
        effort = effort_of_filter(wire, payload, expressions)
    ops = message.ops
    if len(ops) > MOST_OPS:
        return MOST + 1
    if ops and not any(len(op[3]) > most_bytes and op[0] in _REFUSED_IF_BIG for op in ops):
        effort += _effort_of_ops(ops, payload, expressions)
    return effort


def effort_of_filter(wire: bytes, payload: bytes, expressions: ExpressionCache) -> int:
    """What a filter will cost on a record."""
    if len(wire) > BIG_EXPRESSION:
        return MOST + 1
    try:
        return effort_on(expressions.filter(wire), payload)
    except OperationError:  # which the command is told when it comes to it
        return 0


def effort_on(expression: Expression, payload: bytes) -> int:
    """What an expression will cost on a record of these bins."""
    size = sum(len(found[1]) for name in expression.sized if (found := find_bin(payload, name)))
    return expression.effort(size)


def _effort_of_ops(ops: Sequence[Op], payload: bytes, expressions: ExpressionCache) -> int:
    bins = unpack_bins(payload)
    sizes = {name: len(value[1]) for name, value in bins.items()}
    plain = {name for name, value in bins.items() if _FLAGS not in value[1][:8]}
    effort = _AN_OP * len(ops) + _A_BIN * len(sizes)
    for op in ops:
        if op.type in _COLLECTION:
            effort += _effort_on_collection(op, sizes, op.name in plain)
        else:
            effort += _effort_of_op(op, sizes, expressions)
    return effort


def _effort_on_collection(op: Op, sizes: dict[bytes, int], plain: bool) -> int:
    """An operation on a list or map, which is not ordered if it is `plain`."""
    name, value, argument = op.name, op.value, len(op.value)
    size = sizes.get(name, 0)
    sizes[name] = size + argument
    weight = _weight(value, plain)
    return (size * weight + 4 * argument * _EVEN) // _EVEN + (size * argument >> 8)


def _weight(value: bytes, plain: bool) -> int:
    if _PATH_MARK in value[:_CODE_SIZE]:
        return _PATH
    code = value[1] if len(value) > 1 and (not value[0] or 0x90 < value[0] < 0xA0) else -1
    if code in _SIZE_OR_CLEAR or (plain and code in _APPENDS):
        return _COPIES
    return _DECODES if code in _BY_PLACE_OR_KEY else _EVEN


def _effort_of_op(op: Op, sizes: dict[bytes, int], expressions: ExpressionCache) -> int:
    """One op; `sizes` are those of the bins when it begins, and then when it ends."""
    kind, name, argument = op.type, op.name, len(op.value)
    size = sizes.get(name, 0)
    if kind == _READ:
        return 0
    if kind in _EXPRESSION:
        return _effort_of_expression(op, sizes, expressions)
    if kind in _BITS:
        if op.value[1:2] in _RESIZES:
            sizes[name] = size = MOST_BYTES
        return size
    if kind in _SKETCH:
        return size + _HLL * argument
    if kind in _GROW:
        sizes[name] = size + argument
        return size + argument >> 6
    sizes[name] = argument
    return _DECODED.get(op.particle_type, 0) * argument


def _effort_of_expression(op: Op, sizes: dict[bytes, int], expressions: ExpressionCache) -> int:
    if len(op.value) > BIG_EXPRESSION:
        return MOST + 1
    try:
        expression = expressions.operands(op.value).expression
    except OperationError:
        return 0
    size = sum(sizes.get(name, 0) for name in expression.sized) + len(op.value)
    if op.type == OpType.EXP_MODIFY:
        sizes[op.name] = min(size * expression.growth, MOST_BYTES)
    return expression.effort(size)
