"""Settlement: what the master of a partition does until all its replicas have the same.

It collects from the senders of the plan, in any order and as they come; only when all have come
does it spread, because only then is what it has the outcome. A receiver takes what the master
spreads without asking who wins. When all have it the master announces it, until everybody has
heard. Nodes that have no part in the partition are told once: they only pass requests on, and a
node that is asked in vain names the one that serves (`NamespacePartitions.hear_of`).
"""

from __future__ import annotations

from enum import auto
from typing import Final

from attrs import frozen

from cluster.messages import EmigrateDone, PartitionSettled, PartitionSettledAck
from cluster.outputs import Channel, Output, Send
from cluster.partitions.emigration import Due
from cluster.partitions.plan import PartitionPlan
from cluster.state_machine import Observer, State, StateMachine, table


class SettlementState(State):
    """How far the master of a partition is."""

    COLLECTING = auto()
    SPREADING = auto()
    ANNOUNCING = auto()
    SETTLED = auto()


@frozen
class Planned:
    """The plan is known."""


@frozen
class Emigrated:
    """An emigration from here has come to its end."""

    target: int


P = SettlementState

PATIENCE_MS: Final = 400
MOST_PATIENCE_MS: Final = 3200
"""What nobody has heard of is announced again after so long, then after ever longer: at a node that
is behind, repeated announcements only wait behind the first."""


class Settlement(StateMachine):
    """What the master does for a partition: collect from the senders, spread to the receivers,
    announce to all."""

    TABLE = table(
        "settlement",
        (P.COLLECTING, Planned, "_has_everything", P.SPREADING, "_spread"),
        (P.COLLECTING, EmigrateDone, "_is_the_last_to_come", P.SPREADING, "_spread"),
        (P.COLLECTING, EmigrateDone, "", P.COLLECTING, "_note_arrival"),
        (P.SPREADING, Emigrated, "_is_the_last_to_go", P.ANNOUNCING, "_announce"),
        (P.SPREADING, Emigrated, "", P.SPREADING, "_note_departure"),
        (P.SPREADING, Planned, "_has_nobody_to_spread_to", P.ANNOUNCING, "_announce"),
        (P.ANNOUNCING, PartitionSettledAck, "_is_the_last_ack", P.SETTLED, ""),
        (P.ANNOUNCING, PartitionSettledAck, "", P.ANNOUNCING, "_note_ack"),
        (P.ANNOUNCING, Due, "", P.ANNOUNCING, "_announce"),
    )

    def __init__(
        self,
        message: PartitionSettled,
        plan: PartitionPlan,
        observer: Observer | None = None,
    ) -> None:
        """`message` is what is announced in the end."""
        super().__init__(P.COLLECTING, observer)
        self.plan = plan
        self.sender = plan.master
        self.arrived: set[int] = set()
        self.outputs: list[Output] = []
        self.to_spread: tuple[int, ...] = ()
        self._message = message
        self.gone: set[int] = set()
        self.due = 0
        """When it is announced again, while it is announced."""
        self._patience_ms = PATIENCE_MS
        self._acked: set[int] = set()
        self._bystanders = plan.bystanders

    def _has_everything(self, _: object, now: int) -> bool:
        return not self.plan.senders

    def _note_arrival(self, _: object, now: int) -> None:
        self.arrived.add(self.sender)

    def _is_the_last_to_come(self, _: object, now: int) -> bool:
        return self.arrived | {self.sender} >= set(self.plan.senders)

    def _spread(self, _: object, now: int) -> None:
        self.arrived = set(self.plan.senders)
        self.to_spread = self.plan.receivers
        self.fire(Planned(), now)

    def _has_nobody_to_spread_to(self, _: object, now: int) -> bool:
        return not self.plan.receivers

    def _is_the_last_to_go(self, emigrated: Emigrated, now: int) -> bool:
        return self.gone | {emigrated.target} >= set(self.plan.receivers)

    def _note_departure(self, emigrated: Emigrated, now: int) -> None:
        self.gone.add(emigrated.target)

    def _announce(self, _: object, now: int) -> None:
        due = [node for node in self.plan.members if node not in self._acked]
        for node in (*due, *self._bystanders):
            self.outputs.append(Send(node, self._message, Channel.BULK))
        self._bystanders = ()
        self.due = now + self._patience_ms
        self._patience_ms = min(2 * self._patience_ms, MOST_PATIENCE_MS)

    def _is_the_last_ack(self, _: object, now: int) -> bool:
        return self._acked | {self.sender} >= set(self.plan.members)

    def _note_ack(self, _: object, now: int) -> None:
        self._acked.add(self.sender)

    def _check(self) -> None:
        assert self.arrived <= set(self.plan.senders)
        if self.state is not P.COLLECTING:
            assert self.arrived == set(self.plan.senders)


class Settlements:
    """All that a node settles of a namespace, and what of it is unsettled: this is asked after
    each message, when thousands have come to their end."""

    def __init__(self) -> None:
        self.all: dict[int, Settlement] = {}
        self.unsettled: dict[int, Settlement] = {}

    def add(self, partition: int, settlement: Settlement) -> None:
        """One more."""
        self.all[partition] = self.unsettled[partition] = settlement

    def clear(self) -> None:
        """Forget all."""
        self.all.clear()
        self.unsettled.clear()

    def hear_ack(self, node: int, ack: PartitionSettledAck, now: int) -> None:
        """A node has heard that a partition of ours is settled."""
        settlement = self.unsettled.get(ack.partition)
        if settlement is not None:
            settlement.sender = node
            settlement.fire(ack, now)
            if settlement.state is P.SETTLED:
                del self.unsettled[ack.partition]

    def announce_again(self, now: int) -> list[Output]:
        """What is due of that which others have not heard. O(unsettled)."""
        outputs: list[Output] = []
        for settlement in self.unsettled.values():
            if settlement.state is P.ANNOUNCING and settlement.due <= now:
                settlement.fire(Due(), now)
                outputs += settlement.outputs
                settlement.outputs = []
        return outputs

    def _check(self) -> None:
        for settlement in self.all.values():
            settlement._check()
        unsettled = {each for each, made in self.all.items() if made.state is not P.SETTLED}
        assert self.unsettled.keys() == unsettled
