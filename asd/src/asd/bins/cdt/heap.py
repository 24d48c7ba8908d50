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
        return _heap_select(keys, start, count, lower_half)
    chosen = order[start:end]
    return chosen[::-1] if lower_half else chosen


def _extreme(keys: Sequence[Any], extreme: Any) -> int:
    """The position of the least or greatest key that stands on top of the heap. O(n)."""
    return min((at for at, key in enumerate(keys) if key == extreme), key=_path)


def _path(at: int) -> str:
    """The way from the heap's root to a place in it, left 0, right 1. Equal keys never pass each
    other upwards and the left one wins, so the first of them to stand on top is the first by way.
    """
    return f"{at + 1:b}"[1:]


def _heap_select(keys: Sequence[Any], start: int, count: int, smallest_first: bool) -> list[int]:
    """Pop a binary heap of positions until the range has been popped; each popped position goes to
    the place its pop freed at the end of the heap."""
    heap = list(range(len(keys)))
    size = len(heap)
    for at in range(size // 2 - 1, -1, -1):
        _sift_down(heap, keys, at, size, smallest_first)
    pops = start + count if smallest_first else len(keys) - start
    for _ in range(pops):
        size -= 1
        heap[0], heap[size] = heap[size], heap[0]
        _sift_down(heap, keys, 0, size, smallest_first)
    return heap[size : size + count]


def _sift_down(
    heap: list[int], keys: Sequence[Any], at: int, size: int, smallest_first: bool
) -> None:
    moving = heap[at]
    key = keys[moving]
    while (child := 2 * at + 1) < size:
        left = keys[heap[child]]
        if child + 1 < size:
            right = keys[heap[child + 1]]
            if right < left if smallest_first else right > left:
                child, left = child + 1, right
        if not (left < key if smallest_first else left > key):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = moving
