"""A failing run made smaller, as long as it fails: what is left is easier to read.

A plan with less in it is another run, so the same failure need not come; plans are tried, the
boldest first, until none that is smaller fails or so many were tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import evolve

from asd.simulation.plan import Plan
from asd.simulation.run import Outcome

MOST_RUNS = 40


def shrink(outcome: Outcome, run: Callable[[Plan], Outcome], most_runs: int = MOST_RUNS) -> Outcome:
    """The outcome of the smallest plan found that fails with the same words."""
    left = most_runs
    found = True
    while found and left:
        found = False
        for plan in smaller(outcome):
            if not left:
                break
            left -= 1
            other = run(plan)
            if kind_of(other.violation) == kind_of(outcome.violation):
                outcome, found = other, True
                break
    return outcome


def kind_of(violation: str) -> str:
    """The first words of a violation: those that say of what kind it is."""
    return " ".join(word for word in violation.split()[:6] if word.isalpha())


def smaller(outcome: Outcome) -> Iterator[Plan]:
    """Plans with less in them, the boldest first."""
    plan = outcome.plan
    ended_minutes = outcome.simulated_s / 60
    if ended_minutes < plan.minutes * 0.9:
        yield evolve(plan, minutes=round(ended_minutes + 0.01, 2))
    for names in _fewer(plan.workloads):
        if names:
            yield evolve(plan, workloads=names)
    happened = tuple(kind for kind in plan.kinds if outcome.faults[kind])
    if happened != plan.kinds:
        yield evolve(plan, kinds=happened)
    for names in _fewer(plan.kinds):
        yield evolve(plan, kinds=names)
    if plan.clients > 1:
        yield evolve(plan, clients=1)
        yield evolve(plan, clients=plan.clients - 1)
    if plan.shape.nodes > 2:
        yield evolve(plan, shape=evolve(plan.shape, nodes=plan.shape.nodes - 1))
    if plan.shape.max_rate_drift or plan.shape.max_wall_offset_s:
        yield evolve(plan, shape=evolve(plan.shape, max_rate_drift=0.0, max_wall_offset_s=0.0))


def _fewer(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Half of them, and all but one."""
    half = len(names) // 2
    if half:
        yield names[:half]
        yield names[half:]
    if len(names) > 2:
        for at in range(len(names)):
            yield names[:at] + names[at + 1 :]
