"""What the primary index costs: time beside a dict, bytes a record, the longest stall of growth.

Run as `python bench/storage_index.py`; takes about 15 seconds. Rounds interleave the contenders;
shown are medians, in microseconds unless said otherwise. The digests looked up are drawn at random
from the whole index, so at 1,000,000 records most reads miss the processor's caches.
"""

import itertools
import mmap
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from storage.index import PrimaryIndex

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 9
SAMPLE = 5_000

Entries = dict[bytes, tuple[int, ...]]


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


def random_digests(count: int) -> list[bytes]:
    """The same digests each time it is called."""
    source = random.Random(1)
    return [source.randbytes(20) for _ in range(count)]


def fill_index(digests: Sequence[bytes]) -> PrimaryIndex:
    """An index of the digests; every tenth expires."""
    index = PrimaryIndex()
    for number, digest in enumerate(digests):
        index.insert(digest, 1, number % 4, number % 10 == 0, 0, 1 << 38, number << 5, 21)
    return index


def resident_bytes() -> int:
    """Physical memory of this process."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def grow(kind: str, count: int) -> None:
    """Print bytes of process growth a record, and the five longest inserts in ms (run alone).

    Processor time, so that what other processes take of the machine does not count.
    """
    source = random.Random(1)
    longest_us = [0.0] * 5
    index = PrimaryIndex()
    entries: Entries = {}
    before = resident_bytes()
    for number in range(count):
        digest = source.randbytes(20)
        start = time.thread_time_ns()
        if kind == "PrimaryIndex":
            index.insert(digest, 1, 0, 0, 0, 1 << 38, number, 21)
        else:
            entries[digest] = (1, 0, 0, 0, 1 << 38, number, 21)
        taken_us = (time.thread_time_ns() - start) / 1000
        if taken_us > longest_us[0]:
            longest_us = sorted([taken_us, *longest_us[1:]])
    each = (resident_bytes() - before) / count
    longest = " ".join(f"{us / 1000:.2f}" for us in reversed(longest_us))
    print(f"{kind:16}{count:>10}{each:>10.1f}    {longest}")


def compare_access() -> None:
    """Ways of getting 20 bytes out of a large area as something to compare."""
    area = mmap.mmap(-1, 1 << 20)
    array = bytearray(1 << 20)
    view = memoryview(area)
    offsets = [64 * number for number in range(SAMPLE)]
    digest = bytes(20)
    ways: dict[str, Callable[[], object]] = {
        "mmap[a:b] == d": lambda: [area[o : o + 20] == digest for o in offsets],
        "bytearray[a:b] == d": lambda: [array[o : o + 20] == digest for o in offsets],
        "memoryview[a:b] == d": lambda: [view[o : o + 20] == digest for o in offsets],
        "bytearray.startswith": lambda: [array.startswith(digest, o) for o in offsets],
        "mmap[a:b] as bytes": lambda: [area[o : o + 20] for o in offsets],
        "bytes(bytearray[a:b])": lambda: [bytes(array[o : o + 20]) for o in offsets],
        "bytes(memoryview[a:b])": lambda: [bytes(view[o : o + 20]) for o in offsets],
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _, (name, way) in itertools.product(range(ROUNDS), ways.items()):
        times[name].append(elapsed_us(way) / SAMPLE)
    print("20 bytes of an area                us")
    for name, taken in times.items():
        print(f"{name:28}{statistics.median(taken):>9.3f}")


def compare_lookups(count: int) -> None:
    """One row of the table: find, dict, entry, insert and remove at some number of records."""
    digests = random_digests(count)
    index = fill_index(digests)
    entries: Entries = dict.fromkeys(digests, (1, 0, 0, 0, 1 << 38, 0, 21))
    random.Random(2).shuffle(digests)
    times: dict[str, list[float]] = {}

    def measure(name: str, function: Callable[[bytes], object], sample: list[bytes]) -> None:
        times.setdefault(name, []).append(each_us(function, sample))

    for number in range(ROUNDS):
        # Each contender has digests of its own, as copies, so that none finds its way warmed up.
        fresh = [
            [
                bytes(bytearray(digest))
                for digest in random.Random(5 * number + part).sample(digests, min(SAMPLE, count))
            ]
            for part in range(4)
        ]
        measure("find", index.find, fresh[0])
        measure("dict", entries.get, fresh[1])
        measure("absent", index.find, [digest[:12] + bytes(8) for digest in fresh[2]])
        measure("remove", index.remove, fresh[3])
        measure("insert", lambda d: index.insert(d, 1, 0, 0, 0, 1 << 38, 0, 21), fresh[3])
    row = "".join(f"{statistics.median(taken):>9.3f}" for taken in times.values())
    print(f"{count:>10}{row}{index.memory_bytes / count:>9.1f}")


def measure_passes(count: int) -> None:
    """Passes over the whole index, a record, and the longest a caller waits for one slice."""
    index = fill_index(random_digests(count))
    passes: dict[str, Callable[[int, int], object]] = {
        "column of void-times": lambda first, last: index.column("void_time", first, last),
        "expired, none is": lambda first, last: index.expired(1, first, last),
        "expired, 1 in 10 is": lambda first, last: index.expired(2, first, last),
        "in_set, 1 in 4 is": lambda first, last: index.in_set(3, first, last),
        "in_set, none is": lambda first, last: index.in_set(99, first, last),
    }
    print("whole index                      ns/record   longest slice, ms")
    for name, step in passes.items():
        slices = [elapsed_us(lambda step=step, part=part: step(*part)) for part in index.slices()]
        print(f"{name:28}{sum(slices) * 1000 / count:>14.1f}{max(slices) / 1000:>20.2f}")
    walks = [elapsed_us(lambda p=p: index.digests(p)) for p in range(4096)]
    print(
        f"{'digests of partitions':28}{sum(walks) * 1000 / count:>14.1f}{max(walks) / 1000:>20.2f}"
    )


def main() -> None:
    """Measure everything and print the tables."""
    print(f"Python {platform.python_version()} on {platform.machine()}, medians of {ROUNDS}\n")
    compare_access()
    print(
        f"\n{'records':>10}{'find':>9}{'dict.get':>9}{'absent':>9}{'remove':>9}{'insert':>9}{'bytes':>9}"
    )
    for count in SIZES:
        compare_lookups(count)
    print()
    measure_passes(SIZES[-1])
    print(f"\n{'growing':16}{'records':>10}{'bytes':>10}    longest inserts, ms", flush=True)
    for count, kind in itertools.product(SIZES[1:], ("PrimaryIndex", "dict of tuples")):
        subprocess.run([sys.executable, __file__, kind, str(count)], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        grow(sys.argv[1], int(sys.argv[2]))
    else:
        main()
