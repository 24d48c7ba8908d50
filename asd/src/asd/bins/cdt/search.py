"""Finding values: equal ones, ranks. Every function works on columns of values.

Nothing here is found by its hash: a stranger chooses the values, and those of numbers whose hashes
collide are easy to compute. What is sorted is found in O(log n) whoever chose it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from heapq import merge
from itertools import accumulate, repeat
from operator import gt
from typing import Any, Final

from aerospike_common.as_msgpack import (
    STRING,
    Value,
    compare,
    compare_key,
    has_wildcard,
    is_uniform,
    order_key,
)
from asd.bins.cdt.bounds import key_for
from asd.bins.cdt.containers import Container, MapValue

_NESTED: Final = frozenset({list, dict})
_SHORT: Final = 7
"""Characters that are certainly less than the 32 bytes from which on bin headers are kept."""


def equal_positions(values: Sequence[Value], target: Value) -> list[int]:
    """Positions of all values equal to `target`, ascending. O(n)."""
    kind = type(target)
    if kind is not int and kind is not float and kind is not str:
        return [at for at, value in enumerate(values) if compare(value, target) == 0]
    found = _exact_positions(values, target)
    if kind is str and len(target) > _SHORT:
        # The same string may stand there with a bin header.
        behind_bins = _exact_positions(values, target.encode("utf-8", "surrogateescape"))
        found = sorted(found + behind_bins) if behind_bins else found
    return found


def _exact_positions(values: Sequence[Value], target: int | float | str | bytes) -> list[int]:
    kind = type(target)
    found = []
    at = -1
    try:
        while True:
            at = values.index(target, at + 1)
            if type(values[at]) is kind:  # to Python 1, 1.0 and true are equal
                found.append(at)
    except ValueError:
        return found


def positions_of_any(values: Sequence[Value], targets: Sequence[Value]) -> list[int]:
    """Positions of all values found among `targets`, ascending. O(n log m) without wildcards."""
    if not any(map(has_wildcard, targets)):
        known = Known(targets)
        return [at for at, value in enumerate(values) if value in known]
    places = Places(targets)
    return [at for at, value in enumerate(values) if places.find(value)[1]]


class Known:
    """Values to be met again, none of which holds a wildcard: `value in known` in O(log n).

    Not-a-numbers are in no order and equal nothing, so what holds one is never met again.
    """

    def __init__(self, values: Sequence[Value]) -> None:
        self._integers = set(map(type, values)) == {int}
        if self._integers:
            self._keys: list[Any] = sorted(values)
        else:
            self._keys = sorted(order_key(value) for value in values if not _has_nan(value))

    def __contains__(self, value: Value) -> bool:
        if not self._integers:
            return is_among(self._keys, order_key(value))
        return type(value) is int and is_among(self._keys, value)


def _has_nan(value: Value) -> bool:
    kind = type(value)
    if kind is float:
        return bool(value != value)
    if kind is list:
        return any(map(_has_nan, value))
    return kind is dict and any(map(_has_nan, value.values()))


def is_among(ordered: Sequence[Any], key: Any) -> bool:
    """Whether a key is in a sorted column. O(log n)."""
    at = bisect_left(ordered, key)
    return at < len(ordered) and bool(ordered[at] == key)


class Places:
    """A list of values to search, as the protocol searches it.

    It is sorted by merging halves and searched by halving. With wildcards in it, which equal any
    value, the result depends on just how that is done: a value equal to a wildcard may be missed.
    So does the choice among several that are equal. The search begins in the middle, and goes on
    between the middle before and the end that is left.
    """

    def __init__(self, targets: Sequence[Value]) -> None:
        self._wild = any(map(has_wildcard, targets))
        keys = [compare_key(target) if self._wild else order_key(target) for target in targets]
        # Without wildcards any stable sort gives the same.
        order = range(len(keys))
        self.order = (
            _merge_sorted(list(order), keys) if self._wild else sorted(order, key=keys.__getitem__)
        )
        self._keys = [targets[at] if self._wild else keys[at] for at in self.order]

    def find(self, value: Value) -> tuple[int, bool]:
        """The place of `value` in the sorted list, or the one where it would be; and whether it is
        there. O(log n)."""
        if self._wild:
            return self._find_wild(value)
        keys, key = self._keys, order_key(value)
        low, high = 0, len(keys)
        middle = high // 2
        while low < high:
            if keys[middle] == key:
                return middle, True
            if keys[middle] < key:
                low, middle = middle + 1, (middle + high) // 2
            else:
                high, middle = middle, (low + middle) // 2
        return low, False

    def _find_wild(self, value: Value) -> tuple[int, bool]:
        """The same where it takes `compare`, but not for two integers."""
        targets = self._keys
        is_int = type(value) is int
        low, high = 0, len(targets)
        middle = high // 2
        while low < high:
            target = targets[middle]
            if is_int and type(target) is int:
                order = target - value
            else:
                order = compare(target, value)
            if not order:
                return middle, True
            if order < 0:
                low, middle = middle + 1, (middle + high) // 2
            else:
                high, middle = middle, (low + middle) // 2
        return low, False


def _merge_sorted(order: list[int], keys: Sequence[Any]) -> list[int]:
    if len(order) < 2:
        return order
    left = _merge_sorted(order[: len(order) // 2], keys)
    right = _merge_sorted(order[len(order) // 2 :], keys)
    return list(merge(left, right, key=keys.__getitem__))


def ranks_by_item(values: Sequence[Value], targets: Sequence[Value]) -> list[int]:
    """The ranks of all values found among `targets`, target by target; those found at the same
    target count on from the number of values in front of it."""
    places = Places(targets)
    in_front = [0] * (len(targets) + 1)
    found = [0] * len(targets)
    for value in values:
        place, there = places.find(value)
        if there:
            found[place] += 1
            in_front[place + 1] += 1
        else:
            in_front[place] += 1
    first = list(accumulate(in_front))
    item_order = sorted(range(len(targets)), key=places.order.__getitem__)
    return [rank for at in item_order for rank in range(first[at], first[at] + found[at])]


def lazy_keys(values: Sequence[Value]) -> Sequence[Any]:
    """A column that sorts as `values`, in which lists and maps are looked into only as far as
    comparing them takes: O(n), however much they hold."""
    if not _NESTED.isdisjoint(map(type, values)):
        return [_lazy_key(value) for value in values]
    return sort_keys(values)


def _lazy_key(value: Value) -> tuple[Any, ...]:
    kind = type(value)
    if kind is list:
        return (5, compare_key(value))
    return (6, compare_key(value)) if kind is dict else order_key(value)


def sort_keys(values: Sequence[Value]) -> Sequence[Any]:
    """A column that sorts as `values`: itself when Python's order is the protocol's."""
    if is_uniform(values) or _is_sound_text(values):
        return values
    return [order_key(value) for value in values]


def _is_sound_text(values: Sequence[Value]) -> bool:
    """Whether all are typed strings without escaped bytes: code points order as their UTF-8."""
    if set(map(type, values)) != {str} or not min(values) >= STRING or not max(values) < "\x18":
        return False
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True


def value_order(values: Sequence[Value]) -> list[int]:
    """All positions in order of value, equal values in order of position. O(n log n)."""
    return sorted(range(len(values)), key=sort_keys(values).__getitem__)


def count_below(values: Sequence[Value], target: Value) -> int:
    """How many values are less than `target`. O(n)."""
    if is_uniform([*values, target]):
        return sum(map(gt, repeat(target), values))
    key = key_for(target)
    bound = key(target)
    return sum(1 for value in values if key(value) < bound)


def ranks(container: Container, positions: Sequence[int], distinct: bool = False) -> list[int]:
    """The rank of each position: how many elements come before it in value order.

    Equal values of a map rank by key, those of an ordered list by index; in an unordered list they
    share the rank of the first, unless `distinct` counts them on in the order of `positions`.
    """
    if type(container) is MapValue:
        places = [0] * len(container.elements)
        for rank, position in enumerate(value_order(container.elements)):
            places[position] = rank
        return [places[position] for position in positions]
    if container.ordered:
        return list(positions)
    keys = sort_keys(container.elements)
    if distinct:
        places = [0] * len(keys)
        for rank, position in enumerate(value_order(container.elements)):
            places[position] = rank
        return [places[position] for position in positions]
    if len(positions) == 1:
        key = keys[positions[0]]
        return [sum(1 for other in keys if other < key)]
    ordered = sorted(keys)
    return [bisect_left(ordered, keys[position]) for position in positions]
