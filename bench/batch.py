"""Batches beside single commands: rows/s of the same server in the same run.

    python bench/batch.py [--rounds N] [--seconds S] [--connections N]

Whole-record reads and writes of one integer bin, 1000 keys, namespace in memory, everything on this
machine. Every round loads the server once in each way; shown are medians of the rounds, and a ratio
is the median of the ratios within each round.
"""

from __future__ import annotations

import argparse
from statistics import median

from harness import Load, asd_command, load, running, table

KEYS = 1000
SIZES = (10, 100, 1000)
"""Rows of a batch."""

HEADER = ["Load", "keys/s", "x single", "us a key", "p50 us", "p99 us"]

Ways = list[tuple[str, str, int]]
"""(what, mode of the load generator, rows) of each way of loading."""


def ways(kind: str) -> Ways:
    """A single command first, then batches."""
    batches = [(f"batches of {rows} {kind}s", f"batch-{kind}", rows) for rows in SIZES]
    return [(f"single {kind}s", kind, 1), *batches]


def measure(port: int, connections: int, rounds: int, seconds: float) -> dict[str, list[Load]]:
    """Load the server in every way, round by round."""
    results: dict[str, list[Load]] = {}
    load(port, 1, 64, 10, "fill", KEYS)
    for _ in range(rounds):
        for name, mode, rows in ways("get") + ways("put"):
            result = load(port, connections, rows, seconds, mode, KEYS)
            results.setdefault(name, []).append(result)
    return results


def report(results: dict[str, list[Load]]) -> str:
    """The table."""
    lines = []
    for kind in ("get", "put"):
        singles = results[f"single {kind}s"]
        for name, _, _ in ways(kind):
            loads = results[name]
            pairs = zip(loads, singles, strict=True)
            rate = median(one.per_second for one in loads)
            ratio = median(one.per_second / single.per_second for one, single in pairs)
            p50 = median(one.p50_us for one in loads)
            p99 = median(one.p99_us for one in loads)
            lines.append(
                [
                    name,
                    f"{rate:,.0f}",
                    f"{ratio:.1f}",
                    f"{1e6 / rate:.2f}",
                    f"{p50:.0f}",
                    f"{p99:.0f}",
                ]
            )
    return table(HEADER, lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="times each way is loaded")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one load")
    parser.add_argument("--connections", type=int, default=8)
    given = parser.parse_args()
    with running(asd_command()) as server:
        results = measure(server.port, given.connections, given.rounds, given.seconds)
    print(
        f"{given.connections} connections, {given.rounds} rounds of {given.seconds:g} s a load.\n"
    )
    print(report(results))


if __name__ == "__main__":
    main()
