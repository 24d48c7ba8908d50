"""The most common update of an ssd store in one look-up.

A record that no sync has begun to write gives its place to its successor: what is updated again and
again between two syncs is written once, and makes no garbage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from storage.coding import PLAIN
from storage.engine import DamagedRecord, NotResident
from storage.index import FIELDS, JOINED, META_AT, META_END
from storage.ssd.layout import BODY, CHANGE, CODING_AT, FRONT, POSITION_MASK, RECORD_HEADER

if TYPE_CHECKING:
    from storage.ssd.engine import SsdEngine

META_SIZE: Final = META_END - META_AT
_fields_at = FIELDS.unpack_from
_pack_entry = JOINED.pack_into
_pack_body = BODY.pack
_pack_change = CHANGE.pack


def overwrite(
    self: SsdEngine, digest: bytes, last_update_time: int, set_id: int, start: bytes, payload: bytes
) -> int:
    """Give a record another payload of the same size, if little else changes. O(1).

    See `storage.engine.Overwrites`. What `put` would refuse, or wait for, is left to it.
    """
    index = self.index
    offset = index.recent.get(digest) or index.look_up(digest)
    if not offset:
        return 0
    arena = index.arena
    generation, old_set, void_time, flags, before, old, size = _fields_at(arena, offset)
    if old_set != set_id or void_time or flags or size != len(payload):
        return 0
    if before > last_update_time:
        return 0
    if self._failure is not None or not self.payloads.plain:
        return 0
    number, units = divmod(old & POSITION_MASK, self._block_units)
    logs, which = self.logs, 0
    if len(logs) > 1:
        which = digest[8] % len(logs)
        number //= len(logs)
    block = logs[which].memory.get(number)
    at = units << 4
    if block is None or block.data[at + CODING_AT] != PLAIN:
        block = None
        if not _begins(self, digest, start):
            return 0
    elif block.data[at + RECORD_HEADER : at + RECORD_HEADER + len(start)] != start:
        return 0
    new_generation: int = generation % 65535 + 1
    updated, stamp = last_update_time, self.stamp + 1
    if block is not None:
        change = _pack_change(new_generation, set_id, 0, 0, PLAIN, updated, stamp)
        if block.rewrite(at, change + payload):
            self.stamp = stamp
            arena[offset + META_AT : offset + META_END] = change[:META_SIZE]
            return new_generation
    head = _pack_body(size, size, digest, new_generation, set_id, 0, 0, PLAIN, updated, stamp)
    location = self._append(which, head + payload)
    self.stamp = stamp
    _pack_entry(arena, offset, head[FRONT], location, size)
    self._release(old)
    return new_generation


def _begins(engine: SsdEngine, digest: bytes, start: bytes) -> bool:
    """Does the record's payload begin with `start`? False also when it cannot be told at once."""
    try:
        record = engine.get(digest)
    except (NotResident, DamagedRecord):
        return False
    return record is not None and record[5].startswith(start)
