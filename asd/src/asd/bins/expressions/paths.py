"""Expressions inside path operations, evaluated once for every element the path reaches.

The loop variables (op code 122) stand for the element at hand: its map key, its value, its index.
The record is seen as in any other expression.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from asd.bins.cdt import path
from asd.bins.expressions.record import RecordView
from asd.bins.expressions.values import REMOVE, UNKNOWN, to_element

if TYPE_CHECKING:
    from asd.bins.expressions.expression import Expression

PATH_DEPTH: Final = 16
"""What one path operation inside another adds to the depth of the expression inside it: the walk
through the collection takes its share of the interpreter's stack."""


LOOK_EVERY: Final = 1024
"""Elements between two looks at the clock."""


class ElementExpression:
    """A path expression over the elements of one record (`asd.bins.cdt.PathExpression`)."""

    __slots__ = ("_expression", "_left", "_record")

    def __init__(self, expression: Expression, record: RecordView) -> None:
        self._expression = expression
        self._record = record
        self._left = LOOK_EVERY

    def evaluate(self, key: Any, value: Any, index: int | None) -> Any:
        """The result as an element; `path.UNKNOWN` and `path.REMOVE` where it is none.

        `key` is None in a list, `index` in a map; a variable that is None is unknown. Raises
        OutOfTime.
        """
        self._left -= 1
        if not self._left:
            self._left = LOOK_EVERY
            self._record.look()
        expression = self._expression
        result = expression.evaluate_element(self._record, key, value, index)
        if result is UNKNOWN:
            return path.UNKNOWN
        if result is REMOVE:
            return path.REMOVE
        return to_element(expression.result_type, result)


class RecordPaths:
    """Compiles path expressions for one record (`asd.bins.cdt.PathCompiler`).

    `build` gives the expression of a wire form: `ExpressionCache.path`, or `PathMemory.build`.
    """

    __slots__ = ("_build", "_record")

    def __init__(self, record: RecordView, build: Callable[[bytes], Expression]) -> None:
        self._record = record
        self._build = build

    def compile(self, wire: bytes) -> ElementExpression:
        """The expression of these bytes; `OperationError` PARAMETER when it is none."""
        return ElementExpression(self._build(wire), self._record)


class PathMemory:
    """The path expressions of one call, each built when the call first meets it.

    What a call can meet is written in its op list, so the memory is no larger than that.
    """

    __slots__ = ("_depth", "_expressions")

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._expressions: dict[bytes, Expression] = {}

    def build(self, wire: bytes) -> Expression:
        """The expression of a wire form inside the call; `OperationError` when it is none."""
        expression = self._expressions.get(wire)
        if expression is None:
            # The two modules need each other: a path expression may hold calls with paths.
            from asd.bins.expressions.compiler import decode
            from asd.bins.expressions.expression import Expression

            expression = Expression(decode(wire), in_path=True, depth=self._depth)
            self._expressions[wire] = expression
        return expression
