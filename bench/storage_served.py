"""Gets and puts through the server, for each storage engine, beside those of the memory engine.

    python bench/storage_served.py [--rounds N] [--seconds S] [--engines ENGINE...]

Every server is filled and started again before it is measured: what it serves is then in the page
cache, not in write buffers. With 1,000 keys records are asked for again soon, with 100,000 hardly
any is. The servers are loaded by turns; a ratio is the median of the ratios within each turn.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from statistics import median

from harness import Server, asd_command, load, running, table

ENGINES = ("ssd", "kv", "ssd_cold")
SHAPES = ((8, 1), (32, 1), (4, 16))
"""(connections, in flight)."""

LOADS = (("get", 1_000), ("get", 100_000), ("put", 1_000), ("put", 100_000))
"""(mode, keys)."""


@contextmanager
def filled(engine: str, folder: Path) -> Iterator[Server]:
    """A server of this engine, filled."""
    namespace = ["--namespace", f"test:{engine}:{folder / engine}"]
    if engine == "memory":
        namespace = ["--namespace", "test"]
    else:
        with running(asd_command(*namespace)) as server:
            fill(server)
    with running(asd_command(*namespace)) as server:
        if engine == "memory":
            fill(server)
        yield server


def fill(server: Server) -> None:
    """Put each key once."""
    load(server.port, 1, 64, 60, "fill", max(keys for _, keys in LOADS))


def measure(servers: dict[str, Server], rounds: int, seconds: float) -> list[list[str]]:
    """The lines of the table."""
    rows = []
    for (mode, keys), (connections, in_flight) in product(LOADS, SHAPES):
        ratios: dict[str, list[float]] = {engine: [] for engine in servers}
        for _ in range(rounds):
            rates = {
                engine: load(server.port, connections, in_flight, seconds, mode, keys).per_second
                for engine, server in servers.items()
            }
            for engine, rate in rates.items():
                ratios[engine].append(rate / rates["memory"])
        shape = f"{connections} connections" + (f" x {in_flight}" if in_flight > 1 else "")
        figures = [f"{median(ratios[engine]):.2f}" for engine in servers if engine != "memory"]
        rows.append([f"{mode}, {keys:,} keys, {shape}", *figures])
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="times each server is loaded")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of one load")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-served-") as folder, ExitStack() as stack:
        servers = {
            engine: stack.enter_context(filled(engine, Path(folder)))
            for engine in ("memory", *given.engines)
        }
        rows = measure(servers, given.rounds, given.seconds)
    print(f"{given.rounds} rounds. Goal: gets of ssd 0.8 of memory's, puts 0.7.\n")
    print(table(["Of the memory engine's rate", *given.engines], rows))


if __name__ == "__main__":
    main()
