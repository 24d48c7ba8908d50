"""Which elements of a list or map an operation means: by index, rank, value or key.

A selector takes the container and the operation's arguments and yields a `Selection`; get and
remove share them. Lists and maps share those by index, rank and value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import chain
from typing import Final, NamedTuple, overload

from aerospike_common.as_msgpack import WILDCARD, Value, is_uniform, list_items
from aerospike_common.wire.codes import ResultCode
from asd.bins.cdt.bounds import key_for, lower_bound, upper_bound
from asd.bins.cdt.containers import (
    Container,
    ListValue,
    MapValue,
    bad_argument,
    not_applicable,
    refuse,
)
from asd.bins.cdt.numbers import wrap
from asd.bins.cdt.ranks import RankRange
from asd.bins.cdt.search import count_below, equal_positions, positions_of_any

_DEFAULT_COUNT: Final = 0xFFFFFFFF


class By(Enum):
    """What a selection went by; decides the order of answers and the range types allowed."""

    INDEX = "index"
    RANK = "rank"
    VALUE = "value"
    VALUE_LIST = "value list"
    KEY = "key"
    KEY_LIST = "key list"


class Selection(NamedTuple):
    """Chosen elements.

    `positions`  storage positions in the order in which values are answered,
    `start`      first index (by INDEX) or first rank (by RANK, VALUE) of the range,
    `single`     the answer is a scalar; `positions` then holds one element or none,
    `listed`     by KEY_LIST and VALUE_LIST: positions in the order of the list asked for, repeats
                 included, for answers about indexes and ranks,
    `wanted`     by VALUE_LIST, instead of it, where storage order is not value order: the values
                 asked for,
    `pieces`     of a complement: the ranges of indexes or ranks before and behind the rest;
                 by VALUE_LIST in an ordered list: the range of each wanted value,
    `inverted`   whether this is a complement,
    `nothing_asked`  by KEY_LIST and VALUE_LIST: whether the list asked for is empty.

    KEY stands for a key interval of a map that is not keyed; the keys of others go by INDEX.
    """

    by: By
    positions: Sequence[int]
    start: int = 0
    single: bool = False
    listed: Sequence[int] = ()
    wanted: Sequence[Value] = ()
    pieces: Sequence[range] = ()
    inverted: bool = False
    nothing_asked: bool = False


MAX_LISTED: Final = 8 << 20
"""Positions in an answer that may repeat them: no record holds so many elements."""


class Pieces(Sequence[int]):
    """Ranges of positions one after the other, which may be the same again and again: n equal
    elements asked for m times are n x m positions, and take no room until somebody walks them."""

    __slots__ = ("_size", "ranges")

    def __init__(self, ranges: Sequence[range]) -> None:
        """Two ranges may be the same; those of a value with a wildcard may hold others."""
        self.ranges = ranges
        self._size = sum(map(len, ranges))

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> list[int]: ...
    def __getitem__(self, at: int | slice) -> int | list[int]:
        return list(self)[at]

    def __iter__(self) -> Iterator[int]:
        """Raises RECORD_TOO_BIG when there are more than MAX_LISTED."""
        if self._size > MAX_LISTED:
            refuse(ResultCode.RECORD_TOO_BIG, "an answer larger than any record")
        return chain.from_iterable(self.ranges)

    def distinct(self) -> list[int]:
        """Each position once, ascending."""
        positions: list[int] = []
        end = 0
        for start, stop in sorted({(found.start, found.stop) for found in self.ranges if found}):
            positions.extend(range(max(start, end), stop))
            end = max(end, stop)
        return positions


def distinct(positions: Sequence[int]) -> Sequence[int]:
    """Each position once."""
    if type(positions) is Pieces:
        return positions.distinct()
    return list(set(positions))


def clamp(start: int, count: int | None, size: int) -> tuple[int, int]:
    """The part of `start`, `count` that lies within `size` elements.

    A negative start counts from the end; what reaches before the first element is cut off.
    """
    return cut(start + size if start < 0 else start, count, size)


def cut(start: int, count: int | None, size: int) -> tuple[int, int]:
    """Like `clamp`, but a negative start lies before the first element.

    Counts are unsigned on the wire; without one it is the largest of 32 bits.
    """
    count = _DEFAULT_COUNT if count is None else count & 0xFFFFFFFFFFFFFFFF
    if start < 0:
        count = max(0, count + start)
        start = 0
    start = min(start, size)
    return start, min(count, size - start)


def locate(index: int, size: int) -> int:
    """The position of one index or rank; error 26 when it is out of bounds."""
    at = index + size if index < 0 else index
    if not 0 <= at < size:
        not_applicable("index or rank out of bounds")
    return at


# -- by index -------------------------------------------------------------------------------------


def by_index(container: Container, index: int) -> Selection:
    """One element by index."""
    at = locate(index, container.size)
    return Selection(By.INDEX, (at,), at, single=True)


def by_index_range(container: Container, index: int, count: int | None = None) -> Selection:
    """The elements from an index on."""
    start, count = clamp(index, count, container.size)
    return Selection(By.INDEX, range(start, start + count), start)


# -- by rank --------------------------------------------------------------------------------------


def _rank_range(container: Container, start: int, count: int) -> Sequence[int]:
    if container.ordered:
        return range(start, start + count)
    return RankRange(container.elements, start, count, in_heap=type(container) is ListValue)


def position_of_rank(container: Container, rank: int) -> int:
    """Where the one element of a rank stands; only as much of it is looked at as that takes."""
    if container.ordered:
        return rank
    in_heap = type(container) is ListValue
    return RankRange(container.elements, rank, 1, in_heap=in_heap, lazy=True)[0]


def by_rank(container: Container, rank: int) -> Selection:
    """One element by rank."""
    at = locate(rank, container.size)
    return Selection(By.RANK, _rank_range(container, at, 1), at, single=True)


def by_rank_range(container: Container, rank: int, count: int | None = None) -> Selection:
    """The elements from a rank on."""
    start, count = clamp(rank, count, container.size)
    return Selection(By.RANK, _rank_range(container, start, count), start)


def by_value_rel_rank_range(
    container: Container, value: Value, rank: int, count: int | None = None
) -> Selection:
    """The elements from `rank` ranks after the first one >= `value` on."""
    size = container.size
    start, count = cut(wrap(rank + _rank_of(container, value)), count, size)
    return Selection(By.RANK, _rank_range(container, start, count), start)


def _rank_of(container: Container, value: Value) -> int:
    if container.ordered:
        return lower_bound(container.elements, value)
    return count_below(container.elements, value)


# -- by value -------------------------------------------------------------------------------------


def by_value(container: Container, value: Value) -> Selection:
    """The first element equal to a value."""
    found = all_by_value(container, value)
    start = found.start
    if container.ordered and not found.positions:
        start = 0
    return Selection(found.by, found.positions[:1], start, single=True)


def all_by_value(container: Container, value: Value) -> Selection:
    """All elements equal to a value."""
    values = container.elements
    if container.ordered:
        start = lower_bound(values, value)
        return Selection(By.VALUE, range(start, upper_bound(values, value)), start)
    return Selection(By.VALUE, equal_positions(values, value), count_below(values, value))


def by_value_interval(
    container: Container, begin: Value, end: Value = None, *, bounded: bool
) -> Selection:
    """The elements in [begin, end); without `bounded` to the highest, nil begins at the lowest."""
    if container.ordered:
        values = container.elements
        start = lower_bound(values, begin)
        stop = lower_bound(values, end) if bounded else len(values)
        return Selection(By.VALUE, range(start, max(start, stop)), start)
    found = container.integers_between(begin, end, bounded=bounded)
    if found is None:
        found = _between(container.elements, begin, end, bounded=bounded)
    return Selection(By.VALUE, *found)


def _between(
    values: Sequence[Value], begin: Value, end: Value, *, bounded: bool
) -> tuple[list[int], int]:
    """The positions of the values in [begin, end), and how many are below `begin`."""
    low, high, keys = begin, end, values
    if not is_uniform([*values, begin, end if bounded else begin]):
        key = key_for([begin, end])
        low, high = key(begin), key(end)
        keys = [key(value) for value in values]
    if bounded:
        positions = [at for at, value in enumerate(keys) if not value < low and value < high]
    else:
        positions = [at for at, value in enumerate(keys) if not value < low]
    return positions, len([value for value in keys if value < low])


def by_value_list(container: Container, wanted: Value) -> Selection:
    """All elements equal to one of a list of values. Where storage order is value order, as it is
    in a map of one, they are listed value by wanted value, repeats included."""
    values = container.elements
    items = _list(wanted)
    in_order = container.ordered or (type(container) is MapValue and len(values) == 1)
    if not items:
        return Selection(By.VALUE_LIST, (), nothing_asked=True)
    if not in_order:
        return Selection(By.VALUE_LIST, positions_of_any(values, items), wanted=items)
    ranges = [range(lower_bound(values, item), upper_bound(values, item)) for item in items]
    listed = Pieces(ranges)
    positions = listed if container.ordered else listed.distinct()
    return Selection(By.VALUE_LIST, positions, listed=listed, pieces=ranges)


def _list(wanted: Value) -> list[Value]:
    if type(wanted) is not list:
        bad_argument("not a list")
    return list_items(wanted)


# -- by key (maps) --------------------------------------------------------------------------------


def by_key(container: MapValue, key: Value) -> Selection:
    """The entry of one key."""
    at = container.find(key)
    return Selection(By.INDEX, (at,) if at >= 0 else (), at, single=True)


def by_key_interval(
    container: MapValue, begin: Value, end: Value = None, *, bounded: bool
) -> Selection:
    """The entries with keys in [begin, end)."""
    keyed = container.keyed
    # Any key equals a wildcard: a keyed map meets the one in the middle first.
    found = container.size // 2 if keyed and begin is WILDCARD else None
    start = lower_bound(container.keys, begin) if found is None else found
    stop = lower_bound(container.keys, end) if bounded else container.size
    return Selection(By.INDEX if keyed else By.KEY, range(start, max(start, stop)), start)


def by_key_list(container: MapValue, wanted: Value) -> Selection:
    """The entries of a list of keys; keys that are not there are passed over, in a map that is not
    keyed also keys that will come again."""
    find = container.find
    items = _list(wanted)
    listed = [at for at in map(find, items) if at >= 0]
    if not container.keyed:
        listed = list(dict.fromkeys(reversed(listed)))[::-1]
    positions = sorted(set(listed))
    return Selection(By.KEY_LIST, positions, listed=listed, nothing_asked=not items)


def by_key_rel_index_range(
    container: MapValue, key: Value, index: int, count: int | None = None
) -> Selection:
    """The entries from `index` places after the first key >= `key` on."""
    start = wrap(index + lower_bound(container.keys, key))
    start, count = cut(start, count, container.size)
    return Selection(By.INDEX, range(start, start + count), start)
