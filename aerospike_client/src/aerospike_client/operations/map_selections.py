"""Operations that select entries of a map, by key, place, value or rank: read or remove them.

An index is by key, a rank by value. Negative ones count from the end, a `count` of None means to
the end, and `inverted` selects all the others. `returning` says what of the selected is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aerospike_client.operations.codes import MapCode, MapReturnType
from aerospike_client.operations.context import Context
from aerospike_client.operations.operation import as_list, operation, optional, return_type
from aerospike_client.values import BinValue
from aerospike_common.wire import Op, OpType

_READ: Final = OpType.CDT_READ
_MODIFY: Final = OpType.CDT_MODIFY


def get_by_key(
    bin: str,
    key: BinValue,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    context: Context = (),
) -> Op:
    """Read the entry with this key."""
    returned = return_type(returning, False)
    return operation(_READ, bin, context, MapCode.GET_BY_KEY, returned, key)


def get_by_index(
    bin: str,
    index: int,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    context: Context = (),
) -> Op:
    """Read the entry that is `index`-th by key."""
    returned = return_type(returning, False)
    return operation(_READ, bin, context, MapCode.GET_BY_INDEX, returned, index)


def get_by_rank(
    bin: str,
    rank: int,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    context: Context = (),
) -> Op:
    """Read the entry that is `rank`-th by value."""
    returned = return_type(returning, False)
    return operation(_READ, bin, context, MapCode.GET_BY_RANK, returned, rank)


def get_by_value(
    bin: str,
    value: BinValue,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read all entries with this value."""
    returned = return_type(returning, inverted)
    return operation(_READ, bin, context, MapCode.GET_BY_VALUE, returned, value)


def get_by_key_list(
    bin: str,
    keys: Sequence[BinValue],
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read the entries with one of these keys."""
    returned = return_type(returning, inverted)
    return operation(_READ, bin, context, MapCode.GET_BY_KEY_LIST, returned, as_list(keys))


def get_by_value_list(
    bin: str,
    values: Sequence[BinValue],
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read the entries with one of these values."""
    returned = return_type(returning, inverted)
    return operation(_READ, bin, context, MapCode.GET_BY_VALUE_LIST, returned, as_list(values))


def get_by_key_range(
    bin: str,
    begin: BinValue,
    end: BinValue,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read the entries with keys from `begin` on and before `end`; None is without bound."""
    returned = return_type(returning, inverted)
    return operation(_READ, bin, context, MapCode.GET_BY_KEY_RANGE, returned, begin, *optional(end))


def get_by_value_range(
    bin: str,
    begin: BinValue,
    end: BinValue,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read the entries with values from `begin` on and before `end`; None is without bound."""
    returned = return_type(returning, inverted)
    return operation(
        _READ, bin, context, MapCode.GET_BY_VALUE_RANGE, returned, begin, *optional(end)
    )


def get_by_index_range(
    bin: str,
    index: int,
    count: int | None,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read `count` entries by key, from `index` on."""
    returned = return_type(returning, inverted)
    return operation(
        _READ, bin, context, MapCode.GET_BY_INDEX_RANGE, returned, index, *optional(count)
    )


def get_by_rank_range(
    bin: str,
    rank: int,
    count: int | None,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read `count` entries by value, from `rank` on."""
    returned = return_type(returning, inverted)
    return operation(
        _READ, bin, context, MapCode.GET_BY_RANK_RANGE, returned, rank, *optional(count)
    )


def get_by_key_rel_index_range(
    bin: str,
    key: BinValue,
    index: int,
    count: int | None,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read `count` entries by key, from the one `index` places behind `key` on."""
    returned = return_type(returning, inverted)
    return operation(
        _READ,
        bin,
        context,
        MapCode.GET_BY_KEY_REL_INDEX_RANGE,
        returned,
        key,
        index,
        *optional(count),
    )


def get_by_value_rel_rank_range(
    bin: str,
    value: BinValue,
    rank: int,
    count: int | None,
    returning: MapReturnType = MapReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read `count` entries by value, from the one `rank` places behind `value` on."""
    returned = return_type(returning, inverted)
    return operation(
        _READ,
        bin,
        context,
        MapCode.GET_BY_VALUE_REL_RANK_RANGE,
        returned,
        value,
        rank,
        *optional(count),
    )


def remove_by_key(
    bin: str,
    key: BinValue,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    context: Context = (),
) -> Op:
    """Remove the entry with this key."""
    returned = return_type(returning, False)
    return operation(_MODIFY, bin, context, MapCode.REMOVE_BY_KEY, returned, key)


def remove_by_index(
    bin: str,
    index: int,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    context: Context = (),
) -> Op:
    """Remove the entry that is `index`-th by key."""
    returned = return_type(returning, False)
    return operation(_MODIFY, bin, context, MapCode.REMOVE_BY_INDEX, returned, index)


def remove_by_rank(
    bin: str,
    rank: int,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    context: Context = (),
) -> Op:
    """Remove the entry that is `rank`-th by value."""
    returned = return_type(returning, False)
    return operation(_MODIFY, bin, context, MapCode.REMOVE_BY_RANK, returned, rank)


def remove_by_value(
    bin: str,
    value: BinValue,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove all entries with this value."""
    returned = return_type(returning, inverted)
    return operation(_MODIFY, bin, context, MapCode.REMOVE_BY_VALUE, returned, value)


def remove_by_key_list(
    bin: str,
    keys: Sequence[BinValue],
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove the entries with one of these keys."""
    returned = return_type(returning, inverted)
    return operation(_MODIFY, bin, context, MapCode.REMOVE_BY_KEY_LIST, returned, as_list(keys))


def remove_by_value_list(
    bin: str,
    values: Sequence[BinValue],
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove the entries with one of these values."""
    returned = return_type(returning, inverted)
    return operation(_MODIFY, bin, context, MapCode.REMOVE_BY_VALUE_LIST, returned, as_list(values))


def remove_by_key_range(
    bin: str,
    begin: BinValue,
    end: BinValue,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove the entries with keys from `begin` on and before `end`; None is without bound."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY, bin, context, MapCode.REMOVE_BY_KEY_RANGE, returned, begin, *optional(end)
    )


def remove_by_value_range(
    bin: str,
    begin: BinValue,
    end: BinValue,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove the entries with values from `begin` on and before `end`; None is without bound."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY, bin, context, MapCode.REMOVE_BY_VALUE_RANGE, returned, begin, *optional(end)
    )


def remove_by_index_range(
    bin: str,
    index: int,
    count: int | None,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove `count` entries by key, from `index` on."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY, bin, context, MapCode.REMOVE_BY_INDEX_RANGE, returned, index, *optional(count)
    )


def remove_by_rank_range(
    bin: str,
    rank: int,
    count: int | None,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove `count` entries by value, from `rank` on."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY, bin, context, MapCode.REMOVE_BY_RANK_RANGE, returned, rank, *optional(count)
    )


def remove_by_key_rel_index_range(
    bin: str,
    key: BinValue,
    index: int,
    count: int | None,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove `count` entries by key, from the one `index` places behind `key` on."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY,
        bin,
        context,
        MapCode.REMOVE_BY_KEY_REL_INDEX_RANGE,
        returned,
        key,
        index,
        *optional(count),
    )


def remove_by_value_rel_rank_range(
    bin: str,
    value: BinValue,
    rank: int,
    count: int | None,
    returning: MapReturnType = MapReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove `count` entries by value, from the one `rank` places behind `value` on."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY,
        bin,
        context,
        MapCode.REMOVE_BY_VALUE_REL_RANK_RANGE,
        returned,
        value,
        rank,
        *optional(count),
    )
