"""The list operations, one function each, and their table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from aerospike_common import as_msgpack
from aerospike_common.as_msgpack import Value, compare, order_key
from aerospike_common.wire.codes import ResultCode
from asd.bins.cdt import selection as select
from asd.bins.cdt.containers import ListValue, bad_argument, not_applicable, refuse
from asd.bins.cdt.numbers import add, check_number
from asd.bins.cdt.search import Known, equal_positions
from asd.bins.cdt.selection import Selection, clamp, locate
from asd.bins.cdt.table import Arg, Op, getter, remover

ADD_UNIQUE: Final = 1
INSERT_BOUNDED: Final = 2
NO_FAIL: Final = 4
PARTIAL: Final = 8

DESCENDING: Final = 1
DROP_DUPLICATES: Final = 2

MAX_INDEX: Final = 2**31 - 1
MAX_PADDING: Final = 8 << 20
"""Nils an operation may add in front of its value: one byte each, no record is larger."""

_KEPT_FLAGS: Final = as_msgpack.ORDERED
_ORDER_FLAGS: Final = as_msgpack.ORDERED | as_msgpack.PERSIST_INDEX


class _Denied(Exception):
    """A write flag forbids the operation."""

    def __init__(self, code: ResultCode) -> None:
        super().__init__()
        self.code = code


# -- whole list -----------------------------------------------------------------------------------


def set_type(target: ListValue, flags: int) -> None:
    """Give the list an order; becoming ordered sorts it."""
    if flags & 0xFFFFFFFF & ~_ORDER_FLAGS:
        not_applicable("unknown list flags")
    if flags & as_msgpack.ORDERED and not target.ordered:
        target.values = as_msgpack.sort_values(target.elements)
    target.flags = flags & _KEPT_FLAGS


def clear(target: ListValue) -> None:
    """Drop all elements; the order stays."""
    target.values = []


def sort(target: ListValue, flags: int = 0) -> None:
    """Sort once; an ordered list can only lose duplicates."""
    if target.size < 2:
        return
    if target.ordered:
        values = target.elements
    else:
        values = as_msgpack.sort_values(target.elements, reverse=bool(flags & DESCENDING))
        if flags & DESCENDING and flags & DROP_DUPLICATES and compare(values[0], values[-1]):
            bad_argument("a descending sort keeps duplicates, unless all are equal")
    if flags & DROP_DUPLICATES:
        fresh = [value for before, value in pairwise(values) if compare(before, value)]
        values = [values[0], *fresh]
    target.values = values


def size(target: ListValue) -> int:
    """How many elements."""
    return target.size


# -- adding ---------------------------------------------------------------------------------------


def append(target: ListValue, value: Value, order: int = 0, flags: int = 0) -> int:
    """Add at the end, or in its place when ordered."""
    return _add(target, [value], target.size, flags)


def append_items(target: ListValue, items: list[Value], order: int = 0, flags: int = 0) -> int:
    """Add several at the end, or each in its place when ordered."""
    return _add(target, as_msgpack.list_items(items), target.size, flags)


def insert(target: ListValue, index: int, value: Value, flags: int = 0) -> int:
    """Add in front of an index; beyond the end nils fill the gap."""
    _need_unordered(target)
    return _insert(target, index, [value], flags)


def insert_items(target: ListValue, index: int, items: list[Value], flags: int = 0) -> int:
    """Add several in front of an index."""
    _need_unordered(target)
    values = as_msgpack.list_items(items)
    return _insert(target, index, values, flags) if values else target.size


def _insert(target: ListValue, index: int, items: list[Value], flags: int) -> int:
    at = _from_end(target, index)
    if at < 0:
        not_applicable("index before the first element")
    return _add(target, items, at, flags)


def _from_end(target: ListValue, index: int) -> int:
    return index + target.size if index < 0 else index


def _need_unordered(target: ListValue) -> None:
    if target.ordered:
        not_applicable("an ordered list places its elements itself")


def _add(target: ListValue, items: list[Value], at: int, flags: int) -> int:
    """Add `items` at a position; write flags may thin them out, deny them or make that an error."""
    if at > MAX_INDEX:
        not_applicable("index beyond any list")
    try:
        if flags & INSERT_BOUNDED and at > target.size:
            raise _Denied(ResultCode.OP_NOT_APPLICABLE)
        if flags & ADD_UNIQUE:
            items = _unique_items(target, items, flags)
    except _Denied as denied:
        if flags & NO_FAIL:
            return target.size
        refuse(denied.code, "denied by write flags")
    if not items:
        return target.size
    if target.ordered:
        _place(target, items)
    else:
        if at >= MAX_INDEX - 1:
            bad_argument("index of no list with an element behind it")
        pad(target, at)
        target.splice(at, 0, items)
    return target.size


def _unique_items(target: ListValue, items: list[Value], flags: int) -> list[Value]:
    """The items that are new. One that is there already denies all (24) unless PARTIAL is given
    with NO_FAIL; likewise one that occurs twice (26), which an ordered list looks at first."""
    if len(items) == 1:
        if _holds(target, items[0]):
            raise _Denied(ResultCode.ELEMENT_EXISTS)
        return items
    present = Known(target.elements)
    if flags & NO_FAIL and flags & PARTIAL:
        return _first_of_each([item for item in items if item not in present])
    repeated = len(_first_of_each(items)) < len(items)
    known = any(item in present for item in items)
    if known and not (repeated and target.ordered):
        raise _Denied(ResultCode.ELEMENT_EXISTS)
    if repeated:
        raise _Denied(ResultCode.OP_NOT_APPLICABLE)
    return items


def _first_of_each(items: list[Value]) -> list[Value]:
    """The items without repeats, in their order; of equal ones the last stands for all, where the
    first was."""
    keys = [order_key(item) for item in items]
    order = sorted(range(len(items)), key=keys.__getitem__)
    kept = dict(enumerate(items))
    first = order[0] if order else 0
    for before, at in pairwise(order):
        if keys[before] == keys[at]:
            kept[first] = kept.pop(at)
        else:
            first = at
    return list(kept.values())


def _holds(target: ListValue, value: Value) -> bool:
    if target.ordered:
        at = target.upper_bound(value)
        return at > 0 and compare(target.value_at(at - 1), value) == 0
    return bool(equal_positions(target.elements, value))


def _place(target: ListValue, items: list[Value]) -> None:
    if len(items) == 1:
        target.splice(target.upper_bound(items[0]), 0, items)
    else:
        target.values = as_msgpack.sort_values(target.elements + items)


def _move(target: ListValue, at: int, value: Value) -> None:
    """Put `value` in its place instead of the element at a position."""
    place = target.upper_bound(value)
    place -= place > at
    first, last = sorted((at, place))
    passed = target.part(first, last + 1 - first)
    del passed[at - first]
    passed.insert(place - first, value)
    target.splice(first, last + 1 - first, passed)


def pad(target: ListValue, index: int) -> None:
    """Extend with nils up to an index. Bounded: error 26 or 13 beyond what a record may hold."""
    missing = index - target.size
    if index >= MAX_INDEX:
        not_applicable("index beyond any list")
    if missing > MAX_PADDING:
        refuse(ResultCode.RECORD_TOO_BIG, "padding larger than any record")
    if missing > 0:
        target.splice(target.size, 0, [None] * missing)


# -- changing one element -------------------------------------------------------------------------


def set_(target: ListValue, index: int, value: Value, flags: int = 0) -> None:
    """Replace one element; beyond the end it is an insert."""
    _need_unordered(target)
    at = _from_end(target, index)
    if at < 0:
        not_applicable("index before the first element")
    if at >= target.size:
        _add(target, [value], at, flags)
        return
    if not _denied_as_known(target, value, at, flags):
        target.splice(at, 1, [value])


def increment(
    target: ListValue, index: int, delta: Value = None, order: int = 0, flags: int = 0
) -> Value:
    """Add to one element; beyond the end it starts from 0."""
    at = _from_end(target, index)
    count = target.size
    result: Value = 1 if delta is None else delta
    if target.ordered:
        check_number(result)
    if at < 0 or at >= MAX_INDEX:
        not_applicable("index before the first element or beyond any list")
    if at > count and target.ordered:
        not_applicable("an ordered list has no gaps")
    check_number(result)
    if at < count:
        result = add(target.value_at(at), result)
    if at >= count:
        _add(target, [result], at, flags)
    elif not _denied_as_known(target, result, at, flags):
        if target.ordered:
            _move(target, at, result)
        else:
            target.splice(at, 1, [result])
    return result


def _denied_as_known(target: ListValue, value: Value, at: int, flags: int) -> bool:
    """Whether ADD_UNIQUE forbids `value` in place of the element at a position, which does not
    count itself, and NO_FAIL makes that a no-op; error 24 without."""
    if not flags & ADD_UNIQUE or not _holds(target, value):
        return False
    if not target.ordered and equal_positions(target.elements, value) == [at]:
        return False
    if not flags & NO_FAIL:
        refuse(ResultCode.ELEMENT_EXISTS, "the value is there already")
    return True


# -- removing and reading by index ----------------------------------------------------------------


def pop(target: ListValue, index: int) -> Value:
    """Remove one element and answer it."""
    at = locate(index, target.size)
    popped = target.value_at(at)
    target.splice(at, 1, [])
    return popped


def pop_range(target: ListValue, index: int, count: int | None = None) -> list[Value]:
    """Remove a range and answer its elements."""
    start, count = clamp(index, count, target.size)
    popped = target.part(start, count)
    target.splice(start, count, [])
    return popped


def remove(target: ListValue, index: int) -> int:
    """Remove one element; answers 1."""
    pop(target, index)
    return 1


def remove_range(target: ListValue, index: int, count: int | None = None) -> int:
    """Remove a range; answers how many elements went."""
    return len(pop_range(target, index, count))


def trim(target: ListValue, index: int, count: int) -> int:
    """Keep only a range; answers how many elements went."""
    start, count = clamp(index, count, target.size)
    removed = target.size - count
    target.values = target.elements[start : start + count]
    return removed


def get(target: ListValue, index: int) -> Value:
    """One element."""
    return target.value_at(locate(index, target.size))


def get_range(target: ListValue, index: int, count: int | None = None) -> list[Value]:
    """A range of elements."""
    start, count = clamp(index, count, target.size)
    return target.part(start, count)


def by_value_interval(target: ListValue, begin: Value, *end: Value) -> Selection:
    """[begin, end) or, without end, all from begin on."""
    return select.by_value_interval(target, begin, *end, bounded=bool(end))


# -- the table ------------------------------------------------------------------------------------


def _order(at: int) -> Callable[[Sequence[Value]], int]:
    """The flags of a created list: argument number `at`, 0 when left out."""

    def flags(args: Sequence[Value]) -> int:
        order = args[at] if at < len(args) else 0
        return as_msgpack.ORDERED if order & ~as_msgpack.PERSIST_INDEX == as_msgpack.ORDERED else 0

    return flags


def _unordered(args: Sequence[Value]) -> int:
    return 0


_INT, _VALUE = Arg.INT, Arg.VALUE
_STORED, _ITEMS = Arg.STORED, Arg.STORED_LIST

LIST_OPS: Final[Mapping[int, Op]] = MappingProxyType(
    {
        0: Op("set_type", (_INT,), (), set_type, True, _order(0)),
        1: Op("append", (_STORED,), (_INT, _INT), append, True, _order(1)),
        2: Op("append_items", (_ITEMS,), (_INT, _INT), append_items, True, _order(1)),
        3: Op("insert", (_INT, _STORED), (_INT,), insert, True, _unordered),
        4: Op("insert_items", (_INT, _ITEMS), (_INT,), insert_items, True, _unordered),
        5: Op("pop", (_INT,), (), pop, True, blind=True),
        6: Op("pop_range", (_INT,), (_INT,), pop_range, True, blind=True),
        7: Op("remove", (_INT,), (), remove, True, blind=True),
        8: Op("remove_range", (_INT,), (_INT,), remove_range, True, blind=True),
        9: Op("set", (_INT, _STORED), (_INT,), set_, True, _unordered),
        10: Op("trim", (_INT, _INT), (), trim, True, blind=True),
        11: Op("clear", (), (), clear, True, blind=True),
        12: Op("increment", (_INT,), (_VALUE, _INT, _INT), increment, True, _order(2)),
        13: Op("sort", (), (_INT,), sort, True, absent=ResultCode.BIN_TYPE),
        16: Op("size", (), (), size),
        17: Op("get", (_INT,), (), get),
        18: Op("get_range", (_INT,), (_INT,), get_range),
        19: getter("get_by_index", select.by_index, (_INT,)),
        20: getter("get_by_value", select.by_value, (_VALUE,)),
        21: getter("get_by_rank", select.by_rank, (_INT,)),
        22: getter("get_all_by_value", select.all_by_value, (_VALUE,)),
        23: getter("get_by_value_list", select.by_value_list, (_VALUE,)),
        24: getter("get_by_index_range", select.by_index_range, (_INT,), (_INT,)),
        25: getter("get_by_value_interval", by_value_interval, (_VALUE,), (_VALUE,)),
        26: getter("get_by_rank_range", select.by_rank_range, (_INT,), (_INT,)),
        27: getter(
            "get_by_value_rel_rank_range", select.by_value_rel_rank_range, (_VALUE, _INT), (_INT,)
        ),
        32: remover("remove_by_index", select.by_index, (_INT,)),
        33: remover("remove_by_value", select.by_value, (_VALUE,)),
        34: remover("remove_by_rank", select.by_rank, (_INT,)),
        35: remover("remove_all_by_value", select.all_by_value, (_VALUE,)),
        36: remover("remove_by_value_list", select.by_value_list, (_VALUE,)),
        37: remover("remove_by_index_range", select.by_index_range, (_INT,), (_INT,)),
        38: remover("remove_by_value_interval", by_value_interval, (_VALUE,), (_VALUE,)),
        39: remover("remove_by_rank_range", select.by_rank_range, (_INT,), (_INT,)),
        40: remover(
            "remove_by_value_rel_rank_range",
            select.by_value_rel_rank_range,
            (_VALUE, _INT),
            (_INT,),
        ),
    }
)
