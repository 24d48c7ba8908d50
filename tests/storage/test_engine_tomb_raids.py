"""Tombstones go when they are old and nothing needs them, whatever happens during the raid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.cold_chunks import DICTIONARY_KEY, FLAGS_AT, records_in
from storage.engine import TOMBSTONE, Engine
from storage.ssd.layout import unpack_record
from storage.ssd.tomb_raider import records_of
from storage.testing import FaultyDisk
from storage.testing.crash import DIGESTS, ENGINES, seeded


def tombstones(engine: Engine) -> set[bytes]:
    """The digests that have one."""
    index = engine.index
    slots = {digest: index.find(digest) for digest in DIGESTS}
    return {d for d, slot in slots.items() if slot and index.entry(slot).flags & TOMBSTONE}


def copies_on_medium(engine: Any) -> set[bytes]:
    """Digests of which some block holds a record, in use or not, that is no tombstone."""
    chunks = getattr(engine, "chunks", None)
    found = set()
    for device in (chunks or engine).logs:
        for block in range(len(device.used)):
            for data, places in records_of(device, block):
                for record in (unpack_record(data, at) for at in places):
                    if chunks is None and not record.flags & TOMBSTONE:
                        found.add(record.digest)
                    elif chunks is not None and record.digest != DICTIONARY_KEY:
                        rows = engine._coder.decompress(record.stored)
                        for offset, _, digest in records_in(rows):
                            if not rows[offset + FLAGS_AT] & TOMBSTONE:
                                found.add(digest)
    return found


class Busy:
    """A store that is used, at random, while it is raided."""

    def __init__(self, name: str, seed: int) -> None:
        self.engine = ENGINES[name](FaultyDisk())
        self.engine.open()
        self._chance = seeded(seed)
        self._raid: Iterator[Any] = iter(())
        self._now = 0
        self.gone = 0

    def use(self) -> None:
        self._now += 1
        draw = self._chance()
        digest = DIGESTS[int(self._chance() ** 2 * len(DIGESTS))]  # some are seldom written
        if draw < 0.75:
            value = b"%d " % int(1000 * draw) * (1 + int(self._chance() ** 2 * 150))
            self.engine.put(digest, 1, 0, self._now, 7, 0, value)
        elif draw < 0.85:
            self.engine.put(digest, 1, 0, self._now, 7, TOMBSTONE, b"")
        elif draw < 0.99:
            self.engine.sync()
        else:
            self.engine.clear()

    def raid(self, parts: int) -> None:
        """Go on with the raid, or begin another; what is taken away must be needed by nothing."""
        before = tombstones(self.engine)
        for _ in range(parts):
            part = next(self._raid, self)
            if part is self:
                self._raid = self.engine.tomb_raid(self._now).parts()
            elif part is not None:
                part()
        gone = before - tombstones(self.engine)
        if gone:
            self.gone += len(gone)
            self.engine.sync()
            assert not gone & copies_on_medium(self.engine)


@pytest.mark.parametrize("name", ["ssd", "ssd_cold"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_taken_away_has_no_older_copy_left_however_busy_the_store(
    name: str, seed: int
) -> None:
    store = Busy(name, seed)
    for _ in range(400):
        for _ in range(2):
            store.use()
        store.raid(1)
    store.engine._check()


@pytest.mark.parametrize("name", ["ssd", "ssd_cold"])
def test_tombstones_go_from_a_busy_store_in_the_end(name: str) -> None:
    store = Busy(name, 1)
    for _ in range(2000):
        store.use()
        store.raid(3)
    assert store.gone > 10
