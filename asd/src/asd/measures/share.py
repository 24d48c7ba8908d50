"""How long one may work who goes on for many turns of the loop, and how long the others then have.

A client that asks one thing at a time has one turn for each answer, so slices of a millisecond
with a turn between them would leave it a thousand answers a second. While others are there slices
are short, and the turns between two of them go on until they have had as long as the slice: half of
the time is theirs. One that asks again as soon as it is answered is waited for a moment: without
that it would have one answer a slice however short slices are, a quarter of what it had alone.
While nobody is there slices are long, and one turn is between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from asd.measures.turns import Turns

SHORTEST_NS: Final = 50_000
"""A slice while others are there; in a shorter one, turns would cost more than the work."""

PATIENCE_NS: Final = 30_000
"""How long the next request of somebody who was just answered is waited for."""

MOST_TURNS: Final = 64
"""Turns between two slices, at most: where time is simulated it may stand still."""


class Share:
    """The slices of one job."""

    __slots__ = ("_began_ns", "_longest_ns", "_now_ns", "_number", "_slice_ns", "_turns")

    def __init__(self, turns: Turns, now_ns: Callable[[], int], longest_ns: int) -> None:
        """`turns` tells of requests, `now_ns` is the clock that slices go by."""
        self._turns = turns
        self._now_ns = now_ns
        self._longest_ns = longest_ns
        self._slice_ns = longest_ns
        self._began_ns = 0
        self._number = turns.number
        """Of the turns with requests that are known here; a job's own are none."""

    def begin(self) -> int:
        """A slice begins; when it is to end (monotonic ns)."""
        self._began_ns = self._now_ns()
        return self._began_ns + self._slice_ns

    async def others(self) -> None:
        """The slice is over: let the others have theirs."""
        turns, now = self._turns, self._now_ns()
        until = now + now - self._began_ns
        were_there = self._slice_ns < self._longest_ns
        met, came_ns = False, now if were_there else now - PATIENCE_NS
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)
            now = self._now_ns()
            if turns.number != self._number:
                self._number, met, came_ns = turns.number, True, now
            if now >= until or now - came_ns >= PATIENCE_NS:
                break
        self._slice_ns = min(SHORTEST_NS, self._longest_ns) if met else self._longest_ns
