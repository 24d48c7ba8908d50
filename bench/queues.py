"""What the queues and the shared hash table cost beside the standard library's.

Run as `python bench/queues.py`; takes some 20 seconds. Every round measures each contender once, in
turn, so that a slow moment of the machine falls on all of them; shown are the medians of the rounds
and the ratio to the first contender of the group. Times are of one operation as described, in
microseconds of wall time.
"""

import platform
import queue
import statistics
import threading
import time
from collections.abc import Callable

from citrusleaf import CfQueue, CfQueuePriority, CfShash

ROUNDS = 15
PAIRS = 100_000
ROUND_TRIPS = 3_000
TABLE_KEYS = [index.to_bytes(20, "little") for index in range(10_000)]

Put = Callable[[int], object]
Get = Callable[[], int]


class DictAndLock:
    """The plain way: a dict behind one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[bytes, int] = {}

    def put(self, key: bytes, value: int) -> None:
        with self._lock:
            self._entries[key] = value

    def get(self, key: bytes) -> int | None:
        with self._lock:
            return self._entries.get(key)

    def put_or_update(self, key: bytes, value: int, update: Callable[[int], int]) -> int:
        with self._lock:
            if key in self._entries:
                value = update(self._entries[key])
            self._entries[key] = value
            return value


Table = CfShash[bytes, int] | DictAndLock


def new_queue(kind: str) -> tuple[Put, Get]:
    """The put and get of an empty queue of some kind."""
    match kind:
        case "queue.Queue":
            plain: queue.Queue[int] = queue.Queue()
            return plain.put, plain.get
        case "queue.SimpleQueue":
            simple: queue.SimpleQueue[int] = queue.SimpleQueue()
            return simple.put, simple.get
        case "CfQueuePriority":
            levels = CfQueuePriority[int]()
            return levels.push, levels.pop
    fifo = CfQueue[int]()
    return fifo.push, fifo.pop


def elapsed_us(work: Callable[[], object], *threads: Callable[[], object]) -> float:
    """Microseconds until `work`, here, and the others, each in a thread, are all done."""
    running = [threading.Thread(target=thread) for thread in threads]
    start = time.perf_counter_ns()
    for thread in running:
        thread.start()
    work()
    for thread in running:
        thread.join()
    return (time.perf_counter_ns() - start) / 1000


def one_thread(kind: str) -> float:
    """A put and a get, by turns."""
    put, get = new_queue(kind)

    def work() -> None:
        for number in range(PAIRS):
            put(number)
            get()

    return elapsed_us(work) / PAIRS


def two_threads(kind: str) -> float:
    """An item from one thread that puts to another that gets, as fast as they can."""
    put, get = new_queue(kind)

    def produce() -> None:
        for number in range(PAIRS):
            put(number)

    def consume() -> None:
        for _ in range(PAIRS):
            get()

    return elapsed_us(consume, produce) / PAIRS


def round_trip(kind: str) -> float:
    """An item to another thread and back: four times a waiter is woken or waited for."""
    put_there, get_there = new_queue(kind)
    put_back, get_back = new_queue(kind)

    def echo() -> None:
        for _ in range(ROUND_TRIPS):
            put_back(get_there())

    def work() -> None:
        for number in range(ROUND_TRIPS):
            put_there(number)
            get_back()

    return elapsed_us(work, echo) / ROUND_TRIPS


def new_table(kind: str) -> Table:
    """An empty table of some kind."""
    return CfShash[bytes, int](256) if kind == "CfShash" else DictAndLock()


def table_one_thread(kind: str) -> float:
    """A put and a get of a key."""
    table = new_table(kind)

    def work() -> None:
        for key in TABLE_KEYS:
            table.put(key, 1)
            table.get(key)

    return elapsed_us(work) / len(TABLE_KEYS)


def table_update(kind: str) -> float:
    """A put_or_update of a key that is there."""
    table = new_table(kind)
    for key in TABLE_KEYS:
        table.put(key, 1)

    def work() -> None:
        for key in TABLE_KEYS:
            table.put_or_update(key, 1, abs)

    return elapsed_us(work) / len(TABLE_KEYS)


def table_four_threads(kind: str) -> float:
    """A put and a get of a key, while three other threads do the same."""
    table = new_table(kind)

    def work() -> None:
        for key in TABLE_KEYS:
            table.put(key, 1)
            table.get(key)

    return elapsed_us(work, work, work, work) / len(TABLE_KEYS) / 4


QUEUES = ("queue.Queue", "CfQueue", "CfQueuePriority", "queue.SimpleQueue")
TABLES = ("dict + Lock", "CfShash")
GROUPS: tuple[tuple[str, Callable[[str], float], tuple[str, ...]], ...] = (
    ("put + get, one thread", one_thread, QUEUES),
    ("put -> get, two threads", two_threads, QUEUES),
    ("there and back, two threads", round_trip, QUEUES),
    ("put + get a key, one thread", table_one_thread, TABLES),
    ("put_or_update a key, one thread", table_update, TABLES),
    ("put + get a key, four threads", table_four_threads, TABLES),
)


def main() -> None:
    """Measure everything, round by round, and print the table."""
    samples: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for title, measure, kinds in GROUPS:
            for kind in kinds:
                samples.setdefault((title, kind), []).append(measure(kind))
    print(f"Python {platform.python_version()} on {platform.machine()}, medians of {ROUNDS}\n")
    print(f"{'operation':33}{'contender':20}{'us':>8}{'min':>8}{'max':>8}{'speed':>8}")
    for title, _, kinds in GROUPS:
        base_us = statistics.median(samples[title, kinds[0]])
        for kind in kinds:
            times_us = samples[title, kind]
            us = statistics.median(times_us)
            print(
                f"{title:33}{kind:20}{us:8.3f}{min(times_us):8.3f}{max(times_us):8.3f}"
                f"{base_us / us:7.2f}x"
            )
        print()


if __name__ == "__main__":
    main()
