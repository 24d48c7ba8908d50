"""Planted bugs of strong consistency in whole nodes: one rule broken each, under one kind of fault.

Each is caught with its seed; without a bug such a run is clean.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from attrs import evolve

from aerospike_common.wire.codes import Info2, ResultCode
from aerospike_common.wire.message import Message
from asd.replication.replicator import Replicator
from asd.replication.service import Replication
from asd.simulation.machine import Shape, in_memory
from asd.simulation.operators import SPREADS_S, roster_set
from asd.simulation.plan import Plan
from asd.simulation.run import Outcome, Run
from asd.simulation.world import World
from asd.space.consistency import Consistency
from asd.space.namespace import Namespace
from cluster import StrongPartitions
from cluster.consistency.agreement import Agreement
from cluster.consistency.rules import Rosters, find_rosters
from cluster.partitions.balance import Member

Plant = Callable[[pytest.MonkeyPatch], None]
Harm = Callable[[World], None]
BEGINS_S = 0.5
LASTS_S = 3.0
AHEAD_S = 10.0
FALSE = "not linearizable|goes back|two values"
CHANGES_S = 2.6
LONG_S = CHANGES_S + LASTS_S
KEEPS_S = 3.0
"""A slow medium takes so long."""
ALONE_S = 1.8
"""So soon after it was cut off a node is a cluster of its own."""


class Storm(Run):
    """Does harm, to n1 mostly, soon after the phase has begun."""

    harm: Harm

    def _storm(self, until_s: float) -> None:
        self.world.wait(BEGINS_S)
        self.harm(self.world)
        self.world.wait(until_s - self.world.now_s)


class Canary(NamedTuple):
    """A planted bug, and what happens to n1 meanwhile."""

    plant: Plant
    harm: Harm
    seed: int = 1
    said: str = FALSE
    copies: int = 2
    nodes: int = 3
    phase_s: float = 4.0

    def run(self) -> Outcome:
        """Two phases: a quiet one, and one with harm done."""
        space = evolve(in_memory(replication_factor=self.copies), strong_consistency=True)
        shape = Shape(self.nodes, (space,))
        plan = Plan(
            *(self.seed, self.phase_s / 40, shape),
            workloads=("register", "cas"),
            clients=3,
            pause_s=0.03,
            phase_s=(self.phase_s, self.phase_s),
        )
        run = Storm(plan)
        run.harm = self.harm
        return run.go()


def isolated(world: World) -> None:
    """Neither reaches the others nor is reached by them, but for clients."""
    cut(world, ("n1", "n2"), ("n2", "n1"), ("n1", "n3"), ("n3", "n1"))


def unheard(world: World) -> None:
    """It tells, and is told nothing."""
    cut(world, ("n2", "n1"), ("n3", "n1"))


def ahead(world: World) -> None:
    """Its clock is wrong besides, by less than would stop writes."""
    world.jump_clock("n1", AHEAD_S)
    isolated(world)


def isolated_and_revived(world: World) -> None:
    """An operator has it revive what is dead: nothing is, nodes are missing."""
    isolated(world)
    told = (("n1",), "revive:namespace=test"), (("n1",), "recluster:")
    world.later(ALONE_S, lambda: world.ask(*told))


def isolated_on_a_roster(world: World) -> None:
    """An operator who reaches it alone puts it alone on the roster."""
    isolated(world)
    told = (("n1",), roster_set("test", [world.node_id("n1")])), (("n1",), "recluster:")
    world.later(ALONE_S, lambda: world.ask(*told))


def a_witness_changes_sides(world: World) -> None:
    """Of five: n1, n3 and n4 are cut off from the others, and n4 is then with these. It keeps
    things slowly, so that it has not noted yet by which regime n1 and n3 serve."""
    others, ours = ("n2", "n5"), ("n1", "n3")
    cut(world, *ways_between(others, ours), lasts_s=LONG_S)
    cut(world, *ways_between(others, ("n4",)), lasts_s=CHANGES_S)
    world.later(CHANGES_S, lambda: cut(world, *ways_between(ours, ("n4",)), lasts_s=LASTS_S))


def ways_between(some: Sequence[str], others: Sequence[str]) -> list[tuple[str, str]]:
    """In both directions."""
    pairs = [(one, other) for one in some for other in others]
    return pairs + [(other, one) for one, other in pairs]


def on_racks(world: World) -> None:
    """It is put on a rack of its own."""
    racks = {"n1": 1, "n2": 2, "n3": 2}
    listed = [f"{world.node_id(name)}@{rack}" for name, rack in racks.items()]
    world.ask((("n1",), roster_set("test", listed)))
    world.later(SPREADS_S, lambda: world.ask((world.names, "recluster:")))


def cut(world: World, *ways: tuple[str, str], lasts_s: float = LASTS_S) -> None:
    """Nothing gets through."""
    world.cut_for(lasts_s, ways)


def replaces(where: type, method: str, instead: Callable[..., Any]) -> Plant:
    """A method that does something else; it is given the true one first."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true = getattr(where, method)
        patch.setattr(where, method, lambda *given, **more: instead(true, *given, **more))

    return plant


def no_write_waits(true: Any, self: Consistency, message: Message, digest: bytes) -> Any:
    return None if message.info2 & Info2.WRITE else true(self, message, digest)


def no_read_waits(true: Any, self: Consistency, message: Message, digest: bytes) -> Any:
    return true(self, message, digest) if message.info2 & Info2.WRITE else None


def refused(true: Any, self: Replicator, number: int, in_doubt: bool) -> None:
    """A write that may be done is told to be none."""
    commitment = self._waiting.pop(number, None)
    if commitment is not None:
        code = ResultCode.PARTITION_UNAVAILABLE if in_doubt else ResultCode.OK
        commitment.arrive(code)
        self._namespace.commitments.settle()


def anybody(true: Any, self: Any, told: Any, kept_by: Any, rows: Any, factor: int, _: bool) -> Any:
    return true(self, told, kept_by, rows, factor, True)


def no_barrier(patch: pytest.MonkeyPatch) -> None:
    """Nobody waits until all have taken a step. (That n4 is slow is no bug.)"""
    true = Replication._answer_when_kept

    def kept(self: Replication, space: Namespace, answer: Any) -> None:
        if self._cluster.me.endswith("4"):
            asyncio.get_running_loop().call_later(KEEPS_S, true, self, space, answer)
        else:
            true(self, space, answer)

    patch.setattr(Replication, "_answer_when_kept", kept)
    patch.setattr(Agreement, "_all_have", lambda self, step: self.step >= step)


def any_regime(true: Any, self: StrongPartitions, view: Any, rows: Any) -> Any:
    """Nobody remembers by which regime a copy was full."""
    forgetful = {
        node: (*row[:5], tuple([(1, flags, bits) for _, flags, bits in row[5]]))
        for node, row in rows.items()
    }
    return true(self, view, forgetful)


def revives(true: Any, self: Any, *given: Any) -> Any:
    """Whoever is missing."""
    *told, forced = given
    return true(self, *told, forced or any(row[2] for row in self.states.values()))


def newest_alone(patch: pytest.MonkeyPatch) -> None:
    """A new roster is gone by at once, whoever has not heard of it."""

    def find(rows: Any, states: Any) -> Rosters:
        found = find_rosters(rows, states)
        return evolve(found, all=found.all[-1:])

    patch.setattr("cluster.consistency.partitions.find_rosters", find)


def without_racks(patch: pytest.MonkeyPatch) -> None:
    """Racks of the roster are overlooked."""
    patch.setattr(
        "cluster.consistency.partitions.Member",
        lambda node, rack=0, quiesced=False: Member(node, 0, quiesced),
    )


def by_clock(true: Any, self: Consistency, now_ms: int) -> int:
    return now_ms


CANARIES = {
    "acknowledged before replicas have it": Canary(
        replaces(Consistency, "waits_for", no_write_waits), isolated
    ),
    "read before replicas have it": Canary(
        replaces(Consistency, "waits_for", no_read_waits), isolated, seed=2
    ),
    "in doubt is told to be refused": Canary(
        replaces(Replicator, "released", refused), unheard, said="nobody wrote|linearizable"
    ),
    "a minority serves": Canary(
        replaces(StrongPartitions, "_serving", anybody), isolated, copies=1
    ),
    "it is served before all have noted it": Canary(
        no_barrier, a_witness_changes_sides, nodes=5, phase_s=7.0
    ),
    "an old regime serves": Canary(
        replaces(StrongPartitions, "make_plans", any_regime), isolated, said=f"{FALSE}|differs"
    ),
    "what is not dead is revived": Canary(
        replaces(StrongPartitions, "_serving", revives), isolated_and_revived, copies=1
    ),
    "a roster is gone by at once": Canary(newest_alone, isolated_on_a_roster, copies=1),
    "racks are overlooked": Canary(without_racks, on_racks, said="racks"),
    "clocks decide": Canary(replaces(Consistency, "stamp", by_clock), ahead, seed=2),
}


@pytest.mark.parametrize("name", CANARIES)
def test_canaries_are_caught(name, monkeypatch):
    canary = CANARIES[name]
    canary.plant(monkeypatch)
    outcome = canary.run()
    assert re.search(canary.said, outcome.violation), outcome.violation


def test_without_a_bug_nothing_is_caught():
    outcome = Canary(lambda patch: None, ahead).run()
    assert not outcome.violation
    assert outcome.phases == 2
    assert outcome.firm == 1
