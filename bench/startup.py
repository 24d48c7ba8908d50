"""How long `asd` takes from exec to its `asd ready` line, and from SIGTERM to its end.

Its modules' bytecode is cached, as an installation has it after the first start; with
PYTHONDONTWRITEBYTECODE set, as some containers do, every start compiles all of them.

python bench/startup.py [--rounds N] [--quick]
"""

from __future__ import annotations

import argparse
from statistics import median
from time import perf_counter

from harness import BUILD, asd_command, publish, running, table


def measure(*, cached: bool) -> tuple[float, float]:
    """(start, stop) of one server, in milliseconds."""
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    if cached:
        environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(BUILD / "cache")}
    begin = perf_counter()
    with running(asd_command(), **environment) as server:
        ready = perf_counter()
        end = perf_counter()
    stopped = perf_counter()
    if server.process.returncode != 0:
        raise SystemExit(f"asd ended with status {server.process.returncode}")
    return (ready - begin) * 1e3, (stopped - end) * 1e3


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="times the server is started")
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    rounds = 2 if given.quick else given.rounds
    measure(cached=True)  # the files come into the page cache, the bytecode into its own
    times = [(*measure(cached=True), measure(cached=False)[0]) for _ in range(rounds)]
    names = ("exec to ready", "SIGTERM to end", "exec to ready, compiling")
    lines = [
        [what, f"{median(values):.0f}", f"{min(values):.0f}", f"{max(values):.0f}"]
        for what, values in zip(names, zip(*times, strict=True), strict=True)
    ]
    body = f"{rounds} starts.\n\n{table(['', 'median ms', 'best ms', 'worst ms'], lines)}"
    publish("startup", "Start and stop of the server", body, write=not given.quick)


if __name__ == "__main__":
    main()
