"""Faults: what can go wrong in a run, drawn from its seed.

Each run enables its own subset of kinds (a swarm), so that some runs see one kind only, often, and
others see all of them at once: bugs hide from the average.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar

from attrs import evolve

from cluster.partitions.service import Partitions
from cluster.simulation.loop import Chance

if TYPE_CHECKING:
    from cluster.simulation.cluster import SimulatedCluster


class Ground(Protocol):
    """Named machines with a process each, and ways between them: what can be broken."""

    names: list[str]

    def is_running(self, name: str) -> bool:
        """Is the machine's process there, and not paused?"""

    def crash(self, name: str, power: bool = True) -> None:
        """The process is gone at once; without `power` so is its machine."""

    def restart(self, name: str) -> None:
        """Start the process again, unless it runs."""

    def pause(self, name: str) -> None:
        """Stop the process from running."""

    def resume(self, name: str) -> None:
        """Let it go on."""

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something after a delay, unless everything was healed before."""

    def cut_for(self, lasts_s: float, ways: Sequence[tuple[str, str]]) -> None:
        """Cut ways between named machines for some time."""

    def clog_for(self, lasts_s: float, ways: Sequence[tuple[str, str]], delay_s: float) -> None:
        """Slow ways down for some time."""

    def reset(self, one: str, other: str) -> None:
        """Break every connection between two machines."""

    def jump_clock(self, name: str, jump_s: float) -> None:
        """Set a machine's wall clock forth or back."""


G = TypeVar("G", bound=Ground)

Fault = Callable[[G, Chance], str]
"""Makes one thing go wrong, for as long as it draws; returns what, '' when nothing could."""

LONGEST_CLOG_S = 3.0
"""How late what a clogged link carries may arrive: so long after it the fault may be felt."""


def _kill(cluster: Ground, chance: Chance) -> str:
    """A process dies (its peers' connections break) and comes back some time later."""
    return _stop(cluster, chance, power=True)


def _power_cut(cluster: Ground, chance: Chance) -> str:
    """A machine goes dark: peers hear nothing, not even that connections are gone."""
    return _stop(cluster, chance, power=False)


def _stop(cluster: Ground, chance: Chance, power: bool) -> str:
    victims = [name for name in cluster.names if cluster.is_running(name)]
    if len(victims) < 2:
        return ""
    name = chance.choose(victims)
    cluster.crash(name, power=power)
    down_s = chance.between(0.05, chance.choose((0.5, 12)))  # back before it is missed, or not
    cluster.later(down_s, lambda: cluster.restart(name))
    return f"{'kill' if power else 'power off'} {name} for {down_s:.2f} s"


def _kill_all(cluster: Ground, chance: Chance) -> str:
    """Every process dies at once; they come back one by one or together."""
    victims = [name for name in cluster.names if cluster.is_running(name)]
    together = chance.happens(0.5)
    for name in victims:
        cluster.crash(name, power=True)
        down_s = 1.0 if together else chance.between(0.1, 6)
        cluster.later(down_s, lambda name=name: cluster.restart(name))  # type: ignore[misc] # a default argument binds the loop's value
    return f"kill all {len(victims)}"


def _pause(cluster: Ground, chance: Chance) -> str:
    """A process stops running and later goes on as if nothing had happened."""
    victims = [name for name in cluster.names if cluster.is_running(name)]
    if not victims:
        return ""
    name = chance.choose(victims)
    pause_s = chance.choose((0.3, 1.0, 2.5, 8.0)) * chance.between(0.5, 1.5)
    cluster.pause(name)
    cluster.later(pause_s, lambda: cluster.resume(name))
    return f"pause {name} for {pause_s:.2f} s"


def _one_way_cut(cluster: Ground, chance: Chance) -> str:
    """Nothing gets from one node to another; the other direction works."""
    source, target = chance.shuffled(cluster.names)[:2]
    cluster.cut_for(chance.between(0.2, 15), [(source, target)])
    return f"cut {source} -> {target}"


def _cut_pair(cluster: Ground, chance: Chance) -> str:
    """Two nodes do not reach each other; others reach both."""
    one, other = chance.shuffled(cluster.names)[:2]
    cluster.cut_for(chance.between(0.2, 15), [(one, other), (other, one)])
    return f"cut {one} <-> {other}"


def _halves(cluster: Ground, chance: Chance) -> str:
    """The nodes fall into two groups."""
    group = chance.some(cluster.names)
    rest = [name for name in cluster.names if name not in group]
    ways = [(a, b) for a in group for b in rest] + [(b, a) for a in group for b in rest]
    cluster.cut_for(chance.between(0.5, 20), ways)
    return f"split {' '.join(sorted(group))} | {' '.join(sorted(rest))}"


def _clog(cluster: Ground, chance: Chance) -> str:
    """What goes from one node to another takes very long."""
    source, target = chance.shuffled(cluster.names)[:2]
    delay_s = chance.choose((0.05, 0.3, 1.0, LONGEST_CLOG_S))
    cluster.clog_for(chance.between(0.5, 10), [(source, target)], delay_s)
    return f"clog {source} -> {target} by {delay_s} s"


def _swizzle(cluster: Ground, chance: Chance) -> str:
    """Some nodes are clogged one after the other, and freed in another order."""
    group = chance.some(cluster.names)
    delay_s = chance.choose((0.3, 1.0, 2.0))
    for name in group:
        ways = [(name, other) for other in cluster.names if other != name]
        start_s, lasts_s = chance.between(0, 3), chance.between(1, 8)
        cluster.later(
            start_s,
            lambda ways=ways, lasts_s=lasts_s: cluster.clog_for(lasts_s, ways, delay_s),  # type: ignore[misc] # a default argument binds the loop's value
        )
    return f"swizzle {' '.join(group)}"


def _flap(cluster: Ground, chance: Chance) -> str:
    """A node's links come and go."""
    name = chance.choose(cluster.names)
    ways = [(name, o) for o in cluster.names if o != name]
    ways += [(target, source) for source, target in ways]
    period_s = chance.between(1.0, 3.0)
    for turn in range(4):
        cluster.later(turn * period_s * 2, lambda: cluster.cut_for(period_s, ways))
    return f"flap {name} every {period_s * 2:.2f} s"


def _reset(cluster: Ground, chance: Chance) -> str:
    """The connections between two nodes break, again and again; what was on its way is lost."""
    one, other = chance.shuffled(cluster.names)[:2]
    times = 1 + chance.below(10)
    for _ in range(times):
        cluster.later(chance.between(0, 2), lambda: cluster.reset(one, other))
    return f"reset {one} <-> {other} {times} times"


def _clock_jump(cluster: Ground, chance: Chance) -> str:
    """A machine's wall clock jumps, forth or back."""
    name = chance.choose(cluster.names)
    jump_s = chance.between(-3600, 3600)
    cluster.jump_clock(name, jump_s)
    return f"clock of {name} jumps {jump_s:+.1f} s"


def _quiesce(cluster: SimulatedCluster, chance: Chance) -> str:
    """An operator quiesces a node, or takes that back, and has the cluster balance anew."""
    running = [name for name in cluster.names if cluster.is_running(name)]
    if not running:
        return ""
    name = chance.choose(running)
    paxos = cluster.node(name).paxos
    paxos.quiesced = not paxos.quiesced
    cluster.recluster()
    return f"{name} is {'quiesced' if paxos.quiesced else 'quiesced no more'}"


def _reconfigure(cluster: SimulatedCluster, chance: Chance) -> str:
    """An operator sets another replication factor, on some nodes, and has the cluster balance
    anew."""
    factor, uniform = 1 + chance.below(3), chance.happens(0.5)
    group = [name for name in chance.some(cluster.names) if cluster.is_running(name)]
    services = [service for name in group for service in cluster.node(name).services]
    for partitions in (each for each in services if isinstance(each, Partitions)):
        for space in partitions.spaces.values():
            changed = evolve(space.config, replication_factor=factor, uniform=uniform)
            partitions.reconfigure(changed)
    cluster.recluster()
    return f"replication factor {factor} on {' '.join(sorted(group))}" if group else ""


GENERAL: Mapping[str, Fault[Ground]] = MappingProxyType(
    {
        "kill": _kill,
        "power": _power_cut,
        "kill-all": _kill_all,
        "pause": _pause,
        "one-way": _one_way_cut,
        "pair": _cut_pair,
        "halves": _halves,
        "clog": _clog,
        "swizzle": _swizzle,
        "flap": _flap,
        "reset": _reset,
        "clock": _clock_jump,
    }
)
"""What can happen to any machines with processes."""

KINDS: Mapping[str, Fault[SimulatedCluster]] = MappingProxyType(
    {**GENERAL, "quiesce": _quiesce, "reconfigure": _reconfigure}
)
"""Every kind of fault of the protocol simulation."""


def swarm(chance: Chance, kinds: Sequence[str] = tuple(KINDS)) -> tuple[str, ...]:
    """The kinds that one run enables: at least one."""
    share = chance.between(0.1, 0.9)
    enabled = tuple(kind for kind in kinds if chance.happens(share))
    return enabled or (chance.choose(tuple(kinds)),)
