"""Planted bugs: parts that break one rule each. A simulation that misses them proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import evolve, frozen

from cluster.fabric import Fabric
from cluster.membership.heartbeat import Heartbeat
from cluster.membership.paxos import Paxos
from cluster.membership.paxos_events import AcceptedCame, PrepareCame, PromiseCame
from cluster.messages import ImmigrateAck
from cluster.metadata.smd import Smd
from cluster.node import Parts
from cluster.outputs import Output
from cluster.partitions.emigration import Emigration
from cluster.records import MemoryRecords, Record
from cluster.replication.transactions import Transactions
from cluster.simulation.data import DataParts
from cluster.simulation.run import Outcome, Run, draw_plan


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


class CountsBatchesUnsent(Emigration):
    """Takes one batch for all of them."""

    def _leaves_more(self, ack: ImmigrateAck, now: int) -> bool:
        super()._leaves_more(ack, now)
        return False

    def _has_records_left(self, ready: object, now: int) -> bool:
        return False

    def _has_records_again(self, _: object, now: int) -> bool:
        return False


class TakesTheOlder(MemoryRecords):
    """Keeps what came last instead of what wins."""

    def apply(self, record: Record) -> bool:
        """Keep whatever comes."""
        kept = self.records.get(self.partition_of(record.digest), {})
        kept.pop(record.digest, None)
        return super().apply(record)


class ForgetsDeletions(MemoryRecords):
    """Drops tombstones, so that what they deleted comes back."""

    def changes_after(self, partition: int, position: int, limit: int) -> tuple[int, list[Record]]:
        """The next changes, tombstones left out."""
        position, records = super().changes_after(partition, position, limit)
        return position, [record for record in records if not record.tombstone]


class MergesNothing(Smd):
    """Keeps its own metadata after a split, whatever the principal says."""

    def _wins(self, module: str, key: str, item: object) -> bool:
        return key not in self._modules[module]


class VouchesForUnfinished(Transactions):
    """Breaks writes off and says nothing: its copy still vouches for the others."""

    def _break_off(self) -> None:
        for job in self._hash.clear():
            if job.came is None:
                self._broken.append(self._outcome(job, None, True))
        self._jobs.clear()


@frozen
class Canary:
    """A planted bug, and faults under which it does harm."""

    what: str
    parts: Parts
    data_parts: DataParts
    kinds: tuple[str, ...]
    first_seed: int = 0
    """One that is known to catch it, so that the search is short."""

    def caught(self, seeds: int = 20, minutes: float = 0.5) -> Outcome | None:
        """The first run that catches it, among so many seeds, all with many writes."""
        for seed in range(self.first_seed, self.first_seed + seeds):
            drawn = draw_plan(seed, minutes=minutes)
            plan = evolve(drawn, kinds=self.kinds, factor=2, writes_per_s=20.0)
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
) -> Canary:
    return Canary(what, parts or Parts(), data or DataParts(), tuple(kinds.split()), first)


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
        "unsent": _canary(ANY, data=DataParts(emigration=CountsBatchesUnsent), what="lost records"),
        "older": _canary(
            "halves", data=DataParts(records=TakesTheOlder), what="older versions win"
        ),
        "undead": _canary("halves", data=DataParts(records=ForgetsDeletions), what="resurrection"),
        "stubborn": _canary(
            "halves", data=DataParts(smd=MergesNothing), what="metadata differs", first=2
        ),
        "vouches": _canary(
            "kill one-way",
            data=DataParts(transactions=VouchesForUnfinished),
            what="an unfinished write is vouched for",
            first=14,
        ),
    }
)
"""Every planted bug by name."""
