"""What a run does: drawn from its seed, each its own part of all that there is (a swarm).

Some runs see one kind of fault only, often, and one workload; others all at once: bugs hide from
the average. Whatever a plan draws can be said on the command line instead.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, field, frozen

from asd.config import NamespaceConfig, StorageConfig
from asd.simulation.commands import STRONG
from asd.simulation.faults import DISKS, KINDS
from asd.simulation.machine import Shape, in_memory
from asd.simulation.workloads import WORKLOADS, Mode
from cluster.simulation import Chance, Conditions, swarm

MAPPED: Final = "mapped"
"""The engine memory, in a mapped file."""
ENGINES: Final = ("memory", "memory", MAPPED, "ssd", "ssd", "ssd_cold", "kv")
NAMESPACE: Final = "test"
FILE: Final = "/data/test"


@frozen
class Plan:
    """What one run does."""

    seed: int
    minutes: float = 1.0
    shape: Shape = field(factory=Shape)
    conditions: Conditions = field(factory=Conditions)
    kinds: tuple[str, ...] = ()
    """Of faults."""
    workloads: tuple[str, ...] = ("register",)
    clients: int = 3
    pause_s: float = 0.2
    """From one operation of a client to the next, on average."""
    fault_pause_s: float = 3.0
    """From one fault to the next, on average."""
    phase_s: tuple[float, float] = (4.0, 20.0)
    """The shortest and the longest phase."""

    @property
    def mode(self) -> Mode:
        """What the namespace promises."""
        strong = any(each.strong_consistency for each in self.shape.namespaces)
        return Mode.CONSISTENT if strong else Mode.AVAILABLE

    @property
    def keeps_all(self) -> bool:
        """Is what was acknowledged on a medium, whatever processes do?"""
        engines = [each.storage_engine for each in self.shape.namespaces]
        return all(engine.engine != "memory" and engine.commit_to_device for engine in engines)

    def __str__(self) -> str:
        shape = self.shape
        (space,) = shape.namespaces
        engine = space.storage_engine
        commits = " with commit-to-device" if engine.commit_to_device else ""
        name = MAPPED if is_mapped(space) else engine.engine
        return (
            f"--seed {self.seed} --minutes {self.minutes:g} --nodes {shape.nodes}"
            f" --clients {self.clients} --kinds {','.join(self.kinds)}"
            f" --workloads {','.join(self.workloads)} --mode {self.mode} ({name}{commits},"
            f" replication factor {space.replication_factor}, heartbeat {shape.interval_ms} ms x"
            f" {shape.timeout_intervals}, faults every {self.fault_pause_s:g} s,"
            f" {self.clients / self.pause_s:.0f} operations/s)"
        )


def draw_plan(
    seed: int,
    minutes: float = 1.0,
    *,
    nodes: int | None = None,
    clients: int | None = None,
    kinds: tuple[str, ...] | None = None,
    workloads: tuple[str, ...] | None = None,
    mode: Mode | None = None,
) -> Plan:
    """The plan of a seed; what is given replaces what is drawn.

    Strong consistency has no clocks that are always wrong: where they differ too far nothing is
    written.
    """
    chance = Chance(seed ^ 0xA5D)
    drawn = chance.choose((3, 3, 3, 4, 5))
    space = _draw_namespace(chance, mode)
    strong = space.strong_consistency
    shape = Shape(
        nodes=nodes or drawn,
        namespaces=(space,),
        interval_ms=chance.choose((150, 150, 250)),
        timeout_intervals=chance.choose((8, 10, 10)),
        slowest_io_s=chance.choose((0.0005, 0.002, 0.02)),
        max_rate_drift=chance.choose((0.0, 0.001, 0.01)),
        max_wall_offset_s=chance.choose((0.0, 0.0, 0.5, 0.5 if strong else 30.0)),
    )
    on_disk = bool(space.storage_engine.file)
    none = (frozenset() if on_disk else DISKS) | (frozenset() if strong else STRONG)
    enabled = swarm(chance, [kind for kind in KINDS if kind not in none])
    own = Mode.CONSISTENT if strong else Mode.AVAILABLE
    possible = [name for name, each in WORKLOADS.items() if own in each.modes]
    chosen = tuple(chance.some(possible))[: 1 + chance.below(6)]
    latency_s = chance.choose((0.0005, 0.001, 0.01))
    return Plan(
        seed,
        minutes,
        shape,
        Conditions(latency_low_s=latency_s / 4, latency_high_s=latency_s),
        kinds if kinds is not None else enabled,
        workloads or chosen,
        clients or 1 + chance.below(5),
        chance.choose((0.03, 0.1, 0.3)),
        chance.choose((1.0, 3.0, 8.0)),
    )


def _draw_namespace(chance: Chance, mode: Mode | None) -> NamespaceConfig:
    space = in_memory(NAMESPACE, chance.choose((2, 2, 3)))
    drawn = chance.choose(tuple(Mode))
    if (mode or drawn) is Mode.CONSISTENT:
        space = evolve(space, strong_consistency=True)
    engine = chance.choose(ENGINES)
    commits = chance.happens(0.5)
    if engine == "memory":
        return space
    if engine == MAPPED:
        return evolve(space, storage_engine=StorageConfig(file=(FILE,)))
    storage = StorageConfig(engine=engine, file=(FILE,), commit_to_device=commits)
    return evolve(space, storage_engine=storage)


def is_mapped(space: NamespaceConfig) -> bool:
    """Does the engine memory have its records in a mapped file?"""
    return space.storage_engine.engine == "memory" and bool(space.storage_engine.file)
