"""Planted bugs of strong consistency in whole nodes: one rule broken each, under one kind of fault.

Each is caught with its seed; without a bug such a run is clean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from attrs import evolve

from aerospike_common.wire.codes import Info2, ResultCode
from aerospike_common.wire.message import Message
from asd.replication.replicator import Replicator
from asd.simulation.machine import Shape, in_memory
from asd.simulation.plan import Plan
from asd.simulation.run import Outcome, Run
from asd.simulation.world import World
from asd.space.consistency import Consistency
from cluster import StrongPartitions

Plant = Callable[[pytest.MonkeyPatch], None]
Harm = Callable[[World], None]
BEGINS_S = 0.5
LASTS_S = 3.0
AHEAD_S = 10.0


class Storm(Run):
    """Does harm to n1 alone, soon after the phase has begun."""

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
    said: str = "not linearizable|goes back|two values"
    copies: int = 2

    def run(self) -> Outcome:
        """Two phases: a quiet one, and one with harm done."""
        space = evolve(in_memory(replication_factor=self.copies), strong_consistency=True)
        shape = Shape(namespaces=(space,))
        plan = Plan(
            *(self.seed, 0.1, shape),
            workloads=("register", "cas"),
            clients=3,
            pause_s=0.03,
            phase_s=(4.0, 4.0),
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


def cut(world: World, *ways: tuple[str, str]) -> None:
    """Nothing gets through."""
    world.cut_for(LASTS_S, ways)


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
