"""`python -m asd.simulation`: run one seed of whole nodes and read its log, or sweep over many.

    python -m asd.simulation --seed 7
    python -m asd.simulation --seed 7 --kinds kill,pause --workloads register --lines 400
    python -m asd.simulation --sweep --seeds 500 --jobs 2 --record sweep.jsonl
    python -m asd.simulation --sites --sweep --seeds 500 --record sites.jsonl

A seed replays exactly, as do a seed and what replaces parts of its plan. A run that fails is made
smaller first, unless --whole is given: fewer nodes, faults, clients, workloads, minutes.

With `--record` a sweep can be done in pieces: each seed's result is a line of the file, seeds that
are in it are not run again, and the account is of the whole file. SIGINT and SIGTERM end a sweep
when the seeds that run are done.

Exits with 1 on a violation, with 2 when a sweep was asked to end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Container, Sequence
from functools import partial
from pathlib import Path

from asd.simulation.account import Result, account, result_of
from asd.simulation.converging import go as sites
from asd.simulation.faults import KINDS
from asd.simulation.plan import Plan, draw_plan
from asd.simulation.run import Outcome, Run
from asd.simulation.shrink import shrink
from asd.simulation.workloads import WORKLOADS, Mode
from citrusleaf.cf_clock import SystemClock
from cluster.simulation.sweep import Sweep, sweep


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, run, print; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m asd.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seed", type=int, default=1, help="the seed to run")
    add("--minutes", type=float, default=1.0, help="simulated minutes of a seed (default: 1)")
    add("--nodes", type=int, help="nodes of the cluster (default: drawn, 3 to 5)")
    add("--clients", type=int, help="clients (default: drawn)")
    add("--kinds", type=_names(KINDS), help=f"faults (default: drawn): {', '.join(KINDS)}")
    add("--workloads", type=_names(WORKLOADS), help=f"(default: drawn): {', '.join(WORKLOADS)}")
    add("--mode", type=Mode, choices=list(Mode), help="of consistency (default: drawn)")
    add("--lines", type=int, default=60, help="lines of the log to print")
    add("--whole", action="store_true", help="do not make a failing run smaller")
    add("--sites", action="store_true", help="clusters that ship to each other instead")
    add("--sweep", action="store_true", help="run many seeds, print what they show")
    add("--first", type=int, default=1, help="the first seed, for --sweep")
    add("--seeds", type=int, default=100, help="how many, for --sweep")
    add("--jobs", type=int, default=1, help="processes, for --sweep")
    add("--record", type=Path, help="file of results to go on with, for --sweep")
    options = parser.parse_args(arguments)
    if options.sweep:
        seeds = range(options.first, options.first + options.seeds)
        what = Sweep(sites if options.sites else partial(_run, options.mode), Result, account)
        clock = SystemClock()
        return sweep(what, seeds, options.minutes, options.jobs, options.record, clock)
    if options.sites:
        result = sites(options.seed, options.minutes)
        print(account([result]))
        return 1 if result.violation else 0
    plan = draw_plan(
        options.seed,
        options.minutes,
        nodes=options.nodes,
        clients=options.clients,
        kinds=options.kinds,
        workloads=options.workloads,
        mode=options.mode,
    )
    return one(plan, options.lines, whole=options.whole)


def _names(known: Container[str]) -> Callable[[str], tuple[str, ...]]:
    """Reads names with commas between them. ArgumentTypeError for one that is not known."""

    def parse(text: str) -> tuple[str, ...]:
        names = tuple(name for name in text.split(",") if name)
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name}")
        return names

    return parse


def one(plan: Plan, lines: int, *, whole: bool) -> int:
    """Run a plan and print its log and account."""
    outcome = simulate(plan)
    if outcome.violation and not whole:
        print(f"{plan}\n    {outcome.violation}\nis made smaller", flush=True)
        outcome = shrink(outcome, simulate)
    print(*outcome.lines[-lines:], sep="\n")
    print(outcome.plan)
    print(account([result_of(outcome)]))
    print(f"digest {outcome.digest}")
    return 1 if outcome.violation else 0


def simulate(plan: Plan) -> Outcome:
    """Run a plan."""
    return Run(plan).go()


def _run(mode: Mode | None, seed: int, minutes: float) -> Result:
    return result_of(simulate(draw_plan(seed, minutes, mode=mode)))


if __name__ == "__main__":
    sys.exit(main())
