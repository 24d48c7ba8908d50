"""`AsArraylist`: the list value, on an array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Self, cast, overload

import attrs

from aerospike_common.as_list import AsList
from aerospike_common.as_val import AsVal, checked, order_key_of


def _checked_list(values: Iterable[AsVal]) -> list[AsVal]:
    return [checked(value) for value in values]


@attrs.define(eq=False, repr=False)
class AsArraylist(AsList):
    """A list: O(1) by index and at the end, O(n) elsewhere.

    An `ordered` list is stored sorted. Here its values stand where they were put; it compares, is
    serialized and becomes plain Python as if they were in order (`stored`).

    >>> from aerospike_common.as_python import from_python, to_python
    >>> numbers = from_python([1, 2, 3])
    >>> numbers.append(from_python("four"))
    >>> to_python(numbers.drop(2))
    [3, 'four']
    >>> numbers.append(5)
    Traceback (most recent call last):
      ...
    TypeError: not an AsVal: int; see as_python.from_python
    """

    _values: list[AsVal] = attrs.field(default=(), converter=_checked_list)
    ordered: bool = attrs.field(default=False, kw_only=True)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[AsVal]:
        return iter(self._values)

    @overload
    def __getitem__(self, index: int) -> AsVal: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> AsVal | Self:
        if isinstance(index, slice):
            return attrs.evolve(self, values=self._values[index])
        return self._values[index]

    @overload
    def __setitem__(self, index: int, value: AsVal) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[AsVal]) -> None: ...
    def __setitem__(self, index: int | slice, value: AsVal | Iterable[AsVal]) -> None:
        if isinstance(index, slice):
            self._values[index] = _checked_list(cast("Iterable[AsVal]", value))
        else:
            self._values[index] = checked(value)

    def __delitem__(self, index: int | slice) -> None:
        del self._values[index]

    def insert(self, index: int, value: AsVal) -> None:
        """Put `value` before the one at `index`; beyond either end, at that end. O(n)."""
        self._values.insert(index, checked(value))

    def stored(self) -> Sequence[AsVal]:
        """The values as they are stored: in order if the list is `ordered`, else as they stand.

        O(n log n) and O(1).
        """
        return sorted(self._values, key=order_key_of) if self.ordered else self._values

    def _check(self) -> None:
        assert all(isinstance(value, AsVal) for value in self._values)
        assert isinstance(self.ordered, bool)
