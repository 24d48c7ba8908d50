"""Which tombstones of an ssd_cold store can go: those of which no chunk holds an older copy.

A chunk that is in use holds older copies of its records too, and unlike in an ssd store such copies
move: the store of chunks moves a whole chunk when it empties a block. A pass over the blocks alone
could miss a chunk that goes from a block not yet read to one read already. So there are two passes,
both begun after a sync.

1. Every chunk in use, by its number. Until all are read, none of them is given up (`holds_chunks`).
   Whatever moves from now on is one of these, so that what it holds is known. Chunks begun later
   hold nothing older than the tombstones: records that are moved into them are the newest.
2. Every block, for what is left there of chunks that were given up or written anew before. These
   copies do not move any more: they are in their block until it is written over.

When a store gets full while chunks are held, they are let go, and the raid ends with nothing taken
away: it will come again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING

from storage.chunk_coder import ChunkCoder
from storage.cold_chunks import DICTIONARY_KEY, FLAGS_AT, records_in
from storage.engine import DamagedRecord, NotResident
from storage.index import TOMBSTONE
from storage.ssd.layout import unpack_record
from storage.ssd.log import DeviceLog
from storage.ssd.tomb_raider import records_of
from storage.tomb_raid import MediumRaid, Search

if TYPE_CHECKING:
    from storage.cold import ColdEngine


class ColdRaid(MediumRaid):
    """See `storage.engine.TombRaid`."""

    def __init__(self, engine: ColdEngine, until: int) -> None:
        super().__init__(engine, until)
        self._engine = engine
        self._coder = ChunkCoder(level=1)  # of its own: it decompresses on other threads

    def _look_for_copies(self, digests: AbstractSet[bytes]) -> Search:
        """In two passes."""
        engine = self._engine
        engine.holds_chunks = True
        try:
            yield engine.sync
            whole = yield from self._look_at_chunks(digests)
        finally:
            engine.holds_chunks = False
        if not whole:
            return False
        (device,) = engine.chunks.logs
        for block in range(len(device.used)):
            yield partial(self._look_at_block, device, block, digests)
        return True

    def _look_at_chunks(self, digests: AbstractSet[bytes]) -> Search:
        """Go through the chunks in use; False when they were let go meanwhile."""
        engine = self._engine
        self._coder.set_dictionary((yield from self._stored(DICTIONARY_KEY)))
        for key in engine.chunk_keys():
            stored = yield from self._stored(key)
            if not engine.holds_chunks:
                return False
            if stored is not None:
                yield partial(self._look, stored, digests)
        return engine.holds_chunks

    def _stored(self, key: bytes) -> Generator[Callable[[], None] | None, None, bytes | None]:
        """A chunk as it is stored; None when there is none, or it is damaged."""
        while True:
            try:
                return self._engine.stored_chunk(key)
            except NotResident as missing:
                yield missing.load
            except DamagedRecord:  # nor will a cold start read it
                return None

    def _look_at_block(self, device: DeviceLog, block: int, digests: AbstractSet[bytes]) -> None:
        for data, places in records_of(device, block):
            for at in places:
                chunk = unpack_record(data, at)
                if chunk.digest != DICTIONARY_KEY:
                    self._look(chunk.stored, digests)

    def _look(self, stored: bytes, digests: AbstractSet[bytes]) -> None:
        try:
            data = self._coder.decompress(stored)
        except DamagedRecord:
            return
        for offset, _, digest in records_in(data):
            if digest in digests and not data[offset + FLAGS_AT] & TOMBSTONE:
                self._needed.add(digest)
