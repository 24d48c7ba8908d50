"""Which tombstones of an ssd store can go: those of which no block holds an older copy.

A tombstone keeps older copies, still to be read in blocks not yet written over, from coming back at
a cold start. Copies that are not the newest never move: when a pass over all blocks, begun with a
sync, has not met one, there is none, and will be none.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING

from storage.index import TOMBSTONE
from storage.ssd.layout import DIGEST_AT, walk
from storage.ssd.log import DeviceLog
from storage.ssd.recovery import read_block
from storage.ssd.salvage import sequence_of
from storage.tomb_raid import MediumRaid, Search

if TYPE_CHECKING:
    from storage.ssd.engine import SsdEngine

_FLAGS_AT = 44


class TombRaid(MediumRaid):
    """See `storage.engine.TombRaid`."""

    def __init__(self, engine: SsdEngine, until: int) -> None:
        super().__init__(engine, until)
        self._engine = engine

    def _look_for_copies(self, digests: AbstractSet[bytes]) -> Search:
        """Block by block."""
        yield self._engine.sync  # whatever is older than a tombstone is on the device then
        for device in self._engine.logs:
            for block in range(len(device.used)):
                yield partial(self._look, device, block, digests)
        return True

    def _look(self, device: DeviceLog, block: int, digests: AbstractSet[bytes]) -> None:
        for data, places in records_of(device, block):
            self._needed |= digests & {
                data[at + DIGEST_AT : at + DIGEST_AT + 20]
                for at in places
                if not data[at + _FLAGS_AT] & TOMBSTONE
            }


def records_of(device: DeviceLog, block: int) -> Iterator[tuple[bytes, list[int]]]:
    """A block as it is on the device and where its records begin; nothing when it holds none."""
    header = device.header
    data = read_block(device, block)
    sequence = sequence_of(data, block, header)
    if sequence is not None and sequence >= header.first_sequence:
        yield data, walk(data, header.seed(sequence, block)).places
