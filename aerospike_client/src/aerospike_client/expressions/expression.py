"""`Expression`: a typed tree that grows by Python's operators and is packed once.

An expression is immutable. Its `tree` is what `as_msgpack.pack` takes: a list `[code, argument,
...]` for an operation, anything else for a literal; a literal list stands in a QUOTE, since a bare
list would be an operation. Names (of bins, of variables) are strings without a type byte.

Everything is checked when the expression is built, where the mistake is in the traceback, and not
by a server that can only answer "parameter error". Three things make that possible: each type of
value is a class, with the operators that make sense for it; `of` takes operands in and says what
would be right; `free` and `bound` carry along which variables are used and which are defined.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, NoReturn, Self, TypeVar

from aerospike_client.errors import InvalidParameter
from aerospike_client.expressions.codes import Code, ExpType
from aerospike_client.expressions.explain import describe
from aerospike_client.values import to_element
from aerospike_common import as_msgpack

SIZE_MAX: Final = 1 << 20
"""Bytes; the server refuses expressions of that size."""


class ExpressionError(InvalidParameter):
    """An expression that no server would take. The text says what would be right."""


class Expression(ABC):
    """An expression of one type; made by the functions and operators of this package."""

    __slots__ = ("bound", "free", "tree")

    TYPE: ClassVar[ExpType]

    #: As `as_msgpack.pack` takes it. Never changed.
    tree: Any
    #: The variables that are used and not defined inside, by name.
    free: Mapping[str, ExpType]
    #: The variables that are defined inside.
    bound: frozenset[str]

    def __init__(self, value: Any) -> None:
        """A literal."""
        _settle(self, self._literal(value), NO_VARIABLES, frozenset())

    @classmethod
    @abstractmethod
    def _literal(cls, value: Any) -> Any:
        """The tree of a literal of this class. Raises ExpressionError for another type."""

    @classmethod
    def of(cls, value: object) -> Self:
        """`value` as an operand of this type: an expression, a bin or a literal.

        Raises ExpressionError when it is of another type.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, Expression):
            raise ExpressionError(
                f"{cls.__name__} is wanted here, and this is {type(value).__name__}:"
                f" {value!r}{_advice(cls.TYPE, value.TYPE)}"
            )
        if isinstance(value, Untyped):
            return value.as_type(cls)
        return cls(value)

    def compile(self) -> bytes:
        """The wire form. O(size).

        Raises ExpressionError when a variable is not defined, or for 1 MiB and more.
        """
        if self.free:
            names = ", ".join(self.free)
            raise ExpressionError(f"not defined by any let(): {names}")
        try:
            data = as_msgpack.pack(self.tree)
        except OverflowError:
            raise ExpressionError("integers have 64 signed bits at most") from None
        if len(data) >= SIZE_MAX:
            raise ExpressionError(f"{len(data)} bytes; the server takes less than {SIZE_MAX}")
        return data

    def __bytes__(self) -> bytes:
        return self.compile()

    def to_base64(self) -> str:
        """The wire form as text, as info commands and configuration files take it."""
        return base64.b64encode(self.compile()).decode("ascii")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {describe(self.tree)}>"

    def __bool__(self) -> NoReturn:
        raise ExpressionError(
            "an expression is neither true nor false in Python: join with & | ~ instead of and, or,"
            " not; put each comparison in parentheses; write (a < b) & (b < c) for a < b < c"
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an expression does not change")

    def __hash__(self) -> NoReturn:
        raise TypeError("expressions are not hashable: == compares on the server, not in Python")

    def __contains__(self, _value: object) -> NoReturn:
        raise ExpressionError("Python's `in` gives true or false: use .contains(value)")

    def __iter__(self) -> NoReturn:
        raise ExpressionError("an expression is computed on the server and has no elements here")


NO_VARIABLES: Final[Mapping[str, ExpType]] = MappingProxyType({})

E = TypeVar("E", bound=Expression)


class Untyped(ABC):
    """Something whose type its surroundings say: a bin."""

    __slots__ = ()

    @abstractmethod
    def as_type(self, type_: type[E]) -> E:
        """It, as of this type."""


def build(result: type[E], code: int, *arguments: object) -> E:
    """The operation `[code, argument, ...]`; arguments are expressions or trees."""
    tree: list[Any] = [int(code)]
    tree += [each.tree if isinstance(each, Expression) else each for each in arguments]
    return made(result, tree, arguments)


def made(
    result: type[E],
    tree: Any,
    operands: tuple[object, ...] = (),
    defines: Mapping[str, ExpType] = NO_VARIABLES,
) -> E:
    """An expression of a ready tree. `operands` are those among which its variables are looked for;
    `defines` are the ones it defines itself."""
    free: dict[str, ExpType] = {}
    bound = frozenset(defines)
    for operand in operands:
        if isinstance(operand, Expression) and (operand.free or operand.bound):
            twice = operand.bound & frozenset(defines)
            if twice:
                raise ExpressionError(
                    f"{min(twice)} is defined inside of another {min(twice)}: rename one of them"
                )
            bound |= operand.bound
            for name, type_ in operand.free.items():
                _same_type(name, type_, defines.get(name, free.get(name, type_)))
                if name not in defines:
                    free[name] = type_
    expression = result.__new__(result)
    _settle(expression, tree, MappingProxyType(free) if free else NO_VARIABLES, bound)
    return expression


def _settle(
    expression: Expression, tree: Any, free: Mapping[str, ExpType], bound: frozenset[str]
) -> None:
    put = object.__setattr__
    put(expression, "tree", tree)
    put(expression, "free", free)
    put(expression, "bound", bound)


def _same_type(name: str, one: ExpType, other: ExpType) -> None:
    if one is not other:
        raise ExpressionError(
            f"the variable {name} is used as {one.name} and is {other.name} elsewhere"
        )


def _advice(wanted: ExpType, given: ExpType) -> str:
    advice = {
        (ExpType.FLOAT, ExpType.INT): "convert it with .to_float()",
        (ExpType.INT, ExpType.FLOAT): "convert it with .to_int()",
        (
            ExpType.BOOL,
            ExpType.INT,
        ): "compare it, in parentheses, as in (a > 0)",
    }.get((wanted, given))
    return f"; {advice}" if advice else ""


def name_tree(name: str, what: str, size_max: int) -> str:
    """A name as the wire has it. Raises ExpressionError for one that no server takes."""
    if not isinstance(name, str):
        raise ExpressionError(f"{what} is named by a str, not {type(name).__name__}: {name!r}")
    size = len(name.encode())
    if not 0 < size <= size_max or "\0" in name:
        raise ExpressionError(f"{what}'s name has 1 to {size_max} bytes and no NUL: {name!r}")
    return name


def argument(value: Any) -> Any:
    """The tree of an argument of a call: an expression's, or that of any literal."""
    if isinstance(value, Expression):
        return value.tree
    if isinstance(value, Untyped):
        raise ExpressionError(f"which type has {value!r} here? write {value!r}.int() or the like")
    literal = to_element(value)
    return [int(Code.QUOTE), literal] if type(literal) is list else literal
