"""Taking tombstones away that no older copy of their record needs any more.

A tombstone keeps older copies, still to be read in blocks not yet written over, from coming back at
a cold start. When no block holds one, it can go. Of the three steps the middle one reads all
devices and may run on another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING

from storage.index import TOMBSTONE
from storage.ssd.layout import DIGEST_AT, walk
from storage.ssd.log import DeviceLog
from storage.ssd.recovery import read_block
from storage.ssd.salvage import sequence_of

if TYPE_CHECKING:
    from storage.ssd.engine import SsdEngine

_FLAGS_AT = 44


class TombRaid:
    """One search for tombstones last updated at or before `until` (ms since 2010) to take away.

    The owner makes it, any thread runs `read`, and the owner calls `finish`.
    """

    def __init__(self, engine: SsdEngine, until: int) -> None:
        self._engine = engine
        self._found: dict[bytes, int] = {}
        self._needed: set[bytes] = set()
        index = engine.index
        if not index.tombstones:
            return
        for first, last in index.slices():
            flags = index.column("flags", first, last)
            for slot in compress(range(first, last), map(TOMBSTONE.__le__, flags)):
                entry = index.entry(slot)
                if entry.last_update_time <= until:
                    self._found[entry.digest] = entry.location

    def read(self) -> None:
        """Look for older copies in every block. Raises OSError."""
        for part in self.parts():
            part()

    def parts(self) -> Iterator[Callable[[], None]]:
        """What `read` does, a block at a time: the owner takes the parts, any thread runs them.

        The first is a sync, so that whatever is older than a tombstone is on the device.
        """
        if not self._found:
            return
        yield self._engine.sync
        for device in self._engine.logs:
            for block in range(len(device.used)):
                yield partial(self._look, device, block)

    def _look(self, device: DeviceLog, block: int) -> None:
        self._needed |= _copies(device, block, self._found.keys())

    def finish(self) -> int:
        """Take the tombstones away that nothing needs; how many."""
        index = self._engine.index
        gone = 0
        for digest, location in self._found.items():
            slot = index.find(digest)
            if digest not in self._needed and slot and index.entry(slot).location == location:
                self._engine.remove(digest)
                gone += 1
        return gone


def _copies(device: DeviceLog, block: int, digests: AbstractSet[bytes]) -> set[bytes]:
    """Which of the digests have a record, not a tombstone, in the block as it is on the device."""
    header = device.header
    data = read_block(device, block)
    sequence = sequence_of(data, block, header)
    if sequence is None or sequence < header.first_sequence:
        return set()
    places = walk(data, header.seed(sequence, block)).places
    return {
        data[at + DIGEST_AT : at + DIGEST_AT + 20]
        for at in places
        if not data[at + _FLAGS_AT] & TOMBSTONE
    } & digests
