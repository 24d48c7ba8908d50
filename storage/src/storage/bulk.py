"""Many records at once: whole index entries, columns of them, payloads, removal.

For passes over much of a store (scans, building secondary indexes, truncation), where a call for
each record would cost more than the work. Entries are handled as their 64 bytes, laid out as
docs/formats/primary-index.md says; a field of many entries is a strided slice of the joined bytes,
so that C does the walking. This module knows the insides of the index and of the memory engine.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Final

from storage.index import (
    _COLUMNS,
    _FREE,
    _NEXT_SIZE,
    ENTRY_SIZE,
    HASH,
    TOMBSTONE,
    PrimaryIndex,
)
from storage.memory import _DEFRAG_RATE, MemoryEngine, _place_size

_FLAGS_AT: Final = 28
_FEW: Final = 4  # one in so many of a partition's entries is removed by itself


def partition_slots(index: PrimaryIndex, partition: int) -> list[int]:
    """The slots in use of a partition (0..4095), tombstones included, in no order."""
    return list(filter(None, index.tables[partition]))


def entries_at(index: PrimaryIndex, slots: Iterable[int]) -> list[bytes]:
    """The entries at slots in use, 64 bytes each. About 0.2 µs apiece out of cache.

    An entry begins with its digest, so that a sorted list of entries is sorted by digest.
    """
    arena = index.arena
    return [arena[start : start + ENTRY_SIZE] for start in [slot << 6 for slot in slots]]


def column(joined: bytes, name: str) -> list[int]:
    """One field, by its name in `storage.index.Entry` (not digest), of entries laid end to end."""
    code, offset = _COLUMNS[name]
    with (
        memoryview(joined) as view,
        view.cast(code) as cells,
        cells[offset // cells.itemsize :: ENTRY_SIZE // cells.itemsize] as cut,
    ):
        return cut.tolist()


def payloads(
    engine: MemoryEngine, locations: Sequence[int], sizes: Sequence[int], skip: int = 0
) -> list[bytes]:
    """The payloads that entries place at `locations`, each without its first `skip` bytes.

    About 0.2 µs apiece out of cache.
    """
    data = engine._data
    return [data[start + skip : start + size] for start, size in zip(locations, sizes, strict=True)]


def payload_byte(engine: MemoryEngine, locations: Sequence[int], at: int) -> bytes:
    """Byte `at` of each payload, one behind the other."""
    data = engine._data
    return bytes([data[start + at] for start in locations])


def remove_slots(engine: MemoryEngine, partition: int, slots: Sequence[int]) -> int:
    """Forget what is at these slots in use of a partition; how many were records, not tombstones.

    As `engine.remove` of each, at a fraction of the cost: the partition's table is written anew
    once. The places given up are not made good for here: `settle` does that. O(the partition).
    """
    index = engine.index
    if len(slots) * _FEW < index.count(partition):
        return sum(engine.remove(entry[:20]) for entry in entries_at(index, slots))
    joined = b"".join(entries_at(index, slots))
    tombstones = _account(index, joined)
    _forget_slots(index, partition, slots)
    _give_up_places(engine, joined)
    return len(slots) - tombstones


def settle(engine: MemoryEngine) -> bool:
    """One bounded step of making good for places given up by `remove_slots`; True when done."""
    engine._defrag()
    return engine._debt <= 0


def _account(index: PrimaryIndex, joined: bytes) -> int:
    """Take the entries out of the usage by set; how many are tombstones."""
    sizes, sets = column(joined, "size"), column(joined, "set_id")
    flags = joined[_FLAGS_AT::ENTRY_SIZE]
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


def _forget_slots(index: PrimaryIndex, partition: int, slots: Sequence[int]) -> None:
    """Write the partition's table without the slots, and put them on the list of free ones."""
    kept: list[int] = []
    if len(slots) < index.count(partition):
        gone = set(slots)
        kept = [slot for slot in index.tables[partition] if slot and slot not in gone]
    length = 1
    while length < 2 * len(kept):
        length = _NEXT_SIZE[length]
    table = array("I", bytes(4 * length))
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


def _give_up_places(engine: MemoryEngine, joined: bytes) -> None:
    """Take the entries' places out of their blocks' accounts, block by block."""
    block_size = engine._block_size
    places = Counter[int]()
    starts, sizes = column(joined, "location"), column(joined, "size")
    for size in set(sizes) - {0}:
        its_starts: Iterable[int] = starts
        if sizes.count(size) < len(sizes):
            its_starts = compress(starts, map(size.__eq__, sizes))
        for block, count in Counter([start // block_size for start in its_starts]).items():
            places[block] += count * _place_size(size)
    for block, given_up in places.items():
        engine._free(block * block_size, given_up)
        engine._debt += _DEFRAG_RATE * given_up
