"""Latency histograms: powers of two, cut into slices for `latencies:`."""

from __future__ import annotations

from collections.abc import Sequence

NS_PER_MS = 1_000_000
NS_PER_US = 1_000
COLUMNS = 17
"""Thresholds 2^0 .. 2^16 units."""

_BUCKETS = 75
_FINE_BITS = 10


class Histogram:
    """Counts of durations by power of two.

    When the unit is a millisecond, `counts` are finer: by 1/1024 of it. Bucket 0 then holds
    durations under 1/1024 ms, bucket i those in [2^(i-1), 2^i) such parts (see `bounds_ms`).
    `pending` counts transactions that were answered but whose duration is not known yet: they are
    settled all at once when the turn of the loop ends (see `asd.measures.turns`).
    """

    __slots__ = (
        "_fine_bits",
        "_last_counts",
        "_last_ns",
        "_slice",
        "_unit_ns",
        "counts",
        "name",
        "pending",
        "since_ms",
        "total_ns",
    )

    counts: list[int]
    total_ns: int
    """The durations of all counted, summed up."""
    pending: int
    since_ms: int
    """Last-update-time (ms since 2010) that the first of the pending writes took, for the others to
    share; 0 when none has. See `asd.fastpath.cache`."""
    _last_counts: list[int]
    _last_ns: int | None
    _slice: tuple[float, Sequence[float]] | None

    def __init__(self, name: str, unit_ns: int = NS_PER_MS) -> None:
        self.name = name
        self.since_ms = 0
        self.unit_ns = unit_ns

    @property
    def unit_ns(self) -> int:
        """Nanoseconds of the unit that `slice` speaks of: `NS_PER_MS` or `NS_PER_US`."""
        return self._unit_ns

    @unit_ns.setter
    def unit_ns(self, unit_ns: int) -> None:
        """Changing it forgets everything."""
        self._unit_ns = unit_ns
        self._fine_bits = _FINE_BITS if unit_ns == NS_PER_MS else 0
        self.clear()

    def add(self, duration_ns: int) -> None:
        """Count a transaction that took `duration_ns`. O(1)."""
        part = (duration_ns << self._fine_bits) // self._unit_ns
        self.counts[part.bit_length()] += 1
        self.total_ns += duration_ns

    def add_many(self, duration_ns: int, count: int) -> None:
        """Count `count` transactions that took `duration_ns` each. O(1)."""
        part = (duration_ns << self._fine_bits) // self._unit_ns
        self.counts[part.bit_length()] += count
        self.total_ns += duration_ns * count

    def settle(self, duration_ns: int) -> None:
        """Count all pending transactions as having taken `duration_ns`."""
        self.add_many(duration_ns, self.pending)
        self.pending = self.since_ms = 0

    def tick(self, now_ns: int) -> None:
        """End a slice: what came since the previous tick becomes the answer of `slice`."""
        if self._last_ns is not None and now_ns > self._last_ns:
            fresh = [a - b for a, b in zip(self.counts, self._last_counts, strict=True)]
            seconds = (now_ns - self._last_ns) / 1e9
            self._slice = (sum(fresh) / seconds, _shares_above(fresh, self._fine_bits))
        self._last_counts = self.counts[:]
        self._last_ns = now_ns

    @property
    def slice(self) -> tuple[float, Sequence[float]] | None:
        """(transactions per second, percent slower than 2^0 .. 2^16 units) of the last slice."""
        return self._slice

    @property
    def unit(self) -> str:
        """`msec` or `usec`."""
        return "msec" if self._unit_ns == NS_PER_MS else "usec"

    def bounds_ms(self) -> list[float]:
        """The upper bound of each bucket of `counts`, in milliseconds."""
        fine_ms = self._unit_ns / (1 << self._fine_bits) / NS_PER_MS
        return [fine_ms * (1 << bucket) for bucket in range(_BUCKETS)]

    def clear(self) -> None:
        """Forget everything."""
        self.counts = [0] * _BUCKETS
        self.total_ns = 0
        self.pending = 0
        self._last_counts = self.counts[:]
        self._last_ns = None
        self._slice = None


def _shares_above(counts: Sequence[int], fine_bits: int) -> list[float]:
    total = sum(counts)
    if not total:
        return [0.0] * COLUMNS
    shares = []
    above = total - sum(counts[:fine_bits])
    for count in counts[fine_bits : fine_bits + COLUMNS]:
        above -= count
        shares.append(100.0 * above / total)
    return shares
