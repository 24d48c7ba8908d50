"""Operations on lists.

Each gives an operation for `operate`. `context` leads to a list inside of the bin's value. Negative
indexes count from the end, and a `count` left out means to the end. What adds to a list creates it
where it is missing. Those that select elements are defined in `list_selections`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aerospike_client.operations.codes import (
    ListCode,
    ListOrder,
    ListSortFlags,
)
from aerospike_client.operations.context import Context, creating_list
from aerospike_client.operations.list_selections import (
    get_by_index,
    get_by_index_range,
    get_by_rank,
    get_by_rank_range,
    get_by_value,
    get_by_value_list,
    get_by_value_range,
    get_by_value_rel_rank_range,
    remove_by_index,
    remove_by_index_range,
    remove_by_rank,
    remove_by_rank_range,
    remove_by_value,
    remove_by_value_list,
    remove_by_value_range,
    remove_by_value_rel_rank_range,
)
from aerospike_client.operations.operation import as_list, operation, optional
from aerospike_client.operations.policies import ListPolicy
from aerospike_client.values import BinValue
from aerospike_common.wire import Op, OpType

__all__ = [
    "create",
    "set_order",
    "append",
    "append_items",
    "insert",
    "insert_items",
    "increment",
    "set",
    "pop",
    "pop_range",
    "remove",
    "remove_range",
    "trim",
    "clear",
    "sort",
    "size",
    "get",
    "get_range",
    "join",
    # selecting
    "get_by_index",
    "get_by_rank",
    "get_by_value",
    "get_by_value_list",
    "get_by_index_range",
    "get_by_rank_range",
    "get_by_value_range",
    "get_by_value_rel_rank_range",
    "remove_by_index",
    "remove_by_rank",
    "remove_by_value",
    "remove_by_value_list",
    "remove_by_index_range",
    "remove_by_rank_range",
    "remove_by_value_range",
    "remove_by_value_rel_rank_range",
]

_READ: Final = OpType.CDT_READ
_MODIFY: Final = OpType.CDT_MODIFY
_PERSIST_INDEX: Final = 0x10


def create(
    bin: str,
    order: ListOrder,
    *,
    pad: bool = False,
    persist_index: bool = False,
    context: Context = (),
) -> Op:
    """Make an empty list, if there is none. `pad` lets the last step of the context lie beyond the
    end of its list, which is filled with nil."""
    if not context:
        flags = order | (_PERSIST_INDEX if persist_index else 0)
        return operation(_MODIFY, bin, (), ListCode.SET_TYPE, flags)
    *steps, last = context
    steps.append(creating_list(last, order, pad=pad))
    return operation(_MODIFY, bin, steps, ListCode.SET_TYPE, int(order))


def set_order(bin: str, order: ListOrder, *, context: Context = ()) -> Op:
    """Keep the list in order from now on, or no longer."""
    return operation(_MODIFY, bin, context, ListCode.SET_TYPE, int(order))


def append(
    bin: str, value: BinValue, policy: ListPolicy | None = None, *, context: Context = ()
) -> Op:
    """Add a value at the end or, if the list is ordered, in its place. Answers the new size."""
    return operation(_MODIFY, bin, context, ListCode.APPEND, value, *_created(policy))


def append_items(
    bin: str,
    values: Sequence[BinValue],
    policy: ListPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Add several values. Answers the new size."""
    items = as_list(values)
    return operation(_MODIFY, bin, context, ListCode.APPEND_ITEMS, items, *_created(policy))


def insert(
    bin: str,
    index: int,
    value: BinValue,
    policy: ListPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Insert a value before the element at `index`. Answers the new size."""
    return operation(_MODIFY, bin, context, ListCode.INSERT, index, value, *_changed(policy))


def insert_items(
    bin: str,
    index: int,
    values: Sequence[BinValue],
    policy: ListPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Insert several values before the element at `index`. Answers the new size."""
    items = as_list(values)
    return operation(_MODIFY, bin, context, ListCode.INSERT_ITEMS, index, items, *_changed(policy))


def increment(
    bin: str,
    index: int,
    delta: int | float = 1,
    policy: ListPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Add to the number at `index`. Answers its new value."""
    return operation(_MODIFY, bin, context, ListCode.INCREMENT, index, delta, *_created(policy))


def set(
    bin: str,
    index: int,
    value: BinValue,
    policy: ListPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Replace the element at `index`."""
    return operation(_MODIFY, bin, context, ListCode.SET, index, value, *_changed(policy))


def pop(bin: str, index: int, *, context: Context = ()) -> Op:
    """Remove the element at `index`. Answers it."""
    return operation(_MODIFY, bin, context, ListCode.POP, index)


def pop_range(bin: str, index: int, count: int | None = None, *, context: Context = ()) -> Op:
    """Remove elements from `index` on. Answers them."""
    return operation(_MODIFY, bin, context, ListCode.POP_RANGE, index, *optional(count))


def remove(bin: str, index: int, *, context: Context = ()) -> Op:
    """Remove the element at `index`. Answers 1."""
    return operation(_MODIFY, bin, context, ListCode.REMOVE, index)


def remove_range(bin: str, index: int, count: int | None = None, *, context: Context = ()) -> Op:
    """Remove elements from `index` on. Answers how many."""
    return operation(_MODIFY, bin, context, ListCode.REMOVE_RANGE, index, *optional(count))


def trim(bin: str, index: int, count: int, *, context: Context = ()) -> Op:
    """Remove all but `count` elements from `index` on. Answers how many were removed."""
    return operation(_MODIFY, bin, context, ListCode.TRIM, index, count)


def clear(bin: str, *, context: Context = ()) -> Op:
    """Remove all elements."""
    return operation(_MODIFY, bin, context, ListCode.CLEAR)


def sort(bin: str, flags: ListSortFlags = ListSortFlags.DEFAULT, *, context: Context = ()) -> Op:
    """Sort the list, once."""
    return operation(_MODIFY, bin, context, ListCode.SORT, int(flags))


def size(bin: str, *, context: Context = ()) -> Op:
    """How many elements the list has."""
    return operation(_READ, bin, context, ListCode.SIZE)


def get(bin: str, index: int, *, context: Context = ()) -> Op:
    """The element at `index`."""
    return operation(_READ, bin, context, ListCode.GET, index)


def join(bin: str, separator: str | None = None, *, context: Context = ()) -> Op:
    """The strings of the list as one text. Servers from 8.1.3."""
    return operation(_READ, bin, context, ListCode.JOIN, *optional(separator))


def get_range(bin: str, index: int, count: int | None = None, *, context: Context = ()) -> Op:
    """Elements from `index` on."""
    return operation(_READ, bin, context, ListCode.GET_RANGE, index, *optional(count))


def _created(policy: ListPolicy | None) -> tuple[int, ...]:
    return () if policy is None else (int(policy.order), int(policy.flags))


def _changed(policy: ListPolicy | None) -> tuple[int, ...]:
    return () if policy is None else (int(policy.flags),)
