"""The invariants of the primary index."""

from __future__ import annotations

from storage.index import _FREE, _FULL, HASH, PARTITION_MASK, TOMBSTONE, PrimaryIndex


def check(index: PrimaryIndex) -> None:
    """Assert every invariant. O(n)."""
    seen = bytearray(index.end)
    for partition, table in enumerate(index.tables):
        assert index.sizes[partition] == len(table)
        if len(table) == 1:
            assert (table[0], index._counts[partition]) == (0, 0)
            continue
        slots = [slot for slot in table if slot]
        assert len(slots) == index._counts[partition] <= len(table) * _FULL // 16
        for slot in slots:
            assert 1 <= slot < index.end
            assert not seen[slot]
            seen[slot] = 1
            entry = index.entry(slot)
            assert entry.generation
            assert HASH.unpack(entry.digest)[0] & PARTITION_MASK == partition
            assert index.find(entry.digest) == slot
    free = index._free
    while free:
        assert not seen[free]
        seen[free] = 1
        (free,) = _FREE.unpack_from(index.arena, free << 6)
    assert sum(seen) == index.end - 1
    for digest, offset in index.recent.items():
        assert index.find(digest) << 6 == offset
    _check_usage(index)


def _check_usage(index: PrimaryIndex) -> None:
    """Assert that the usage by set is what a count of all entries gives."""
    entries = [index.entry(slot) for slot in range(1, index.end)]
    used = [entry for entry in entries if entry.generation]
    assert len(used) == len(index)
    assert {entry.set_id for entry in used} == index.sets.keys()
    for set_id, usage in index.sets.items():
        mine = [entry for entry in used if entry.set_id == set_id]
        dead = sum(1 for entry in mine if entry.flags & TOMBSTONE)
        assert (usage.objects, usage.tombstones) == (len(mine) - dead, dead)
        assert usage.bytes == sum(entry.size for entry in mine)
    assert index.tombstones == sum(usage.tombstones for usage in index.sets.values())
