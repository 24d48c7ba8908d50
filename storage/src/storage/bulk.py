"""Many index entries at once: whole entries, columns of them, removal.

For passes over much of a store (scans, building secondary indexes, truncation), where a call for
each record would cost more than the work. Entries are handled as their 64 bytes, laid out as
docs/formats/primary-index.md says; a field of many entries is a strided slice of the joined bytes,
so that C does the walking. This module knows the insides of the index; what engines do with many
records at once is their capability `storage.engine.Bulk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import Final

from storage import direct
from storage.index import (
    _COLUMNS,
    _FREE,
    ENTRY_SIZE,
    HASH,
    TOMBSTONE,
    PrimaryIndex,
    empty_table,
    table_length,
)

COMPILED: Final = not __file__.endswith(".py")
"""As `storage.memory.COMPILED`."""

FLAGS_AT: Final = 28
"""Where the flags are in an entry: one byte, bit 7 of it TOMBSTONE."""


def partition_slots(index: PrimaryIndex, partition: int) -> list[int]:
    """The slots in use of a partition (0..4095), tombstones included, in no order."""
    return list(filter(None, index.tables[partition]))


def entries_at(index: PrimaryIndex, slots: Iterable[int]) -> list[bytes]:
    """The entries at slots in use, 64 bytes each. About 0.2 µs apiece out of cache."""
    arena = index.arena
    if COMPILED:
        return [direct.bytes_at(arena, slot << 6, ENTRY_SIZE) for slot in slots]
    return [arena[start : start + ENTRY_SIZE] for start in [slot << 6 for slot in slots]]


def entries_in_order(index: PrimaryIndex, slots: list[int]) -> list[bytes]:
    """The entries at slots in use, 64 bytes each, by digest. O(n log n)."""
    return direct.entries_in_order(index.arena, slots)


def column(joined: bytes, name: str) -> list[int]:
    """One field, by its name in `storage.index.Entry` (not digest), of entries laid end to end."""
    code, offset = _COLUMNS[name]
    with (
        memoryview(joined) as view,
        view.cast(code) as cells,
        cells[offset // cells.itemsize :: ENTRY_SIZE // cells.itemsize] as cut,
    ):
        return cut.tolist()


def column_at(index: PrimaryIndex, name: str, slots: Iterable[int]) -> list[int]:
    """One field of the entries at slots in use, by its name as in `column`. A third of the cost of
    taking the entries themselves: for those who want few of them."""
    code, offset = _COLUMNS[name]
    with (
        memoryview(index.arena) as arena,
        arena.cast(code) as cells,
        cells[offset // cells.itemsize :: ENTRY_SIZE // cells.itemsize] as cut,
    ):
        return list(map(cut.__getitem__, slots))


def forget_slots(index: PrimaryIndex, partition: int, slots: Sequence[int], joined: bytes) -> int:
    """Take the entries at slots in use of a partition, which are `joined`, out of the index: how
    many of them were tombstones.

    As `PrimaryIndex.remove` of each; the partition's table is written anew once. O(the partition).
    """
    tombstones = _account(index, joined)
    _rewrite_table(index, partition, slots)
    return tombstones


def places(joined: bytes) -> Iterator[tuple[int, Iterable[int]]]:
    """(size, locations of that size) of entries laid end to end that have a payload."""
    starts, sizes = column(joined, "location"), column(joined, "size")
    for size in set(sizes) - {0}:
        if sizes.count(size) == len(sizes):
            yield size, starts
        else:
            yield size, compress(starts, map(size.__eq__, sizes))


def _account(index: PrimaryIndex, joined: bytes) -> int:
    """Take the entries out of the usage by set; how many are tombstones."""
    sizes, sets = column(joined, "size"), column(joined, "set_id")
    flags = joined[FLAGS_AT::ENTRY_SIZE]
    present = set(sets)
    dead = 0
    for set_id in present:
        its_sizes, its_flags = sizes, flags
        if len(present) > 1:
            mine = list(map(set_id.__eq__, sets))
            its_sizes, its_flags = list(compress(sizes, mine)), bytes(compress(flags, mine))
        tombstones = 0
        if max(its_flags) >= TOMBSTONE:
            tombstones = sum(map(TOMBSTONE.__le__, its_flags))
        usage = index.sets[set_id]
        usage.bytes -= sum(its_sizes)
        usage.objects -= len(its_sizes) - tombstones
        usage.tombstones -= tombstones
        if not (usage.objects or usage.tombstones):
            del index.sets[set_id]
        dead += tombstones
    index.tombstones -= dead
    return dead


def _rewrite_table(index: PrimaryIndex, partition: int, slots: Sequence[int]) -> None:
    """Write the partition's table without the slots, and put them on the list of free ones."""
    kept: list[int] = []
    if len(slots) < index.count(partition):
        gone = set(slots)
        kept = [slot for slot in index.tables[partition] if slot and slot not in gone]
    length = table_length(len(kept))
    table = empty_table(length)
    arena = index.arena
    for slot in kept:
        at = HASH.unpack_from(arena, slot << 6)[1] % length
        while table[at]:
            at = (at + 1) % length
        table[at] = slot
    index.tables[partition], index.sizes[partition] = table, length
    index._counts[partition] = len(kept)
    index.recent.clear()
    free = index._free
    for slot in slots:
        start = slot << 6
        arena[start : start + ENTRY_SIZE] = _FREE.pack(free)
        free = slot
    index._free = free
