"""One run: a world, workloads on it, phases with faults and without, checks at every rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from aerospike_client import AsyncClient
from asd.simulation.checkers.rest import check_at_rest, left_over
from asd.simulation.faults import DISKS, strike
from asd.simulation.plan import Plan
from asd.simulation.workloads import WORKLOADS
from asd.simulation.workloads.workload import Phase, Stage, Workload, policy_in
from asd.simulation.world import STEP_S, World
from cluster.simulation import Chance, Violation

START_S = 1000.0
"""Worlds begin then; lines count from it."""
SETTLES_S = 1.0
"""What is still on its way when nobody acts any more has come then."""
LINGERS_S = 10.0
"""So long a node may go on with what it has begun by itself."""
REST_S = 60.0
"""So long after the last fault everything is at rest."""


@define
class Outcome:
    """What came of a run."""

    plan: Plan
    violation: str = ""
    simulated_s: float = 0.0
    digest: str = ""
    steps: int = 0
    operations: Counter[str] = field(factory=Counter)
    faults: Counter[str] = field(factory=Counter)
    undecided: int = 0
    """Histories whose search was given up."""
    phases: int = 0
    firm: int = 0
    """Phases in which all nodes were one and the same cluster."""
    lines: list[str] = field(factory=list)


class Run:
    """Carries out a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.world = World(plan.seed, plan.shape, plan.conditions)
        self.outcome = Outcome(plan)
        self._resting = True
        self._acting = 0
        chance = Chance(plan.seed ^ 0xC11E)
        world = self.world
        stage = Stage(
            chance,
            lambda: world.now_s - START_S,
            world.note,
            mode=plan.mode,
            skew_s=lambda: world.worst_skew_s,
        )
        self._chance = chance
        self.workloads: Sequence[Workload] = [WORKLOADS[name](stage) for name in plan.workloads]
        self._clients: list[asyncio.Task[None]] = []
        self._tasks = 0
        """Tasks that a node at rest has, at most."""
        self._first: AsyncClient
        self._loop: asyncio.AbstractEventLoop

    def go(self) -> Outcome:
        """Run it to its end, or to the first violation."""
        world, outcome = self.world, self.outcome
        try:
            with world:
                self._prepare()
                until_s = world.now_s + 60 * self.plan.minutes
                stormy = False
                while world.now_s < until_s:
                    self._phase(stormy)
                    stormy = not stormy
        except Violation as error:
            outcome.violation = str(error)
        except Exception as error:  # whatever a node raises is what the run is to find
            outcome.violation = f"{type(error).__name__}: {error}"
        if outcome.violation:
            world.note("", f"VIOLATION {outcome.violation}")
        outcome.simulated_s = world.now_s - START_S
        outcome.digest, outcome.steps = world.digest, world.record.steps
        outcome.undecided = sum(each.undecided for each in self.workloads)
        outcome.lines = list(world.record.history.lines)
        return outcome

    def _prepare(self) -> None:
        ready: list[Any] = []
        self.world.wait(SETTLES_S)
        loops = [machine.loop for machine in self.world.machines.values()]
        self._tasks = max(loop.tasks() for loop in loops if loop is not None)
        for number in range(1, self.plan.clients + 1):
            application = self._client(f"c{number}", ready)
            self._clients.append(self.world.start_application(application, f"c{number}"))
        self.world.wait_until(lambda: len(ready) == self.plan.clients, REST_S, "connected")
        self._first, self._loop = ready[0]
        for workload in self.workloads:
            self._do(workload.prepare(self._first))

    def _do(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self.world.wait_until(task.done, REST_S, "done at rest")
        task.result()

    async def _client(self, who: str, ready: list[Any]) -> None:
        async with self.world.client(policy_in(self.plan.mode)) as client:
            ready.append((client, asyncio.get_running_loop()))
            while True:
                await asyncio.sleep(self._chance.between(0, 2 * self.plan.pause_s))
                if not self._resting:
                    workload = self._chance.choose(list(self.workloads))
                    self._acting += 1
                    try:
                        await workload.act(client, who)
                    finally:
                        self._acting -= 1
                    self.outcome.operations[workload.name] += 1

    def _phase(self, stormy: bool) -> None:
        world = self.world
        before = self._fingerprint()
        self._resting = False
        lasts_s = self._chance.between(*self.plan.phase_s)
        world.note("", f"a phase of {lasts_s:.1f} s")
        if stormy:
            self._storm(world.now_s + lasts_s)
        else:
            world.wait(lasts_s)
        world.heal()
        self._resting = True
        world.wait_until(self._is_quiet, REST_S, "at rest")
        world.wait(SETTLES_S)
        world.wait_until(self._is_quiet, REST_S, "at rest again")
        firm = before == self._fingerprint()
        phase = Phase(firm, refused=stormy and not DISKS.isdisjoint(self.plan.kinds))
        self.outcome.phases += 1
        self.outcome.firm += phase.firm
        for workload in self.workloads:
            self._do(workload.read(self._first))
        for workload in self.workloads:
            workload.check(phase)
        self._let_end()
        check_at_rest(world.machines.values(), world.worst_skew_s, self._tasks)

    def _let_end(self) -> None:
        """What nodes do of themselves now and then, as a flush, comes to an end; a leak stays."""
        machines = list(self.world.machines.values())
        until_s = self.world.now_s + LINGERS_S
        while self.world.now_s < until_s and any(left_over(m, self._tasks) for m in machines):
            self.world.wait(STEP_S)

    def _storm(self, until_s: float) -> None:
        world, chance, plan = self.world, self._chance, self.plan
        while world.now_s < until_s:
            world.wait(chance.between(0, 2 * plan.fault_pause_s))
            kind = chance.choose(plan.kinds)
            what = strike(world, chance, kind, keeps_all=plan.keeps_all)
            if what:
                self.outcome.faults[kind] += 1
                world.note("", f"fault: {what}")

    def _is_quiet(self) -> bool:
        for client in self._clients:
            if client.done():
                client.result()  # it raises why
        return not self._acting and not self.world.is_operated and self.world.is_serving()

    def _fingerprint(self) -> dict[str, Any]:
        """What has changed if nodes were not one and the same cluster all the time."""
        return {
            name: (machine.lives, machine.node.cluster.generation, machine.node.cluster.key)
            for name, machine in self.world.machines.items()
            if machine.node is not None
        }
