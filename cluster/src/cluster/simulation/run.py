"""One run: a cluster drawn from a seed, episodes of faults, and convergence after each."""

from __future__ import annotations

from collections import Counter

from attrs import define, evolve, field, frozen

from cluster.node import Parts
from cluster.partitions.config import MigrateConfig, NamespaceConfig
from cluster.records import ConflictPolicy
from cluster.simulation.checks import Violation
from cluster.simulation.cluster import Shape, SimulatedCluster
from cluster.simulation.data import DataParts, DataShape, DataWorld
from cluster.simulation.faults import KINDS, LONGEST_CLOG_S, swarm
from cluster.simulation.loop import Chance
from cluster.simulation.network import Conditions
from cluster.simulation.store import PARTITIONS
from cluster.simulation.strong import StrongWorld, strong
from cluster.state_machine import Row

CONVERGENCE_INTERVALS = 150
"""The promise: within so many heartbeat intervals (of the slowest clock) after the last fault, all
nodes that reach one another share one succession list and key."""

SETTLE_S = 60
"""With one list and no clients, metadata and partitions come to rest within so many seconds."""


@frozen
class Plan:
    """What one run does. `nodes` and `minutes` are drawn or given, the rest follows the seed."""

    seed: int
    minutes: float
    shape: Shape
    kinds: tuple[str, ...]
    mean_pause_s: float
    """From one fault to the next, on average."""
    episode_s: tuple[float, float] = (5, 45)
    """The shortest and the longest spell of faults."""
    data: DataShape = field(
        factory=lambda: DataShape((NamespaceConfig("ns0", partitions=PARTITIONS),))
    )
    writes_per_s: float = 2.0

    def __str__(self) -> str:
        shape, data = self.shape, self.data
        mode = "multicast" if shape.multicast else f"mesh with {shape.seeds} seeds"
        return (
            f"seed {self.seed}: {shape.nodes} nodes, {self.minutes:g} minutes, {mode}, interval"
            f" {shape.interval_ms} ms, timeout {shape.timeout_intervals} intervals, settling"
            f" {shape.settling_intervals}, faults:"
            f" {', '.join(self.kinds)} every {self.mean_pause_s:.1f} s,"
            f" {self.writes_per_s:g} writes/s, generations from {data.first_generation}, disks"
            f" {data.slowest_ms} ms, {'; '.join(map(_described, data.namespaces))}"
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
    mean_pause_s = chance.choose((0.5, 2.0, 5.0, 10.0))
    data = _draw_data(chance)
    rate = chance.choose((0.5, 2.0, 10.0))
    episode_s = (5.0, 45.0) if minutes >= 1 else (2.0, 10.0)
    # Drawn last: what else a seed draws stays as it was.
    shape = evolve(shape, settling_intervals=chance.choose((0, shape.timeout_intervals)))
    return Plan(seed, minutes, shape, kinds, mean_pause_s, episode_s, data, rate)


def strongly(plan: Plan) -> Plan:
    """The plan with strong consistency in all its namespaces, whose settings then stay."""
    spaces = tuple(strong(config, plan.shape.nodes) for config in plan.data.namespaces)
    kinds = tuple(kind for kind in plan.kinds if kind != "reconfigure") or ("halves",)
    rate = max(5.0, plan.writes_per_s)
    return evolve(plan, data=evolve(plan.data, namespaces=spaces), kinds=kinds, writes_per_s=rate)


def _draw_data(chance: Chance) -> DataShape:
    """Namespaces of all kinds, disks quick and slow, generations before their wrap and not."""
    namespaces = tuple(
        NamespaceConfig(
            f"ns{number}",
            replication_factor=1 + chance.below(3),
            policy=chance.choose(tuple(ConflictPolicy)),
            uniform=chance.happens(0.3),
            partitions=PARTITIONS,
        )
        for number in range(1 + chance.below(3))
    )
    return DataShape(
        namespaces,
        slowest_ms=chance.choose((0, 20, 300)),
        first_generation=chance.choose((1, 65530, 65535)),
        migrate=MigrateConfig(
            threads=chance.choose((1, 4)),
            sleep_us=chance.choose((0, 0, 5000)),
            max_incoming=chance.choose((1, 4)),
            batch_records=chance.choose((2, 64)),
            batch_bytes=chance.choose((10, 1 << 16)),
            compare_records=chance.choose((3, 64)),
        ),
    )


def _described(config: NamespaceConfig) -> str:
    return (
        f"{config.name}: replication factor {config.replication_factor}, conflicts by"
        f" {config.policy.value}{', uniform' if config.uniform else ''}"
        f"{', strong consistency' if config.strong else ''}"
    )


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
    settling: list[float] = field(factory=list)
    """Seconds from one list to the end of all migrations."""
    commits: int = 0
    writes: int = 0
    changes: int = 0
    dropped: int = 0
    segments: int = 0
    rows: Counter[Row] = field(factory=Counter)
    lines: list[str] = field(factory=list)


class Run:
    """Carries a plan out on a cluster."""

    def __init__(
        self,
        plan: Plan,
        *,
        parts: Parts | None = None,
        data_parts: DataParts | None = None,
        world: type[DataWorld] | None = None,
    ) -> None:
        self.plan = plan
        is_strong = any(config.strong for config in plan.data.namespaces)
        usual = StrongWorld if is_strong else DataWorld
        self.data = (world or usual)(plan.data, data_parts)
        self.cluster = SimulatedCluster(
            plan.seed,
            plan.shape,
            services=self.data.services,
            watch=self.data.watch,
            parts=parts,
        )
        self.data.cluster = self.cluster
        self.outcome = Outcome(plan)
        self._clients_rest = False

    def go(self) -> Outcome:
        """Run to the end, or to the first violation (or failed assertion)."""
        cluster, outcome = self.cluster, self.outcome
        began_s = cluster.world.now_s
        end_s = began_s + self.plan.minutes * 60
        try:
            cluster.start_all()
            cluster.world.call_at(cluster.world.now_s + 0.5, None, self._write_on)
            self.converge()
            while cluster.world.now_s < end_s:
                self.episode()
            cluster.note("", "the end")
        except Exception as error:  # whatever a node raises is what the run is to find
            outcome.violation = f"{type(error).__name__}: {error}"
            cluster.note("", f"VIOLATION {outcome.violation}")
        cluster.close()
        outcome.simulated_s = cluster.world.now_s - began_s
        outcome.digest = cluster.history.digest
        outcome.faults = cluster.faults
        known = self.data.ledger
        outcome.writes, outcome.changes = known.writes, known.changes
        outcome.dropped = self.data.dropped
        outcome.commits = cluster.commits.commits
        outcome.segments = cluster.network.segments + cluster.network.datagrams
        outcome.rows = cluster.rows
        outcome.lines = list(cluster.history.lines)
        return outcome

    def episode(self) -> None:
        """Faults for a while, then none; everything must come right again."""
        cluster, plan = self.cluster, self.plan
        chance = cluster.world.chance
        until_s = cluster.world.now_s + chance.between(*plan.episode_s)
        while cluster.world.now_s < until_s:
            cluster.run(chance.between(0, 2 * plan.mean_pause_s))
            kind = chance.choose(plan.kinds)
            what = KINDS[kind](cluster, chance)
            if what:
                cluster.faults[kind] += 1
                cluster.note("", f"fault: {what}")
        cluster.heal()
        self.converge()
        self.settle()
        if chance.happens(0.3):
            self.departure()

    def departure(self) -> None:
        """A machine goes dark and stays so: the others must go on without it, and then with it."""
        cluster = self.cluster
        name = cluster.world.chance.choose(cluster.names)
        cluster.crash(name, power=False)
        cluster.faults["departure"] += 1
        self.converge()
        cluster.restart(name)
        self.converge()
        self.settle()

    def converge(self) -> None:
        """All nodes must share one list within the promised time, and keep it.

        What was on its way when the faults ended may still break it up once: it counts from when it
        holds for longer than a silence takes to be noticed, and a clogged link to deliver.
        """
        cluster, shape = self.cluster, self.plan.shape
        interval_s = shape.interval_ms / 1000 / (1 - shape.max_rate_drift)
        limit_s = CONVERGENCE_INTERVALS * interval_s
        hold_s = (shape.timeout_intervals + 5) * interval_s
        if "clog" in self.plan.kinds:
            hold_s = max(hold_s, LONGEST_CLOG_S)
        began_s = cluster.world.now_s
        while True:
            left_s = limit_s - (cluster.world.now_s - began_s)
            cluster.run_until(cluster.is_converged, left_s, "of one list")
            took_s = cluster.world.now_s - began_s
            commits = cluster.commits.commits
            cluster.run(hold_s)
            if cluster.commits.commits == commits and cluster.is_converged():
                break
        self.outcome.convergence.append(took_s / interval_s)

    def settle(self) -> None:
        """What must hold once the cluster has converged: with no fault, nothing changes, and when
        the clients pause everything comes to rest."""
        cluster = self.cluster
        commits = cluster.commits.commits
        cluster.run(cluster.world.chance.between(0.2, 6))
        self._clients_rest = True
        took_s = cluster.run_until(self._is_at_rest, SETTLE_S, "at rest")
        self.outcome.settling.append(took_s)
        if cluster.commits.commits != commits:
            raise Violation("the list changes although nothing happens")
        self.data.check_at_rest()
        self._clients_rest = False

    def _is_at_rest(self) -> bool:
        return not self.data.is_busy() and self.data.is_settled()

    def _write_on(self) -> None:
        """Let clients write from now to the end."""
        world = self.cluster.world
        if not self._clients_rest:
            self.data.write_somewhere()
        pause_s = world.chance.between(0, 2 / self.plan.writes_per_s)
        world.call_at(world.now_s + pause_s, None, self._write_on)


def simulate(
    seed: int,
    nodes: int | None = None,
    minutes: float = 5,
    *,
    parts: Parts | None = None,
    data_parts: DataParts | None = None,
    kinds: tuple[str, ...] = (),
    consistent: bool = False,
) -> Outcome:
    """Run a seed. `kinds` replaces the swarm of faults; `consistent`: strong consistency."""
    plan = draw_plan(seed, nodes, minutes)
    if consistent:
        plan = strongly(plan)
    if kinds:
        plan = evolve(plan, kinds=kinds)
    return Run(plan, parts=parts, data_parts=data_parts).go()
