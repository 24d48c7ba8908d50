"""Invariants over all nodes of a run, checked as things happen."""

from __future__ import annotations

from cluster.fabric import Delivered
from cluster.outputs import ClusterChanged

Life = tuple[int, int]
"""Node id and incarnation."""

Ballot = tuple[int, int]


class Violation(AssertionError):
    """The protocols broke a promise."""


class ClusterChecks:
    """Safety of the agreement.

    - A cluster key belongs to one succession list and one ballot.
    - A life of a node commits rising ballots only; so any two nodes commit in the same order.
    - A node is in the list it commits, in the life that it is in.
    """

    def __init__(self) -> None:
        self.commits = 0
        self._by_key: dict[int, ClusterChanged] = {}
        self._last: dict[Life, Ballot] = {}

    def committed(self, life: Life, view: ClusterChanged) -> None:
        """A node has committed. Raises Violation."""
        self.commits += 1
        known = self._by_key.setdefault(view.cluster_key, view)
        if known != view:
            raise Violation(f"key {view.cluster_key:x} has two lists: {known} and {view}")
        ballot = (view.sequence, view.principal)
        if ballot <= self._last.get(life, (0, 0)):
            raise Violation(f"node {life} commits {ballot} after {self._last[life]}")
        self._last[life] = ballot
        if life not in [row[:2] for row in view.members]:
            raise Violation(f"node {life} commits a list without itself: {view}")


class DeliveryChecks:
    """What reaches handlers: a request at most once, and nothing of another life."""

    def __init__(self) -> None:
        self.deliveries = 0
        self._seen: dict[tuple[Life, Life], set[int]] = {}

    def delivered(self, receiver: Life, sender: Life, came: Delivered) -> None:
        """A handler is given a message. Raises Violation."""
        self.deliveries += 1
        if came.transaction:
            seen = self._seen.setdefault((receiver, sender), set())
            if came.transaction in seen:
                raise Violation(f"request {came.transaction} of {sender} came twice to {receiver}")
            seen.add(came.transaction)
