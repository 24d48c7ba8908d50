"""How fast a query goes: its share of the loop, and the records a second it may handle."""

from __future__ import annotations

import asyncio
from typing import Final

from asd.query.manager import QueryManager

SLICE_S: Final = 0.001
"""What a query may take of a turn of the loop."""

MIN_SLICE_S: Final = 0.0002
"""What it still gets where others take little: less, and starting and stopping would be most of
it."""

BUSY_S: Final = 0.00005
"""A turn of the loop that takes longer than this has had others to serve."""

_STEPS_PER_S: Final = 20
"""A query with a limit of records does about this many batches a second."""


class Pace:
    """The pace of one query. Its time is the loop's."""

    def __init__(self, queries: QueryManager, records_per_second: int) -> None:
        self._queries = queries
        self._limit = records_per_second
        self._loop = asyncio.get_running_loop()
        self._started_s = self._loop.time()
        self._until_s = self._started_s
        self._others_s = 0.0  # how long the others took when they had their turn
        self._handled = 0

    @property
    def elapsed_ms(self) -> float:
        """Since the query was made."""
        return 1000 * (self._loop.time() - self._started_s)

    def begin(self) -> None:
        """A slice of time begins: as long as the others took, if there are any."""
        slice_s = SLICE_S
        if self._others_s > BUSY_S:
            slice_s = min(slice_s, max(MIN_SLICE_S, self._others_s))
        self._until_s = self._loop.time() + slice_s

    def batch(self, count: int) -> int:
        """How many entries to take at once, if `count` are fine for the query itself."""
        return min(count, max(1, self._limit // _STEPS_PER_S)) if self._limit else count

    def over(self) -> bool:
        """Is the slice over?"""
        return self._loop.time() >= self._until_s

    async def breathe(self) -> bool:
        """Let the others have their turn if the slice is over; True if they had it."""
        if not self.over():
            return False
        await self.rest()
        self.begin()
        return True

    def used_up(self, handled: int) -> bool:
        """Is the slice over, now that `handled` more records were?"""
        self._handled += handled
        return bool(self._limit and handled) or self.over()

    async def rest(self) -> None:
        """Let the others have their turn, and wait until there may be more records."""
        left_s = self._loop.time()
        early_s = 0.0
        if self._limit:
            early_s = self._started_s + self._handled / self._limit - left_s
        await asyncio.sleep(max(0.0, early_s))
        self._others_s = self._loop.time() - left_s
        await self.turn()

    async def turn(self) -> None:
        """Wait until other queries have had theirs; before the first slice, and by `rest`."""
        await self._queries.turn()
