"""The partial heap sort by which the protocol selects ranks in unordered lists: which of several
equal elements it yields shows on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def top_of_heap(keys: Sequence[Any], extreme: Any) -> int:
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


def heap_select(keys: Sequence[Any], pops: int, count: int, *, reverse: bool) -> list[int]:
    """Pop a binary heap of positions, the least key first (with `reverse` the greatest); each
    popped position goes to the place its pop freed at the end of the heap. The last `count` popped,
    the latest first. O(n log n)."""
    level = _levels(keys, reverse=reverse)  # of the position at each place of the heap
    heap = list(range(len(level)))
    size = len(heap)
    for at in range(size // 2 - 1, -1, -1):
        _sift_down(heap, level, at, size)
    for _ in range(pops):
        size -= 1
        heap[0], heap[size] = heap[size], heap[0]
        level[0], level[size] = level[size], level[0]
        _sift_down(heap, level, 0, size)
    return heap[size : size + count]


def _levels(keys: Sequence[Any], *, reverse: bool) -> list[int]:
    """For each position a number, ascending with the keys (or descending), the same for equal
    keys."""
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=reverse)
    levels = [0] * len(order)
    level, before = 0, keys[order[0]]
    for at in order:
        key = keys[at]
        if key != before:
            level, before = level + 1, key
        levels[at] = level
    return levels


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
