"""What the memory engine costs: time of an operation, bytes a record, the longest put of growth.

Run as `python bench/storage_memory.py`; takes about 20 seconds. Records hold one integer bin: 21
bytes of payload. Shown are medians of interleaved rounds over digests drawn at random from the
whole store, in microseconds unless said otherwise; at 1,000,000 records most reads miss the
processor's caches.
"""

import itertools
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from storage.memory import MemoryEngine

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 9
SAMPLE = 5_000
PAYLOAD = bytes(21)
OVERWRITES = 1_000_000
NOW_MS = 1 << 38


def elapsed_us(work: Callable[[], object]) -> float:
    """Microseconds of wall time that `work` takes."""
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1000


def each_us(function: Callable[[bytes], object], digests: Sequence[bytes]) -> float:
    """Microseconds a call, the loop's own cost included."""

    def work() -> None:
        for digest in digests:
            function(digest)

    return elapsed_us(work) / len(digests)


def put_us(engine: MemoryEngine, digests: Sequence[bytes], payload: bytes) -> float:
    """Microseconds a put of the same payload, without a function between as `each_us` needs."""
    put = engine.put

    def work() -> None:
        for digest in digests:
            put(digest, 2, 0, NOW_MS, 1, 0, payload)

    return elapsed_us(work) / len(digests)


def filled(count: int) -> tuple[MemoryEngine, list[bytes]]:
    """A store of `count` records and their digests in random order."""
    source = random.Random(1)
    digests = [source.randbytes(20) for _ in range(count)]
    engine = MemoryEngine()
    for digest in digests:
        engine.put(digest, 1, 0, NOW_MS, 1, 0, PAYLOAD)
    source.shuffle(digests)
    return engine, digests


def measure_operations(count: int) -> None:
    """One row of the table of operations, at some number of records."""
    engine, digests = filled(count)
    times: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        # Digests of their own, as copies, so that no operation finds its way warmed up.
        source = random.Random(number)
        samples = [
            [bytes(bytearray(digest)) for digest in source.sample(digests, min(SAMPLE, count))]
            for _ in range(4)
        ]
        for name, taken in (
            ("get", each_us(engine.get, samples[0])),
            ("same size", put_us(engine, samples[1], PAYLOAD)),
            ("other size", put_us(engine, samples[2], bytes(30 + 16 * (number % 2)))),
            ("remove", each_us(engine.remove, samples[3])),
            ("new", put_us(engine, samples[3], PAYLOAD)),
        ):
            times.setdefault(name, []).append(taken)
    scan_us = elapsed_us(lambda: sum(1 for p in range(4096) for _ in engine.scan(p)))
    clear_ms = elapsed_us(engine.clear) / 1000
    row = "".join(f"{statistics.median(taken):>12.3f}" for taken in times.values())
    print(f"{count:>10}{row}{scan_us / count:>12.3f}{clear_ms:>12.2f}", flush=True)


def measure_overwrites() -> None:
    """Overwrites at random with payloads of changing size: their cost, and the log."""
    engine, digests = filled(100_000)
    source = random.Random(1)
    print(f"\n{'overwrites':>10}{'us each':>10}{'moves each':>12}{'live MB':>9}{'log MB':>9}")
    moved = 0
    for done in range(OVERWRITES // 5, OVERWRITES + 1, OVERWRITES // 5):
        work = [
            (source.choice(digests), bytes(source.randrange(200))) for _ in range(OVERWRITES // 5)
        ]

        def overwrite(work: list[tuple[bytes, bytes]] = work) -> None:
            for digest, payload in work:
                engine.put(digest, 2, 0, NOW_MS, 1, 0, payload)

        taken_us = elapsed_us(overwrite)
        state = engine.statistics()
        moves = state["defrag_writes"] - moved
        moved += moves
        print(
            f"{done:>10}{taken_us / len(work):>10.3f}{moves / len(work):>12.2f}"
            f"{state['data_used_bytes'] / 1e6:>9.1f}{state['data_total_bytes'] / 1e6:>9.1f}"
        )


def resident_bytes() -> int:
    """Physical memory of this process."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def grow(kind: str, count: int) -> None:
    """Print bytes of process growth a record, and the five longest puts in ms (run alone).

    Processor time, so that what other processes take of the machine does not count.
    """
    source = random.Random(1)
    longest_us = [0.0] * 5
    engine = MemoryEngine()
    records: dict[bytes, tuple[int, int, int, int, int, bytes]] = {}
    before = resident_bytes()
    for _ in range(count):
        digest = source.randbytes(20)
        payload = source.randbytes(21)
        start = time.thread_time_ns()
        if kind == "MemoryEngine":
            engine.put(digest, 1, 0, NOW_MS, 1, 0, payload)
        else:
            records[digest] = (1, 0, NOW_MS, 1, 0, payload)
        taken_us = (time.thread_time_ns() - start) / 1000
        if taken_us > longest_us[0]:
            longest_us = sorted([taken_us, *longest_us[1:]])
    each = (resident_bytes() - before) / count
    longest = " ".join(f"{us / 1000:.2f}" for us in reversed(longest_us))
    print(f"{kind:16}{count:>10}{each:>10.1f}    {longest}")


def main() -> None:
    """Measure everything and print the tables."""
    print(f"Python {platform.python_version()} on {platform.machine()}, medians of {ROUNDS}\n")
    heads = ("get", "put", "put resized", "remove", "put new", "scan, each", "clear, ms")
    print(f"{'records':>10}" + "".join(f"{head:>12}" for head in heads))
    for count in SIZES:
        measure_operations(count)
    measure_overwrites()
    print(f"\n{'growing':16}{'records':>10}{'bytes':>10}    longest puts, ms", flush=True)
    for count, kind in itertools.product(SIZES[1:], ("MemoryEngine", "dict of tuples")):
        subprocess.run([sys.executable, __file__, kind, str(count)], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        grow(sys.argv[1], int(sys.argv[2]))
    else:
        main()
