"""The most common update in one look-up, for those who need to know what was there before."""

from __future__ import annotations

from storage.index import ENTRY, HASH, META, META_AT, PARTITION_MASK
from storage.memory import MemoryEngine

_hash = HASH.unpack
_entry = ENTRY.unpack_from
_pack_meta = META.pack
_META_END = META_AT + META.size


def exchange(
    engine: MemoryEngine,
    digest: bytes,
    last_update_time: int,
    set_id: int,
    start: bytes,
    payload: bytes,
) -> tuple[int, int, bytes] | None:
    """Do as `Overwrites.overwrite`: (new generation, slot, old payload). O(1).

    None when the record is not as it has to be, and then nothing has changed.
    """
    index = engine.index
    prefix, home = _hash(digest)
    prefix &= PARTITION_MASK
    table = index.tables[prefix]
    length = index.sizes[prefix]
    arena = index.arena
    at = home % length
    while slot := table[at]:
        offset = slot << 6
        found, generation, old_set, void_time, flags, _, place, size = _entry(arena, offset)
        if found == digest:
            if old_set != set_id or void_time or flags or size != len(payload):
                return None
            data = engine._data
            old = data[place : place + size]
            if not old.startswith(start):
                return None
            generation = generation % 65535 + 1
            meta = _pack_meta(generation, set_id, 0, 0, last_update_time)
            arena[offset + META_AT : offset + _META_END] = meta
            data[place : place + size] = payload
            return generation, slot, old
        at += 1
        if at == length:
            at = 0
    return None
