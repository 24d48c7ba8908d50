"""`python -m cluster.simulation`: run one seed and read its account, or sweep over many.

    python -m cluster.simulation --seed 7 --nodes 5 --minutes 10
    python -m cluster.simulation --sweep --seeds 5000 --jobs 2 --record sweep.jsonl

With `--record` a sweep can be done in pieces: each seed's result is a line of the file, seeds that
are in it are not run again, and the account is of the whole file. SIGINT and SIGTERM end a sweep
when the seeds that run are done; the file is good whenever and however it ends.

Exits with 1 on a violation, with 2 when a sweep was asked to end. A seed replays exactly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from citrusleaf import SystemClock
from cluster.simulation.account import Result, account, result_of
from cluster.simulation.run import simulate
from cluster.simulation.sweep import Sweep, sweep


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, run, print; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m cluster.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="the seed to run")
    parser.add_argument("--nodes", type=int, help="nodes of the cluster (default: drawn, 3 to 9)")
    parser.add_argument("--minutes", type=float, default=5, help="simulated minutes of a seed")
    parser.add_argument("--strong", action="store_true", help="strong consistency")
    parser.add_argument("--lines", type=int, default=60, help="lines of history to print")
    parser.add_argument("--sweep", action="store_true", help="run many seeds, print what they show")
    parser.add_argument("--first", type=int, default=1, help="the first seed, for --sweep")
    parser.add_argument("--seeds", type=int, default=200, help="how many, for --sweep")
    parser.add_argument("--jobs", type=int, default=1, help="processes, for --sweep")
    parser.add_argument("--record", type=Path, help="file of results to go on with, for --sweep")
    options = parser.parse_args(arguments)
    if options.sweep:
        seeds = range(options.first, options.first + options.seeds)
        run = partial(_run, consistent=options.strong)
        what = Sweep(run, Result, account)
        return sweep(what, seeds, options.minutes, options.jobs, options.record, SystemClock())
    return one(options.seed, options.nodes, options.minutes, options.lines, options.strong)


def one(seed: int, nodes: int | None, minutes: float, lines: int, consistent: bool = False) -> int:
    """Run a seed and print its account."""
    outcome = simulate(seed, nodes, minutes, consistent=consistent)
    print(outcome.plan)
    print(*outcome.lines[-lines:], sep="\n")
    print(account([result_of(outcome)]))
    print(f"history {outcome.digest}")
    print(outcome.violation or "no violation")
    return 1 if outcome.violation else 0


def _run(seed: int, minutes: float, consistent: bool = False) -> Result:
    return result_of(simulate(seed, minutes=minutes, consistent=consistent))


if __name__ == "__main__":
    sys.exit(main())
