"""A node that has not run for a while asks for its cluster before it serves again.

The process was stopped, or its machine was; meanwhile the others may have given it up, and serve
what it served. It wakes with the plan of a cluster that may be over, with requests in its sockets,
and nothing that tells it: the others' heartbeats are read as late as it reads its clients. Reads by
the old plan would be older than what others have acknowledged since, and a write could come out of
a merge as the better version of a record that has lost an acknowledged one.

So the first turn of the loop that begins too late is suspect, before its first request is looked at
(`asd.measures.turns`), and so is a tick that comes too late, whichever is first. Then requests
wait; they go on when all members say that the cluster is still the same, or with the plan of a new
one. What is too late is less than the heartbeat's timeout: a node that wakes before was not given
up yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asd.measures.turns import NEVER, Turns


class Waking:
    """Watches whether the loop has gone on running."""

    def __init__(
        self,
        turns: Turns,
        now_ns: Callable[[], int],
        interval_ms: int,
        timeout_intervals: int,
        woke: Callable[[], None],
    ) -> None:
        """The times are the heartbeat's. `woke` is called at any moment of a turn."""
        self._turns = turns
        self._now_ns = now_ns
        self._woke = woke
        self._timer: asyncio.TimerHandle | None = None
        self.go_by(interval_ms, timeout_intervals)

    def go_by(self, interval_ms: int, timeout_intervals: int) -> None:
        """The heartbeat has other times."""
        self._interval_s = interval_ms / 1000
        self._limit_ns = max(1, timeout_intervals - 2) * interval_ms * 1_000_000

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch from now on."""
        self._turns.suspected = self._wake
        self._renew()
        self._set_timer(loop)

    def stop(self) -> None:
        """Watch no more."""
        self._turns.suspect_ns = NEVER
        if self._timer is not None:
            self._timer.cancel()

    def _renew(self) -> None:
        self._turns.suspect_ns = self._now_ns() + self._limit_ns

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self._interval_s, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._now_ns() > self._turns.suspect_ns:
            self._wake()
        else:
            self._renew()
        self._set_timer(loop)

    def _wake(self) -> None:
        self._renew()
        self._woke()
