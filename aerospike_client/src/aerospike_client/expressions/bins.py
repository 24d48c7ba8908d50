"""`Bin`: a bin of the record, whose type is said or follows from what it is compared with."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, NoReturn, Protocol, overload

from aerospike_client.expressions.blobs import Blob
from aerospike_client.expressions.codes import Code, ExpType
from aerospike_client.expressions.containers import List, Map
from aerospike_client.expressions.expression import (
    E,
    Expression,
    ExpressionError,
    Untyped,
    build,
    name_tree,
)
from aerospike_client.expressions.scalars import Bool, Float, Geo, Int, Nil
from aerospike_client.expressions.sketches import Hll
from aerospike_client.expressions.texts import Str
from aerospike_common import AsGeojson

BIN_NAME_MAX: Final = 15
"""Bytes of a bin's name."""

CLASSES: Final[Mapping[ExpType, type[Expression]]] = MappingProxyType(
    {each.TYPE: each for each in (Nil, Bool, Int, Float, Str, Blob, List, Map, Geo, Hll)}
)


def class_of(value: object) -> type[Expression]:
    """The class of an expression, or of the literal that `value` would be."""
    match value:
        case Expression():
            return CLASSES[value.TYPE]
        case None:
            return Nil
        case bool():
            return Bool
        case int():
            return Int
        case float():
            return Float
        case str():
            return Str
        case bytes() | bytearray() | memoryview():
            return Blob
        case list() | tuple():
            return List
        case AsGeojson():
            return Geo
        case Mapping():
            return Map
        case Untyped():
            raise ExpressionError(
                f"the type of neither is known: write {value!r}.int() or the like"
            )
        case _:
            raise ExpressionError(f"no expression has the type {type(value).__name__}: {value!r}")


class _Calculation(Protocol):
    """Integers give an integer, doubles a double."""

    @overload
    def __call__(self, other: int | Int, /) -> Int: ...
    @overload
    def __call__(self, other: float | Float, /) -> Float: ...


class _IntCalculation(Protocol):
    """Integers give an integer."""

    def __call__(self, other: int | Int, /) -> Int: ...


class _BitCalculation(Protocol):
    """Integers give an integer, conditions a condition."""

    @overload
    def __call__(self, other: Bool, /) -> Bool: ...
    @overload
    def __call__(self, other: int | Int, /) -> Int: ...


def _calculation(function: Callable[[Any, Any], Any], *, reflected: bool = False) -> Any:
    """The method that takes the bin as of its operand's type and calculates."""

    def calculate(bin_: Bin, other: object) -> Any:
        typed = bin_._like(other)
        return function(other, typed) if reflected else function(typed, other)

    return calculate


class Bin(Untyped):
    """A bin of the record, unknown when missing or of another type than asked for.

    Compared or calculated with something of a type, it is taken as of that type:
    `Bin("age") >= 21` is `Bin("age").int() >= Int(21)`. Otherwise a method says the type.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """ExpressionError for a name that no bin can have."""
        self.name = name_tree(name, "a bin", BIN_NAME_MAX)

    def as_type(self, type_: builtins.type[E]) -> E:
        """The bin's value, as of this type."""
        return build(type_, Code.BIN, int(type_.TYPE), self.name)

    def _like(self, other: object) -> Any:
        return self.as_type(class_of(other))

    # -- of a type

    def bool(self) -> Bool:
        """A boolean."""
        return self.as_type(Bool)

    def int(self) -> Int:
        """An integer."""
        return self.as_type(Int)

    def float(self) -> Float:
        """A double."""
        return self.as_type(Float)

    def str(self) -> Str:
        """Text."""
        return self.as_type(Str)

    def blob(self) -> Blob:
        """Bytes."""
        return self.as_type(Blob)

    def list(self) -> List:
        """A list."""
        return self.as_type(List)

    def map(self) -> Map:
        """A map."""
        return self.as_type(Map)

    def geo(self) -> Geo:
        """A place or a region."""
        return self.as_type(Geo)

    def hll(self) -> Hll:
        """A HyperLogLog sketch."""
        return self.as_type(Hll)

    # -- whatever its type

    def type(self) -> Int:
        """The particle type of its value (`aerospike_common.wire.ParticleType`); 0 when missing."""
        return build(Int, Code.BIN_TYPE, self.name)

    def exists(self) -> Bool:
        """Whether the record has the bin."""
        return self.type() != 0

    # -- of the type of what stands beside it

    def __eq__(self, other: object) -> Bool:  # type: ignore[override]  # builds, does not compare
        result: Bool = self._like(other) == other
        return result

    def __ne__(self, other: object) -> Bool:  # type: ignore[override]  # builds, does not compare
        result: Bool = self._like(other) != other
        return result

    def __lt__(self, other: object) -> Bool:
        result: Bool = self._like(other) < other
        return result

    def __le__(self, other: object) -> Bool:
        result: Bool = self._like(other) <= other
        return result

    def __gt__(self, other: object) -> Bool:
        result: Bool = self._like(other) > other
        return result

    def __ge__(self, other: object) -> Bool:
        result: Bool = self._like(other) >= other
        return result

    __add__: ClassVar[_Calculation] = _calculation(operator.add)
    __radd__: ClassVar[_Calculation] = _calculation(operator.add, reflected=True)
    __sub__: ClassVar[_Calculation] = _calculation(operator.sub)
    __rsub__: ClassVar[_Calculation] = _calculation(operator.sub, reflected=True)
    __mul__: ClassVar[_Calculation] = _calculation(operator.mul)
    __rmul__: ClassVar[_Calculation] = _calculation(operator.mul, reflected=True)
    __truediv__: ClassVar[_Calculation] = _calculation(operator.truediv)
    __rtruediv__: ClassVar[_Calculation] = _calculation(operator.truediv, reflected=True)
    __mod__: ClassVar[_IntCalculation] = _calculation(operator.mod)
    __rmod__: ClassVar[_IntCalculation] = _calculation(operator.mod, reflected=True)
    __lshift__: ClassVar[_IntCalculation] = _calculation(operator.lshift)
    __rshift__: ClassVar[_IntCalculation] = _calculation(operator.rshift)
    __and__: ClassVar[_BitCalculation] = _calculation(operator.and_)
    __rand__: ClassVar[_BitCalculation] = _calculation(operator.and_, reflected=True)
    __or__: ClassVar[_BitCalculation] = _calculation(operator.or_)
    __ror__: ClassVar[_BitCalculation] = _calculation(operator.or_, reflected=True)
    __xor__: ClassVar[_BitCalculation] = _calculation(operator.xor)
    __rxor__: ClassVar[_BitCalculation] = _calculation(operator.xor, reflected=True)

    def is_in(self, values: Any) -> Bool:
        """Whether the value is one of these literals, which are all of one type."""
        classes = {class_of(value) for value in values}
        if len(classes) != 1:
            raise ExpressionError(f"say the type of {self!r}, as in {self!r}.int().is_in(...)")
        result: Bool = self._like(next(iter(values))).is_in(values)
        return result

    def __repr__(self) -> builtins.str:
        return f"Bin({self.name!r})"

    def __hash__(self) -> NoReturn:
        raise TypeError("bins are not hashable: == compares on the server, not in Python")

    def __bool__(self) -> NoReturn:
        raise ExpressionError(
            f"{self!r} is neither true nor false in Python: join with & | ~, and write"
            f" {self!r}.bool() for its value"
        )
