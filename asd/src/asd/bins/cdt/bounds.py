"""Bounds in ordered columns of values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from aerospike_common.as_msgpack import Value, compare_key, has_wildcard, order_key

Key = Callable[[Value], Any]


def key_for(target: Value) -> Key:
    """The sort key under which `target` and stored values compare: `order_key`, or the slower
    wrapper that knows wildcards when `target` holds one."""
    return compare_key if has_wildcard(target) else order_key


def lower_bound(ordered: Sequence[Value], target: Value) -> int:
    """Position of the first value >= target in an ordered column. O(log n)."""
    if _is_of_ints(ordered, target):
        return bisect_left(ordered, target)
    key = key_for(target)
    return bisect_left(ordered, key(target), key=key)


def upper_bound(ordered: Sequence[Value], target: Value) -> int:
    """Position behind the last value <= target in an ordered column. O(log n)."""
    if _is_of_ints(ordered, target):
        return bisect_right(ordered, target)
    key = key_for(target)
    return bisect_right(ordered, key(target), key=key)


def _is_of_ints(ordered: Sequence[Value], target: Value) -> bool:
    """Whether all are integers: what stands between two integers is one, too."""
    kinds = (type(target), type(ordered[0]), type(ordered[-1])) if ordered else ()
    return kinds == (int, int, int)
