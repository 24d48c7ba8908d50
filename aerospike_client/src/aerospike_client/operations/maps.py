"""Operations on maps.

Each gives an operation for `operate`. `context` leads to a map inside of the bin's value.
Those that select entries are defined in `map_selections`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aerospike_client.errors import InvalidParameter
from aerospike_client.operations.codes import MapCode, MapOrder
from aerospike_client.operations.context import Context, creating_map
from aerospike_client.operations.map_selections import (
    get_by_index,
    get_by_index_range,
    get_by_key,
    get_by_key_list,
    get_by_key_range,
    get_by_key_rel_index_range,
    get_by_rank,
    get_by_rank_range,
    get_by_value,
    get_by_value_list,
    get_by_value_range,
    get_by_value_rel_rank_range,
    remove_by_index,
    remove_by_index_range,
    remove_by_key,
    remove_by_key_list,
    remove_by_key_range,
    remove_by_key_rel_index_range,
    remove_by_rank,
    remove_by_rank_range,
    remove_by_value,
    remove_by_value_list,
    remove_by_value_range,
    remove_by_value_rel_rank_range,
)
from aerospike_client.operations.operation import operation
from aerospike_client.operations.policies import MapPolicy
from aerospike_client.values import BinValue
from aerospike_common.wire import Op, OpType

__all__ = [
    "create",
    "set_policy",
    "put",
    "put_items",
    "increment",
    "decrement",
    "clear",
    "size",
    # selecting
    "get_by_key",
    "get_by_index",
    "get_by_rank",
    "get_by_value",
    "get_by_key_list",
    "get_by_value_list",
    "get_by_key_range",
    "get_by_value_range",
    "get_by_index_range",
    "get_by_rank_range",
    "get_by_key_rel_index_range",
    "get_by_value_rel_rank_range",
    "remove_by_key",
    "remove_by_index",
    "remove_by_rank",
    "remove_by_value",
    "remove_by_key_list",
    "remove_by_value_list",
    "remove_by_key_range",
    "remove_by_value_range",
    "remove_by_index_range",
    "remove_by_rank_range",
    "remove_by_key_rel_index_range",
    "remove_by_value_rel_rank_range",
]

_READ: Final = OpType.CDT_READ
_MODIFY: Final = OpType.CDT_MODIFY


def create(bin: str, order: MapOrder, *, persist_index: bool = False, context: Context = ()) -> Op:
    """Make an empty map, if there is none."""
    if not context:
        attributes = MapPolicy(order, persist_index=persist_index).attributes
        return operation(_MODIFY, bin, (), MapCode.SET_TYPE, attributes)
    *steps, last = context
    steps.append(creating_map(last, order))
    return operation(_MODIFY, bin, steps, MapCode.SET_TYPE, int(order))


def set_policy(bin: str, policy: MapPolicy, *, context: Context = ()) -> Op:
    """Keep the map in another order from now on."""
    attributes = int(policy.order) if context else policy.attributes
    return operation(_MODIFY, bin, context, MapCode.SET_TYPE, attributes)


def put(
    bin: str,
    key: BinValue,
    value: BinValue,
    policy: MapPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Put a value under a key. Answers the new size."""
    return operation(_MODIFY, bin, context, MapCode.PUT, key, value, *_policy(policy))


def put_items(
    bin: str,
    items: Mapping[Any, BinValue],
    policy: MapPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Put several values under their keys. Answers the new size."""
    if not isinstance(items, Mapping):
        raise InvalidParameter(f"a mapping of keys to values, not {type(items).__name__}")
    return operation(_MODIFY, bin, context, MapCode.PUT_ITEMS, items, *_policy(policy))


def increment(
    bin: str,
    key: BinValue,
    delta: int | float = 1,
    policy: MapPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Add to the number under a key. Answers its new value."""
    return operation(_MODIFY, bin, context, MapCode.INCREMENT, key, delta, *_attributes(policy))


def decrement(
    bin: str,
    key: BinValue,
    delta: int | float = 1,
    policy: MapPolicy | None = None,
    *,
    context: Context = (),
) -> Op:
    """Take from the number under a key. Answers its new value."""
    return operation(_MODIFY, bin, context, MapCode.DECREMENT, key, delta, *_attributes(policy))


def clear(bin: str, *, context: Context = ()) -> Op:
    """Remove all entries."""
    return operation(_MODIFY, bin, context, MapCode.CLEAR)


def size(bin: str, *, context: Context = ()) -> Op:
    """How many entries the map has."""
    return operation(_READ, bin, context, MapCode.SIZE)


def _policy(policy: MapPolicy | None) -> tuple[int, ...]:
    if policy is None or not policy.flags:
        return _attributes(policy)
    return (policy.attributes, int(policy.flags))


def _attributes(policy: MapPolicy | None) -> tuple[int, ...]:
    return (0 if policy is None else policy.attributes,)
