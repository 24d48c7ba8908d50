"""What a client has measured of a node: counts and latencies, by kind of command."""

from __future__ import annotations

from typing import Final

import attrs

COLUMNS: Final = 24
"""A histogram's buckets: the last one, from 8.4 s on, is open."""


@attrs.define
class Latencies:
    """A histogram of durations: bucket i counts those of less than 2**i microseconds that are in
    no bucket before."""

    buckets: list[int] = attrs.field(factory=lambda: [0] * COLUMNS)

    def add(self, duration_us: int) -> None:
        """Count one."""
        bucket = duration_us.bit_length()
        self.buckets[bucket if bucket < COLUMNS else COLUMNS - 1] += 1

    @property
    def count(self) -> int:
        """How many were counted."""
        return sum(self.buckets)

    def percentile(self, percent: float) -> int:
        """Microseconds under which so many percent were: the upper end of their bucket.

        0 when nothing was counted.
        """
        wanted = self.count * percent / 100
        seen = 0
        for bucket, count in enumerate(self.buckets):
            seen += count
            if count and seen >= wanted:
                return 1 << bucket
        return 0


@attrs.define
class NodeMetrics:
    """Counts since the node was found."""

    #: How long the answered attempts took, by kind of command: of reads and writes of one record,
    #: of a batch's share of the node, of a query's.
    read: Latencies = attrs.field(factory=Latencies)
    write: Latencies = attrs.field(factory=Latencies)
    batch: Latencies = attrs.field(factory=Latencies)
    query: Latencies = attrs.field(factory=Latencies)
    #: Attempts that ended without an answer: broken or refused connections.
    connection_errors: int = 0
    #: Attempts whose time was over, here or on the server.
    timeouts: int = 0
    #: Answers with another result code than OK.
    refusals: int = 0
    #: Attempts that had to be made again.
    retries: int = 0
