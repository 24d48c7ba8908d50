"""What this node may do with each partition of a namespace: one byte a partition.

The bytes are changed in place as partitions come and go, so whoever holds them (every fast path
does) sees the change with its next request, and nothing has to be forgotten. A fast path needs one
comparison: up to `REPLICATED` it may answer, above it the general way must look closer.
"""

from __future__ import annotations

from typing import Final

from cluster import PARTITIONS

ALONE: Final = 0
"""This node is the master, and has the only copy to be written."""
REPLICATED: Final = 1
"""This node is the master, and writes go to other copies too."""
DUPLICATES: Final = 2
"""This node is the master, but other nodes may have newer versions, to be resolved first."""
LOCKED: Final = 3
"""This node is the master, and the partition is being handed over: requests wait."""
CLOSED: Final = 4
"""Nobody may be served from this partition: a copy that is needed is missing."""
ELSEWHERE: Final = 5
"""Another node is the master."""


def partition_of(data: bytes, digest: int = 0) -> int:
    """The partition of the digest that begins at this offset of `data`. Fast paths have this
    expression in their own line."""
    return data[digest] | (data[digest + 1] & 15) << 8


class Ownership:
    """The bytes of one namespace. A new node owns everything, alone."""

    __slots__ = ("_lost_at", "losses", "states")

    def __init__(self) -> None:
        self.states = bytearray(PARTITIONS)
        """A state for each partition. Changed in place, never replaced."""
        self.losses = 0
        """How often this node has stopped answering for a partition."""
        self._lost_at = [0] * PARTITIONS

    def is_master(self, partition: int) -> bool:
        """Does this node answer for the partition, by whatever way?"""
        return self.states[partition] < CLOSED

    def set(self, partition: int, state: int) -> None:
        """The partition is in another state from now on."""
        assert ALONE <= state <= ELSEWHERE
        if state >= CLOSED > self.states[partition]:
            self.losses += 1
            self._lost_at[partition] = self.losses
        self.states[partition] = state

    def was_lost(self, partition: int, since: int) -> bool:
        """Has this node stopped answering for the partition since `losses` was that? A query that
        began then may have missed records. O(1)."""
        return self._lost_at[partition] > since

    def _check(self) -> None:
        """Assert every invariant."""
        assert len(self.states) == PARTITIONS
        assert max(self.states) <= ELSEWHERE
