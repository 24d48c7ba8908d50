"""What this node may do with each partition of a namespace: one byte a partition.

The bytes are changed in place as partitions come and go, so whoever holds them sees the change with
its next request, and nothing has to be forgotten. Up to `REPLICATED` a fast path may answer, above
it the general way must look closer; the partitions above it stand in `barred` as well, so that a
node that owns everything, as most test servers do, pays for one look at an empty set and not for
finding out which partition a digest is in. (A byte looked up costs 3 % of the shortest request.)
"""

from __future__ import annotations

from collections.abc import Iterable
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


class Ownership:
    """The bytes of one namespace. A new node owns everything, alone."""

    __slots__ = ("_bars", "_lost_at", "_states", "barred", "losses")

    def __init__(self) -> None:
        self._states = bytearray(PARTITIONS)
        self.losses = 0
        """How often this node has stopped answering for a partition."""
        self._lost_at = [0] * PARTITIONS
        self.barred: set[int] = set()
        """Partitions that fast paths leave to the general way. Changed in place, never replaced;
        only `set`, `set_all`, `bar` and `unbar` change it."""
        self._bars: dict[int, int] = {}

    def __getitem__(self, partition: int) -> int:
        """The state of a partition."""
        return self._states[partition]

    def of(self, partitions: Iterable[int]) -> list[int]:
        """The states of many."""
        return list(map(self._states.__getitem__, partitions))

    def has(self, *states: int) -> bool:
        """Is any partition at all in one of these states? Much less than a look at each of them."""
        return any(state in self._states for state in states)

    def snapshot(self) -> bytes:
        """All of them as they are now."""
        return bytes(self._states)

    def is_master(self, partition: int) -> bool:
        """Does this node answer for the partition, by whatever way?"""
        return self._states[partition] < CLOSED

    def set(self, partition: int, state: int) -> None:
        """The partition is in another state from now on."""
        assert ALONE <= state <= ELSEWHERE
        if state >= CLOSED > self._states[partition]:
            self.losses += 1
            self._lost_at[partition] = self.losses
        self._states[partition] = state
        self._settle(partition)

    def bar(self, partition: int) -> None:
        """Fast paths leave the partition alone until `unbar`, whatever its state; may be nested."""
        self._bars[partition] = self._bars.get(partition, 0) + 1
        self._settle(partition)

    def unbar(self, partition: int) -> None:
        """The end of one `bar`."""
        self._bars[partition] -= 1
        if not self._bars[partition]:
            del self._bars[partition]
        self._settle(partition)

    def _settle(self, partition: int) -> None:
        if self._states[partition] > REPLICATED or partition in self._bars:
            self.barred.add(partition)
        else:
            self.barred.discard(partition)

    def set_all(self, states: bytes | bytearray) -> None:
        """The partitions are in these states from now on, the first in the first of them."""
        assert len(states) == PARTITIONS
        for partition, state in enumerate(states):
            self.set(partition, state)

    def was_lost(self, partition: int, since: int) -> bool:
        """Has this node stopped answering for the partition since `losses` was that? A query that
        began then may have missed records. O(1)."""
        return self._lost_at[partition] > since

    def _check(self) -> None:
        """Assert every invariant."""
        assert len(self._states) == PARTITIONS
        assert max(self._states) <= ELSEWHERE
        away = {p for p in range(PARTITIONS) if self._states[p] > REPLICATED}
        assert self.barred == away | self._bars.keys()
