"""Stamps: last-update-times of strong consistency, in which the regime stands before the time.

    regime (24 bits) | milliseconds since 2010 (40 bits)

So of two versions of a record the one of the later regime stays, whatever clocks say; within a
regime one node at a time writes, never an earlier time than that of the version that it writes
over, and of equal times the higher generation stays. A write that an old master has left behind,
unacknowledged, loses against all that was written after it.

Whoever shows or compares the time of a record takes `time_of` it first.
"""

from __future__ import annotations

TIME_BITS = 40
TIME_MASK = (1 << TIME_BITS) - 1
REGIMES = 1 << 24
"""Regimes that a stamp can tell apart."""


def stamp(regime: int, time_ms: int, before: int = 0) -> int:
    """The stamp of a version that is written over one with the stamp `before` (0: none).

    >>> stamp(2, 10) > stamp(1, 99), time_of(stamp(2, 10)), stamp(2, 10, stamp(2, 12)) >> 40
    (True, 10, 2)
    """
    return max((regime % REGIMES) << TIME_BITS | time_ms & TIME_MASK, before)


def time_of(stamped: int) -> int:
    """The time alone, in milliseconds; that of a record without a regime is what it is."""
    return stamped & TIME_MASK
