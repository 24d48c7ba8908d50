"""`Pool`: which of a node's connections a command gets, and which are closed.

The most recently used connection goes first: under light load the others grow idle and are closed,
and the one in hand is the least likely to have been closed by the server.

In the blocking face several threads use a pool. `take` and `put_back` are one operation on a list
each, which the interpreter does in one piece, and need no lock; what changes the number of
connections (`reserve`, `forget`, `trim`) needs one, and is rare.
"""

from __future__ import annotations

from typing import Generic, TypeVar

C = TypeVar("C")


class Pool(Generic[C]):
    """The idle connections to a node, and how many there are in all."""

    __slots__ = ("_idle", "_max", "_max_idle_us", "_min", "open")

    def __init__(self, min_open: int, max_open: int, max_idle_us: int) -> None:
        """`max_idle_us` 0: idle connections stay usable for ever."""
        self._min = min_open
        self._max = max_open
        self._max_idle_us = max_idle_us
        #: Connection and when it was put back, the latest last.
        self._idle: list[tuple[C, int]] = []
        #: Connections in use, idle and being made.
        self.open = 0

    @property
    def idle(self) -> int:
        """How many connections wait for a command."""
        return len(self._idle)

    def take(self) -> tuple[C, int] | None:
        """The connection used last and when it was put back; None when all are in use. O(1)."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def is_stale(self, since_us: int, now_us: int) -> bool:
        """Whether a connection put back at `since_us` has been idle for too long to be used."""
        return 0 < self._max_idle_us <= now_us - since_us

    def put_back(self, connection: C, now_us: int) -> None:
        """A command is done with it. O(1)."""
        self._idle.append((connection, now_us))

    def reserve(self) -> bool:
        """Room for one more, which the caller makes; False when there are `max_open`."""
        if self.open >= self._max:
            return False
        self.open += 1
        return True

    def forget(self) -> None:
        """A reserved or taken connection is no more."""
        assert self.open > 0
        self.open -= 1

    def trim(self, now_us: int) -> list[C]:
        """Take out what has been idle for too long, for the caller to close; `min_open` stay.

        Those that stay although stale are for the caller to look after (`is_stale` when taken).
        """
        closed: list[C] = []
        idle = self._idle
        while idle and self.open > self._min and self.is_stale(idle[0][1], now_us):
            closed.append(idle.pop(0)[0])
            self.open -= 1
        return closed

    def drain(self) -> list[C]:
        """Take out all idle connections, for the caller to close."""
        idle, self._idle = self._idle, []
        self.open -= len(idle)
        return [connection for connection, _ in idle]

    @property
    def missing(self) -> int:
        """How many to make, so that `min_open` are there."""
        return max(0, self._min - self.open)

    def _check(self) -> None:
        assert 0 <= len(self._idle) <= self.open <= max(self._max, self._min)
