"""The map operations, one function each, and their table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from aerospike_common import as_msgpack
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ResultCode
from asd.bins.cdt import selection as select
from asd.bins.cdt.containers import MapValue, check_map_key, not_applicable, refuse
from asd.bins.cdt.numbers import add as add_numbers
from asd.bins.cdt.numbers import wrap
from asd.bins.cdt.selection import Selection
from asd.bins.cdt.table import Arg, Op, getter, remover

CREATE_ONLY: Final = 1
UPDATE_ONLY: Final = 2
NO_FAIL: Final = 4
PARTIAL: Final = 8

_TYPE_FLAGS: Final = as_msgpack.MAP_FLAGS | as_msgpack.PERSIST_INDEX


# -- whole map ------------------------------------------------------------------------------------


def set_type(target: MapValue, flags: int) -> None:
    """Give the map an order; its bytes are in key order anyway."""
    if flags & 0xFFFFFFFF & ~_TYPE_FLAGS:
        not_applicable("unknown map flags")
    target.flags = flags & _TYPE_FLAGS


def clear(target: MapValue) -> None:
    """Drop all entries; the order stays."""
    target.replace([], [])


def size(target: MapValue) -> int:
    """How many entries."""
    return target.size


# -- putting --------------------------------------------------------------------------------------


def put(target: MapValue, key: Value, value: Value, attributes: int = 0, flags: int = 0) -> int:
    """Put one entry, as the write flags allow."""
    check_map_key(key)
    _put(target, [(key, value)], flags)
    return target.size


def put_items(
    target: MapValue, items: dict[Value, Value], attributes: int = 0, flags: int = 0
) -> int:
    """Put several entries."""
    if not target.size and flags & NO_FAIL and flags & PARTIAL:
        # What cannot be updated in an empty map is all put there: so the protocol has it.
        flags &= ~UPDATE_ONLY
    _put(target, as_msgpack.map_items(items), flags)
    return target.size


def add(target: MapValue, key: Value, value: Value, attributes: int = 0) -> int:
    """Put one entry that is not there yet."""
    return put(target, key, value, attributes, CREATE_ONLY)


def add_items(target: MapValue, items: dict[Value, Value], attributes: int = 0) -> int:
    """Put several entries that are not there yet."""
    return put_items(target, items, attributes, CREATE_ONLY)


def replace(target: MapValue, key: Value, value: Value) -> int:
    """Replace the value of one key."""
    return put(target, key, value, 0, UPDATE_ONLY)


def replace_items(target: MapValue, items: dict[Value, Value]) -> int:
    """Replace the values of several keys."""
    return put_items(target, items, 0, UPDATE_ONLY)


def _put(target: MapValue, items: Sequence[tuple[Value, Value]], flags: int) -> None:
    if flags & (CREATE_ONLY | UPDATE_ONLY):
        items = _allowed(target, items, flags)
    if len(items) == 1:
        target.put(*items[0])
    elif items:
        _merge(target, items)


def _merge(target: MapValue, items: Sequence[tuple[Value, Value]]) -> None:
    merged = dict(zip(target.keys, target.values, strict=True))
    merged.update(items)
    ordered = as_msgpack.sort_pairs(list(merged.items()))
    target.replace([key for key, _ in ordered], [value for _, value in ordered])


def _allowed(
    target: MapValue, items: Sequence[tuple[Value, Value]], flags: int
) -> Sequence[tuple[Value, Value]]:
    """The items that the write flags let pass; nothing, or an error, when one of them does not."""
    allowed = []
    for key, value in items:
        there = target.find(key) >= 0
        if there and flags & CREATE_ONLY:
            denied = ResultCode.ELEMENT_EXISTS
        elif not there and flags & UPDATE_ONLY:
            denied = ResultCode.ELEMENT_NOT_FOUND
        else:
            allowed.append((key, value))
            continue
        if not flags & NO_FAIL:
            refuse(denied, "denied by write flags")
        if not flags & PARTIAL:
            return ()
    return allowed


# -- counting -------------------------------------------------------------------------------------


def increment(target: MapValue, key: Value, delta: Value = None, attributes: int = 0) -> Value:
    """Add to the value of a key; a missing one starts from 0."""
    return _count(target, key, 1 if delta is None else delta)


def decrement(target: MapValue, key: Value, delta: Value = None, attributes: int = 0) -> Value:
    """Subtract from the value of a key; a missing one starts from 0."""
    if type(delta) is float:
        return _count(target, key, -delta)
    return _count(target, key, wrap(-(1 if delta is None else delta)))


def _count(target: MapValue, key: Value, delta: Value) -> Value:
    check_map_key(key)
    at = target.find(key)
    counted = delta if at < 0 else add_numbers(target.value_at(at), delta)
    target.put(key, counted)
    return counted


# -- intervals ------------------------------------------------------------------------------------


def by_key_interval(target: MapValue, begin: Value, *end: Value) -> Selection:
    """[begin, end) or, without end, all from begin on."""
    return select.by_key_interval(target, begin, *end, bounded=bool(end))


def by_value_interval(target: MapValue, begin: Value, *end: Value) -> Selection:
    """[begin, end) or, without end, all from begin on."""
    return select.by_value_interval(target, begin, *end, bounded=bool(end))


# -- the table ------------------------------------------------------------------------------------


def _attributes(at: int) -> Callable[[Sequence[Value]], int]:
    """The flags of a created map: argument number `at`, 0 when left out."""
    return lambda args: args[at] & _TYPE_FLAGS if at < len(args) else 0


_MISSING: Final = ResultCode.ELEMENT_NOT_FOUND
_INT, _VALUE = Arg.INT, Arg.VALUE
_STORED, _ITEMS, _NUMBER = Arg.STORED, Arg.STORED_MAP, Arg.NUMBER

MAP_OPS: Final[Mapping[int, Op]] = MappingProxyType(
    {
        64: Op("set_type", (_INT,), (), set_type, True, _attributes(0)),
        65: Op("add", (_VALUE, _STORED), (_INT,), add, True, _attributes(2)),
        66: Op("add_items", (_ITEMS,), (_INT,), add_items, True, _attributes(1)),
        67: Op("put", (_VALUE, _STORED), (_INT, _INT), put, True, _attributes(2)),
        68: Op("put_items", (_ITEMS,), (_INT, _INT), put_items, True, _attributes(1)),
        69: Op("replace", (_VALUE, _STORED), (), replace, True, absent=_MISSING),
        70: Op("replace_items", (_ITEMS,), (), replace_items, True, absent=_MISSING),
        73: Op("increment", (_VALUE,), (_NUMBER, _INT), increment, True, _attributes(2)),
        74: Op("decrement", (_VALUE,), (_NUMBER, _INT), decrement, True, _attributes(2)),
        75: Op("clear", (), (), clear, True),
        76: remover("remove_by_key", select.by_key, (_VALUE,)),
        77: remover("remove_by_index", select.by_index, (_INT,)),
        78: remover("remove_by_value", select.by_value, (_VALUE,)),
        79: remover("remove_by_rank", select.by_rank, (_INT,)),
        81: remover("remove_by_key_list", select.by_key_list, (_VALUE,)),
        82: remover("remove_all_by_value", select.all_by_value, (_VALUE,)),
        83: remover("remove_by_value_list", select.by_value_list, (_VALUE,)),
        84: remover("remove_by_key_interval", by_key_interval, (_VALUE,), (_VALUE,)),
        85: remover("remove_by_index_range", select.by_index_range, (_INT,), (_INT,)),
        86: remover("remove_by_value_interval", by_value_interval, (_VALUE,), (_VALUE,)),
        87: remover("remove_by_rank_range", select.by_rank_range, (_INT,), (_INT,)),
        88: remover(
            "remove_by_key_rel_index_range",
            select.by_key_rel_index_range,
            (_VALUE, _INT),
            (_INT,),
        ),
        89: remover(
            "remove_by_value_rel_rank_range",
            select.by_value_rel_rank_range,
            (_VALUE, _INT),
            (_INT,),
        ),
        96: Op("size", (), (), size),
        97: getter("get_by_key", select.by_key, (_VALUE,)),
        98: getter("get_by_index", select.by_index, (_INT,)),
        99: getter("get_by_value", select.by_value, (_VALUE,)),
        100: getter("get_by_rank", select.by_rank, (_INT,)),
        102: getter("get_all_by_value", select.all_by_value, (_VALUE,)),
        103: getter("get_by_key_interval", by_key_interval, (_VALUE,), (_VALUE,)),
        104: getter("get_by_index_range", select.by_index_range, (_INT,), (_INT,)),
        105: getter("get_by_value_interval", by_value_interval, (_VALUE,), (_VALUE,)),
        106: getter("get_by_rank_range", select.by_rank_range, (_INT,), (_INT,)),
        107: getter("get_by_key_list", select.by_key_list, (_VALUE,)),
        108: getter("get_by_value_list", select.by_value_list, (_VALUE,)),
        109: getter(
            "get_by_key_rel_index_range", select.by_key_rel_index_range, (_VALUE, _INT), (_INT,)
        ),
        110: getter(
            "get_by_value_rel_rank_range", select.by_value_rel_rank_range, (_VALUE, _INT), (_INT,)
        ),
    }
)
