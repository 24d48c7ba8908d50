"""Operations on whole bins and on the record."""

from __future__ import annotations

from typing import Any, Final

from aerospike_client.commands.single import bin_name, touch_op, value_op
from aerospike_client.errors import InvalidParameter
from aerospike_client.operations.codes import ExpressionReadFlags, ExpressionWriteFlags
from aerospike_client.operations.operation import packed
from aerospike_client.values import BinValue
from aerospike_common.wire import Op, OpType

_WHOLE_RECORD: Final = b""


def read(bin: str) -> Op:
    """The bin's value; missing bins are left out of the answer."""
    return Op(OpType.READ, 0, bin_name(bin), b"")


def read_all() -> Op:
    """All bins."""
    return Op(OpType.READ, 0, _WHOLE_RECORD, b"")


def write(bin: str, value: BinValue) -> Op:
    """Put a value into the bin; None removes it."""
    return value_op(OpType.WRITE, bin, value)


def add(bin: str, amount: int | float) -> Op:
    """Add to a number; a missing bin starts as `amount`."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise InvalidParameter(f"a number is added, not {type(amount).__name__}: {amount!r}")
    return value_op(OpType.INCR, bin, amount)


def append(bin: str, value: str | bytes) -> Op:
    """Put text behind text, or bytes behind bytes."""
    return value_op(OpType.APPEND, bin, value)


def prepend(bin: str, value: str | bytes) -> Op:
    """Put text before text, or bytes before bytes."""
    return value_op(OpType.PREPEND, bin, value)


def touch() -> Op:
    """Renew the record's life, by the policy's ttl."""
    return touch_op()


def delete() -> Op:
    """Remove all bins; with nothing written after it in the same command, the record."""
    return Op(OpType.DELETE_ALL, 0, _WHOLE_RECORD, b"")


def read_expression(
    name: str, expression: Any, flags: ExpressionReadFlags = ExpressionReadFlags.DEFAULT
) -> Op:
    """The value of an expression, answered under a name that need not be a bin's."""
    return packed(OpType.EXP_READ, name, [tree_of(expression), int(flags)])


def write_expression(
    bin: str, expression: Any, flags: ExpressionWriteFlags = ExpressionWriteFlags.DEFAULT
) -> Op:
    """Put the value of an expression into the bin."""
    return packed(OpType.EXP_MODIFY, bin, [tree_of(expression), int(flags)])


def tree_of(expression: Any) -> Any:
    """An expression's tree. InvalidParameter for what is none, or uses an undefined variable."""
    if not hasattr(expression, "tree"):
        raise InvalidParameter(f"an expression is wanted, not {expression!r}: see literal()")
    if expression.free:
        raise InvalidParameter(f"not defined by any let(): {', '.join(expression.free)}")
    return expression.tree
