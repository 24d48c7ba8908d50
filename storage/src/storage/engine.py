"""The interface of a record store: what every engine promises.

A record is an opaque payload with a little metadata, found by its 20-byte digest. All engines keep
the same packed primary index (`storage.index.PrimaryIndex`) and differ in where payloads live.

One thread owns an engine. Only `load` callables handed out by `NotResident`, `sync`, and what is
said to run on any thread may run on another; everything else is called by the owner.

What only some engines can do, and callers can do without, is a *capability*: `Overwrites`,
`Exchanges`, `Bulk`, `Upkeep` and `Tunable` at the end of this module. Ask with `isinstance`, once
and not for each record; never ask which class an engine is of.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from storage.index import TOMBSTONE, PrimaryIndex

__all__ = [
    "Engine",
    "Record",
    "TOMBSTONE",
    "NotResident",
    "OutOfSpace",
    "DeviceOverload",
    "StorageError",
    "DamagedRecord",
    "TombRaid",
    "get_waited",
    "raid_waited",
    "Overwrites",
    "Exchanges",
    "Bulk",
    "Upkeep",
    "Parameters",
    "Tunable",
]

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

MAX_META_ENTRIES: Final = 4096 + 256
"""Entries of `Engine.set_meta`: one for each partition, and some."""
MAX_META_KEY: Final = 32
"""Bytes of a key of `Engine.set_meta`; at least 1."""
MAX_META_VALUE: Final = 256
"""Bytes of a value of `Engine.set_meta`."""


class NotResident(Exception):
    """The record exists but reading it would block.

    Run `load()` on any thread, then ask again: the record is then answered from memory.
    """

    def __init__(self, load: Callable[[], None]) -> None:
        super().__init__("record is not in memory")
        self.load = load


class OutOfSpace(Exception):
    """The medium is full; the store is unchanged."""


class DeviceOverload(Exception):
    """Puts come faster than the medium takes them; the store is unchanged. Try again later."""


class StorageError(Exception):
    """The medium failed, or holds what it should not. The message says where."""


class DamagedRecord(StorageError):
    """What the medium holds in the record's place is not the record; other records are well."""


class TombRaid(Protocol):
    """One search for tombstones that can go, and their end; made by `Engine.tomb_raid`.

    Nothing is done until its parts are.
    """

    gone: int
    """Tombstones taken away so far."""

    def parts(self) -> Generator[Callable[[], None] | None, None, None]:
        """All there is to do, in parts between which the store may be used and changed.

        The owner asks for one after the other; asking does the bounded piece of it that is the
        owner's. What comes, unless it is None, is then to be called, on any thread, before the next
        one is asked for; it raises OSError when the medium cannot be read. Who does not go on to
        the end closes the generator.
        """


class Engine(Protocol):
    """A record store."""

    index: PrimaryIndex
    """The primary index; read it freely, change it only through the engine."""

    acknowledges_sync: bool
    """True when a put may be acknowledged only after a `sync()` that began after it."""

    @property
    def set_names(self) -> dict[int, bytes]:
        """The names given to set ids with `name_set`; read it freely."""

    def open(self) -> None:
        """Make ready: map, scan or create. Blocks. Raises OSError or StorageError."""

    def close(self) -> None:
        """Write out everything and let go. A later `open` starts warm where the engine can."""

    def get(self, digest: bytes) -> Record | None:
        """The record, or None when absent or deleted.

        Raises NotResident instead of blocking, DamagedRecord when the medium holds something else.
        """

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
        """Store or replace the whole record; never leaves half a record.

        Raises OutOfSpace, DeviceOverload, StorageError when the medium has failed before,
        ValueError for a payload longer than the engine can take, struct.error for metadata out of
        range.

        With TOMBSTONE in `flags` and an empty payload it leaves a tombstone: the record is absent
        to `get`, `scan` and the count of objects, its metadata stays in the index, and no older
        copy comes back at a restart.
        """

    def remove(self, digest: bytes) -> bool:
        """Forget the record or tombstone, leaving nothing. True if there was a record.

        Nothing is written: after a crash an older copy may come back. A tombstone prevents that.
        """

    def scan(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, Record]]:
        """Records of a partition (0..4095) in digest order, beginning behind `after`."""

    def records(self) -> Iterator[tuple[bytes, Record]]:
        """Every record, in whatever order costs the engine least; for passes over a whole store.

        Each is as it is when its turn comes. The store may change between two steps: what stays is
        met once, what comes or goes may be met or missed, and the pass ends all the same. Reads
        inline what is not in memory; a damaged record is left out.
        """

    def tomb_raid(self, until: int) -> TombRaid:
        """Take away the tombstones last updated at or before `until` (ms since 2010), but for those
        without which an older copy of their record could come back.

        What is put from now on is updated later than that: so a new tombstone is told from an old
        one.
        """

    def name_set(self, set_id: int, name: bytes) -> None:
        """Keep a name for a set id (1..65535), as long as the records that have it.

        The name is on the medium before any record put after this call is.
        """

    def set_meta(self, key: bytes, value: bytes | None) -> None:
        """Keep a little of the caller's own, such as the version of a partition; None forgets it.

        On the medium before any record put after this call is acknowledged by a `sync`, and with
        that `sync` at the latest; what was there before stays until then. An engine that loses its
        records with `close` or a crash loses these too. O(1).

        Raises ValueError for keys and values that are too long, OutOfSpace for more than
        MAX_META_ENTRIES entries or when the medium has no room; nothing is changed then.
        """

    def meta(self) -> Mapping[bytes, bytes]:
        """What was kept with `set_meta`, as it is at any time."""

    def clear(self) -> None:
        """Forget all records, in milliseconds. The names of sets and the metadata stay."""

    def sync(self) -> None:
        """Every put that returned before this call is on the medium when it returns.

        The owner's timer calls it every `flush-max-ms`, or a group commit whenever writes wait. It
        may run on another thread, one call at a time. Raises OSError when the medium fails; the
        engine then takes no more puts.
        """

    def statistics(self) -> dict[str, int]:
        """Counters and sizes in bytes, under the names the server reports."""


def get_waited(engine: Engine, digest: bytes) -> Record | None:
    """As `engine.get`, waiting where that would block. Raises DamagedRecord."""
    try:
        return engine.get(digest)
    except NotResident as missing:
        missing.load()
    return engine.get(digest)


def raid_waited(engine: Engine, until: int) -> int:
    """Do all parts of `engine.tomb_raid(until)`; how many tombstones went. Raises OSError."""
    raid = engine.tomb_raid(until)
    for part in raid.parts():
        if part is not None:
            part()
    return raid.gone


@runtime_checkable
class Overwrites(Protocol):
    """An engine that does the most common update in one look-up."""

    def overwrite(
        self, digest: bytes, last_update_time: int, set_id: int, start: bytes, payload: bytes
    ) -> int:
        """Give a record another payload of the same size, if little else changes.

        The record must be there, in the set, without void-time and flags, its payload beginning
        with `start`, and not have been updated later. Returns its new generation (65535 is followed
        by 1); 0 when it is not so, or cannot be told at once, and then nothing has changed. Raises
        what `put` raises.
        """


@runtime_checkable
class Exchanges(Protocol):
    """An engine that does the most common update for those who need to know what was there."""

    def exchange(
        self, digest: bytes, last_update_time: int, set_id: int, start: bytes, payload: bytes
    ) -> tuple[int, int, bytes] | None:
        """Do as `Overwrites.overwrite`: (new generation, slot in the index, old payload).

        None when the record is not as it has to be, or that cannot be told at once, and then
        nothing has changed. Raises what `put` raises.
        """


@runtime_checkable
class Bulk(Protocol):
    """An engine whose payloads are all in memory, so that many are had, or let go, at once.

    Arguments come out of index entries, as `storage.bulk` gives them: `locations` and `sizes`
    (bytes) are those columns of entries of the present moment. After any call that changes the
    store they have to be taken anew.
    """

    def payloads(
        self, locations: Sequence[int], sizes: Sequence[int], skip: int = 0
    ) -> list[bytes]:
        """The payloads of entries, each without its first `skip` bytes; b"" of tombstones.

        About 0.2 µs apiece out of cache. Raises ValueError for rows of unequal length.
        """

    def payload_byte(self, locations: Sequence[int], at: int) -> bytes:
        """Byte `at` of each payload, one behind the other; all must be longer than `at`."""

    def remove_slots(self, partition: int, slots: Sequence[int]) -> int:
        """Forget what is at these slots in use of a partition (0..4095); how many were records.

        As `Engine.remove` of each, tombstones included, at a fraction of the cost. The places given
        up are not made good for here: `settle` does that. O(the partition).
        """

    def settle(self) -> bool:
        """One bounded step of making good for what `remove_slots` gave up; True when done."""


@runtime_checkable
class Upkeep(Protocol):
    """An engine that keeps records on a medium: `sync` has to be called now and then.

    Between the syncs it may write what has gathered, so that a sync has little left to write.
    """

    def on_flush_due(self, flush_due: Callable[[], None]) -> None:
        """Have `flush_due()` called, by the thread that puts, whenever `write_behind` should be
        run soon. It must return at once and raise nothing."""

    def write_behind(self) -> None:
        """Hand to the medium what has gathered, nothing promised. On any thread, one call at a
        time. Raises OSError when the medium fails, as `Engine.sync`."""


class Parameters(NamedTuple):
    """What may be changed of an engine on a medium while it runs."""

    defrag_lwm_pct: int
    """Blocks used less than this, in percent, are emptied."""
    compression: str
    """Of what is written from now on: "none", "lz4" or "zstd"."""
    compression_level: int
    """The coder's own scale; 0 = its own choice."""
    flush_size: int
    """Most bytes of one write to a device."""
    max_write_cache: int
    """Bytes of full blocks that may wait for each device; beyond, puts raise DeviceOverload."""
    defrag_queue_min: int
    """Sparse blocks that may wait before any is emptied."""
    defrag_sleep_us: int
    """Microseconds between one sparse block and the next."""


@runtime_checkable
class Tunable(Protocol):
    """An engine that takes up other parameters while it runs."""

    def tune(self, parameters: Parameters) -> None:
        """Go by these from now on. Raises ValueError for a compression that does not exist."""
