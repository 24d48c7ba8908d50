"""Ranges of ranks: the elements of a list, or the values of a map, from one rank to another.

What they are is cheap to say: a sample tells about where the range begins and ends, and only what
lies near it is sorted. Where they stand is looked for when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isqrt
from typing import Any, Final, overload

from aerospike_common.as_msgpack import Value
from asd.bins.cdt.heap import heap_select, top_of_heap
from asd.bins.cdt.search import lazy_keys, sort_keys, value_order

HEAP_MAX: Final = 4096
"""Elements up to which the choice among equal ones at the ends of a range is that of the protocol's
heap. To run it takes O(n log n) steps of Python: some milliseconds for so many, a quarter of a
second for 100,000. In a longer list the first by position are chosen."""

_SORTED_AT_ONCE: Final = 128


class RankRange(Sequence[int]):
    """The positions of the elements of rank `start` .. `start + count - 1`, in answer order.

    Of an unordered list (`in_heap`) a range in the lower half comes in descending, one in the upper
    half in ascending order of value, as a heap yields them. Values of a map come in ascending
    order, equal ones by position.

    O(n), or one sort in C for values that deceive the sample. With `lazy`, lists and maps among the
    values are looked into no further than it takes to tell them apart: on the way down a deep value
    each level would otherwise cost what all below it does.
    """

    def __init__(
        self, values: Sequence[Value], start: int, count: int, *, in_heap: bool, lazy: bool = False
    ) -> None:
        self._values = values
        self._lazy = lazy
        self._start = start
        self._count = count
        self._in_heap = in_heap
        self._descending = in_heap and start <= len(values) - start - count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> list[int]: ...
    def __getitem__(self, at: int | slice) -> int | list[int]:
        return self._positions[at]

    def elements(self) -> list[Value]:
        """The elements themselves. Those that sort as they are need not be found."""
        if not self._count:
            return []
        found = self._integers() or self._uniform()
        if found is None:
            return [self._values[at] for at in self]
        return found[::-1] if self._descending else found

    @cached_property
    def _keys(self) -> Sequence[Any]:
        return lazy_keys(self._values) if self._lazy else sort_keys(self._values)

    def _integers(self) -> list[Value] | None:
        """The range, seen without a look at every type. What adds up to an integer are integers and
        booleans; those are before all integers, and where to Python they are: 0 and 1."""
        try:
            if type(sum(self._values)) is not int:
                return None
        except TypeError:
            return None
        found = sorted_slice(self._values, self._start, self._count)
        return found if found[0] > 1 else None

    def _uniform(self) -> list[Value] | None:
        """The range of values that sort as they are and of which equal ones are the same, which
        0.0 and -0.0 are not."""
        if type(self._values[0]) is float or self._keys is not self._values:
            return None
        return sorted_slice(self._values, self._start, self._count)

    @cached_property
    def _positions(self) -> list[int]:
        if not self._count:
            return []
        start, count = self._start, self._count
        keys = self._keys
        ends = sorted_slice(keys, start, count)
        low, high = ends[0], ends[-1]
        near = [at for at, key in enumerate(keys) if low <= key <= high]
        if self._in_heap and len(near) > count and len(keys) <= HEAP_MAX:
            return self._run_heap(low)
        ahead = start - len([key for key in keys if key < low])
        near.sort(key=keys.__getitem__)
        chosen = near[ahead : ahead + count]
        if len(chosen) < count:  # not-a-numbers are in no order
            chosen = value_order(self._values)[start : start + count]
        return chosen[::-1] if self._descending else chosen

    def _run_heap(self, low: Any) -> list[int]:
        """Which of the equal elements at the ends of the range the heap yields."""
        keys, count = self._keys, self._count
        if count == 1 and self._start in (0, len(keys) - 1):
            return [top_of_heap(keys, low)]
        end = self._start + count if self._descending else len(keys) - self._start
        return heap_select(keys, end, count, reverse=not self._descending)


def sorted_slice(keys: Sequence[Any], start: int, count: int) -> list[Any]:
    """`sorted(keys)[start:start + count]`; `count` is not 0.

    A sample gives two bounds that most likely hold the range between them. O(n) if they do and lie
    close, and one sort in C if they do not.
    """
    size, end = len(keys), start + count
    if count == 1 and start in (0, size - 1):
        return [max(keys) if start else min(keys)]
    if size <= _SORTED_AT_ONCE or count > size // 2:
        return sorted(keys)[start:end]
    sample = sorted(keys[:: isqrt(size) // 4])
    taken = len(sample)
    margin = isqrt(taken) * 3 // 2  # three times the deviation of a random sample
    low = sample[max(0, start * taken // size - margin)]
    high = sample[min(taken - 1, end * taken // size + margin)]
    near = [key for key in keys if key <= high]
    below = len(near)
    near = [key for key in near if key >= low]
    below -= len(near)
    if not below <= start < end <= below + len(near):
        return sorted(keys)[start:end]
    near.sort()
    return near[start - below : end - below]
