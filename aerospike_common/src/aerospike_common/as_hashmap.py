"""`AsHashmap`: the map value without order."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from aerospike_common.as_map import AsMap, MapKey, checked_items, checked_key
from aerospike_common.as_val import AsVal, checked


@attrs.define(eq=False, repr=False)
class AsHashmap(AsMap):
    """A map on a hash table: O(1) by key, iterated in the order of insertion.

    >>> from aerospike_common.as_python import from_python, to_python
    >>> ages = from_python({"ada": 36})
    >>> ages[from_python("alan")] = from_python(41)
    >>> to_python(ages)
    {'ada': 36, 'alan': 41}
    """

    _items: dict[MapKey, AsVal] = attrs.field(default=(), converter=checked_items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[MapKey]:
        return iter(self._items)

    def __getitem__(self, key: MapKey) -> AsVal:
        return self._items[key]

    def __setitem__(self, key: MapKey, value: AsVal) -> None:
        self._items[checked_key(key)] = checked(value)

    def __delitem__(self, key: MapKey) -> None:
        del self._items[key]

    def _check(self) -> None:
        for key, value in self._items.items():
            assert checked_key(key) is key
            assert isinstance(value, AsVal)
