"""The engines beside LMDB, SQLite and RocksDB used directly: the same records, in the same run.

    python bench/storage/engines.py [--records N] [--only STORE...] [--quick]

Records are 100 to 1,000 bytes under 20-byte keys, in random order. `unsynced` stores are synced (or
flushed) every second, as a server does with flush-max-ms 1000, by another thread where they allow
that; `synced` ones before a put counts as done. A scan meets every record in the store's own order,
and ours besides partition by partition in the order of digests, as queries need it. Each store runs
in a process of its own; times are wall time. For the cold cache its files are dropped from the page
cache first. The puts that are compared with one another are besides measured by turns. RocksDB
needs `rocksdict`; a store whose library is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import harness

RECORDS = 1_000_000
SAMPLE = 100_000
WRITERS = 32
SYNCED_SECONDS = 3.0
TURNS = 3
QUICK_RECORDS = 5_000
PAYLOADS = 4096


class Engine:
    """One of ours."""

    SYNCS_ASIDE = True

    def __init__(self, make: Callable[[str], Any], folder: str) -> None:
        self._make = lambda: make(folder + "/a")
        self.open()

    def open(self) -> None:
        self.engine = self._make()
        self.engine.open()
        self.get = self.engine.get
        self.sync = self.engine.sync
        self.delete = self.engine.remove
        put = self.engine.put

        def put_record(key: bytes, value: bytes) -> None:
            put(key, 1, 0, 1 << 38, 1, 0, value)

        self.put = put_record

    def scan(self) -> int:
        return sum(1 for _ in self.engine.records())

    def scan_partitions(self) -> int:
        return sum(1 for partition in range(4096) for _ in self.engine.scan(partition))

    def close(self) -> None:
        self.engine.close()


def memory(_: str) -> Any:
    from storage import MemoryEngine

    return MemoryEngine()


def mapped(path: str) -> Any:
    from storage.mapped import MappedMemoryEngine

    return MappedMemoryEngine(path)


def ssd(path: str) -> Any:
    from storage.ssd import SsdEngine

    return SsdEngine([path], block_size=8 << 20, read_blocking=True)


def ssd_zstd(path: str) -> Any:
    from storage.ssd import SsdEngine

    return SsdEngine([path], block_size=8 << 20, read_blocking=True, compression="zstd")


def kv(path: str) -> Any:
    from storage.kv import KvEngine

    return KvEngine(path)


def cold(path: str) -> Any:
    from storage.cold import ColdEngine

    return ColdEngine(path, block_size=8 << 20, read_blocking=True)


class Lmdb:
    """LMDB, the open transaction committed by `sync`."""

    SYNCS_ASIDE = False

    def __init__(self, folder: str) -> None:
        self._path = folder + "/a"
        self.open()

    def open(self) -> None:
        import lmdb

        self._environment = lmdb.open(self._path, subdir=False, map_size=1 << 40)
        self._begin()

    def _begin(self) -> None:
        self._transaction = self._environment.begin(write=True)

    def put(self, key: bytes, value: bytes) -> None:
        self._transaction.put(key, value)

    def get(self, key: bytes) -> object:
        return self._transaction.get(key)

    def delete(self, key: bytes) -> None:
        self._transaction.delete(key)

    def sync(self) -> None:
        self._transaction.commit()
        self._begin()

    def scan(self) -> int:
        return sum(1 for _ in self._transaction.cursor().iternext())

    def close(self) -> None:
        self._transaction.commit()
        self._environment.close()


class Sqlite:
    """SQLite with a write-ahead log, the open transaction committed by `sync`."""

    SYNCS_ASIDE = False

    def __init__(self, folder: str) -> None:
        self._path = folder + "/a"
        self.open()

    def open(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.execute("create table if not exists r (k blob primary key, v blob) without rowid")
        self._db.execute("begin")

    def put(self, key: bytes, value: bytes) -> None:
        self._db.execute("insert or replace into r values (?, ?)", (key, value))

    def get(self, key: bytes) -> object:
        return self._db.execute("select v from r where k = ?", (key,)).fetchone()

    def delete(self, key: bytes) -> None:
        self._db.execute("delete from r where k = ?", (key,))

    def sync(self) -> None:
        self._db.execute("commit")
        self._db.execute("begin")

    def scan(self) -> int:
        return sum(1 for _ in self._db.execute("select k, v from r"))

    def close(self) -> None:
        self._db.execute("commit")
        self._db.close()


class Rocks:
    """RocksDB, its write-ahead log flushed by `sync`."""

    SYNCS_ASIDE = True

    def __init__(self, folder: str) -> None:
        self._path = folder + "/a"
        self.open()

    def open(self) -> None:
        import rocksdict

        self._db = rocksdict.Rdict(self._path, rocksdict.Options(raw_mode=True))
        self.put = self._db.put
        self.get = self._db.get
        self.delete = self._db.delete

    def sync(self) -> None:
        self._db.flush_wal(True)

    def scan(self) -> int:
        return sum(1 for _ in self._db.items())

    def close(self) -> None:
        self._db.close()


STORES: dict[str, tuple[Callable[[str], Any], str]] = {
    "memory": (lambda folder: Engine(memory, folder), "storage"),
    "memory, mapped": (lambda folder: Engine(mapped, folder), "storage"),
    "ssd": (lambda folder: Engine(ssd, folder), "storage"),
    "ssd, zstd": (lambda folder: Engine(ssd_zstd, folder), "storage"),
    "ssd_cold": (lambda folder: Engine(cold, folder), "storage"),
    "kv": (lambda folder: Engine(kv, folder), "storage"),
    "lmdb": (Lmdb, "lmdb"),
    "sqlite3": (Sqlite, "sqlite3"),
    "rocksdict": (Rocks, "rocksdict"),
}


def payloads() -> list[bytes]:
    """Bytes like those of records: words and numbers, some four times compressible."""
    source = random.Random(7)
    words = [source.randbytes(source.randrange(2, 9)).hex().encode() for _ in range(2000)]
    made = []
    for _ in range(PAYLOADS):
        text = b" ".join(source.choices(words, k=200))
        made.append(text[: source.randrange(100, 1000)])
    return made


@contextmanager
def synced_every_second(store: Any) -> Iterator[Callable[[], None]]:
    """Sync as a server's timer does: on a thread of its own where the store allows that, otherwise
    by the function given, which is to be called now and then."""
    if not store.SYNCS_ASIDE:
        due = time.perf_counter() + 1

        def tick() -> None:
            nonlocal due
            if time.perf_counter() >= due:
                store.sync()
                due = time.perf_counter() + 1

        yield tick
        return
    done = threading.Event()

    def run() -> None:
        while not done.wait(1):
            store.sync()

    timer = threading.Thread(target=run)
    timer.start()
    try:
        yield lambda: None
    finally:
        done.set()
        timer.join()


def rate(count: int, work: Callable[[], object]) -> float:
    """Operations a second."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def drop_cache(folder: str) -> None:
    """Let the system forget what it has read of the files."""
    for path in Path(folder).rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def resident_bytes() -> int:
    """Memory of this process that is not a file's."""
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(next(x for x in status.splitlines() if x.startswith("RssAnon")).split()[1])


def disk_bytes(folder: str) -> int:
    """Bytes the files take on the disk."""
    return sum(512 * p.stat().st_blocks for p in Path(folder).rglob("*") if p.is_file())


def random_keys(source: random.Random, count: int) -> list[bytes]:
    """20-byte keys."""
    return [source.randbytes(20) for _ in range(count)]


def put_all(store: Any, keys: list[bytes], values: list[bytes]) -> None:
    """Put a record under each key, syncing every second."""
    put = store.put
    with synced_every_second(store) as tick:
        for n, key in enumerate(keys):
            put(key, values[n % PAYLOADS])
            if not n & 1023:
                tick()


def measure_puts(name: str, count: int, folder: str) -> dict[str, float]:
    """The rate of puts alone."""
    keys, values = random_keys(random.Random(1), count), payloads()
    store = STORES[name][0](folder)
    return {"put": rate(count, lambda: put_all(store, keys, values))}


def measure(name: str, count: int, folder: str) -> dict[str, float]:
    """All figures of one store."""
    source = random.Random(1)
    keys, values = random_keys(source, count), payloads()
    sample = source.sample(keys, min(SAMPLE, count))
    figures: dict[str, float] = {}
    before = resident_bytes()
    store = STORES[name][0](folder)
    figures["put"] = rate(count, lambda: put_all(store, keys, values))
    store.sync()
    figures["get"] = rate(len(sample), lambda: [store.get(key) for key in sample])
    figures["mixed"] = rate(len(sample), lambda: mixed(store, sample, values))
    figures["memory"] = (resident_bytes() - before) / count
    figures["scan"] = rate(count, store.scan)
    if isinstance(store, Engine):
        figures["scan partitions"] = rate(count, store.scan_partitions)
    start = time.perf_counter()
    store.close()
    figures["close"] = time.perf_counter() - start
    figures["disk"] = disk_bytes(folder) / count
    start = time.perf_counter()
    store.open()
    figures["reopen"] = time.perf_counter() - start
    if name != "memory":
        drop_cache(folder)
        few = sample[: len(sample) // 20]
        figures["get cold"] = rate(len(few), lambda: [store.get(key) for key in few])
        drop_cache(folder)
        figures["scan cold"] = rate(count, store.scan)
    figures["delete"] = rate(len(sample), lambda: [store.delete(key) for key in sample])
    store.sync()
    figures["synced 1"] = synced(store, keys, values, 1)
    figures["synced 32"] = synced(store, keys, values, WRITERS)
    if name in ("ssd", "ssd, zstd"):
        figures["cold start"] = cold_start(store)
    return figures


def mixed(store: Any, sample: list[bytes], values: list[bytes]) -> None:
    """Half gets, half puts."""
    get, put = store.get, store.put
    with synced_every_second(store) as tick:
        for n, key in enumerate(sample):
            if n & 1:
                get(key)
            else:
                put(key, values[n * 7 % PAYLOADS])
            if not n & 1023:
                tick()


def synced(store: Any, keys: list[bytes], values: list[bytes], writers: int) -> float:
    """Acknowledged puts a second: the puts of all writers share a sync, as in a group commit."""
    done = 0
    start = time.perf_counter()
    while (taken := time.perf_counter() - start) < SYNCED_SECONDS:
        for _ in range(writers):
            store.put(keys[done % len(keys)], values[done % PAYLOADS])
            done += 1
        store.sync()
    return done / taken


def cold_start(store: Any) -> float:
    """Records a second of a start without the index of a clean shutdown."""
    store.sync()
    for device in store.engine.logs:
        device.device.close()
    start = time.perf_counter()
    store.open()
    assert not store.engine.started_warm
    return len(store.engine.index) / (time.perf_counter() - start)


ROWS = (
    ("put, synced every second, 1/s", "put"),
    ("get, hot, 1/s", "get"),
    ("get, cold cache, 1/s", "get cold"),
    ("half gets, half puts, 1/s", "mixed"),
    ("delete, 1/s", "delete"),
    ("scan, records/s", "scan"),
    ("scan, cold cache, records/s", "scan cold"),
    ("scan by partitions, records/s", "scan partitions"),
    ("put, synced, one writer, 1/s", "synced 1"),
    ("put, synced, 32 writers, 1/s", "synced 32"),
    ("close, s", "close"),
    ("reopen, s", "reopen"),
    ("cold start, records/s", "cold start"),
    ("disk, bytes a record", "disk"),
    ("memory, bytes a record", "memory"),
)


RATIOS = (
    ("ssd hot gets, of rocksdict's", "ssd", "get", "rocksdict", "get"),
    ("ssd scan, of rocksdict's", "ssd", "scan", "rocksdict", "scan"),
    ("ssd synced puts, 32 writers, of one writer's", "ssd", "synced 32", "ssd", "synced 1"),
    ("kv puts, of lmdb's", "kv", "put", "lmdb", "put"),
)
"""(what, store, figure, other store, its figure)."""


def say(what: str) -> None:
    """Tell how far it has come."""
    print(what, file=sys.stderr, flush=True)


def run(name: str, count: int, what: str) -> dict[str, float]:
    """Measure `what` of a store in a process of its own."""
    say(f"{name}: {what}")
    start = time.perf_counter()
    folder = tempfile.mkdtemp(prefix="bench-storage-")
    try:
        command = [sys.executable, __file__, "--records", str(count), "--child", what, name, folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    finally:
        shutil.rmtree(folder)
    figures: dict[str, float] = json.loads(done.stdout)
    rates = ", ".join(f"{key} {shown(figure)}" for key, figure in figures.items())
    say(f"  {time.perf_counter() - start:.0f} s: {rates}")
    return figures


def put_ratio(names: list[str], count: int) -> list[list[str]]:
    """The puts of `ssd` beside RocksDB's, by turns."""
    if not {"ssd", "rocksdict"} <= set(names):
        return []
    ratios = []
    for _ in range(TURNS):
        ours, theirs = (run(name, count, "puts")["put"] for name in ("ssd", "rocksdict"))
        ratios.append(ours / theirs)
    return [[f"ssd puts, of rocksdict's, median of {TURNS} turns", f"{median(ratios):.2f}"]]


def shown(figure: float | None) -> str:
    """A figure, as long as it says something."""
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def report(results: dict[str, dict[str, float]], ratios: list[list[str]]) -> str:
    """Both tables."""
    names = list(results)
    rows = [[row, *(shown(results[name].get(key)) for name in names)] for row, key in ROWS]
    for what, name, key, other, its_key in RATIOS:
        if name in results and other in results:
            ratios.append([what, f"{results[name][key] / results[other][its_key]:.2f}"])
    figures = harness.table(["", *names], rows)
    return f"{figures}\n\n## Ratios\n\n{harness.table(['', ''], ratios)}"


def main() -> None:
    """Measure every store that is installed and publish the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=RECORDS, help="records in each store")
    parser.add_argument("--only", nargs="+", choices=STORES, help="measure these stores alone")
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        what, name, folder = given.child
        kind = measure_puts if what == "puts" else measure
        print(json.dumps(kind(name, given.records, folder)))
        return
    count = QUICK_RECORDS if given.quick else given.records
    names = [name for name in given.only or STORES if find_spec(STORES[name][1])]
    results = {name: run(name, count, "everything") for name in names}
    text = report(results, put_ratio(names, count))
    whole = count == RECORDS and not given.only
    body = f"{count:,} records of 100 to 1,000 bytes.\n\n{text}"
    harness.publish("storage", "Storage engines", body, write=whole)


if __name__ == "__main__":
    main()
