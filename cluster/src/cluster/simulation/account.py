"""What runs of many seeds come to: a line for each that can be kept, an account of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from attrs import field, frozen

from cluster.simulation.run import CONVERGENCE_INTERVALS, Outcome
from cluster.simulation.sweep import Kept


@frozen
class Result(Kept):
    """What is kept of one run; the fields are those of `Outcome`."""

    convergence: list[float] = field(factory=list)
    settling: list[float] = field(factory=list)
    commits: int = 0
    writes: int = 0
    changes: int = 0
    dropped: int = 0
    segments: int = 0


def result_of(outcome: Outcome) -> Result:
    """What to keep of a run."""
    return Result(
        seed=outcome.plan.seed,
        minutes=outcome.plan.minutes,
        simulated_s=round(outcome.simulated_s, 3),
        violation=outcome.violation,
        plan=str(outcome.plan),
        digest=outcome.digest,
        faults=dict(outcome.faults),
        convergence=[round(each, 2) for each in outcome.convergence],
        settling=[round(each, 3) for each in outcome.settling],
        commits=outcome.commits,
        writes=outcome.writes,
        changes=outcome.changes,
        dropped=outcome.dropped,
        segments=outcome.segments,
    )


def account(results: Iterable[Result]) -> str:
    """What runs come to, in lines to read."""
    runs = list(results)
    faults: Counter[str] = Counter()
    for run in runs:
        faults.update(run.faults)
    hours = sum(run.simulated_s for run in runs) / 3600
    convergence = sorted(each for run in runs for each in run.convergence)
    settling = sorted(each for run in runs for each in run.settling)
    kinds = ", ".join(f"{kind} {count}" for kind, count in faults.most_common())
    lines = [
        f"{len(runs)} seeds, {hours:.1f} simulated hours, {sum(faults.values())} faults: {kinds}",
        f"{sum(run.commits for run in runs)} commits, {sum(run.segments for run in runs)} messages"
        f" on the network, {sum(run.writes for run in runs)} writes and"
        f" {sum(run.changes for run in runs)} metadata changes acknowledged,"
        f" {sum(run.dropped for run in runs)} copies migrated away",
        f"convergence after {len(convergence)} heals, in heartbeat intervals (at most"
        f" {CONVERGENCE_INTERVALS}): {_distribution(convergence)}",
        f"migrations at rest, in seconds after that: {_distribution(settling)}",
        f"{sum(bool(run.violation) for run in runs)} violations",
        *(f"VIOLATION {run.plan}\n    {run.violation}" for run in runs if run.violation),
    ]
    return "\n".join(lines)


def _distribution(ordered: Sequence[float]) -> str:
    if not ordered:
        return "none"
    shares = ((0.5, "median"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"))
    parts = [f"{name} {ordered[int(share * (len(ordered) - 1))]:.0f}" for share, name in shares]
    return ", ".join([*parts, f"max {ordered[-1]:.0f}"])
