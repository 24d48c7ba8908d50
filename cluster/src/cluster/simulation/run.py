"""One run: a cluster drawn from a seed, episodes of faults, and convergence after each."""

from __future__ import annotations

from collections import Counter

from attrs import define, evolve, field, frozen

from cluster.machine import Row
from cluster.node import Parts
from cluster.simulation.checks import Violation
from cluster.simulation.cluster import Services, Shape, SimulatedCluster
from cluster.simulation.faults import KINDS, swarm
from cluster.simulation.loop import Chance
from cluster.simulation.network import Conditions

CONVERGENCE_INTERVALS = 150
"""The promise: within so many heartbeat intervals (of the slowest clock) after the last fault, all
nodes that reach one another share one succession list and key."""


@frozen
class Plan:
    """What one run does. `nodes` and `minutes` are drawn or given, the rest follows the seed."""

    seed: int
    minutes: float
    shape: Shape
    kinds: tuple[str, ...]
    mean_pause_s: float
    """From one fault to the next, on average."""

    def __str__(self) -> str:
        shape = self.shape
        mode = "multicast" if shape.multicast else f"mesh with {shape.seeds} seeds"
        return (
            f"seed {self.seed}: {shape.nodes} nodes, {self.minutes:g} minutes, {mode}, interval"
            f" {shape.interval_ms} ms, timeout {shape.timeout_intervals} intervals, faults:"
            f" {', '.join(self.kinds)} every {self.mean_pause_s:.1f} s"
        )


def draw_plan(seed: int, nodes: int | None = None, minutes: float = 5) -> Plan:
    """The plan of a seed: 3 to 9 nodes unless given, its own network, its own swarm of faults."""
    chance = Chance(seed ^ 0x5EED)
    drawn = 3 + chance.below(7)
    multicast = chance.happens(0.3)
    rough = chance.happens(0.5)
    shape = Shape(
        nodes=nodes if nodes is not None else drawn,
        interval_ms=chance.choose((150, 150, 250, 500)),
        timeout_intervals=chance.choose((8, 10, 10, 15)),
        multicast=multicast,
        seeds=1 + chance.below(3),
        conditions=Conditions(
            latency_high_s=chance.choose((0.001, 0.005, 0.03)),
            udp_loss=chance.between(0, 0.05) if rough else 0.0,
            udp_duplicate=chance.between(0, 0.1) if rough else 0.0,
            udp_jitter_s=chance.between(0, 0.05) if rough else 0.0,
        ),
        max_rate_drift=chance.choose((0.0, 0.001, 0.02)),
        max_wall_offset_s=chance.choose((0.0, 0.5, 600.0)),
    )
    kinds = swarm(chance)
    return Plan(seed, minutes, shape, kinds, chance.choose((0.5, 2.0, 5.0, 10.0)))


@define
class Outcome:
    """What a run came to."""

    plan: Plan
    violation: str = ""
    simulated_s: float = 0.0
    digest: str = ""
    faults: Counter[str] = field(factory=Counter)
    convergence: list[float] = field(factory=list)
    """Heartbeat intervals from the end of each episode's faults to one list."""
    commits: int = 0
    segments: int = 0
    rows: Counter[Row] = field(factory=Counter)
    lines: list[str] = field(factory=list)


class Run:
    """Carries a plan out on a cluster."""

    def __init__(
        self, plan: Plan, *, services: Services | None = None, parts: Parts | None = None
    ) -> None:
        self.plan = plan
        self.cluster = SimulatedCluster(plan.seed, plan.shape, services=services, parts=parts)
        self.outcome = Outcome(plan)

    def go(self) -> Outcome:
        """Run to the end, or to the first violation (or failed assertion)."""
        cluster, outcome = self.cluster, self.outcome
        began_s = cluster.world.now_s
        end_s = began_s + self.plan.minutes * 60
        try:
            cluster.start_all()
            self.converge()
            while cluster.world.now_s < end_s:
                self.episode()
            self.finish()
        except Exception as error:  # whatever a node raises is what the run is to find
            outcome.violation = f"{type(error).__name__}: {error}"
            cluster.note("", f"VIOLATION {outcome.violation}")
        outcome.simulated_s = cluster.world.now_s - began_s
        outcome.digest = cluster.history.digest
        outcome.faults = cluster.faults
        outcome.commits = cluster.commits.commits
        outcome.segments = cluster.network.segments + cluster.network.datagrams
        outcome.rows = cluster.rows
        outcome.lines = list(cluster.history.lines)
        return outcome

    def episode(self) -> None:
        """Faults for a while, then none; everything must come right again."""
        cluster, plan = self.cluster, self.plan
        chance = cluster.world.chance
        until_s = cluster.world.now_s + chance.between(5, 45)
        while cluster.world.now_s < until_s:
            cluster.run(chance.between(0, 2 * plan.mean_pause_s))
            kind = chance.choose(plan.kinds)
            what = KINDS[kind](cluster, chance)
            if what:
                cluster.faults[kind] += 1
                cluster.note("", f"fault: {what}")
        cluster.heal()
        self.converge()

    def converge(self) -> None:
        """All nodes must share one list within the promised time."""
        cluster = self.cluster
        interval_s = self.plan.shape.interval_ms / 1000 / (1 - self.plan.shape.max_rate_drift)
        limit_s = CONVERGENCE_INTERVALS * interval_s
        took_s = cluster.run_until(cluster.is_converged, limit_s, "of one list")
        self.outcome.convergence.append(took_s / interval_s)
        self.settle()

    def settle(self) -> None:
        """What must hold once the cluster has converged: with no fault, nothing changes."""
        cluster = self.cluster
        commits = cluster.commits.commits
        cluster.run(cluster.world.chance.between(0.2, 6))
        if cluster.commits.commits != commits:
            raise Violation("the list changes although nothing happens")

    def finish(self) -> None:
        """What must hold at the very end."""
        self.cluster.note("", "the end")


def simulate(
    seed: int,
    nodes: int | None = None,
    minutes: float = 5,
    *,
    services: Services | None = None,
    parts: Parts | None = None,
    kinds: tuple[str, ...] = (),
) -> Outcome:
    """Run a seed. `kinds` replaces the swarm of faults."""
    plan = draw_plan(seed, nodes, minutes)
    if kinds:
        plan = evolve(plan, kinds=kinds)
    return Run(plan, services=services, parts=parts).go()
