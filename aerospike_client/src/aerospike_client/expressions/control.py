"""Expressions that choose, name and combine others, and those of paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from aerospike_client.expressions.bins import class_of
from aerospike_client.expressions.codes import Code, ExpType, LoopVariable
from aerospike_client.expressions.expression import (
    E,
    Expression,
    ExpressionError,
    Untyped,
    build,
    made,
)
from aerospike_client.expressions.scalars import Bool, Float, Int, Number

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def literal(value: object) -> Expression:
    """A Python value as an expression of its type."""
    return class_of(value)(value)


def unknown() -> Bool:
    """What cannot be computed: a filter that gives it is false, an operation fails.

    In `cond()` it may stand for a value of any type.
    """
    return build(Bool, Code.UNKNOWN)


def exclusive(*conditions: Bool | Untyped | bool) -> Bool:
    """Whether exactly one of at least two conditions is true."""
    _at_least(2, conditions, "exclusive() takes conditions")
    return build(Bool, Code.EXCLUSIVE, *map(Bool.of, conditions))


def all_of(*conditions: Bool | Untyped | bool) -> Bool:
    """Whether all of at least two conditions are true; `&` for many."""
    _at_least(2, conditions, "all_of() takes conditions")
    return build(Bool, Code.AND, *map(Bool.of, conditions))


def any_of(*conditions: Bool | Untyped | bool) -> Bool:
    """Whether any of at least two conditions is true; `|` for many."""
    _at_least(2, conditions, "any_of() takes conditions")
    return build(Bool, Code.OR, *map(Bool.of, conditions))


def minimum(*numbers: Number[Any] | Untyped | float) -> Any:
    """The least of numbers of one type: an `Int` or a `Float`."""
    return _of_numbers(Code.MIN, numbers)


def maximum(*numbers: Number[Any] | Untyped | float) -> Any:
    """The greatest of numbers of one type: an `Int` or a `Float`."""
    return _of_numbers(Code.MAX, numbers)


def _of_numbers(code: Code, numbers: tuple[object, ...]) -> Any:
    _at_least(1, numbers, "numbers are wanted")
    typed = [class_of(each) for each in numbers if not isinstance(each, Untyped)]
    if not typed:
        raise ExpressionError(f"say the type of one of them, as in {numbers[0]!r}.int()")
    type_ = Float if Float in typed and not any(_is_int(each) for each in numbers) else typed[0]
    if type_ not in (Int, Float):
        raise ExpressionError(f"numbers are wanted, not {type_.__name__}")
    return build(type_, code, *map(type_.of, numbers))


def _is_int(value: object) -> bool:
    return isinstance(value, Int)


def cond(type_: type[E], *cases: tuple[Bool | Untyped | bool, object], otherwise: object) -> E:
    """The value of the first case whose condition is true.

    `cond(Str, (Bin("age") < 18, "minor"), otherwise="adult")`. Values are of `type_` or
    `unknown()`; an unknown condition makes the whole unknown.
    """
    _at_least(1, cases, "cond() takes cases, each a pair of a condition and a value")
    operands: list[Expression] = []
    for condition, value in cases:
        operands += (Bool.of(condition), _case_value(type_, value))
    return build(type_, Code.COND, *operands, _case_value(type_, otherwise))


def _case_value(type_: type[E], value: object) -> Expression:
    if isinstance(value, Expression) and value.tree == [Code.UNKNOWN]:
        return value
    return type_.of(value)


def var(name: str, type_: type[E]) -> E:
    """The variable that a `let` around defines."""
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        raise ExpressionError(f"a variable is named by letters, digits and _, not {name!r}")
    expression = build(type_, Code.VAR, name)
    object.__setattr__(expression, "free", {name: type_.TYPE})
    return expression


def let(variables: Mapping[str, object], body: E) -> E:
    """`body`, with variables that are computed once.

    `let({"n": Bin("a").int() * 2}, (var("n", Int) > 5) & (var("n", Int) < 9))`. A definition may
    use the ones before it; values are expressions or literals.
    """
    _at_least(1, tuple(variables), "let() takes variables")
    if not isinstance(body, Expression):
        raise ExpressionError(f"let() takes an expression, not {type(body).__name__}: {body!r}")
    tree: list[Any] = [int(Code.LET)]
    operands: list[Expression] = []
    defined: dict[str, ExpType] = {}
    for name, value in variables.items():
        expression = value if isinstance(value, Expression) else literal(value)
        var(name, type(expression))
        late = expression.free.keys() & (variables.keys() - defined.keys())
        if late:
            raise ExpressionError(f"{name} uses {min(late)}, which is defined after it")
        tree += (name, expression.tree)
        operands.append(expression)
        defined[name] = expression.TYPE
    return made(type(body), [*tree, body.tree], (*operands, body), defined)


# -- on a path ------------------------------------------------------------------------------------


def element_key(type_: type[E]) -> E:
    """In a path: the key of the element at hand, which lies in a map."""
    return build(type_, Code.LOOP_VARIABLE, int(type_.TYPE), int(LoopVariable.KEY))


def element_value(type_: type[E]) -> E:
    """In a path: the element at hand; unknown when it is of another type."""
    return build(type_, Code.LOOP_VARIABLE, int(type_.TYPE), int(LoopVariable.VALUE))


def element_index() -> Int:
    """In a path: the place of the element at hand."""
    return build(Int, Code.LOOP_VARIABLE, int(ExpType.INT), int(LoopVariable.INDEX))


def remove_element() -> Removal:
    """What `Path.apply` and `paths.modify` take to remove the elements of a path."""
    return build(Removal, Code.REMOVE_RESULT)


class Removal(Expression):
    """No value, an order; so it stands alone and in no other expression."""

    __slots__ = ()
    TYPE = ExpType.NIL

    @classmethod
    def _literal(cls, value: Any) -> Any:
        raise ExpressionError("use remove_element()")


def _at_least(count: int, given: tuple[object, ...], text: str) -> None:
    if len(given) < count:
        raise ExpressionError(f"{text}: at least {count}, not {len(given)}")
