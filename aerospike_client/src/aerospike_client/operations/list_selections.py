"""Operations that select elements of a list, by place, by value or by rank: read or remove them.

Negative indexes and ranks count from the end, a `count` of None means to the end, and `inverted`
selects all the others. `returning` says what of the selected is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aerospike_client.operations.codes import ListCode, ListReturnType
from aerospike_client.operations.context import Context
from aerospike_client.operations.operation import as_list, operation, optional, return_type
from aerospike_client.values import BinValue
from aerospike_common.wire import Op, OpType

_READ: Final = OpType.CDT_READ
_MODIFY: Final = OpType.CDT_MODIFY


def get_by_index(
    bin: str,
    index: int,
    returning: ListReturnType = ListReturnType.VALUE,
    *,
    context: Context = (),
) -> Op:
    """Read the element at `index`."""
    returned = return_type(returning, False)
    return operation(_READ, bin, context, ListCode.GET_BY_INDEX, returned, index)


def get_by_rank(
    bin: str,
    rank: int,
    returning: ListReturnType = ListReturnType.VALUE,
    *,
    context: Context = (),
) -> Op:
    """Read the element that is `rank`-th by value."""
    returned = return_type(returning, False)
    return operation(_READ, bin, context, ListCode.GET_BY_RANK, returned, rank)


def get_by_value(
    bin: str,
    value: BinValue,
    returning: ListReturnType = ListReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read all elements that equal `value`."""
    returned = return_type(returning, inverted)
    return operation(_READ, bin, context, ListCode.GET_BY_VALUE, returned, value)


def get_by_value_list(
    bin: str,
    values: Sequence[BinValue],
    returning: ListReturnType = ListReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read all elements that equal one of `values`."""
    returned = return_type(returning, inverted)
    return operation(_READ, bin, context, ListCode.GET_BY_VALUE_LIST, returned, as_list(values))


def get_by_index_range(
    bin: str,
    index: int,
    count: int | None,
    returning: ListReturnType = ListReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read `count` elements from `index` on."""
    returned = return_type(returning, inverted)
    return operation(
        _READ, bin, context, ListCode.GET_BY_INDEX_RANGE, returned, index, *optional(count)
    )


def get_by_rank_range(
    bin: str,
    rank: int,
    count: int | None,
    returning: ListReturnType = ListReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read `count` elements by value, from `rank` on."""
    returned = return_type(returning, inverted)
    return operation(
        _READ, bin, context, ListCode.GET_BY_RANK_RANGE, returned, rank, *optional(count)
    )


def get_by_value_range(
    bin: str,
    begin: BinValue,
    end: BinValue,
    returning: ListReturnType = ListReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read all elements from `begin` on and before `end`; None is without bound."""
    returned = return_type(returning, inverted)
    return operation(
        _READ, bin, context, ListCode.GET_BY_VALUE_RANGE, returned, begin, *optional(end)
    )


def get_by_value_rel_rank_range(
    bin: str,
    value: BinValue,
    rank: int,
    count: int | None,
    returning: ListReturnType = ListReturnType.VALUE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Read `count` elements by value, from the one `rank` places behind `value` on."""
    returned = return_type(returning, inverted)
    return operation(
        _READ,
        bin,
        context,
        ListCode.GET_BY_VALUE_REL_RANK_RANGE,
        returned,
        value,
        rank,
        *optional(count),
    )


def remove_by_index(
    bin: str,
    index: int,
    returning: ListReturnType = ListReturnType.NONE,
    *,
    context: Context = (),
) -> Op:
    """Remove the element at `index`."""
    returned = return_type(returning, False)
    return operation(_MODIFY, bin, context, ListCode.REMOVE_BY_INDEX, returned, index)


def remove_by_rank(
    bin: str,
    rank: int,
    returning: ListReturnType = ListReturnType.NONE,
    *,
    context: Context = (),
) -> Op:
    """Remove the element that is `rank`-th by value."""
    returned = return_type(returning, False)
    return operation(_MODIFY, bin, context, ListCode.REMOVE_BY_RANK, returned, rank)


def remove_by_value(
    bin: str,
    value: BinValue,
    returning: ListReturnType = ListReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove all elements that equal `value`."""
    returned = return_type(returning, inverted)
    return operation(_MODIFY, bin, context, ListCode.REMOVE_BY_VALUE, returned, value)


def remove_by_value_list(
    bin: str,
    values: Sequence[BinValue],
    returning: ListReturnType = ListReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove all elements that equal one of `values`."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY, bin, context, ListCode.REMOVE_BY_VALUE_LIST, returned, as_list(values)
    )


def remove_by_index_range(
    bin: str,
    index: int,
    count: int | None,
    returning: ListReturnType = ListReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove `count` elements from `index` on."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY, bin, context, ListCode.REMOVE_BY_INDEX_RANGE, returned, index, *optional(count)
    )


def remove_by_rank_range(
    bin: str,
    rank: int,
    count: int | None,
    returning: ListReturnType = ListReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove `count` elements by value, from `rank` on."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY, bin, context, ListCode.REMOVE_BY_RANK_RANGE, returned, rank, *optional(count)
    )


def remove_by_value_range(
    bin: str,
    begin: BinValue,
    end: BinValue,
    returning: ListReturnType = ListReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove all elements from `begin` on and before `end`; None is without bound."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY, bin, context, ListCode.REMOVE_BY_VALUE_RANGE, returned, begin, *optional(end)
    )


def remove_by_value_rel_rank_range(
    bin: str,
    value: BinValue,
    rank: int,
    count: int | None,
    returning: ListReturnType = ListReturnType.NONE,
    *,
    inverted: bool = False,
    context: Context = (),
) -> Op:
    """Remove `count` elements by value, from the one `rank` places behind `value` on."""
    returned = return_type(returning, inverted)
    return operation(
        _MODIFY,
        bin,
        context,
        ListCode.REMOVE_BY_VALUE_REL_RANK_RANGE,
        returned,
        value,
        rank,
        *optional(count),
    )
