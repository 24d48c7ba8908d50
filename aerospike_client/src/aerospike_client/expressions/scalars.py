"""Expressions of scalars: nil, booleans, numbers, places.

Chains of one associative operation become one operation with many operands, as the official
clients make them: `a & b & c` is `and(a, b, c)`. On the right side a chain is only opened where the
result stays the same to the bit: `a - (b - c)` keeps its parentheses, and so does a sum of doubles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, NoReturn, Self, TypeVar

from aerospike_client.expressions.codes import Code, ExpType
from aerospike_client.expressions.expression import (
    Expression,
    ExpressionError,
    Untyped,
    argument,
    build,
    made,
)
from aerospike_common import as_msgpack

L = TypeVar("L")
T = TypeVar("T", bound=Expression)

_EXACT_IN_DOUBLE: Final = 1 << 53
_INT_MIN: Final = -(1 << 63)
_INT_MAX: Final = (1 << 63) - 1


def chain(code: Code, left: T, right: T, *, open_right: bool = True) -> T:
    """`left code right` as one flat operation."""
    tree = [int(code), *_operands(code, left.tree)]
    tree += _operands(code, right.tree) if open_right else [right.tree]
    return made(type(left), tree, (left, right))


def _operands(code: Code, tree: Any) -> list[Any]:
    opened = type(tree) is list and tree[0] == code and len(tree) > 2
    return tree[1:] if opened else [tree]


class Ordered(Expression, Generic[L]):
    """An expression of a type that is compared. `L` is the type of its literals in Python."""

    __slots__ = ()

    def __lt__(self, other: Self | Untyped | L) -> Bool:
        return build(Bool, Code.LT, self, self.of(other))

    def __le__(self, other: Self | Untyped | L) -> Bool:
        return build(Bool, Code.LE, self, self.of(other))

    def __gt__(self, other: Self | Untyped | L) -> Bool:
        return build(Bool, Code.GT, self, self.of(other))

    def __ge__(self, other: Self | Untyped | L) -> Bool:
        return build(Bool, Code.GE, self, self.of(other))

    def __eq__(  # type: ignore[override]  # it builds a comparison and does not compare
        self, other: Self | Untyped | L
    ) -> Bool:
        return build(Bool, Code.EQ, self, self.of(other))

    def __ne__(  # type: ignore[override]  # it builds a comparison and does not compare
        self, other: Self | Untyped | L
    ) -> Bool:
        return build(Bool, Code.NE, self, self.of(other))

    __hash__ = Expression.__hash__

    def is_in(self, values: Expression | Untyped | Sequence[L]) -> Bool:
        """Whether the value is one of a list's. Servers from 8.1.1.

        `values` are literals or a list expression.
        """
        if isinstance(values, Expression) and values.TYPE is not ExpType.LIST:
            raise ExpressionError(f"is_in() takes a list, not {type(values).__name__}: {values!r}")
        tree = [int(Code.IN_LIST), self.tree, argument(values)]
        return made(Bool, tree, (self, values))


class Nil(Ordered[None]):
    """Nothing: what removes a bin, or equals a missing value in a list."""

    __slots__ = ()
    TYPE = ExpType.NIL

    def __init__(self, value: None = None) -> None:
        super().__init__(value)

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if value is not None:
            raise wrong(cls, "None", value)
        return None


class Bool(Ordered[bool]):
    """True, false or, inside the server, unknown."""

    __slots__ = ()
    TYPE = ExpType.BOOL

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if type(value) is not bool:
            raise wrong(cls, "bool", value)
        return value

    def __and__(self, other: Bool | Untyped | bool) -> Bool:
        return chain(Code.AND, self, Bool.of(other))

    def __rand__(self, other: Untyped | bool) -> Bool:
        return Bool.of(other) & self

    def __or__(self, other: Bool | Untyped | bool) -> Bool:
        return chain(Code.OR, self, Bool.of(other))

    def __ror__(self, other: Untyped | bool) -> Bool:
        return Bool.of(other) | self

    def __xor__(self, other: Bool | Untyped | bool) -> Bool:
        """Exactly one of the two. See `exclusive` for more than two."""
        return build(Bool, Code.EXCLUSIVE, self, Bool.of(other))

    def __rxor__(self, other: Untyped | bool) -> Bool:
        return Bool.of(other) ^ self

    def __invert__(self) -> Bool:
        return build(Bool, Code.NOT, self)


class Number(Ordered[L]):
    """An expression that is calculated with."""

    __slots__ = ()

    _SUMS_ARE_EXACT = False

    def __add__(self, other: Self | Untyped | L) -> Self:
        return chain(Code.ADD, self, self.of(other), open_right=self._SUMS_ARE_EXACT)

    def __radd__(self, other: Untyped | L) -> Self:
        return self.of(other) + self

    def __sub__(self, other: Self | Untyped | L) -> Self:
        return chain(Code.SUB, self, self.of(other), open_right=False)

    def __rsub__(self, other: Untyped | L) -> Self:
        return self.of(other) - self

    def __mul__(self, other: Self | Untyped | L) -> Self:
        return chain(Code.MUL, self, self.of(other), open_right=self._SUMS_ARE_EXACT)

    def __rmul__(self, other: Untyped | L) -> Self:
        return self.of(other) * self

    def __truediv__(self, other: Self | Untyped | L) -> Self:
        """Integers are divided as integers, towards zero; by zero is unknown.

        `a / b / c` is one division of `a` by the product of the others.
        """
        return chain(Code.DIV, self, self.of(other), open_right=False)

    def __rtruediv__(self, other: Untyped | L) -> Self:
        return self.of(other) / self

    def __neg__(self) -> Self:
        return build(type(self), Code.SUB, self)

    def __abs__(self) -> Self:
        return build(type(self), Code.ABS, self)


class Int(Number[int]):
    """A signed integer of 64 bits; sums and products wrap around."""

    __slots__ = ()
    TYPE = ExpType.INT
    _SUMS_ARE_EXACT = True

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong(cls, "int", value)
        if not _INT_MIN <= value <= _INT_MAX:
            raise ExpressionError(f"{value} does not fit into 64 signed bits")
        return int(value)

    def __mod__(self, other: Int | Untyped | int) -> Int:
        """The remainder; it has the dividend's sign, as in C. By zero is unknown."""
        return build(Int, Code.MOD, self, Int.of(other))

    def __rmod__(self, other: Untyped | int) -> Int:
        return Int.of(other) % self

    def __and__(self, other: Int | Untyped | int) -> Int:
        return chain(Code.INT_AND, self, Int.of(other))

    def __rand__(self, other: Untyped | int) -> Int:
        return Int.of(other) & self

    def __or__(self, other: Int | Untyped | int) -> Int:
        return chain(Code.INT_OR, self, Int.of(other))

    def __ror__(self, other: Untyped | int) -> Int:
        return Int.of(other) | self

    def __xor__(self, other: Int | Untyped | int) -> Int:
        return chain(Code.INT_XOR, self, Int.of(other))

    def __rxor__(self, other: Untyped | int) -> Int:
        return Int.of(other) ^ self

    def __invert__(self) -> Int:
        return build(Int, Code.INT_NOT, self)

    def __lshift__(self, bits: Int | Untyped | int) -> Int:
        return build(Int, Code.LSHIFT, self, Int.of(bits))

    def __rshift__(self, bits: Int | Untyped | int) -> Int:
        """The arithmetic shift, as in Python: the sign stays."""
        return build(Int, Code.ARSHIFT, self, Int.of(bits))

    def logical_rshift(self, bits: Int | Untyped | int) -> Int:
        """The shift that fills with zeros from the left."""
        return build(Int, Code.RSHIFT, self, Int.of(bits))

    def bit_count(self) -> Int:
        """How many bits are set."""
        return build(Int, Code.BIT_COUNT, self)

    def lscan(self, bit: Bool | bool) -> Int:
        """The first place of `bit`: 0 is the most significant, -1 nowhere."""
        return build(Int, Code.LSCAN, self, Bool.of(bit))

    def rscan(self, bit: Bool | bool) -> Int:
        """The last place of `bit`: 0 is the most significant, -1 nowhere."""
        return build(Int, Code.RSCAN, self, Bool.of(bit))

    def to_float(self) -> Float:
        """The same number as a double."""
        return build(Float, Code.TO_FLOAT, self)


class Float(Number[float]):
    """A double. Integer literals are taken where a double holds them exactly."""

    __slots__ = ()
    TYPE = ExpType.FLOAT

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if isinstance(value, float):
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(cls, "float", value)
        if abs(value) > _EXACT_IN_DOUBLE:
            raise ExpressionError(f"{value} is not exact as a double: write float({value})")
        return float(value)

    def __pow__(self, other: Float | Untyped | float) -> Float:
        return build(Float, Code.POW, self, Float.of(other))

    def __rpow__(self, other: Untyped | float) -> Float:
        return Float.of(other) ** self

    def __floordiv__(self, other: Float | Untyped | float) -> Float:
        return (self / other).floor()

    def log(self, base: Float | Untyped | float) -> Float:
        """The logarithm to `base`."""
        return build(Float, Code.LOG, self, Float.of(base))

    def __floor__(self) -> Float:
        return build(Float, Code.FLOOR, self)

    def __ceil__(self) -> Float:
        return build(Float, Code.CEIL, self)

    def floor(self) -> Float:
        """The next whole number below; a double."""
        return self.__floor__()

    def ceil(self) -> Float:
        """The next whole number above; a double."""
        return self.__ceil__()

    def to_int(self) -> Int:
        """The number without its fraction."""
        return build(Int, Code.TO_INT, self)


class Geo(Expression):
    """A place or region in GeoJSON: text, or what `json.dumps` makes it of. Not comparable."""

    __slots__ = ()
    TYPE = ExpType.GEO

    def __init__(self, value: str | Mapping[str, object]) -> None:
        super().__init__(value)

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if isinstance(value, str):
            return as_msgpack.GEOJSON + value
        if isinstance(value, Mapping):
            return as_msgpack.GEOJSON + json.dumps(value)
        raise wrong(cls, "GeoJSON text or dict", value)

    def within(self, region: Geo | Untyped | str | Mapping[str, object]) -> Bool:
        """Whether this place lies in `region` or, of two regions, one in the other."""
        return build(Bool, Code.CMP_GEO, self, Geo.of(region))

    def __eq__(self, other: object) -> NoReturn:
        raise ExpressionError("GeoJSON is not compared: use .within(region)")

    def __ne__(self, other: object) -> NoReturn:
        raise ExpressionError("GeoJSON is not compared: use ~a.within(region)")

    __hash__ = Expression.__hash__


def wrong(cls: type[Expression], wanted: str, value: object) -> ExpressionError:
    """The error of a literal that is of another type."""
    return ExpressionError(f"{cls.__name__} takes {wanted}, not {type(value).__name__}: {value!r}")
