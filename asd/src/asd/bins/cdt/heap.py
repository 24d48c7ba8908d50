"""Rank selection on unordered lists: which elements, and in which order, a partial heap sort
yields. The order shows on the wire, and so does the choice among equal elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aerospike_common.as_msgpack import Value
from asd.bins.cdt.search import sort_keys


def select_ranks(values: Sequence[Value], start: int, count: int) -> list[int]:
    """Positions of the elements of rank `start` .. `start + count - 1`, in answer order.

    A range in the lower half comes in descending, one in the upper half in ascending order of
    value. Sorting gives the same as the heap unless equal elements straddle an end of the range;
    only then is the heap itself run. O(n log n).
    """
    if count == 0:
        return []
    keys = sort_keys(values)
    if count == 1 and start in (0, len(keys) - 1):
        return [_extreme(keys, min(keys) if start == 0 else max(keys))]
    lower_half = start <= len(values) - start - count
    order = sorted(range(len(values)), key=keys.__getitem__)
    end = start + count
    splits_equals = (start > 0 and keys[order[start - 1]] == keys[order[start]]) or (
        end < len(order) and keys[order[end - 1]] == keys[order[end]]
    )
    if splits_equals:
        levels = _levels(keys, order if lower_half else order[::-1])
        return _heap_select(levels, end if lower_half else len(keys) - start, count)
    chosen = order[start:end]
    return chosen[::-1] if lower_half else chosen


def _levels(keys: Sequence[Any], order: Sequence[int]) -> list[int]:
    """For each position a number, in this order ascending, the same for equal keys."""
    levels = [0] * len(order)
    level, before = 0, keys[order[0]]
    for at in order:
        key = keys[at]
        if key != before:
            level, before = level + 1, key
        levels[at] = level
    return levels


def _extreme(keys: Sequence[Any], extreme: Any) -> int:
    """The position of the least or greatest key that stands on top of the heap. O(n)."""
    found = [-1]
    for _ in range(keys.count(extreme)):
        found.append(keys.index(extreme, found[-1] + 1))
    return min(found[1:], key=_path)


def _path(at: int) -> str:
    """The way from the heap's root to a place in it, left 0, right 1. Equal keys never pass each
    other upwards and the left one wins, so the first of them to stand on top is the first by way.
    """
    return f"{at + 1:b}"[1:]


def _heap_select(levels: list[int], pops: int, count: int) -> list[int]:
    """Pop a binary heap of positions, the lowest level first; each popped position goes to the
    place its pop freed at the end of the heap. The last `count` popped, the latest first."""
    heap = list(range(len(levels)))
    level = levels[:]  # of the position at each place of the heap
    size = len(heap)
    for at in range(size // 2 - 1, -1, -1):
        _sift_down(heap, level, at, size)
    for _ in range(pops):
        size -= 1
        heap[0], heap[size] = heap[size], heap[0]
        level[0], level[size] = level[size], level[0]
        _sift_down(heap, level, 0, size)
    return heap[size : size + count]


def _sift_down(heap: list[int], level: list[int], at: int, size: int) -> None:
    moving, low = heap[at], level[at]
    child = 2 * at + 1
    while child < size:
        least = level[child]
        if child + 1 < size and level[child + 1] < least:
            child += 1
            least = level[child]
        if least >= low:
            break
        heap[at], level[at] = heap[child], least
        at, child = child, 2 * child + 1
    heap[at], level[at] = moving, low
