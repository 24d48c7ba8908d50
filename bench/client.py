"""Our client beside the official one, on the same server in the same run.

    python bench/client.py [--rounds N] [--records N] [--pin]

The clients take turns, a slice each: a ratio is the median of the ratios within each round, which
says more than rates where other programs run. `--pin` keeps both clients on one core and the server
on another. The official client is a C extension; what stands beside "64 in flight" is the rate of
its blocking calls, for it has no others.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from harness import asd_command, running, table

from aerospike_client import AsyncClient, BatchPut, Client, Key

GETS = 400
"""Single commands in a slice."""
IN_FLIGHT = 64
ROWS = 100
BATCHES = 20

Slice = Callable[[], int]
"""Does its work once; how many commands or records that was."""


def pin(server_pid: int) -> str:
    """Clients on one core, the server on another; said in words."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return "not pinned"
    os.sched_setaffinity(0, {cores[0]})
    os.sched_setaffinity(server_pid, {cores[1]})
    return "clients on one core, the server on another"


def rate(work: Slice) -> float:
    """Commands or records a second."""
    begun = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - begun)


def repeated(count: int, call: Callable[[], object]) -> Slice:
    """A slice of so many calls."""

    def work() -> int:
        for _ in range(count):
            call()
        return count

    return work


def counted(records: Callable[[], Any]) -> Slice:
    """A slice that takes all records and keeps none."""
    return lambda: sum(1 for _ in records())


def concurrent(runner: asyncio.Runner, call: Callable[[], Awaitable[object]]) -> Slice:
    """A slice with 64 commands in flight all the time."""

    async def worker(count: int) -> None:
        for _ in range(count):
            await call()

    async def work() -> int:
        await asyncio.gather(*(worker(GETS // 8) for _ in range(IN_FLIGHT)))
        return IN_FLIGHT * (GETS // 8)

    return lambda: runner.run(work())


async def count_async(client: AsyncClient) -> int:
    """Take all records of the set."""
    count = 0
    async for _ in client.query("test", "many"):
        count += 1
    return count


def official_scan(official: Any) -> Slice:
    """Take all records of the set, one by one."""

    def work() -> int:
        count = 0

        def take(_record: object) -> None:
            nonlocal count
            count += 1

        official.query("test", "many").foreach(take)
        return count

    return work


def pairs(
    official: Any, client: Client, asynchronous: AsyncClient, runner: asyncio.Runner
) -> dict[str, tuple[Slice, Slice]]:
    """What is measured: the official client's slice and ours."""
    name = ("test", "one", 1)
    key = Key("test", "one", 1)
    names = [("test", "batch", number) for number in range(ROWS)]
    keys = [Key("test", "batch", number) for number in range(ROWS)]
    bins = {"a": 1, "b": "hello world"}
    gets = repeated(GETS, lambda: official.get(name))
    return {
        "get, blocking": (gets, repeated(GETS, lambda: client.get(key))),
        "put, blocking": (
            repeated(GETS, lambda: official.put(name, bins)),
            repeated(GETS, lambda: client.put(key, bins)),
        ),
        "get, asyncio, 64 in flight": (gets, concurrent(runner, lambda: asynchronous.get(key))),
        "batch of 100 gets, blocking": (
            repeated(BATCHES, lambda: official.batch_read(names)),
            repeated(BATCHES, lambda: client.get_many(keys)),
        ),
        "scan, one by one, blocking": (
            official_scan(official),
            counted(lambda: client.query("test", "many")),
        ),
        "scan, one by one, asyncio": (
            official_scan(official),
            lambda: runner.run(count_async(asynchronous)),
        ),
        "scan into a list, blocking": (
            lambda: len(official.query("test", "many").results()),
            lambda: len(list(client.query("test", "many"))),
        ),
    }


def fill(client: Client, records: int) -> None:
    """The records that the slices read."""
    bins = {"a": 1, "b": "hello world"}
    client.put(Key("test", "one", 1), bins)
    client.batch([BatchPut(Key("test", "batch", number), bins) for number in range(ROWS)])
    for begin in range(0, records, 1000):
        numbers = range(begin, min(begin + 1000, records))
        client.batch([BatchPut(Key("test", "many", n), {"a": n, "b": "hello"}) for n in numbers])


def measure(
    what: dict[str, tuple[Slice, Slice]], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Rates of both clients, round by round, in turn."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in what}
    for _ in range(rounds):
        for name, (theirs, ours) in what.items():
            repeats = 1 if name.startswith("scan") else 4  # a scan's slice is long
            rates[name] += [(rate(theirs), rate(ours)) for _ in range(repeats)]
    return rates


def report(rates: dict[str, list[tuple[float, float]]]) -> str:
    """The table."""
    rows = []
    for name, found in rates.items():
        theirs, ours = (median(pair[side] for pair in found) for side in (0, 1))
        ratio = median(our / their for their, our in found)
        best = max(our for _, our in found) / max(their for their, _ in found)
        figures = [f"{theirs:,.0f}", f"{ours:,.0f}", f"{ratio:.2f}", f"{1 / ratio:.2f}"]
        rows.append([name, *figures, f"{best:.2f}", f"{1 / best:.2f}"])
    header = ["", "official /s", "ours /s", "rate", "time", "best rate", "best time"]
    return table(header, rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="times each slice is run")
    parser.add_argument("--records", type=int, default=100_000, help="records that are scanned")
    parser.add_argument("--pin", action="store_true", help="clients on one core, server on another")
    given = parser.parse_args()
    try:
        import aerospike
        import uvloop
    except ImportError as missing:
        sys.exit(f"needs {missing.name}: it is what is compared with, or what asyncio runs on")
    warnings.simplefilter("ignore", DeprecationWarning)
    with (
        running(asd_command()) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        pinned = pin(server.process.pid) if given.pin else "not pinned"
        address = ("127.0.0.1", server.port)
        official = aerospike.client({"hosts": [address]}).connect()
        asynchronous = AsyncClient([address])
        runner.run(asynchronous.connect())
        with Client([address]) as client:
            fill(client, given.records)
            what = pairs(official, client, asynchronous, runner)
            measure(what, 1)
            rates = measure(what, given.rounds)
        runner.run(asynchronous.close())
        official.close()
    print(
        f"{given.rounds} rounds, {given.records:,} records scanned, {pinned}, asyncio on uvloop.\n"
    )
    print(report(rates))
    print("\nRates and times are ours in parts of the official client's; the best of all slices,")
    print("compared with the best, is what other programs disturb least.")


if __name__ == "__main__":
    main()
