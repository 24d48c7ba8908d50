"""Change shipping: what it costs writers, how fast a destination catches up, how far it is behind.

    python bench/shipping.py

Two servers of one node, namespaces in memory, everything on this machine; records of one bin of 100
bytes. Beside rates there are the processor times of either side for a record: they say what a
machine with a core for each would do, and are less disturbed by others.

    puts        of the load generator (8 connections, 16 in flight), without a destination, with one
                that is paused (changes are noted), with one that takes them, in turns; shares are
                medians of those within each turn
    catching up `rewind=all` after all records are there, until the last is acknowledged
    lag         from the time of a change to its arrival at a connector in this process, while
                records are written at a steady rate
    scanning    what recovery does to find 1 % that changed among 1,000,000 records, no server
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import median

import psutil
from harness import Server, asd_command, load, publish, running, table

from aerospike_client import AsyncClient, Key
from aerospike_client.changes import Receiver
from asd.process.node_processes import ask
from asd.shipping.recovery import changed_since
from citrusleaf.cf_digest import key_digest
from storage import MemoryEngine

RECORDS = 60_000
KEYS = 100_000
TURNS = 5
SECONDS = 2.0
STEADY_PER_S = 2000
STEADY_S = 5.0
SCANNED = 1_000_000


@dataclass
class Watched:
    """A server, and the processor time it has used."""

    server: Server

    def cpu_s(self) -> float:
        """Of the process, in user and system."""
        used = psutil.Process(self.server.process.pid).cpu_times()
        return float(used.user + used.system)

    def info(self, command: str) -> str:
        """The answer to an info command."""
        return ask(self.server.port, command)

    def xdr(self, change: str) -> None:
        """Change what is shipped."""
        answer = self.info(f"set-config:context=xdr;dc=there;{change}")
        assert answer == "ok", f"{change}: {answer}"

    def figure(self, name: str) -> int:
        """One of the figures of the destination."""
        text = self.info("get-stats:context=xdr;dc=there;namespace=test")
        return int(dict(row.split("=") for row in text.split(";"))[name])


def configure(source: Watched, port: int, *, connector: bool = False) -> None:
    """A destination, not attached yet."""
    source.xdr("action=create")
    if connector:
        source.xdr("connector=true")
    source.xdr(f"node-address-port=127.0.0.1:{port};action=add")
    source.xdr("namespace=test;max-throughput=1000000")


def puts(source: Watched) -> tuple[float, float, float]:
    """Puts a second without a destination; and of that the share with one that is paused, where
    changes are only noted, and with one that takes them."""
    without, noted, shipped = [], [], []
    for _ in range(TURNS):
        without.append(put_rate(source))
        source.xdr("namespace=test;max-throughput=0")
        source.xdr("namespace=test;action=add")
        noted.append(put_rate(source) / without[-1])
        source.xdr("namespace=test;max-throughput=1000000")
        shipped.append(put_rate(source) / without[-1])
        source.xdr("namespace=test;action=remove")
    return median(without), median(noted), median(shipped)


def put_rate(source: Watched) -> float:
    """Puts a second."""
    return load(source.server.port, 8, 16, SECONDS, "put", KEYS).per_second


async def fill(port: int, records: int) -> None:
    """Records of one bin of 100 bytes."""
    async with AsyncClient(f"127.0.0.1:{port}") as client:
        for first in range(0, records, 200):
            numbers = range(first, first + 200)
            await asyncio.gather(
                *(client.put(Key("test", "s", n), {"x": b"v" * 100}) for n in numbers)
            )


def catch_up(source: Watched, destination: Watched) -> tuple[float, float, float]:
    """Records a second, and microseconds of processor for a record here and there."""
    asyncio.run(fill(source.server.port, RECORDS))
    before, began = source.figure("success"), time.perf_counter()
    here_s, there_s = source.cpu_s(), destination.cpu_s()
    source.xdr("namespace=test;action=add;rewind=all")
    while source.figure("success") - before < RECORDS:
        time.sleep(0.2)
    seconds = time.perf_counter() - began
    here_us = (source.cpu_s() - here_s) * 1e6 / RECORDS
    there_us = (destination.cpu_s() - there_s) * 1e6 / RECORDS
    return RECORDS / seconds, here_us, there_us


async def lags_ms(source: Watched) -> list[float]:
    """Milliseconds from each change to its arrival."""
    receiver = Receiver()
    configure(source, await receiver.listen("127.0.0.1", 0), connector=True)
    source.xdr("namespace=test;action=add")
    lags: list[float] = []

    async def arrive() -> None:
        while True:
            for each in await receiver.take(1000):
                assert each.change is not None
                lags.append(time.time() * 1000 - each.change.updated_ms)
                each.answer()

    arriving = asyncio.create_task(arrive())
    async with AsyncClient(f"127.0.0.1:{source.server.port}") as client:
        began, written = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < STEADY_S:
            due = int(passed * STEADY_PER_S)
            numbers = range(written, min(due, written + 200))
            await asyncio.gather(
                *(client.put(Key("test", "lag", n), {"x": b"v" * 100}) for n in numbers)
            )
            written = numbers.stop
            await asyncio.sleep(0.005)
    await asyncio.sleep(1)
    arriving.cancel()
    await receiver.close()
    return sorted(lags)


def scan() -> float:
    """Records a second that recovery looks through."""
    engine = MemoryEngine()
    engine.open()
    for number in range(SCANNED):
        time_ms = 2_000_000 if number % 100 == 0 else 1_000_000
        engine.put(key_digest("s", number), 1, 0, time_ms, 0, 0, b"\0\0")
    began, found = time.perf_counter(), 0
    for partition in range(4096):
        found += len(changed_since(engine.index, partition, 1_500_000, lambda s, f: True))
    seconds = time.perf_counter() - began
    assert found == SCANNED // 100
    return SCANNED / seconds


def main() -> None:
    """Measure and print."""
    with running(asd_command()) as one, running(asd_command()) as other:
        source, destination = Watched(one), Watched(other)
        configure(source, other.port)
        without, noted, shipped = puts(source)
        rate, here_us, there_us = catch_up(source, destination)
    with running(asd_command()) as one:
        lags = asyncio.run(lags_ms(Watched(one)))
    rows = [
        ["puts/s without a destination", f"{without:,.0f}"],
        ["share of them with one that is paused", f"{noted:.2f}"],
        ["share of them with one that takes them", f"{shipped:.2f}"],
        ["records/s when catching up", f"{rate:,.0f}"],
        ["processor of the source, µs a record", f"{here_us:.1f}"],
        ["processor of the destination, µs a record", f"{there_us:.1f}"],
        [f"lag at {STEADY_PER_S}/s, median, ms", f"{median(lags):.0f}"],
        ["lag, 99 %, ms", f"{lags[len(lags) * 99 // 100]:.0f}"],
        ["records/s scanned by recovery", f"{scan():,.0f}"],
    ]
    publish("shipping", "Change shipping", table(["What", "Measured"], rows))


if __name__ == "__main__":
    main()
