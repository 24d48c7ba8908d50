"""The index values of a record that is heavy, worked out elsewhere: what is asked and answered."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import Final, NamedTuple

from asd.sindex.definition import IndexDefinition
from asd.sindex.indexes import record_view
from asd.sindex.keys import Keys
from storage.engine import Record

_KEPT: Final = 64


class IndexWork(NamedTuple):
    """Which values a record has in an index."""

    definition: IndexDefinition
    digest: bytes
    record: Record
    set_name: bytes


class IndexValues:
    """Does such work; it keeps the definitions met last ready."""

    def __init__(self) -> None:
        self._keys: OrderedDict[IndexDefinition, Keys] = OrderedDict()

    def __call__(self, work: IndexWork) -> bytes:
        """The values, ascending, 8 bytes each as `array("q")` has them."""
        keys = self._keys.pop(work.definition, None) or Keys(work.definition)
        self._keys[work.definition] = keys
        if len(self._keys) > _KEPT:
            self._keys.popitem(last=False)
        view = record_view(work.digest, work.record, work.set_name)
        return b"" if view is None else array("q", sorted(keys.of_record(view))).tobytes()
