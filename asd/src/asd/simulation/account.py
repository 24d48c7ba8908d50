"""What runs of many seeds come to: a line for each that can be kept, an account of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import field, frozen

from asd.simulation.run import Outcome
from cluster.simulation.sweep import Kept


@frozen
class Result(Kept):
    """What is kept of one run."""

    steps: int = 0
    undecided: int = 0
    phases: int = 0
    firm: int = 0
    operations: dict[str, int] = field(factory=dict)


def result_of(outcome: Outcome) -> Result:
    """What to keep of a run."""
    return Result(
        seed=outcome.plan.seed,
        minutes=outcome.plan.minutes,
        simulated_s=round(outcome.simulated_s, 3),
        violation=outcome.violation,
        plan=str(outcome.plan),
        digest=outcome.digest,
        steps=outcome.steps,
        undecided=outcome.undecided,
        phases=outcome.phases,
        firm=outcome.firm,
        faults=dict(outcome.faults),
        operations=dict(outcome.operations),
    )


def account(results: Iterable[Result]) -> str:
    """What runs come to, in lines to read."""
    runs = list(results)
    faults: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    for run in runs:
        faults.update(run.faults)
        operations.update(run.operations)
    hours = sum(run.simulated_s for run in runs) / 3600
    lines = [
        f"{len(runs)} seeds, {hours:.2f} simulated hours, {sum(run.steps for run in runs)}"
        f" callbacks, {sum(run.phases for run in runs)} phases of which"
        f" {sum(run.firm for run in runs)} in one and the same cluster",
        f"{sum(faults.values())} faults: {_counts(faults)}",
        f"{sum(operations.values())} operations: {_counts(operations)}",
        f"{sum(run.undecided for run in runs)} histories whose search was given up",
        f"{sum(bool(run.violation) for run in runs)} violations",
        *(f"VIOLATION {run.plan}\n    {run.violation}" for run in runs if run.violation),
    ]
    return "\n".join(lines)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in counts.most_common()) or "none"
