"""The most common update in one look-up, for those who need to know what was there before."""

from __future__ import annotations

from storage.index import ENTRY_SIZE, FIELDS, META, META_AT
from storage.memory import MemoryEngine

_fields_at = FIELDS.unpack_from
_pack_meta_into = META.pack_into


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
    offset = index.recent.get(digest) or index.look_up(digest)
    if not offset:
        return None
    arena = index.arena
    generation, old_set, void_time, flags, _, place, size = _fields_at(arena, offset)
    if old_set != set_id or void_time or flags or size != len(payload):
        return None
    data = engine._data
    old = data[place : place + size]
    if not old.startswith(start):
        return None
    generation = generation % 65535 + 1
    _pack_meta_into(arena, offset + META_AT, generation, set_id, 0, 0, last_update_time)
    data[place : place + size] = payload
    return generation, offset // ENTRY_SIZE, old
