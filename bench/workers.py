"""What it costs to have an operation done by a worker process, beside doing it on the loop.

    python bench/workers.py

For lists of growing size: the loop's processor time, and the time in all, of handing record and
operation to a worker and taking the answer back (a count by interval, which reads; an append, which
has the whole record come back), and the time of the same on the loop. Least of the rounds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from harness import table

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import Message, Op
from asd.bins.particle import Particle
from asd.process.loops import new_event_loop
from asd.process.workers import WorkerProcesses
from asd.records.record import pack_bins
from asd.records.work import Work
from asd.transactions.worker import Worker
from citrusleaf.cf_clock import SystemClock

SIZES = (100, 1_000, 4_000, 13_000, 50_000, 190_000)
ROUNDS = 30


def work(count: int, info2: int, op: list[object]) -> Work:
    """An operation on a list of so many integers."""
    data = as_msgpack.pack([70_000 + at * 48_271 % 1_999_993 for at in range(count)])
    record = (1, 0, 0, 0, 0, pack_bins({b"a": Particle(ParticleType.LIST, data)}))
    kind = OpType.CDT_MODIFY if info2 else OpType.CDT_READ
    ops = [Op(kind, 0, b"a", as_msgpack.pack(op))]
    message = Message(Info1.READ, info2, 0, 0, 0, 0, 0, 0, {}, ops)
    return Work(message, bytes(20), record, b"set", 0, 2 << 20, 60_000)


async def least(do: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Milliseconds of one call: by the clock, and of the loop's processor."""
    best, cpu = 1e9, 1e9
    for _ in range(ROUNDS):
        began, used = time.perf_counter(), time.thread_time()
        await do()
        best = min(best, time.perf_counter() - began)
        cpu = min(cpu, time.thread_time() - used)
    return best * 1e3, cpu * 1e3


async def measure() -> None:
    """Measure and print."""
    workers, here = WorkerProcesses(Worker), Worker(SystemClock())
    rows = []
    for count in SIZES:
        for name, info2, op in (
            ("count by interval", 0, [25, 5, 100_000, 900_000]),
            ("append", Info2.WRITE, [1, 5]),
        ):
            asked = work(count, info2, op)

            async def away(asked: Work = asked) -> object:
                return await workers.run(asked, asked.size, 60)

            async def inline(asked: Work = asked) -> object:
                return here(asked)

            there, loop = await least(away)
            _, held = await least(inline)
            size = len(asked.record[5]) if asked.record else 0
            rows.append([name, f"{size:,}", f"{held:.2f}", f"{loop:.2f}", f"{there:.2f}"])
    await workers.stop()
    heads = ["operation", "bytes", "on the loop, ms", "handed over: loop's ms", "in all, ms"]
    print(table(heads, rows))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(measure())
