"""Planted bugs of strong consistency: parts that break one rule each (`cluster.consistency`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from attrs import evolve, frozen

from cluster.consistency.partitions import StrongPartitions
from cluster.messages import NamespaceRow, RecordRow
from cluster.outputs import ClusterChanged
from cluster.partitions.balance import Row
from cluster.partitions.config import MigrateConfig
from cluster.partitions.namespace import Versions
from cluster.partitions.version import PartitionVersion
from cluster.simulation.cluster import SimulatedMachine
from cluster.simulation.data import DataParts
from cluster.simulation.run import Outcome, Run, draw_plan, strongly
from cluster.simulation.strong import Hear, StrongWorld


class ServesInMinority(StrongPartitions):
    """Serves every partition of which there is a copy, whoever is missing."""

    def _serving(
        self,
        told: Versions,
        kept_by: Row,
        replicas: Sequence[Row],
        factor: int,
        forced: bool,
    ) -> Versions:
        return super()._serving(told, kept_by, replicas, factor, True)


class TrustsOldCopies(StrongPartitions):
    """Takes a copy of any regime for a full one: nobody remembers that there was a later one."""

    def make_plans(
        self, view: ClusterChanged, rows: Mapping[int, NamespaceRow]
    ) -> dict[int, PartitionVersion]:
        forgetful = {
            node: (*row[:5], tuple([(1, flags, bits) for _, flags, bits in row[5]]))
            for node, row in rows.items()
        }
        return super().make_plans(view, forgetful)


class DirtyWorld(StrongWorld):
    """A daemon that answers reads at once, whatever the replicas have."""

    def _hold(
        self, machine: SimulatedMachine, namespace: str, digest: bytes, latest: bool, hear: Hear
    ) -> None:
        hear(True)


class ClockWorld(StrongWorld):
    """A daemon that stamps writes with the time alone."""

    def stamp(self, machine: SimulatedMachine, namespace: str, before: int) -> int:
        return max(1, machine.clock.wall_ms())


class EagerWorld(StrongWorld):
    """A daemon that answers writes when its own disk has them."""

    def _answer_when_safe(
        self,
        machine: SimulatedMachine,
        namespace: str,
        digest: bytes,
        row: RecordRow | None,
        latest: bool,
        hear: Hear,
    ) -> None:
        super()._answer_when_safe(machine, namespace, digest, row, latest, lambda yes: None)
        store = self.store(machine, namespace)
        store.flush(store.position)
        hear(True)


@frozen
class StrongCanary:
    """A planted bug, and faults under which it does harm."""

    what: str
    kinds: str
    strong: type[StrongPartitions] = StrongPartitions
    world: type[StrongWorld] = StrongWorld
    first_seed: int = 0
    """One that is known to catch it, so that the search is short."""

    def caught(self, seeds: int = 12, minutes: float = 0.6) -> Outcome | None:
        """The first run that catches it, among so many seeds."""
        for seed in range(self.first_seed, self.first_seed + seeds):
            drawn = draw_plan(seed, 5, minutes)
            [space] = drawn.data.namespaces[:1]
            space = evolve(space, replication_factor=2, uniform=False)
            slow = MigrateConfig(threads=1, max_incoming=1, batch_records=2, compare_records=3)
            data = evolve(drawn.data, namespaces=(space,), slowest_ms=300, migrate=slow)
            shape = evolve(drawn.shape, interval_ms=150, timeout_intervals=8)
            kinds = tuple(self.kinds.split())
            plan = evolve(drawn, data=data, shape=shape, kinds=kinds, mean_pause_s=3.0)
            plan = evolve(strongly(plan), writes_per_s=40.0)
            parts = DataParts(strong=self.strong)
            outcome = Run(plan, data_parts=parts, world=self.world).go()
            if outcome.violation:
                return outcome
        return None


STRONG_CANARIES: Mapping[str, StrongCanary] = MappingProxyType(
    {
        "minority": StrongCanary("both sides serve", "halves", ServesInMinority),
        "old-copies": StrongCanary("a copy that was away serves", "halves", TrustsOldCopies),
        "dirty": StrongCanary(
            "read before it is safe", "halves clog kill pause", world=DirtyWorld, first_seed=5
        ),
        "by-clock": StrongCanary("clocks decide", "halves clock", world=ClockWorld),
        "eager": StrongCanary(
            "acknowledged by one copy", "halves kill", world=EagerWorld, first_seed=4
        ),
    }
)
"""Every planted bug by name."""
