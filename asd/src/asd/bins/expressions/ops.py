"""EXP_READ and EXP_MODIFY: expressions as operations of a command.

The op's value is [expression] or [expression, flags], see `payload`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins.expressions.cache import ExpressionCache, Operands
from asd.bins.expressions.expression import Expression
from asd.bins.expressions.record import RecordView
from asd.bins.expressions.values import REMOVE, UNKNOWN, Value, to_particle
from asd.bins.particle import Particle


class Flag(IntEnum):
    """The flags beside the expression."""

    CREATE_ONLY = 1
    UPDATE_ONLY = 2
    ALLOW_DELETE = 4
    POLICY_NO_FAIL = 8
    EVAL_NO_FAIL = 16


READ_FLAGS: Final = int(Flag.EVAL_NO_FAIL)
MODIFY_FLAGS: Final = 0x1F


def read(record: RecordView, payload: bytes, cache: ExpressionCache) -> Particle | None:
    """The value of an expression; None when it is nil, or unknown under EVAL_NO_FAIL.

    `OperationError`: PARAMETER for a bad expression or flag, OP_NOT_APPLICABLE for unknown.
    """
    expression, flags = _operands(payload, cache, READ_FLAGS)
    value = expression.evaluate(record)
    if value is UNKNOWN or value is REMOVE:
        _refuse_unless(flags & Flag.EVAL_NO_FAIL, ResultCode.OP_NOT_APPLICABLE)
        return None
    return None if value is None else to_particle(expression.result_type, value)


def modify(
    record: RecordView, current: Particle | None, payload: bytes, cache: ExpressionCache
) -> Particle | None:
    """The bin after the expression's value was written to it, None = no bin.

    `current` is the bin before. `OperationError`: PARAMETER for a bad expression or flag,
    BIN_EXISTS and BIN_NOT_FOUND as CREATE_ONLY and UPDATE_ONLY forbid, OP_NOT_APPLICABLE for
    unknown, or for nil on a bin that may not be deleted.
    """
    expression, flags = _operands(payload, cache, MODIFY_FLAGS)
    if flags & Flag.CREATE_ONLY and current is not None:
        _refuse_unless(flags & Flag.POLICY_NO_FAIL, ResultCode.BIN_EXISTS)
        return current
    if flags & Flag.UPDATE_ONLY and current is None:
        _refuse_unless(flags & Flag.POLICY_NO_FAIL, ResultCode.BIN_NOT_FOUND)
        return current
    value = expression.evaluate(record)
    if value is UNKNOWN or value is REMOVE:
        _refuse_unless(flags & Flag.EVAL_NO_FAIL, ResultCode.OP_NOT_APPLICABLE)
        return current
    return _written(expression, value, current, flags)


def _written(
    expression: Expression, value: Value, current: Particle | None, flags: int
) -> Particle | None:
    if value is not None:
        return to_particle(expression.result_type, value)
    if flags & Flag.ALLOW_DELETE:
        return None
    # Any flag at all turns this refusal into a no-op.
    if current is not None:
        _refuse_unless(flags, ResultCode.OP_NOT_APPLICABLE)
    return current


def _refuse_unless(excused: int, code: ResultCode) -> None:
    if not excused:
        raise OperationError(code)


def _operands(payload: bytes, cache: ExpressionCache, allowed: int) -> Operands:
    operands = cache.operands(payload)
    if operands.flags & ~allowed:
        raise OperationError(ResultCode.PARAMETER, "no such flag")
    return operands
