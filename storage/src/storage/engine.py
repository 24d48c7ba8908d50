"""The interface of a record store: what every engine promises.

A record is an opaque payload with a little metadata, found by its 20-byte digest. All engines keep
the same packed primary index (`storage.index.PrimaryIndex`) and differ in where payloads live.

One thread owns an engine. Only `load` callables handed out by `NotResident` and `sync` may run on
another thread; everything else is called by the owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

from storage.index import TOMBSTONE, PrimaryIndex

__all__ = ["Engine", "Record", "TOMBSTONE", "NotResident", "OutOfSpace"]

Record: TypeAlias = tuple[int, int, int, int, int, bytes]
"""(generation, void_time, last_update_time, set_id, flags, payload).

`generation`        1..65535
`void_time`         seconds since 2010-01-01 UTC; 0 = never expires
`last_update_time`  milliseconds since 2010-01-01 UTC, 40 bits
`set_id`            0..65535, the caller's numbering; 0 = no set
`flags`             the caller's low 7 bits, kept with the record; bit 7: see `Engine.put`
`payload`           the caller's bytes, never looked into

A plain tuple: it is made for every read, and anything richer is visible in the read rate.
"""


class NotResident(Exception):
    """The record exists but reading it would block.

    Run `load()` on any thread, then ask again: the record is then answered from memory.
    """

    def __init__(self, load: Callable[[], None]) -> None:
        super().__init__("record is not in memory")
        self.load = load


class OutOfSpace(Exception):
    """The medium is full; the store is unchanged."""


class Engine(Protocol):
    """A record store."""

    index: PrimaryIndex
    """The primary index; read it freely, change it only through the engine."""

    acknowledges_sync: bool
    """True when a put may be acknowledged only after a `sync()` that began after it."""

    def open(self) -> None:
        """Make ready: map, scan or create. Blocks. Raises OSError or StorageError."""

    def close(self) -> None:
        """Write out everything and let go. A later `open` starts warm where the engine can."""

    def get(self, digest: bytes) -> Record | None:
        """The record, or None when absent or deleted. Raises NotResident instead of blocking."""

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
        """Store or replace the whole record. Raises OutOfSpace; never leaves half a record.

        With TOMBSTONE in `flags` and an empty payload it leaves a tombstone: the record is absent
        to `get`, `scan` and the count of objects, its metadata stays in the index, and no older
        copy comes back at a restart.
        """

    def remove(self, digest: bytes) -> bool:
        """Forget the record or tombstone, leaving nothing. True if there was a record."""

    def scan(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, Record]]:
        """Records of a partition (0..4095) in digest order, beginning behind `after`."""

    def clear(self) -> None:
        """Forget all records, in milliseconds."""

    def sync(self) -> None:
        """Every put and remove that returned before this call is on the medium when it returns."""

    def statistics(self) -> dict[str, int]:
        """Counters and sizes in bytes, under the names the server reports."""
