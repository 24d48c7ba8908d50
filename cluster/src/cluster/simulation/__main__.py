"""`python -m cluster.simulation`: run one seed and read its account, or sweep over many.

    python -m cluster.simulation --seed 7 --nodes 5 --minutes 10
    python -m cluster.simulation --sweep --seeds 5000 --jobs 2

Exits with 1 on a violation. A seed replays exactly.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from citrusleaf import Clock, SystemClock
from cluster.simulation.run import CONVERGENCE_INTERVALS, Outcome, simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, run, print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cluster.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the seed, or the first of a sweep")
    parser.add_argument("--nodes", type=int, help="nodes of the cluster (default: drawn, 3 to 9)")
    parser.add_argument("--minutes", type=float, default=5, help="simulated minutes of a seed")
    parser.add_argument("--lines", type=int, default=60, help="lines of history to print")
    parser.add_argument("--sweep", action="store_true", help="run many seeds, print what they show")
    parser.add_argument("--seeds", type=int, default=200, help="how many, for --sweep")
    parser.add_argument("--jobs", type=int, default=1, help="processes, for --sweep")
    options = parser.parse_args(arguments)
    if options.sweep:
        return sweep(options.seed, options.seeds, options.minutes, options.jobs, SystemClock())
    return one(options.seed, options.nodes, options.minutes, options.lines)


def one(seed: int, nodes: int | None, minutes: float, lines: int) -> int:
    """Run a seed and print its account."""
    outcome = simulate(seed, nodes, minutes)
    print(outcome.plan)
    print(*outcome.lines[-lines:], sep="\n")
    print(account([outcome]))
    print(f"history {outcome.digest}")
    print(outcome.violation or "no violation")
    return 1 if outcome.violation else 0


def sweep(first: int, count: int, minutes: float, jobs: int, clock: Clock) -> int:
    """Run many seeds and print what they come to; failing ones as they are found."""
    began_ms = clock.monotonic_ms()
    outcomes = []
    for outcome in _outcomes(range(first, first + count), minutes, jobs):
        outcomes.append(outcome)
        if outcome.violation:
            print(f"VIOLATION {outcome.plan}\n    {outcome.violation}", flush=True)
        if len(outcomes) % 500 == 0:
            print(f"{len(outcomes)} of {count} seeds", flush=True)
    print(account(outcomes))
    seconds = max(1, clock.monotonic_ms() - began_ms) / 1000
    simulated_s = sum(outcome.simulated_s for outcome in outcomes)
    print(f"{simulated_s / seconds:.0f} times faster than real time, {jobs} jobs")
    return 1 if any(outcome.violation for outcome in outcomes) else 0


def _outcomes(seeds: range, minutes: float, jobs: int) -> Iterator[Outcome]:
    run = partial(_slim, minutes)
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, seeds, chunksize=4)


def _slim(minutes: float, seed: int) -> Outcome:
    """The outcome without what is not counted."""
    outcome = simulate(seed, minutes=minutes)
    outcome.lines.clear()
    outcome.rows.clear()
    return outcome


def account(outcomes: Iterable[Outcome]) -> str:
    """What runs come to, in lines to read."""
    runs = list(outcomes)
    faults: Counter[str] = Counter()
    for run in runs:
        faults += run.faults
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
    ]
    return "\n".join(lines)


def _distribution(ordered: Sequence[float]) -> str:
    if not ordered:
        return "none"
    shares = ((0.5, "half"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"))
    parts = [f"{name} {ordered[int(share * (len(ordered) - 1))]:.0f}" for share, name in shares]
    return ", ".join([*parts, f"longest {ordered[-1]:.0f}"])


if __name__ == "__main__":
    sys.exit(main())
