"""The primary index: 64 bytes a record in one packed arena, found by digest.

The arena is an array of 64-byte entries numbered by *slot*; slot 0 is no entry. Each of the 4096
partitions has its own open-addressing table of 4-byte slots, so a table that grows stalls the
caller for one partition's records only, and a partition can be walked by itself. Digests come out
of a cryptographic hash, so their own bits place them: no hashing here.

Byte layout and reasons: docs/formats/primary-index.md. Figures: bench/storage_index.py.
"""

from __future__ import annotations

import mmap
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from struct import Struct
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

from storage import area

PARTITIONS: Final = 4096
ENTRY_SIZE: Final = 64
TOMBSTONE: Final = 0x80
"""Flag of an entry that only says the record was deleted."""

ENTRY: Final = Struct("<20sHHIB3xQQI12x")
"""digest, generation, set_id, void_time, flags, last_update_time, location, size."""
FIELDS: Final = Struct("<20xHHIB3xQQI12x")
"""An entry without its digest."""
META: Final = Struct("<HHIB3xQ")
"""generation, set_id, void_time, flags, last_update_time: the part a new version always changes."""
META_AT: Final = 20
META_END: Final = META_AT + META.size
VERSION: Final = Struct("<HHIB3xQQI")
"""Generation to size: all of an entry but its digest, and what its owner keeps behind them."""
PLACE: Final = Struct("<Q")
"""location."""
PLACE_AT: Final = 40
JOINED: Final = Struct("<40sQI12x")
"""An entry of what stands before its location, location, size."""
HASH: Final = Struct("<HI14x")
"""The digest's partition (low 12 bits of the first) and its place in the partition's table."""
PARTITION_MASK: Final = PARTITIONS - 1
RECENT_CAPACITY: Final = 1 << 13
"""Digests that `recent` holds, at about 180 bytes each; full, it starts afresh, in 0.1 ms."""

_FIRST_ARENA = 1024 * ENTRY_SIZE
_FREE = Struct("<I60x")  # a free slot: the next free one, then zeros; generation 0 tells it
_NEXT_SIZE: Final = MappingProxyType(
    {1: 16}
    | {4 << bits: (16 if bits < 5 else 8) << bits for bits in range(29)}
    | {6 << bits: 8 << bits for bits in range(29)}  # lengths only files of old have
)
"""16, 64, 256, 512, 1024...: long tables are at least half as full as they may be."""
_FULL: Final = 9  # of sixteen places, how many may be taken
_COLUMNS: Final[Mapping[str, tuple[Literal["B", "H", "I", "Q"], int]]] = MappingProxyType(
    {
        "generation": ("H", 20),
        "set_id": ("H", 22),
        "void_time": ("I", 24),
        "flags": ("B", 28),
        "last_update_time": ("Q", 32),
        "location": ("Q", 40),
        "size": ("I", 48),
    }
)


def empty_table(length: int) -> array[int]:
    """So many places, all empty, and not a byte of room to grow."""
    return array("I", [0]) * length


def table_length(count: int) -> int:
    """The length of a partition's table that has been given `count` entries."""
    length = 1
    while 16 * count > _FULL * length:
        length = _NEXT_SIZE[length]
    return length


class Entry(NamedTuple):
    """An index entry in full; see `storage.engine.Record` for the metadata's units."""

    digest: bytes
    generation: int
    set_id: int
    void_time: int
    flags: int
    last_update_time: int
    location: int
    size: int


class ArenaSource(Protocol):
    """Where an index gets the room for its entries: `storage.area`, or a mapped file."""

    def allocate(self, size: int) -> mmap.mmap:
        """An area of `size` zero bytes; the one given before is not used any more."""

    def extend(self, area: mmap.mmap, size: int) -> mmap.mmap:
        """The area made `size` bytes long."""


class SetUsage:
    """What the records of one set amount to, kept up to date by the index."""

    __slots__ = ("bytes", "objects", "tombstones")

    def __init__(self) -> None:
        self.objects = 0
        """Records that are not tombstones."""
        self.tombstones = 0
        self.bytes = 0
        """Payload bytes."""


class PrimaryIndex:
    """Digest -> entry, for one namespace. One thread owns it.

    >>> index = PrimaryIndex()
    >>> digest = bytes(range(20))
    >>> slot = index.insert(digest, 1, 0, 0, 0, 1000, 4096, 21)
    >>> index.find(digest) == slot, index.entry(slot).size, len(index)
    (True, 21, 1)

    `arena` and `recent` are for engines, whose hot path asks `recent` before it calls `look_up`.
    `arena` is replaced by growth and `clear`, so nobody keeps it from one call to the next.
    """

    __slots__ = (
        "_counts",
        "_free",
        "_source",
        "arena",
        "end",
        "recent",
        "sets",
        "sizes",
        "tables",
        "tombstones",
    )

    arena: mmap.mmap
    """The entries; slot k is the 64 bytes at k * 64."""
    tables: list[array[int]]
    """Per partition, slots in open addressing; 0 = empty. A digest's home is the second number of
    HASH modulo the table's size; what finds its home taken goes to the next empty place, around."""
    sizes: list[int]
    """Per partition, the length of its table; the few numbers there are, as shared objects."""
    recent: dict[bytes, int]
    """Where the entries of digests looked up lately are, in bytes of `arena`: a third of the cost
    of finding them in their table, and records asked for once are asked for again. Never holds a
    digest that has no entry."""
    end: int
    """One above the highest slot ever used; passes over all slots go from 1 to here."""
    sets: dict[int, SetUsage]
    """Usage by set id, of the sets that have entries."""
    tombstones: int
    """Entries that are tombstones."""

    def __init__(self, source: ArenaSource = area) -> None:
        self._source = source
        self.clear()

    def clear(self) -> None:
        """Forget all entries and give the memory back. About 0.5 ms per 100,000 entries."""
        nothing = empty_table(1)  # shared by all empty partitions, never written
        self.tables = [nothing] * PARTITIONS
        self.sizes = [1] * PARTITIONS
        self._counts = [0] * PARTITIONS
        self.recent = {}
        self.arena = self._source.allocate(_FIRST_ARENA)
        self.end = 1
        self._free = 0
        self.sets = {}
        self.tombstones = 0

    def become(self, other: PrimaryIndex) -> None:
        """Take over all that another index holds; `other` is not used any more. O(1)."""
        for name in set(self.__slots__) - {"_source"}:
            setattr(self, name, getattr(other, name))

    def __len__(self) -> int:
        """Entries, tombstones included. O(4096)."""
        return sum(self._counts)

    @property
    def objects(self) -> int:
        """Entries that are not tombstones. O(4096)."""
        return len(self) - self.tombstones

    @property
    def memory_bytes(self) -> int:
        """Bytes of arena in use and of tables. O(4096)."""
        return self.end * ENTRY_SIZE + 4 * sum(self.sizes)

    # One record

    def find(self, digest: bytes) -> int:
        """The slot of the 20-byte digest, or 0. O(1)."""
        prefix, home = HASH.unpack(digest)
        prefix &= PARTITION_MASK
        table: array[int] = self.tables[prefix]
        size = self.sizes[prefix]
        arena = self.arena
        at: int = home % size
        while slot := table[at]:
            offset = slot << 6
            if arena[offset : offset + 20] == digest:
                return slot
            at += 1
            if at == size:
                at = 0
        return 0

    def look_up(self, digest: bytes) -> int:
        """Where the digest's entry is, in bytes of `arena`; 0 when it has none. O(1).

        For digests that `recent` does not hold; from here on it does.
        """
        # As `find`, whose call would be a tenth of it.
        prefix, home = HASH.unpack(digest)
        prefix &= PARTITION_MASK
        table: array[int] = self.tables[prefix]
        size = self.sizes[prefix]
        arena = self.arena
        at: int = home % size
        while slot := table[at]:
            offset: int = slot << 6
            if arena[offset : offset + 20] == digest:
                recent = self.recent
                if len(recent) >= RECENT_CAPACITY:
                    recent.clear()
                recent[digest] = offset
                return offset
            at += 1
            if at == size:
                at = 0
        return 0

    def entry(self, slot: int) -> Entry:
        """The entry at a slot in use. O(1)."""
        return Entry._make(ENTRY.unpack_from(self.arena, slot << 6))

    def find_entry(self, digest: bytes) -> Entry | None:
        """The entry of a record or tombstone. O(1)."""
        slot = self.find(digest)
        return self.entry(slot) if slot else None

    def insert(
        self,
        digest: bytes,
        generation: int,
        set_id: int,
        void_time: int,
        flags: int,
        last_update_time: int,
        location: int,
        size: int,
    ) -> int:
        """Add an entry for a digest that has none; its slot. O(1), a table's growth apart.

        Raises struct.error for values out of range, before anything changes.
        """
        entry = ENTRY.pack(
            digest, generation, set_id, void_time, flags, last_update_time, location, size
        )
        return self._add(digest, entry, set_id, flags, size)

    def look_up_or_add(
        self, digest: bytes, front: bytes, set_id: int, flags: int, location: int, size: int
    ) -> int:
        """As `look_up`; a digest that has no entry is given one, and 0 returned. O(1).

        `front` is what stands before the location in it, `set_id` and `flags` are parts of that.
        """
        offset = self.look_up(digest)
        if not offset:
            entry = JOINED.pack(front, location, size)
            self._add(digest, entry, set_id, flags, size)
        return offset

    def update(
        self,
        slot: int,
        generation: int,
        set_id: int,
        void_time: int,
        flags: int,
        last_update_time: int,
        location: int,
        size: int,
    ) -> None:
        """Replace all but the digest of the entry at a slot in use, and its spare bytes. O(1)."""
        at = (slot << 6) + META_AT
        _, old_set, _, old_flags, _, _, old_size = VERSION.unpack_from(self.arena, at)
        self.arena[at : at + VERSION.size] = VERSION.pack(
            generation, set_id, void_time, flags, last_update_time, location, size
        )
        if old_set == set_id and not (old_flags ^ flags) & TOMBSTONE:
            self.sets[set_id].bytes += size - old_size
        else:
            self._account(old_set, old_flags, old_size, -1)
            self._account(set_id, flags, size, 1)

    def relocate(self, slot: int, location: int) -> None:
        """Say that the payload of the entry at a slot in use has moved. O(1)."""
        PLACE.pack_into(self.arena, (slot << 6) + PLACE_AT, location)

    def remove(self, digest: bytes) -> Entry | None:
        """Take the digest's entry out; what it was, or None when there is none. O(1)."""
        slot = self.find(digest)
        if not slot:
            return None
        entry = self.entry(slot)
        self.remove_at(slot, entry)
        return entry

    def remove_at(self, slot: int, entry: Entry) -> None:
        """Take out what is at a slot in use: `entry`. O(1)."""
        prefix, home = HASH.unpack(entry.digest)
        partition = prefix & PARTITION_MASK
        self.recent.pop(entry.digest, None)
        self._unlink(partition, home, slot)
        self._counts[partition] -= 1
        self._account(entry.set_id, entry.flags, entry.size, -1)
        start = slot << 6
        self.arena[start : start + ENTRY_SIZE] = _FREE.pack(self._free)
        self._free = slot

    # Many records

    def count(self, partition: int) -> int:
        """Entries of a partition, tombstones included. O(1)."""
        return self._counts[partition]

    def digests(self, partition: int, after: bytes | None = None) -> list[bytes]:
        """The digests of a partition in order, those behind `after`.

        O(n log n) in the partition's entries.
        """
        arena = self.arena
        starts = [slot << 6 for slot in self.tables[partition] if slot]
        found = sorted([arena[start : start + 20] for start in starts])
        if after is not None:
            del found[: bisect_right(found, after)]
        return found

    def slices(self, size: int = 16384) -> Iterator[tuple[int, int]]:
        """Ranges (first, last) of slots that cover the index, for passes over all of it.

        The caller may do anything between two slices. What is there throughout is seen once;
        what comes or goes meanwhile may be missed or seen, and however much comes, the pass ends.
        """
        first, end = 1, self.end
        while first < (end := min(end, self.end)):
            yield first, min(first + size, end)
            first += size

    def column(self, name: str, first: int, last: int) -> list[int]:
        """One field, by its name in `Entry` (not digest), of the slots first <= slot < last.

        Free slots read as 0 in all; `generation` 0 tells them from others. About 15 ns each.
        """
        code, offset = _COLUMNS[name]
        with (
            memoryview(self.arena) as arena,
            arena[first << 6 : last << 6] as part,
            part.cast(code) as cells,
            cells[offset // cells.itemsize :: ENTRY_SIZE // cells.itemsize] as column,
        ):
            return column.tolist()

    def expired(self, now: int, first: int, last: int) -> list[bytes]:
        """Digests with 0 < void_time < now in the slots first <= slot < last."""
        times = self.column("void_time", first, last)
        if min(filter(None, times), default=now) >= now:  # the usual case, at the speed of C
            return []
        return self.digests_at([slot for slot, t in enumerate(times, first) if 0 < t < now])

    def in_set(self, set_id: int, first: int, last: int) -> list[bytes]:
        """Digests of the set's entries in the slots first <= slot < last."""
        sets = self.column("set_id", first, last)
        slots = compress(range(first, last), map(set_id.__eq__, sets))
        if set_id == 0:  # as free slots read
            generations = self.column("generation", first, last)
            slots = compress(slots, compress(generations, map(set_id.__eq__, sets)))
        return self.digests_at(slots)

    def digests_at(self, slots: Iterable[int]) -> list[bytes]:
        """The digests of the entries at slots in use."""
        arena = self.arena
        return [arena[start : start + 20] for start in [slot << 6 for slot in slots]]

    # Parts

    def _add(self, digest: bytes, entry: bytes, set_id: int, flags: int, size: int) -> int:
        """Add the 64-byte entry of a digest that has none; its slot."""
        prefix, home = HASH.unpack(digest)
        partition = prefix & PARTITION_MASK
        table, length = self.tables[partition], self.sizes[partition]
        count = self._counts[partition] + 1
        if 16 * count > _FULL * length:
            table = self._grow_table(partition)
            length = len(table)
        slot = self.end
        start = slot << 6
        if self._free or start + ENTRY_SIZE > len(self.arena):
            slot = self._take_slot()
            start = slot << 6
        else:
            self.end = slot + 1
        self.arena[start : start + ENTRY_SIZE] = entry
        at = home % length
        while table[at]:
            at += 1
            if at == length:
                at = 0
        table[at] = slot
        self._counts[partition] = count
        usage = self.sets.get(set_id)
        if usage is None or flags & TOMBSTONE:
            self._account(set_id, flags, size, 1)
        else:
            usage.objects += 1
            usage.bytes += size
        return slot

    def _take_slot(self) -> int:
        slot = self._free
        if slot:
            (self._free,) = _FREE.unpack_from(self.arena, slot << 6)
            return slot
        slot = self.end
        if (slot + 1) << 6 > len(self.arena):
            self.arena = self._source.extend(self.arena, 2 * len(self.arena))
        self.end = slot + 1
        return slot

    def _grow_table(self, partition: int) -> array[int]:
        """Replace a partition's table by a longer one, and return that."""
        size = _NEXT_SIZE[self.sizes[partition]]
        table = empty_table(size)
        last = size - 1
        halves = memoryview(self.arena).cast("H")
        low, high = halves[1::32], halves[2::32]  # of the digests' places, by slot
        for slot in filter(None, self.tables[partition]):
            at = low[slot]
            if last > 0xFFFF:
                at |= high[slot] << 16
            at &= last
            while table[at]:
                at = at + 1 & last
            table[at] = slot
        self.tables[partition] = table
        self.sizes[partition] = size
        return table

    def _unlink(self, partition: int, home: int, slot: int) -> None:
        """Empty the slot's place in the table, shifting back what was pushed along by it."""
        table = self.tables[partition]
        size = self.sizes[partition]
        hole = home % size
        while table[hole] != slot:
            hole = (hole + 1) % size
        at = hole
        while follower := table[(at := (at + 1) % size)]:
            home = HASH.unpack_from(self.arena, follower << 6)[1] % size
            if (at - home) % size >= (at - hole) % size:
                table[hole] = follower
                hole = at
        table[hole] = 0

    def _account(self, set_id: int, flags: int, size: int, sign: int) -> None:
        usage = self.sets.get(set_id)
        if usage is None:
            usage = self.sets[set_id] = SetUsage()
        usage.bytes += sign * size
        if flags & TOMBSTONE:
            usage.tombstones += sign
            self.tombstones += sign
        else:
            usage.objects += sign
        if not (usage.objects or usage.tombstones):
            del self.sets[set_id]

    def _check(self) -> None:
        """Assert every invariant. O(n)."""
        from storage.index_check import check

        check(self)
