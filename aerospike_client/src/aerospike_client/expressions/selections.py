"""Selections: elements of a list or entries of a map, and what is wanted of them.

`Bin("scores").list().by_rank(-1)` selects; `.value(Int)`, `.index()`, `.exists()` and `.remove()`
say what for. The return types of the protocol are methods here, because each has a type of its own.
"""

from __future__ import annotations

from typing import Any, Generic, Self

from aerospike_client.expressions import containers
from aerospike_client.expressions.expression import E
from aerospike_client.expressions.receiver import C, Receiver
from aerospike_client.expressions.scalars import Bool, Int
from aerospike_client.operations.codes import INVERTED, MapReturnType

_NONE, _INDEX, _REVERSE_INDEX = MapReturnType.NONE, MapReturnType.INDEX, MapReturnType.REVERSE_INDEX
_RANK, _REVERSE_RANK, _COUNT = MapReturnType.RANK, MapReturnType.REVERSE_RANK, MapReturnType.COUNT
_KEY, _VALUE, _EXISTS = MapReturnType.KEY, MapReturnType.VALUE, MapReturnType.EXISTS


class Selection(Generic[C]):
    """What is common to all selections."""

    __slots__ = ("_arguments", "_get", "_inverted", "_receiver", "_remove")

    def __init__(
        self, receiver: Receiver[C], get: int, remove: int, arguments: tuple[object, ...]
    ) -> None:
        self._receiver = receiver
        self._get = get
        self._remove = remove
        self._arguments = arguments
        self._inverted = 0

    def _read(self, result: type[E], returning: int) -> E:
        return self._receiver.read(result, self._get, returning | self._inverted, *self._arguments)

    def count(self) -> Int:
        """How many are selected."""
        return self._read(Int, _COUNT)

    def exists(self) -> Bool:
        """Whether any is selected."""
        return self._read(Bool, _EXISTS)

    def remove(self) -> C:
        """The whole value without them."""
        returning = _NONE | self._inverted
        return self._receiver.modify(self._remove, returning, *self._arguments)


class ListElement(Selection[C]):
    """One element of a list."""

    __slots__ = ()

    def value(self, type_: type[E]) -> E:
        """The element; unknown when there is none or it is of another type."""
        return self._read(type_, _VALUE)

    def index(self) -> Int:
        """Its place in the list."""
        return self._read(Int, _INDEX)

    def reverse_index(self) -> Int:
        """Its place from the end, 0 the last."""
        return self._read(Int, _REVERSE_INDEX)

    def rank(self) -> Int:
        """Its place by value, 0 the least."""
        return self._read(Int, _RANK)

    def reverse_rank(self) -> Int:
        """Its place by value, 0 the greatest."""
        return self._read(Int, _REVERSE_RANK)


class MapEntry(ListElement[C]):
    """One entry of a map; `index` is by key, `rank` by value."""

    __slots__ = ()

    def key(self, type_: type[E]) -> E:
        """The entry's key."""
        return self._read(type_, _KEY)

    def pair(self) -> containers.Map:
        """The entry as a map of one."""
        return self._read(containers.Map, MapReturnType.KEY_VALUE)


class ListElements(Selection[C]):
    """Any number of elements of a list."""

    __slots__ = ()

    def inverted(self) -> Self:
        """All the others instead."""
        other = type(self)(self._receiver, self._get, self._remove, self._arguments)
        other._inverted = self._inverted ^ INVERTED
        return other

    def values(self) -> containers.List:
        """The elements."""
        return self._read(containers.List, _VALUE)

    def indexes(self) -> containers.List:
        """Their places in the list."""
        return self._read(containers.List, _INDEX)

    def reverse_indexes(self) -> containers.List:
        """Their places from the end."""
        return self._read(containers.List, _REVERSE_INDEX)

    def ranks(self) -> containers.List:
        """Their places by value, 0 the least."""
        return self._read(containers.List, _RANK)

    def reverse_ranks(self) -> containers.List:
        """Their places by value, 0 the greatest."""
        return self._read(containers.List, _REVERSE_RANK)


class MapEntries(ListElements[C]):
    """Any number of entries of a map; places are by key, ranks by value."""

    __slots__ = ()

    def keys(self) -> containers.List:
        """The keys."""
        return self._read(containers.List, _KEY)

    def pairs(self) -> containers.Map:
        """The entries, in the order in which they are selected."""
        return self._read(containers.Map, MapReturnType.KEY_VALUE)

    def unordered_map(self) -> containers.Map:
        """The entries as a map."""
        return self._read(containers.Map, MapReturnType.UNORDERED_MAP)

    def ordered_map(self) -> containers.Map:
        """The entries as a map that is kept in key order."""
        return self._read(containers.Map, MapReturnType.ORDERED_MAP)


def optional(value: Any) -> tuple[Any, ...]:
    """A last argument that may be left out."""
    return () if value is None else (value,)
