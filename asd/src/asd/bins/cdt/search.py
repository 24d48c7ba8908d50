"""Finding values: bounds, equal values, ranks. Every function works on columns of values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from aerospike_common.as_msgpack import (
    Value,
    compare,
    compare_key,
    has_wildcard,
    is_uniform,
    order_key,
)
from asd.bins.cdt.containers import Container, MapValue

Key = Callable[[Value], Any]


def key_for(target: Value) -> Key:
    """The sort key under which `target` and stored values compare: `order_key`, or the slower
    wrapper that knows wildcards when `target` holds one."""
    return compare_key if has_wildcard(target) else order_key


def lower_bound(ordered: Sequence[Value], target: Value) -> int:
    """Position of the first value >= target in an ordered column. O(log n)."""
    key = key_for(target)
    return bisect_left(ordered, key(target), key=key)


def upper_bound(ordered: Sequence[Value], target: Value) -> int:
    """Position behind the last value <= target in an ordered column. O(log n)."""
    key = key_for(target)
    return bisect_right(ordered, key(target), key=key)


def find_key(keys: Sequence[Value], key: Value) -> int:
    """Position of `key` in an ordered column of keys, -1 when it is not there. O(log n)."""
    at = lower_bound(keys, key)
    return at if at < len(keys) and compare(keys[at], key) == 0 else -1


def equal_positions(values: Sequence[Value], target: Value) -> list[int]:
    """Positions of all values equal to `target`, ascending. O(n)."""
    kind = type(target)
    if kind is int or kind is float or kind is str:
        if target not in values:
            return []
        return [at for at, value in enumerate(values) if value == target and type(value) is kind]
    return [at for at, value in enumerate(values) if compare(value, target) == 0]


def positions_of_any(values: Sequence[Value], targets: Sequence[Value]) -> list[int]:
    """Positions of all values equal to one of `targets`, ascending. O(n) without wildcards."""
    patterns = [target for target in targets if has_wildcard(target)]
    exact = {order_key(target) for target in targets if not has_wildcard(target)}
    return [
        at
        for at, value in enumerate(values)
        if (exact and order_key(value) in exact)
        or any(compare(value, pattern) == 0 for pattern in patterns)
    ]


def sort_keys(values: Sequence[Value]) -> Sequence[Any]:
    """A column that sorts as `values`: itself when Python's order is the protocol's."""
    return values if is_uniform(list(values)) else [order_key(value) for value in values]


def value_order(values: Sequence[Value]) -> list[int]:
    """All positions in order of value, equal values in order of position. O(n log n)."""
    return sorted(range(len(values)), key=sort_keys(values).__getitem__)


def count_below(values: Sequence[Value], target: Value) -> int:
    """How many values are less than `target`. O(n)."""
    key = key_for(target)
    bound = key(target)
    return sum(1 for value in values if key(value) < bound)


def ranks(container: Container, positions: Sequence[int], distinct: bool = False) -> list[int]:
    """The rank of each position: how many elements come before it in value order.

    Equal values of a map rank by key, those of an ordered list by index; in an unordered list they
    share the rank of the first, unless `distinct` counts them on in the order of `positions`.
    """
    if type(container) is MapValue:
        places = [0] * len(container.values)
        for rank, position in enumerate(value_order(container.values)):
            places[position] = rank
        return [places[position] for position in positions]
    if container.ordered:
        return list(positions)
    keys = sort_keys(container.values)
    if distinct:
        places = [0] * len(keys)
        for rank, position in enumerate(value_order(container.values)):
            places[position] = rank
        return [places[position] for position in positions]
    if len(positions) == 1:
        key = keys[positions[0]]
        return [sum(1 for other in keys if other < key)]
    ordered = sorted(keys)
    return [bisect_left(ordered, keys[position]) for position in positions]
