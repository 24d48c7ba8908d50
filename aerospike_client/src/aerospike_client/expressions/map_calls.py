"""What a map does inside an expression."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic

from aerospike_client.expressions import containers
from aerospike_client.expressions.expression import E, Expression
from aerospike_client.expressions.list_calls import IntLike
from aerospike_client.expressions.receiver import C, Receiver
from aerospike_client.expressions.scalars import Bool, Int
from aerospike_client.expressions.selections import MapEntries, MapEntry, optional
from aerospike_client.operations.codes import MapCode
from aerospike_client.operations.policies import MapPolicy


class MapCalls(ABC, Generic[C]):
    """The operations of maps. `C` is the type of the value that modifying calls give: the map
    itself or, in a context, what it lies in.

    Keys, values and integers may be literals or expressions. An index is by key, a rank by value;
    negative ones count from the end; a count left out means to the end.
    """

    __slots__ = ()

    @abstractmethod
    def _receiver(self) -> Receiver[C]:
        """What the calls work on."""

    def size(self) -> Int:
        """How many entries the map has."""
        return self._receiver().read(Int, MapCode.SIZE)

    def contains_key(self, key: object) -> Bool:
        """Whether there is an entry with this key."""
        return self.by_key(key).exists()

    def contains_value(self, value: object) -> Bool:
        """Whether there is an entry with this value."""
        return self.by_value(value).exists()

    def get(self, key: object, type_: type[E]) -> E:
        """The value under `key`; unknown when there is none or it is of another type."""
        return self.by_key(key).value(type_)

    # -- selecting

    def by_key(self, key: object) -> MapEntry[C]:
        """The entry with this key."""
        return MapEntry(self._receiver(), MapCode.GET_BY_KEY, MapCode.REMOVE_BY_KEY, (key,))

    def by_index(self, index: IntLike) -> MapEntry[C]:
        """The entry that is `index`-th by key."""
        codes = MapCode.GET_BY_INDEX, MapCode.REMOVE_BY_INDEX
        return MapEntry(self._receiver(), *codes, (index,))

    def by_rank(self, rank: IntLike) -> MapEntry[C]:
        """The entry that is `rank`-th by value."""
        return MapEntry(self._receiver(), MapCode.GET_BY_RANK, MapCode.REMOVE_BY_RANK, (rank,))

    def by_value(self, value: object) -> MapEntries[C]:
        """All entries with this value."""
        codes = MapCode.GET_BY_VALUE, MapCode.REMOVE_BY_VALUE
        return MapEntries(self._receiver(), *codes, (value,))

    def by_key_list(self, keys: Expression | Sequence[object]) -> MapEntries[C]:
        """The entries with one of these keys."""
        codes = MapCode.GET_BY_KEY_LIST, MapCode.REMOVE_BY_KEY_LIST
        return MapEntries(self._receiver(), *codes, (containers.List.of(keys),))

    def by_value_list(self, values: Expression | Sequence[object]) -> MapEntries[C]:
        """The entries with one of these values."""
        codes = MapCode.GET_BY_VALUE_LIST, MapCode.REMOVE_BY_VALUE_LIST
        return MapEntries(self._receiver(), *codes, (containers.List.of(values),))

    def by_key_range(self, begin: object = None, end: object = None) -> MapEntries[C]:
        """The entries with keys from `begin` on and before `end`; either may be left out."""
        codes = MapCode.GET_BY_KEY_RANGE, MapCode.REMOVE_BY_KEY_RANGE
        return MapEntries(self._receiver(), *codes, (begin, *optional(end)))

    def by_value_range(self, begin: object = None, end: object = None) -> MapEntries[C]:
        """The entries with values from `begin` on and before `end`; either may be left out."""
        codes = MapCode.GET_BY_VALUE_RANGE, MapCode.REMOVE_BY_VALUE_RANGE
        return MapEntries(self._receiver(), *codes, (begin, *optional(end)))

    def by_index_range(self, index: IntLike, count: IntLike | None = None) -> MapEntries[C]:
        """`count` entries by key, from `index` on."""
        codes = MapCode.GET_BY_INDEX_RANGE, MapCode.REMOVE_BY_INDEX_RANGE
        return MapEntries(self._receiver(), *codes, (index, *optional(count)))

    def by_rank_range(self, rank: IntLike, count: IntLike | None = None) -> MapEntries[C]:
        """`count` entries by value, from `rank` on."""
        codes = MapCode.GET_BY_RANK_RANGE, MapCode.REMOVE_BY_RANK_RANGE
        return MapEntries(self._receiver(), *codes, (rank, *optional(count)))

    def by_key_rel_index_range(
        self, key: object, index: IntLike, count: IntLike | None = None
    ) -> MapEntries[C]:
        """`count` entries by key, from the one `index` places behind `key` on."""
        codes = MapCode.GET_BY_KEY_REL_INDEX_RANGE, MapCode.REMOVE_BY_KEY_REL_INDEX_RANGE
        return MapEntries(self._receiver(), *codes, (key, index, *optional(count)))

    def by_value_rel_rank_range(
        self, value: object, rank: IntLike, count: IntLike | None = None
    ) -> MapEntries[C]:
        """`count` entries by value, from the one `rank` places behind `value` on."""
        codes = MapCode.GET_BY_VALUE_REL_RANK_RANGE, MapCode.REMOVE_BY_VALUE_REL_RANK_RANGE
        return MapEntries(self._receiver(), *codes, (value, rank, *optional(count)))

    # -- the map, changed

    def put(self, key: object, value: object, policy: MapPolicy | None = None) -> C:
        """With `value` under `key`."""
        return self._receiver().modify(MapCode.PUT, key, value, *_policy(policy))

    def put_items(
        self, items: Expression | Mapping[object, object], policy: MapPolicy | None = None
    ) -> C:
        """With several entries more."""
        pairs = containers.Map.of(items)
        return self._receiver().modify(MapCode.PUT_ITEMS, pairs, *_policy(policy))

    def increment(self, key: object, delta: object = 1, policy: MapPolicy | None = None) -> C:
        """With `delta` added to the value under `key`."""
        attributes = () if policy is None else (policy.attributes,)
        return self._receiver().modify(MapCode.INCREMENT, key, delta, *attributes)

    def clear(self) -> C:
        """Without entries."""
        return self._receiver().modify(MapCode.CLEAR)


def _policy(policy: MapPolicy | None) -> tuple[int, ...]:
    return () if policy is None else (policy.attributes, int(policy.flags))
