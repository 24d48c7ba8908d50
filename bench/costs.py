"""What each kind of request costs this server, in units of its own get of one bin, beside the real
server.

    taskset -c 0 python bench/costs.py [--rounds N] [--only WORD] [--quick]

The official Python client asks, one request at a time. A cost is the processor time that the
server's process spent on a call (user and system, all its threads), divided by that of a get of one
bin which was measured right before: machines differ and are shared, the quotient is much steadier.
Plain and compiled servers take turns; shown are medians of the rounds. The processes stay on the
core that this one is given, so that they do not move about.

The goals: compiled no more than twice the multiple of the real server (`cost_rows.REAL`), plain no
more than four times.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from typing import Final, NamedTuple

import aerospike
from cdt import processor_us
from cost_rows import REAL, Call, Client, Row, every_row
from harness import Server, asd_command, compile_asd, publish, running, table

PLAIN_GOAL: Final = 4.0
COMPILED_GOAL: Final = 2.0
TIMEOUT_MS: Final = 60_000


class Measured(NamedTuple):
    """A row on one server: microseconds of processor time a call, and that in gets of one bin."""

    us: float
    gets: float


class Subject(NamedTuple):
    """A server and a client of it."""

    client: Client
    pid: int

    def spent_us(self, call: Call, calls: int) -> float:
        """Processor time of the server a call, the mean of some."""
        before_us = processor_us(self.pid)
        for number in range(calls):
            call(self.client, number)
        return (processor_us(self.pid) - before_us) / calls


def connected(server: Server) -> Subject:
    """A client that waits as long as it takes and never asks twice."""
    waits = {"total_timeout": TIMEOUT_MS, "socket_timeout": TIMEOUT_MS, "max_retries": 0}
    kinds = ("read", "write", "operate", "batch", "query", "remove", "apply", "info")
    hosts = [("127.0.0.1", server.port)]
    config = {"hosts": hosts, "policies": dict.fromkeys(kinds, waits)}
    return Subject(aerospike.client(config).connect(), server.process.pid)


def measure(
    subjects: Mapping[str, Subject], row: Row, get: Row, rounds: int, calls: int
) -> dict[str, Measured]:
    """A row on every server, in turns, each behind as long a run of gets."""
    found: dict[str, list[Measured]] = {name: [] for name in subjects}
    for subject in subjects.values():
        get.prepare(subject.client)
        row.prepare(subject.client)
        for number in range(min(calls, 50)):  # until fast paths and caches are there
            row.call(subject.client, number)
            get.call(subject.client, number)
    for _ in range(rounds):
        for name, subject in subjects.items():
            get_us = subject.spent_us(get.call, min(get.calls, 10 * calls))
            us = subject.spent_us(row.call, calls)
            found[name].append(Measured(us, us / get_us))
    return {
        name: Measured(median(one.us for one in many), median(one.gets for one in many))
        for name, many in found.items()
    }


def line(name: str, found: Mapping[str, Measured]) -> list[str]:
    """A line of the table; what is over its goal is marked."""
    real, cells = REAL[name], [name]
    for server, goal in (("plain", PLAIN_GOAL), ("compiled", COMPILED_GOAL)):
        if server not in found:
            cells += ["", "", ""]
            continue
        us, gets = found[server]
        mark = "!" if gets > goal * real else ""
        cells += [f"{us:,.1f}", f"{gets:,.1f}", f"{mark}{gets / real:.1f}"]
    return [*cells, f"{real:,.1f}"]


HEADER: Final = (
    *("Request", "plain us", "in gets", "/ real", "compiled us", "in gets", "/ real"),
    "real, in gets",
)


def page(results: Mapping[str, Mapping[str, Measured]], rounds: int) -> str:
    """The table, and how many rows are within the goals."""
    within = [
        f"{sum(one[server].gets <= goal * REAL[name] for name, one in results.items())} of "
        f"{len(results)} rows of the {server} server are within {goal:.1f} times the real one's."
        for server, goal in (("plain", PLAIN_GOAL), ("compiled", COMPILED_GOAL))
        if all(server in one for one in results.values())
    ]
    intro = (
        f"{rounds} rounds; the machine's load meanwhile was {os.getloadavg()[1]:.1f}, of which the "
        "measurement itself is 1. Microseconds are processor time of the server a call. `!` marks "
        f"what is above the goals: plain {PLAIN_GOAL:.1f}, compiled {COMPILED_GOAL:.1f} times the "
        "real server's multiple."
    )
    lines = [line(name, one) for name, one in results.items()]
    return "\n\n".join([intro, " ".join(within), table(HEADER, lines)])


def measure_all(rounds: int, only: str, share: int) -> dict[str, dict[str, Measured]]:
    """All rows on all servers; a `share` of the calls is made."""
    every = every_row()
    get = every["get 1 bin"]
    results: dict[str, dict[str, Measured]] = {}
    with ExitStack() as stack:
        servers = {"plain": stack.enter_context(running(asd_command()))}
        if compile_asd():
            compiled = running(asd_command(), ASD_COMPILED="1")
            servers["compiled"] = stack.enter_context(compiled)
        subjects = {name: connected(server) for name, server in servers.items()}
        for row in every.values():
            if only not in row.name:
                continue
            found = measure(subjects, row, get, rounds, max(1, row.calls // share))
            print("  ".join(line(row.name, found)), file=sys.stderr, flush=True)
            results[row.name] = found
    return results


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="times each request is measured")
    parser.add_argument("--only", default="", help="rows with this word in their name")
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rounds, share = (1, 50) if given.quick else (given.rounds, 1)
    results = measure_all(rounds, given.only, share)
    body = page(results, rounds)
    title = "Costs of requests, in gets of one bin"
    publish("costs", title, body, write=not given.quick and not given.only)


if __name__ == "__main__":
    main()
