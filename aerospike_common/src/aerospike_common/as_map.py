"""`AsMap`: what any map value can do, from what its kind must."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import TypeAlias

from aerospike_common.as_bytes import AsBytes
from aerospike_common.as_integer import AsInteger
from aerospike_common.as_string import AsString
from aerospike_common.as_val import AsVal, OrderKey, Rank, checked

MapKey: TypeAlias = AsInteger | AsString | AsBytes
"""The types a map's keys may have."""

MapItems: TypeAlias = Mapping[MapKey, AsVal] | Iterable[tuple[MapKey, AsVal]]
"""What a map can be made from."""


class AsMap(AsVal, MutableMapping[MapKey, AsVal]):
    """A mutable mapping of values by integer, string or bytes, itself a value.

    A kind of map gives `__getitem__`, `__setitem__`, `__delitem__`, `__len__` and `__iter__`; all
    else follows as for any mapping. `__setitem__` raises TypeError for other types of key.
    Kinds differ in the order they iterate in and in the flags they are stored with; they are equal
    when their pairs are.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def order_key(self) -> OrderKey:
        """`(rank, count, ((key of key, key of value), ...))` in key order. O(n log n)."""
        pairs = sorted([(key.order_key(), value.order_key()) for key, value in self.items()])
        return (Rank.MAP, len(pairs), tuple(pairs))


def checked_items(items: MapItems) -> dict[MapKey, AsVal]:
    """A new dict of `items`; of pairs with equal keys the last. Raises TypeError."""
    return {checked_key(key): checked(value) for key, value in dict(items).items()}


def checked_key(key: object) -> MapKey:
    """`key` itself if a map may have it. Raises TypeError."""
    if not isinstance(key, (AsInteger, AsString, AsBytes)):
        raise TypeError(f"a map's keys are integers, strings or bytes, not {type(key).__name__}")
    return key
