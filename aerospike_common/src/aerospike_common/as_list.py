"""`AsList`: what any list value can do, from what its kind must."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, MutableSequence, Sequence
from typing import Self, overload

from aerospike_common.as_val import AsVal, OrderKey, Rank


class AsList(AsVal, MutableSequence[AsVal]):
    """A mutable sequence of values, itself a value.

    A kind of list gives `__getitem__`, `__setitem__`, `__delitem__`, `__len__` and `insert`; all
    else follows: `append`, `extend`, `pop`, `remove` (by value; by index: `del`), iteration,
    and the operations below. A slice is a new list of the same kind.

    Indexes are Python's: negative ones count from the end, IndexError beyond it.
    """

    __slots__ = ()

    @overload
    @abstractmethod
    def __getitem__(self, index: int) -> AsVal: ...
    @overload
    @abstractmethod
    def __getitem__(self, index: slice) -> Self: ...
    @abstractmethod
    def __getitem__(self, index: int | slice) -> AsVal | Self:
        """The value at an index, or a new list of those in a slice."""

    def get(self, index: int) -> AsVal | None:
        """The value at `index`, or None where the list has none. O(1)."""
        return self[index] if -len(self) <= index < len(self) else None

    def head(self) -> AsVal | None:
        """The first value, or None. O(1)."""
        return self.get(0)

    def tail(self) -> Self:
        """A new list without the first value. O(n)."""
        return self[1:]

    def take(self, count: int) -> Self:
        """A new list of the first `count` values, or all if there are fewer. O(count)."""
        return self[: _counted(count)]

    def drop(self, count: int) -> Self:
        """A new list without the first `count` values. O(n)."""
        return self[_counted(count) :]

    def trim(self, index: int) -> None:
        """Cut off all values from `index` (>= 0) on, in place."""
        del self[_counted(index) :]

    def prepend(self, value: AsVal) -> None:
        """Put `value` before all others. O(n)."""
        self.insert(0, value)

    def concat(self, other: Iterable[AsVal]) -> Self:
        """A new list of these values and then those of `other`. O(n + m)."""
        joined = self[:]
        joined.extend(other)
        return joined

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"

    def stored(self) -> Sequence[AsVal]:
        """The values in the order they are stored in; here, as they stand."""
        return self

    def order_key(self) -> OrderKey:
        """`(rank, (keys of the values as stored))`: value by value, then length."""
        return (Rank.LIST, tuple([value.order_key() for value in self.stored()]))


def _counted(count: int) -> int:
    if count < 0:
        raise ValueError(f"negative count: {count}")
    return count
