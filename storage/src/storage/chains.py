"""Which records live in which block: a list for each block, linked through the primary index.

To empty a block, an engine must find what lives in it. A header in front of every payload, its
record's slot and the bytes to the next, says so for 8 bytes a record; walking over it meets the
dead as well as the living. An index entry has 12 bytes to spare, so there the list costs nothing:
of each entry with a payload, the next and the previous slot of the same block. Looking through the
index for a block's records, instead, would take time that grows with the store.

What must hold: an entry is in the list of the block its location is in, and in no other, from when
its payload is placed until that is moved or given up; one without a payload is in none. Whoever
writes an entry anew leaves its links alone.
"""

from __future__ import annotations

import mmap
from array import array
from struct import Struct
from typing import Final

LINKS: Final = Struct("<II")
"""Next and previous slot of an entry's block; 0: none."""
NEXT_AT: Final = 52
PREVIOUS_AT: Final = 56
"""Where they are in an entry (docs/formats/primary-index.md)."""

_links_at = LINKS.unpack_from
_pack_links = LINKS.pack_into
_pack_slot = Struct("<I").pack_into


class Chains:
    """The lists of all blocks of one store, through the arena that is given with each call.

    >>> arena = mmap.mmap(-1, 4096)
    >>> chains = Chains()
    >>> chains.add(arena, 7, 0)
    >>> chains.add(arena, 9, 0)
    >>> chains.remove(arena, 7, 0)
    >>> chains.first[0]
    9
    """

    __slots__ = ("first",)

    def __init__(self, first: array[int] | None = None) -> None:
        self.first = array("I") if first is None else first
        """By block, the slot its list begins with; 0: it is empty."""

    def add(self, arena: mmap.mmap, slot: int, block: int) -> None:
        """The payload of the entry at a slot was placed in a block. O(1)."""
        first = self.first
        if block >= len(first):
            first.extend([0] * (block + 1 - len(first)))
        following = first[block]
        _pack_links(arena, (slot << 6) + NEXT_AT, following, 0)
        if following:
            _pack_slot(arena, (following << 6) + PREVIOUS_AT, slot)
        first[block] = slot

    def remove(self, arena: mmap.mmap, slot: int, block: int) -> None:
        """The payload of the entry at a slot is given up, or moves out of the block. O(1)."""
        following, previous = _links_at(arena, (slot << 6) + NEXT_AT)
        if previous:
            _pack_slot(arena, (previous << 6) + NEXT_AT, following)
        else:
            assert self.first[block] == slot, "an entry is in the list of another block"
            self.first[block] = following
        if following:
            _pack_slot(arena, (following << 6) + PREVIOUS_AT, previous)

    def slots(self, arena: mmap.mmap, block: int) -> list[int]:
        """The slots of a block's entries. O(entries)."""
        found = []
        slot = self.first[block] if block < len(self.first) else 0
        while slot:
            found.append(slot)
            (slot, _) = _links_at(arena, (slot << 6) + NEXT_AT)
        return found
