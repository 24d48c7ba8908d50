"""The engine contract in its plainest form, to compare engines with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from types import MappingProxyType

from storage.engine import TOMBSTONE, Record
from storage.metadata import check_meta


class ModelEngine:
    """The engine contract in its plainest form, on a dict, to compare engines with.

    It has every method of `Engine` but no `index`, and its statistics are the counts only.

    >>> model = ModelEngine()
    >>> model.put(bytes(20), 1, 0, 500, 7, 0, b"payload")
    >>> model.get(bytes(20))
    (1, 0, 500, 7, 0, b'payload')
    """

    def __init__(self) -> None:
        self.acknowledges_sync = False
        self.held: dict[bytes, Record] = {}
        """Everything held, tombstones included."""
        self.set_names: dict[int, bytes] = {}
        self._meta: dict[bytes, bytes] = {}

    def open(self) -> None:
        """Nothing to make ready."""

    def close(self) -> None:
        """Forget all records, names and metadata."""
        self.clear()
        self.set_names.clear()
        self._meta.clear()

    def get(self, digest: bytes) -> Record | None:
        """The record, or None when absent or deleted. O(1)."""
        record = self.held.get(digest)
        return None if record is None or record[4] & TOMBSTONE else record

    def put(
        self,
        digest: bytes,
        generation: int,
        void_time: int,
        last_update_time: int,
        set_id: int,
        flags: int,
        payload: bytes,
    ) -> None:
        """Store or replace the whole record. O(1)."""
        record = (generation, void_time, last_update_time, set_id, flags, bytes(payload))
        self.held[digest] = record

    def remove(self, digest: bytes) -> bool:
        """Forget the record or tombstone; True if there was a record. O(1)."""
        there = self.get(digest) is not None
        self.held.pop(digest, None)
        return there

    def scan(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, Record]]:
        """Records of a partition in digest order, beginning behind `after`. O(n log n)."""
        for digest in sorted(self.held):
            mine = int.from_bytes(digest[:2], "little") % 4096 == partition
            if mine and (after is None or digest > after):
                record = self.get(digest)
                if record is not None:
                    yield digest, record

    def records(self) -> Iterator[tuple[bytes, Record]]:
        """Every record, in the order of their first puts."""
        for digest in list(self.held):
            record = self.get(digest)
            if record is not None:
                yield digest, record

    def tomb_raid(self, until: int) -> ModelRaid:
        """Take away the tombstones last updated at or before `until`."""
        return ModelRaid(self, until)

    def name_set(self, set_id: int, name: bytes) -> None:
        """Keep a name for a set id."""
        self.set_names[set_id] = name

    def set_meta(self, key: bytes, value: bytes | None) -> None:
        """Keep, or forget, a little of the caller's own. O(1)."""
        check_meta(self._meta, key, value)
        if value is None:
            self._meta.pop(key, None)
        else:
            self._meta[key] = bytes(value)

    def meta(self) -> Mapping[bytes, bytes]:
        """What was kept with `set_meta`."""
        return MappingProxyType(self._meta)

    def clear(self) -> None:
        """Forget all records. O(n)."""
        self.held.clear()

    def sync(self) -> None:
        """Nothing outlives the process."""

    def statistics(self) -> dict[str, int]:
        """`objects` and `tombstones`. O(n)."""
        objects = sum(1 for digest in self.held if self.get(digest) is not None)
        return {"objects": objects, "tombstones": len(self.held) - objects}


class ModelRaid:
    """The raid of a model: all in one part."""

    def __init__(self, model: ModelEngine, until: int) -> None:
        self._model = model
        self._until = until
        self.gone = 0

    def parts(self) -> Generator[Callable[[], None] | None, None, None]:
        """Take away what is old enough. O(n)."""
        yield None
        held = self._model.held
        for digest, record in list(held.items()):
            if record[4] & TOMBSTONE and record[2] <= self._until:
                del held[digest]
                self.gone += 1
