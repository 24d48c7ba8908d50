"""Throughput and latency of `asd` beside the machine's limit.

    python bench/server.py [--rounds N] [--seconds S] [--quick]

Half gets of all bins, half puts of one integer bin, 1000 keys, namespace in memory, everything on
this machine. The servers run all the time; every round loads each of them once in turn, so that a
slow moment of the machine falls on all alike. Shown are medians of the rounds; a ratio is the
median of the ratios within each round.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from shutil import which
from statistics import median
from subprocess import DEVNULL, PIPE, Popen, run
from time import sleep

from harness import (
    Load,
    Server,
    asd_command,
    compile_asd,
    has_uvloop,
    limit_command,
    load,
    publish,
    running,
    table,
)

KEYS = 1000
LIMIT = "limit (C, canned answers)"
COMPILED = ", compiled"
"""How the names of servers end that use what `asd --compile` has made."""


@dataclass(frozen=True)
class Shape:
    """How the load is offered."""

    connections: int
    in_flight: int

    def __str__(self) -> str:
        if self.in_flight == 1:
            return f"{self.connections} connections"
        return f"{self.connections} connections x {self.in_flight} in flight"


SHAPES = (Shape(8, 1), Shape(32, 1), Shape(4, 16))

Results = dict[tuple[str, Shape], list[Load]]


def commands() -> dict[str, list[str]]:
    """Name -> command of each server to measure, the limit first; the compiled ones if possible.

    What cannot be compiled says why on standard error.
    """
    plain = {"asd, uvloop": asd_command()} if has_uvloop() else {}
    plain["asd, asyncio"] = asd_command(uvloop=False)
    compiled = {name + COMPILED: command for name, command in plain.items()}
    return {LIMIT: limit_command(), **plain, **(compiled if compile_asd() else {})}


def start(name: str, command: list[str]) -> AbstractContextManager[Server]:
    """The server of that name, running."""
    return running(command, ASD_COMPILED="1" if name.endswith(COMPILED) else "0")


def measure(servers: dict[str, Server], rounds: int, seconds: float) -> Results:
    """Load every server in every shape, round by round."""
    results: Results = {}
    for server in servers.values():
        load(server.port, 1, 64, 10, "fill", KEYS)
        load(server.port, 8, 1, min(seconds, 0.5), "mixed", KEYS)  # warm
    for _ in range(rounds):
        for shape in SHAPES:
            for name, server in servers.items():
                shaped = (shape.connections, shape.in_flight)
                result = load(server.port, *shaped, seconds, "mixed", KEYS)
                results.setdefault((name, shape), []).append(result)
    return results


def rows(results: Results, shape: Shape) -> Iterator[list[str]]:
    """The table's lines for one shape of load."""
    limits = results[LIMIT, shape]
    for (name, of_shape), loads in results.items():
        if of_shape != shape:
            continue
        rate = median(one.per_second for one in loads)
        p99 = median(one.p99_us for one in loads)
        pairs = list(zip(loads, limits, strict=True))
        of_rate = median(one.per_second / limit.per_second for one, limit in pairs)
        of_p99 = median(one.p99_us / limit.p99_us for one, limit in pairs)
        yield [
            name,
            f"{rate:,.0f}",
            f"{of_rate:.2f}",
            f"{median(one.p50_us for one in loads):.0f}",
            f"{p99:.0f}",
            f"{of_p99:.1f}",
            f"{median(one.p999_us for one in loads):.0f}",
        ]


HEADER = ["Server", "ops/s", "of limit", "p50 us", "p99 us", "of limit", "p99.9 us"]


def report(results: Results) -> str:
    """All tables."""
    parts = [
        f"## {shape}\n\n{table(HEADER, list(rows(results, shape)))}"
        for shape in SHAPES
        if (LIMIT, shape) in results
    ]
    return "\n\n".join(parts)


# ------------------------------------------------------------------- redis


@contextmanager
def redis() -> Iterator[int]:
    """A redis-server on a free port, without persistence."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
    with Popen(command, stdout=DEVNULL) as process:
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                sleep(0.05)
            yield port
        finally:
            process.terminate()


def redis_rows(seconds: float) -> list[list[str]]:
    """GET and SET of redis by its own benchmark: a figure to look at, not to divide by."""
    found: list[list[str]] = []
    with redis() as port:
        for shape in SHAPES:
            count = str(int(60_000 * seconds * shape.in_flight))
            command = ["redis-benchmark", "-p", str(port), "-t", "set,get", "-d", "8", "--csv"]
            command += ["-c", str(shape.connections), "-P", str(shape.in_flight), "-n", count]
            output = run(command, check=True, stdout=PIPE, text=True).stdout
            for line in output.splitlines():
                cells = [cell.strip('"') for cell in line.split(",")]
                if cells[0] in ("SET", "GET"):
                    found.append([f"redis {cells[0]}, {shape}", f"{float(cells[1]):,.0f}"])
    return found


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="times each server is loaded")
    parser.add_argument("--seconds", type=float, default=3, help="length of one load")
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    rounds, seconds = (1, 0.3) if given.quick else (given.rounds, given.seconds)
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(start(name, command)) for name, command in commands().items()
        }
        results = measure(servers, rounds, seconds)
    body = f"{rounds} rounds of {seconds:g} s a load.\n\n{report(results)}"
    if which("redis-server") and which("redis-benchmark"):
        body += "\n\n## By redis's own benchmark\n\n"
        body += table(["Load", "ops/s"], redis_rows(seconds))
    publish("server", "Throughput of the server", body, write=not given.quick)


if __name__ == "__main__":
    main()
