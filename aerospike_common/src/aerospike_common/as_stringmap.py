"""`AsStringmap`: a map value seen as a dictionary of plain Python by `str`."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

import attrs

from aerospike_common.as_map import AsMap
from aerospike_common.as_python import from_python, to_python
from aerospike_common.as_string import AsString


@attrs.define(eq=False)
class AsStringmap(MutableMapping[str, object]):
    """A view of a map: its string keys as `str`, its values converted on the way in and out.

    Writing through it changes the map. Keys of other types are not seen, and not touched.
    `len` and iteration are O(n), the rest costs what the map's costs.

    >>> from aerospike_common.as_hashmap import AsHashmap
    >>> settings = AsStringmap(AsHashmap())
    >>> settings["limits"] = [1]
    >>> settings["limits"]
    [1]
    >>> settings.map
    AsHashmap({AsString(value='limits'): AsArraylist([AsInteger(value=1)])})
    """

    map: AsMap

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[str]:
        return (key.value for key in self.map if isinstance(key, AsString))

    def __getitem__(self, key: str) -> object:
        return to_python(self.map[AsString(key)])

    def __setitem__(self, key: str, value: object) -> None:
        self.map[AsString(key)] = from_python(value)

    def __delitem__(self, key: str) -> None:
        del self.map[AsString(key)]
