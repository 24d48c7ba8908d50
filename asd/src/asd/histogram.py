"""Latency histograms: powers of two, cut into slices for `latencies:`."""

from __future__ import annotations

from collections.abc import Sequence

NS_PER_MS = 1_000_000
NS_PER_US = 1_000
COLUMNS = 17
"""Thresholds 2^0 .. 2^16 units."""

_BUCKETS = 65


class Histogram:
    """Counts of durations by power of two.

    Bucket 0 holds durations under one unit, bucket i those in [2^(i-1), 2^i) units. `pending`
    counts transactions that were answered but whose duration is not known yet: the service settles
    them all at once when the reply bytes are handed to the socket.
    """

    __slots__ = ("_last_counts", "_last_ns", "_slice", "counts", "name", "pending", "unit_ns")

    def __init__(self, name: str, unit_ns: int = NS_PER_MS) -> None:
        self.name = name
        self.unit_ns = unit_ns
        self.counts = [0] * _BUCKETS
        self.pending = 0
        self._last_counts = self.counts[:]
        self._last_ns: int | None = None
        self._slice: tuple[float, list[float]] | None = None

    def add(self, duration_ns: int, count: int = 1) -> None:
        """Count `count` transactions that took `duration_ns`. O(1)."""
        self.counts[(duration_ns // self.unit_ns).bit_length()] += count

    def settle(self, duration_ns: int) -> None:
        """Count all pending transactions as having taken `duration_ns`."""
        self.counts[(duration_ns // self.unit_ns).bit_length()] += self.pending
        self.pending = 0

    def tick(self, now_ns: int) -> None:
        """End a slice: what came since the previous tick becomes the answer of `slice`."""
        if self._last_ns is not None and now_ns > self._last_ns:
            fresh = [a - b for a, b in zip(self.counts, self._last_counts, strict=True)]
            seconds = (now_ns - self._last_ns) / 1e9
            self._slice = (sum(fresh) / seconds, _shares_above(fresh))
        self._last_counts = self.counts[:]
        self._last_ns = now_ns

    @property
    def slice(self) -> tuple[float, Sequence[float]] | None:
        """(transactions per second, percent slower than 2^0 .. 2^16 units) of the last slice."""
        return self._slice

    @property
    def unit(self) -> str:
        """`msec` or `usec`."""
        return "msec" if self.unit_ns == NS_PER_MS else "usec"

    def clear(self) -> None:
        """Forget everything."""
        self.counts = [0] * _BUCKETS
        self.pending = 0
        self._last_counts = self.counts[:]
        self._last_ns = None
        self._slice = None


def _shares_above(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    if not total:
        return [0.0] * COLUMNS
    shares = []
    above = total
    for i in range(COLUMNS):
        above -= counts[i]
        shares.append(100.0 * above / total)
    return shares
