"""How long transactions take, measured by turns of the event loop.

What a turn of the loop answers leaves the process together, at the turn's end: that is when each
of its transactions is over. So the clock is read twice a turn, not twice a request, and a request
only counts itself as answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from asd.measures.histogram import Histogram

NEVER: Final = (1 << 63) - 1


class Turns:
    """The transactions answered in this turn of the loop, until the turn ends.

    `call_soon` calls a function at the end of the turn (`asyncio.AbstractEventLoop.call_soon`).
    """

    __slots__ = (
        *("_call_soon", "_now_ns", "answered", "longest_ns", "number", "started_ns"),
        *("suspect_ns", "suspected"),
    )

    def __init__(
        self, now_ns: Callable[[], int], call_soon: Callable[[Callable[[], None]], object]
    ) -> None:
        self._now_ns = now_ns
        self._call_soon = call_soon
        self.number = 0
        """Turns in which requests came."""
        self.started_ns = 0
        """When the first request of this turn came; 0 before that."""
        self.longest_ns = 0
        """The longest turn in which transactions were answered: everybody waited for it."""
        self.answered: list[Histogram] = []
        """Histograms with pending transactions."""
        self.suspect_ns = NEVER
        """A turn that begins later than this is suspect: `suspected` is called before its first
        request is looked at."""
        self.suspected: Callable[[], None] = _nothing

    def begin(self) -> int:
        """The first request of a turn has come: what time it is (monotonic ns)."""
        self.started_ns = self._now_ns()
        if self.started_ns > self.suspect_ns:
            self.suspected()
        self.number += 1
        self._call_soon(self.end)
        return self.started_ns

    def at_end(self, call: Callable[[], None]) -> None:
        """Call it when this turn ends."""
        self._call_soon(call)

    def count(self, histogram: Histogram, transactions: int = 1) -> None:
        """Transactions were answered; how long they took is known when the turn ends."""
        if not self.started_ns:
            self.begin()
        if not histogram.pending:
            self.answered.append(histogram)
        histogram.pending += transactions

    def _check(self) -> None:
        """Assert every invariant: what waits to be counted has a turn to be counted in."""
        assert bool(self.started_ns) or not self.answered
        assert all(histogram.pending for histogram in self.answered)
        assert len(set(map(id, self.answered))) == len(self.answered)

    def end(self) -> None:
        """The replies are on their way: count how long the transactions took."""
        self._settle()
        self.started_ns = 0

    @contextmanager
    def since(self, started_ns: int) -> Iterator[None]:
        """What is answered inside began at `started_ns`, before this turn."""
        self._settle()
        turn_ns, self.started_ns = self.started_ns, started_ns
        try:
            yield
        finally:
            longest_ns = self.longest_ns  # most of this time the loop was not held
            self._settle()
            self.started_ns, self.longest_ns = turn_ns, longest_ns

    def _settle(self) -> None:
        if self.answered:
            duration_ns = self._now_ns() - self.started_ns
            if duration_ns > self.longest_ns:
                self.longest_ns = duration_ns
            for histogram in self.answered:
                histogram.settle(duration_ns)
            self.answered.clear()


def _nothing() -> None:
    """No turn is suspect."""
