"""`AsOrderedmap`: the map value in key order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import attrs

from aerospike_common.as_map import AsMap, MapKey, checked_items, checked_key
from aerospike_common.as_val import AsVal, checked, order_key_of


@attrs.define(eq=False, repr=False)
class AsOrderedmap(AsMap):
    """A map iterated in the order of its keys: O(1) read, O(n) add and remove.

    With `value_ordered` it is stored with an index of its values as well; nothing changes here.

    >>> from aerospike_common.as_python import from_python, to_python
    >>> to_python(AsOrderedmap(from_python({"b": 2, "a": 1, 9: 0})))
    {9: 0, 'a': 1, 'b': 2}
    """

    _items: dict[MapKey, AsVal] = attrs.field(default=(), converter=checked_items)
    value_ordered: bool = attrs.field(default=False, kw_only=True)
    _keys: list[MapKey] = attrs.field(init=False)

    @_keys.default
    def _sorted_keys(self) -> list[MapKey]:
        return sorted(self._items, key=order_key_of)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[MapKey]:
        return iter(self._keys)

    def __getitem__(self, key: MapKey) -> AsVal:
        return self._items[key]

    def __setitem__(self, key: MapKey, value: AsVal) -> None:
        is_new = key not in self._items
        self._items[checked_key(key)] = checked(value)
        if is_new:
            self._keys.insert(bisect_left(self._keys, key), key)

    def __delitem__(self, key: MapKey) -> None:
        del self._items[key]
        del self._keys[bisect_left(self._keys, key)]

    def key_at(self, index: int) -> MapKey:
        """The key at a place in key order, -1 the last. O(1). Raises IndexError."""
        return self._keys[index]

    def index_of(self, key: MapKey) -> int:
        """The place in key order that `key` has, or would have: the number of keys below it.

        O(log n).
        """
        return bisect_left(self._keys, key)

    def _check(self) -> None:
        assert all(isinstance(value, AsVal) for value in self._items.values())
        assert len(self._keys) == len(self._items)
        assert all(key in self._items for key in self._keys)
        assert all(self._keys[i] < self._keys[i + 1] for i in range(len(self._keys) - 1))
