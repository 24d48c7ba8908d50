"""How long one may work who goes on for many turns of the loop: as long as the others took.

A client that asks one thing at a time has one turn for each answer, so slices of a millisecond
would leave it a thousand answers a second. While others are there a slice is as long as they took,
and half of the time is theirs; while nobody is, slices are long.
"""

from __future__ import annotations

from typing import Final

BUSY_NS: Final = 50_000
"""A turn of the loop that takes longer than this has had others to serve."""

SHORTEST_NS: Final = 50_000
"""A shorter slice would spend more on turns than on work."""


def slice_ns(others_ns: int, longest_ns: int) -> int:
    """How long the next slice may be, if the others took so long in their turn."""
    if others_ns <= BUSY_NS:
        return longest_ns
    return min(longest_ns, max(SHORTEST_NS, others_ns))
