"""`AsVector`: numbers of one type, packed."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, MutableSequence
from copy import copy
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar, cast, overload

N = TypeVar("N", bound=float)

IntItem: TypeAlias = Literal["b", "B", "h", "H", "i", "I", "q", "Q"]
"""Signed and, in capitals, unsigned integers of 1, 2, 4 and 8 bytes."""

FloatItem: TypeAlias = Literal["f", "d"]
"""IEEE 754 numbers of 4 and 8 bytes."""

_ITEMS: Final = frozenset("bBhHiIqQfd")


class AsVector(MutableSequence[N]):  # noqa: PLW1641 - it changes, so it has no hash
    """A growable vector whose items all have one type, given as in `array` and `struct`.

    It takes the items' own size each: a million 8-byte integers in 8 MB. O(1) by index and at
    the end, O(n) elsewhere. Raises TypeError and OverflowError for what is no such item.

    >>> vector = AsVector("H", [1, 2])
    >>> vector.append(65535)
    >>> list(vector), vector.item_size, vector.to_bytes()
    ([1, 2, 65535], 2, b'\\x00\\x01\\x00\\x02\\xff\\xff')
    """

    @overload
    def __init__(self: AsVector[int], item: IntItem, items: Iterable[int] = ...) -> None: ...
    @overload
    def __init__(self: AsVector[float], item: FloatItem, items: Iterable[float] = ...) -> None: ...
    def __init__(self, item: str, items: Iterable[float] = ()) -> None:
        if item not in _ITEMS:
            raise ValueError(f"no item type: {item!r}")
        self._items: array[Any] = _packed(item, items)

    @property
    def item_size(self) -> int:
        """The bytes an item takes."""
        return self._items.itemsize

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> N: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> N | Self:
        if isinstance(index, slice):
            part = copy(self)
            part._items = self._items[index]
            return part
        item: N = self._items[index]
        return item

    @overload
    def __setitem__(self, index: int, value: N) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[N]) -> None: ...
    def __setitem__(self, index: int | slice, value: N | Iterable[N]) -> None:
        if isinstance(index, slice):
            self._items[index] = _packed(self._items.typecode, cast("Iterable[N]", value))
        else:
            self._items[index] = value

    def __delitem__(self, index: int | slice) -> None:
        del self._items[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AsVector):
            return NotImplemented
        return self._items == other._items

    def __repr__(self) -> str:
        return f"AsVector({self._items.typecode!r}, {self._items.tolist()!r})"

    def insert(self, index: int, value: N) -> None:
        """Put `value` before the item at `index`; beyond either end, at that end. O(n)."""
        self._items.insert(index, value)

    def to_bytes(self) -> bytes:
        """The items side by side, big-endian as on the wire. O(n)."""
        if sys.byteorder == "little":
            swapped = self._items[:]
            swapped.byteswap()
            return swapped.tobytes()
        return self._items.tobytes()

    def _check(self) -> None:
        assert self._items.typecode in _ITEMS
        assert self._items.itemsize in (1, 2, 4, 8)


def _packed(item: str, items: Iterable[float]) -> array[Any]:
    packed: array[Any] = array(item)
    packed.extend(items)
    return packed
