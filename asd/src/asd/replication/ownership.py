"""The bytes of `asd.space.ownership`, out of those of the cluster's plan.

Mostly one is the other in other numbers. Two things are added:

- Until a node has once had a plan, and all metadata of its cluster, it serves nothing (`CLOSED`): a
  node that starts must not answer without the indexes, functions and truncations that others have.
  Later, between two clusters, requests wait (`LOCKED`).
- A partition whose copies agree again may still have records with a transaction in line that was
  given another node's version. Until those lines are empty, its writes go on standing in line
  (`DUPLICATES`): one that passed them could be written over by an older version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from asd.space.ownership import (
    ALONE,
    CLOSED,
    DUPLICATES,
    ELSEWHERE,
    LOCKED,
    REPLICATED,
    Ownership,
)
from cluster import PARTITIONS
from cluster import Ownership as Planned

_STATES: Final = {
    Planned.ELSEWHERE: ELSEWHERE,
    Planned.ALONE: ALONE,
    Planned.WITH_REPLICAS: REPLICATED,
    Planned.WITH_DUPLICATES: DUPLICATES,
    Planned.LOCKED: LOCKED,
    Planned.CLOSED: LOCKED,
    Planned.UNAVAILABLE: CLOSED,
}
TABLE: Final = bytes(
    _STATES.get(Planned(byte), CLOSED) if byte < 7 else CLOSED for byte in range(256)
)


class OwnershipOf:
    """The ownership of one namespace, kept as the plan says."""

    def __init__(self, ownership: Ownership, has_line: Callable[[int], bool]) -> None:
        """`has_line`: do transactions stand in line for a record of this partition?"""
        self._ownership = ownership
        self._has_line = has_line
        self._serves = False
        self._holds = False
        self._lined: set[int] = set()
        ownership.set_all(bytes([CLOSED]) * PARTITIONS)

    def begin(self, planned: bytearray) -> None:
        """The node may serve from now on."""
        if not self._serves:
            self._serves = True
            self._ownership.set_all(planned.translate(TABLE))

    def hold(self) -> None:
        """Let requests wait until `release`: no write shall be under way when mastership moves."""
        self._holds = True
        for partition in range(PARTITIONS):
            if self._ownership[partition] <= DUPLICATES:
                self._ownership.set(partition, LOCKED)

    def release(self, planned: bytearray) -> None:
        """Go by the plan again."""
        if self._holds:
            self._holds = False
            self.follow(planned, tuple(range(len(planned))))

    def writes_leave(self, planned: bytearray) -> bool:
        """Has any partition copies elsewhere, so that writes must be observed?"""
        return Planned.WITH_REPLICAS in planned or Planned.WITH_DUPLICATES in planned

    def follow(self, planned: bytearray, partitions: tuple[int, ...]) -> None:
        """The plan's bytes for these partitions have changed."""
        if not self._serves:
            return
        for partition in partitions:
            state = TABLE[planned[partition]]
            if self._holds and state <= DUPLICATES:
                state = LOCKED
            was = self._ownership[partition]
            self._lined.discard(partition)
            if state <= REPLICATED and was == DUPLICATES and self._has_line(partition):
                self._lined.add(partition)
            else:
                self._ownership.set(partition, state)

    def look_again(self, planned: bytearray) -> None:
        """Transactions have ended: lines may be empty now."""
        if self._lined:
            self.follow(planned, tuple(self._lined))

    def _check(self) -> None:
        """Assert every invariant."""
        assert all(self._ownership[partition] == DUPLICATES for partition in self._lined)
