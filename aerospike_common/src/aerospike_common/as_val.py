"""`AsVal`: what every value of the database has in common, above all its place in the order.

Values of all types stand in one total order, the one by which lists are sorted, map keys are kept
and intervals are cut. First comes the type (`Rank`), then the value within its type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, TypeAlias

import attrs

MAX_NESTING: Final = 128
"""Containers within containers, at most: how deep a value may go in or out of Python or msgpack.

Values may come from strangers and are walked by recursion; this keeps far from Python's own limit.
"""

OrderKey: TypeAlias = tuple[object, ...]
"""A plain tuple that compares as the value it was made from does. It begins with the `Rank`."""


class Rank(IntEnum):
    """The place of a type in the order of all values.

    >>> sorted([Rank.DOUBLE, Rank.LIST, Rank.NIL])
    [<Rank.NIL: 1>, <Rank.LIST: 5>, <Rank.DOUBLE: 8>]
    """

    NIL = 1
    BOOLEAN = 2
    INTEGER = 3
    STRING = 4
    LIST = 5
    MAP = 6
    BYTES = 7
    DOUBLE = 8
    GEOJSON = 9


class AsVal(ABC):  # noqa: PLW1641 - unhashable unless a type says otherwise: containers change
    """A value: nil, scalar, pair, list or map.

    Values compare with one another and with nothing else. Equality is that of the order: an
    integer never equals a double, a pair equals the list of its two members, a map equals another
    with the same content however either is kept.

    Plain Python goes in and out through `aerospike_common.as_python`, and nowhere else.

    >>> from aerospike_common.as_python import from_python
    >>> mixed = [from_python(v) for v in (b"", 1.5, {}, [], "a", 7, True, None)]
    >>> [type(v).__name__[2:] for v in sorted(mixed)]
    ['Nil', 'Boolean', 'Integer', 'String', 'Arraylist', 'Hashmap', 'Bytes', 'Double']
    """

    __slots__ = ()

    @abstractmethod
    def order_key(self) -> OrderKey:
        """The value as a tuple that compares the same way. O(size of the value)."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AsVal):
            return NotImplemented
        return self.order_key() == other.order_key()

    def __lt__(self, other: AsVal) -> bool:
        if not isinstance(other, AsVal):
            return NotImplemented
        return self.order_key() < other.order_key()

    def __le__(self, other: AsVal) -> bool:
        if not isinstance(other, AsVal):
            return NotImplemented
        return self.order_key() <= other.order_key()

    def __gt__(self, other: AsVal) -> bool:
        if not isinstance(other, AsVal):
            return NotImplemented
        return self.order_key() > other.order_key()

    def __ge__(self, other: AsVal) -> bool:
        if not isinstance(other, AsVal):
            return NotImplemented
        return self.order_key() >= other.order_key()


class AsScalar(AsVal):
    """A value without parts: immutable, and so hashable."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(self.order_key())


def order_key_of(value: AsVal) -> OrderKey:
    """`value.order_key()`: the key to sort values by, made once each."""
    return value.order_key()


def exactly(kind: type) -> Callable[[object, attrs.Attribute[Any], object], None]:
    """An attrs validator: the field is a `kind` and no subclass of it. Raises TypeError.

    So a bool is no integer, and an enum's member is none before it is converted.
    """

    def validate(instance: object, _attribute: attrs.Attribute[Any], value: object) -> None:
        if type(value) is not kind:
            raise TypeError(
                f"{type(instance).__name__} takes {kind.__name__}, not {type(value).__name__}"
            )

    return validate


def checked(value: object) -> AsVal:
    """`value` itself if it is an `AsVal`. Raises TypeError: containers hold nothing else."""
    if not isinstance(value, AsVal):
        raise TypeError(f"not an AsVal: {type(value).__name__}; see as_python.from_python")
    return value
