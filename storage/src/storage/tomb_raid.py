"""Taking tombstones away that are old enough, and that nothing needs any more.

A tombstone says two things: to the own medium, that older copies of the record which still stand
there must not come back at a restart; to other copies of the store, that the record was deleted,
and when. The second is over once it is old enough, which the caller says (`until`). The first is
for each engine to know: `storage.ssd.tomb_raider` and `storage.cold_raid` read the medium. Where a
tombstone has taken the place of what it deletes, as in memory and in a key-value store, it goes by
its age alone: that is here.

A raid holds nobody up. It goes over the index in slices, for between two parts the store is used;
what it has found may be gone or something else when its turn to be taken away comes, so it is
looked at again then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import compress
from typing import Final, TypeAlias

from storage.engine import Engine
from storage.index import TOMBSTONE, Entry, PrimaryIndex

SLICE: Final = 2048
"""Slots gone through, or tombstones taken away, in one part: at most some 5 ms."""

Parts: TypeAlias = Generator[Callable[[], None] | None, None, None]
"""See `storage.engine.TombRaid.parts`."""

Search: TypeAlias = Generator[Callable[[], None] | None, None, bool]
"""Parts of a search, and whether it has come to its end."""


class IndexRaid:
    """The raid of an engine where no older copy is left behind a tombstone."""

    def __init__(self, engine: Engine, until: int) -> None:
        self._engine = engine
        self._until = until
        self.gone = 0

    def parts(self) -> Parts:
        """See `storage.engine.TombRaid`."""
        for found in old_tombstones(self._engine.index, self._until):
            for entry in found:
                self._engine.remove(entry.digest)
            self.gone += len(found)
            yield None


class MediumRaid(ABC):
    """The raid of an engine whose medium may hold older copies: a subclass looks for them."""

    def __init__(self, engine: Engine, until: int) -> None:
        self._store = engine
        self._until = until
        self._needed: set[bytes] = set()
        self.gone = 0

    def parts(self) -> Parts:
        """Tombstones are looked for, then their older copies, then those without one go."""
        found: dict[bytes, Entry] = {}
        for entries in old_tombstones(self._store.index, self._until):
            found.update({entry.digest: entry for entry in entries})
            yield None
        if not found or not (yield from self._look_for_copies(found.keys())):
            return
        for count in take_away(self._store, found, self._needed):
            self.gone += count
            yield None

    @abstractmethod
    def _look_for_copies(self, digests: AbstractSet[bytes]) -> Search:
        """Put into `_needed` those of which there is an older copy."""


def old_tombstones(index: PrimaryIndex, until: int) -> Iterator[list[Entry]]:
    """The tombstones last updated at or before `until` (ms since 2010), slice by slice.

    Between two slices the index may change.
    """
    for first, last in index.slices(SLICE):
        if not index.tombstones:
            return
        flags = index.column("flags", first, last)
        entries = map(index.entry, compress(range(first, last), map(TOMBSTONE.__le__, flags)))
        yield [entry for entry in entries if entry.last_update_time <= until]


def take_away(engine: Engine, found: Mapping[bytes, Entry], needed: set[bytes]) -> Iterator[int]:
    """Remove those found that are not needed and still as they were; how many, slice by slice."""
    free = [digest for digest in found if digest not in needed]
    for begin in range(0, len(free), SLICE):
        yield sum(_remove(engine, found[digest]) for digest in free[begin : begin + SLICE])


def _remove(engine: Engine, entry: Entry) -> bool:
    """Remove a tombstone if it is still the same, wherever it may have moved."""
    slot = engine.index.find(entry.digest)
    same = bool(slot) and engine.index.entry(slot)._replace(location=entry.location) == entry
    if same:
        engine.remove(entry.digest)
    return same
