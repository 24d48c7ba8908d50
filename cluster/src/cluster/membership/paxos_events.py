"""What happens to a paxos core, what it sees, and its times: the vocabulary of
`cluster.membership.paxos`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import auto
from typing import Protocol

from attrs import frozen

from cluster.membership.heartbeat import Standing
from cluster.messages import (
    Accept,
    Accepted,
    Commit,
    Committed,
    Prepare,
    Promise,
    Reject,
)
from cluster.state_machine import State
from cluster.wire import Message


@frozen
class PaxosConfig:
    """Times, in heartbeat intervals of `interval_ms`."""

    interval_ms: int = 150
    quantum_intervals: int = 5
    """Between two looks at who is there: what comes meanwhile is in one round."""
    departure_intervals: int = 1
    """From the last departure to the round: nodes that die together are in one round."""
    retransmit_intervals: int = 2
    round_intervals: int = 12
    """A round that takes longer is given up."""
    integrity_intervals: int = 10
    """Nodes of one cluster may show different keys for so long."""
    patience_intervals: int = 40
    """A principal that does not take us in for so long is no longer ours."""
    exclusion_intervals: int = 40
    """For so long we do without a node that does not go along."""
    min_cluster_size: int = 1
    settling_intervals: int = 10
    """While nodes do not all hear the same nodes, a round waits, at most so long."""

    def ms(self, intervals: int) -> int:
        """Intervals in milliseconds."""
        return intervals * self.interval_ms


Ballot = tuple[int, int]
"""Sequence, then the node that holds the ballot: compared in this order."""


class Neighbourhood(Protocol):
    """What paxos reads of the heartbeat."""

    def graph(self) -> Mapping[int, frozenset[int]]:
        """Who hears whom."""

    def standing(self, node: int) -> Standing:
        """The cluster an adjacent node says to be in."""

    def hears_one_way(self) -> bool:
        """Is somebody heard who does not hear us, or not yet?"""

    def awaits_answer(self, now: int) -> bool:
        """Was somebody dialed a short while ago who has not been heard yet?"""


class PaxosState(State):
    """Where a node is in a round."""

    IDLE = auto()
    PREPARING = auto()
    ACCEPTING = auto()
    COMMITTING = auto()
    PROMISED = auto()
    ACCEPTED = auto()


@frozen
class QuantumOver:
    """Nothing more is waited for."""


@frozen
class RetransmitDue:
    """Some have not answered."""


@frozen
class RoundOver:
    """The round has taken too long."""


@frozen
class NodeGone:
    """A node is adjacent no more."""

    node: int


@frozen
class From:
    """A message and its sender, as the subclasses below."""

    node: int
    message: Message


@frozen
class PrepareCame(From):
    """Prepare."""

    message: Prepare


@frozen
class PromiseCame(From):
    """Promise."""

    message: Promise


@frozen
class RejectCame(From):
    """Reject."""

    message: Reject


@frozen
class AcceptCame(From):
    """Accept."""

    message: Accept


@frozen
class AcceptedCame(From):
    """Accepted."""

    message: Accepted


@frozen
class CommitCame(From):
    """Commit."""

    message: Commit


@frozen
class CommittedCame(From):
    """Committed."""

    message: Committed


CAME: Mapping[type[Message], type[From]] = {
    Prepare: PrepareCame,
    Promise: PromiseCame,
    Reject: RejectCame,
    Accept: AcceptCame,
    Accepted: AcceptedCame,
    Commit: CommitCame,
    Committed: CommittedCame,
}
