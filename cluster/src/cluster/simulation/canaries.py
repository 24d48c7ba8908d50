"""Planted bugs: parts that break one rule each. A simulation that misses them proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import evolve, frozen

from cluster.fabric import Fabric
from cluster.membership.heartbeat import Heartbeat
from cluster.membership.paxos import Paxos
from cluster.membership.paxos_events import AcceptedCame, PrepareCame, PromiseCame
from cluster.messages import RecordRow, ReplicaGroup, SummaryRow
from cluster.metadata.smd import Smd
from cluster.node import Parts
from cluster.outputs import Apply, Output
from cluster.partitions.emigration import Emigration, Onward
from cluster.partitions.namespace import NamespacePartitions
from cluster.records import TOMBSTONE
from cluster.replication.lane import FastLane, LaneReceiver, LaneSender
from cluster.replication.transactions import Transactions
from cluster.simulation.data import DataParts
from cluster.simulation.run import Outcome, Run, draw_plan
from cluster.simulation.store import SimulatedStore


class CommitsWithoutAll(Paxos):
    """Commits as soon as anybody has accepted, and gives one key to all its ballots."""

    def _new_key(self, sequence: int) -> int:
        return super()._new_key(0)


class TakesLowerBallots(Paxos):
    """Promises to whoever asks, whatever it has promised before."""

    def _is_no_higher_ballot(self, came: PrepareCame, now: int) -> bool:
        return False


class HurriesToCommit(Paxos):
    """Takes two answers for all answers."""

    def _is_last_of_my_ballot(self, came: PromiseCame | AcceptedCame, now: int) -> bool:
        enough = min(2, len(self._wanted))
        return self._is_of_my_ballot(came, now) and (
            len(self._answers.keys() | {came.node}) >= enough
        )


class NeverNoticesSilence(Heartbeat):
    """A node that has fallen silent stays."""

    def _notice_silence(self, now: int) -> list[Output]:
        return []


class DeliversTwice(Fabric):
    """Takes a request that comes again for a new one."""

    def _is_repeated(self, node: int, transaction: int, oldest: int) -> bool:
        super()._is_repeated(node, transaction, oldest)
        return False


class SendsNothing(Emigration):
    """Says that it has sent everything at once."""

    def _has_records_to_send(self, _: Onward, now: int) -> bool:
        return False

    def _has_records_to_compare(self, _: Onward, now: int) -> bool:
        return False


class TakesTheOlder(SimulatedStore):
    """Keeps what came last instead of what wins."""

    def wins(self, row: RecordRow, kept: RecordRow | None) -> bool:
        """Whatever comes."""
        return True


class ForgetsDeletions(SimulatedStore):
    """Emigrates no tombstones, so that what they deleted comes back."""

    def survey(self, partition: int) -> tuple[SummaryRow, ...]:
        """All but the tombstones."""
        return tuple(row for row in super().survey(partition) if not row[4] & TOMBSTONE)


class MergesNothing(Smd):
    """Keeps its own metadata after a split, whatever the principal says."""

    def _wins(self, module: str, key: str, item: object) -> bool:
        return key not in self._modules[module]


class VouchesForUnfinished(NamespacePartitions):
    """Breaks writes off and says nothing: its copy still vouches for the others."""

    def left_unfinished(self, partition: int) -> None:
        """Nothing."""


class ForgetsWhatIsWritten(NamespacePartitions):
    """Lets what immigrates compete with what was written meanwhile."""

    def is_written(self, partition: int, digest: bytes) -> bool:
        """Nothing is."""
        return False


class AsksNoDuplicates(NamespacePartitions):
    """Trusts its own copy, whatever others may have."""

    def duplicates(self, partition: int) -> tuple[int, ...]:
        """Nobody."""
        return ()


class HandsOverAtOnce(Transactions):
    """Hands partitions over while their writes are still under way."""

    def _is_written(self, namespace: str, partition: int) -> bool:
        return False


class TakesAnyGroup(LaneReceiver):
    """Takes groups of the lane as they come, also when one before was lost."""

    def receive(self, group: ReplicaGroup, now: int) -> list[Output]:
        """Whatever its number."""
        if group.sequence > self._next:
            self._next, self.kept = group.sequence, group.sequence - 1
            self._done.clear()
        return super().receive(group, now)


class AcknowledgesEarly(LaneReceiver):
    """Acknowledges what its disk does not have yet."""

    def _apply(self, group: ReplicaGroup) -> list[Output]:
        return [*super()._apply(group), *self.applied(group.sequence, 0)]

    def applied(self, sequence: int, now: int) -> list[Output]:
        """Once is enough."""
        return super().applied(sequence, now) if sequence > self.kept else []


class ResolvesReplicas(LaneReceiver):
    """Asks the conflict rule about what the master sends."""

    def _apply(self, group: ReplicaGroup) -> list[Output]:
        return [
            evolve(each, resolve=True) if isinstance(each, Apply) else each
            for each in super()._apply(group)
        ]


class NeverSendsAgain(LaneSender):
    """What is lost on the lane is lost."""

    def tick(self, now: int) -> list[Output]:
        """Nothing."""
        super().tick(now)
        return []


class LanesOfOnce(FastLane):
    """Lanes whose groups are sent once."""

    sender = NeverSendsAgain


@frozen
class Canary:
    """A planted bug, and faults under which it does harm."""

    what: str
    parts: Parts
    data_parts: DataParts
    kinds: tuple[str, ...]
    first_seed: int = 0
    """One that is known to catch it, so that the search is short."""
    writes_per_s: float = 20.0

    def caught(self, seeds: int = 20, minutes: float = 0.5) -> Outcome | None:
        """The first run that catches it, among so many seeds."""
        for seed in range(self.first_seed, self.first_seed + seeds):
            drawn = draw_plan(seed, minutes=minutes)
            data = evolve(
                drawn.data,
                namespaces=tuple(evolve(n, replication_factor=2) for n in drawn.data.namespaces),
                slowest_ms=300,
            )
            plan = evolve(drawn, kinds=self.kinds, data=data, writes_per_s=self.writes_per_s)
            outcome = Run(plan, parts=self.parts, data_parts=self.data_parts).go()
            if outcome.violation:
                return outcome
        return None


def _canary(
    kinds: str,
    *,
    parts: Parts | None = None,
    data: DataParts | None = None,
    what: str,
    first: int = 0,
    writes: float = 20.0,
) -> Canary:
    made = parts or Parts(), data or DataParts()
    return Canary(what, *made, tuple(kinds.split()), first, writes)


ANY = "kill power pause halves one-way clog"

CANARIES: Mapping[str, Canary] = MappingProxyType(
    {
        "one-key": _canary(ANY, parts=Parts(paxos=CommitsWithoutAll), what="a key has two lists"),
        "lower-ballots": _canary(
            ANY, parts=Parts(paxos=TakesLowerBallots), what="ballots are not rising"
        ),
        "hurry": _canary(ANY, parts=Parts(paxos=HurriesToCommit), what="not all have accepted"),
        "deaf": _canary(
            "clock", parts=Parts(heartbeat=NeverNoticesSilence), what="silence is not noticed"
        ),
        "twice": _canary(ANY, parts=Parts(fabric=DeliversTwice), what="delivered twice"),
        "unsent": _canary(ANY, data=DataParts(emigration=SendsNothing), what="lost records"),
        "older": _canary(
            "halves", data=DataParts(store=TakesTheOlder), what="older versions win", first=8
        ),
        "undead": _canary("halves", data=DataParts(store=ForgetsDeletions), what="resurrection"),
        "stubborn": _canary(
            "halves", data=DataParts(smd=MergesNothing), what="metadata differs", first=17
        ),
        "vouches": _canary(
            "kill one-way",
            data=DataParts(namespace=VouchesForUnfinished),
            what="an unfinished write is vouched for",
        ),
        "forgets-written": _canary(
            ANY, data=DataParts(namespace=ForgetsWhatIsWritten), what="migration undoes a write"
        ),
        "no-duplicates": _canary(
            "halves", data=DataParts(namespace=AsksNoDuplicates), what="a write undoes the winner"
        ),
        "early-handover": _canary(
            "kill clog swizzle",
            data=DataParts(transactions=HandsOverAtOnce),
            what="two masters' writes cross",
        ),
        "any-group": _canary(
            "reset", data=DataParts(receiver=TakesAnyGroup), what="a group is missed"
        ),
        "early-ack": _canary(
            "kill",
            data=DataParts(receiver=AcknowledgesEarly),
            what="acknowledged, not kept",
            writes=4.0,
        ),
        "resolving-replicas": _canary(
            "clock", data=DataParts(receiver=ResolvesReplicas), what="the rule undoes the order"
        ),
        "sent-once": _canary("reset", data=DataParts(lanes=LanesOfOnce), what="a lost group"),
    }
)
"""Every planted bug by name."""
