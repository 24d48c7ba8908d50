"""What may be changed while an ssd store runs: flush size, write cache, pace of defragmentation."""

from __future__ import annotations

import errno
import random

import pytest

from citrusleaf.cf_clock import VirtualClock
from storage.engine import DeviceOverload, StorageError
from storage.ssd import SsdEngine
from storage.ssd.log import WAITING
from storage.ssd.tuning import Tuning
from storage.testing import FaultyDisk
from storage.testing.faulty import Synced, Written, surviving_files

BLOCK = 65536
DATA = 8192 + 2 * 4096


def make(disk: FaultyDisk, tuning: Tuning, **options: object) -> SsdEngine:
    settings = {"block_size": BLOCK, "names_size": 4096, "cache_bytes": 0, **options}
    engine = SsdEngine(["a"], disk, tuning=tuning, **settings)
    engine.open()
    return engine


def digest_of(n: int) -> bytes:
    return random.Random(n).randbytes(20)


def put(engine: SsdEngine, n: int, size: int = 1000) -> None:
    engine.put(digest_of(n), 1, 0, 500, 7, 0, b"%5d" % n * (size // 5))


def writes(disk: FaultyDisk) -> list[Written]:
    return [event for event in disk.trace if isinstance(event, Written) and event.offset >= DATA]


# Flush size


def test_writes_are_of_the_flush_size_and_asked_for_as_they_gather() -> None:
    disk = FaultyDisk()
    asked: list[int] = []
    tuning = Tuning(flush_size=8192)
    engine = make(disk, tuning)
    disk.trace.clear()
    tuning.flush_due = lambda: asked.append(engine.logs[0].head.end)
    for n in range(40):
        put(engine, n)
        engine.write_behind()
        end = engine.logs[0].head.end
        written = sum(len(event.data) for event in writes(disk))
        assert written == end - end % 8192
        assert len(asked) == end // 8192 + 1
    assert {len(event.data) for event in writes(disk)} == {8192}
    assert not any(isinstance(event, Synced) for event in disk.trace)
    engine.sync()
    engine._check()
    assert all(make(FaultyDisk(dict(disk.files)), Tuning()).get(digest_of(n)) for n in range(40))


def test_a_sync_writes_in_flush_units_that_end_at_their_multiples() -> None:
    disk = FaultyDisk()
    tuning = Tuning(flush_size=4096)
    engine = make(disk, tuning)
    for n in range(200):
        put(engine, n)
        if n % 7 == 0:
            engine.sync()
    assert max(len(event.data) for event in writes(disk)) == 4096
    for event in writes(disk):
        first, last = event.offset - DATA, event.offset - DATA + len(event.data) - 1
        assert first // 4096 == last // 4096
    tuning.flush_size = BLOCK
    disk.trace.clear()
    for n in range(200):
        put(engine, n)
    engine.sync()
    assert max(len(event.data) for event in writes(disk)) > 60_000


def test_whatever_a_crash_leaves_of_what_was_written_behind_is_whole() -> None:
    for seed in range(30):
        source = random.Random(seed)
        disk = FaultyDisk()
        engine = make(disk, Tuning(flush_size=4096), block_size=16384)
        engine.name_set(7, b"people")
        synced: dict[int, int] = {}
        latest: dict[int, int] = {}
        for _ in range(150):
            n = source.randrange(60)
            latest[n] = source.randrange(100, 2000)
            put(engine, n, latest[n])
            chance = source.random()
            if chance < 0.2:
                engine.write_behind()
            elif chance < 0.25:
                engine.sync()
                synced = dict(latest)
        files = surviving_files(disk.trace, source.random)
        again = make(FaultyDisk(files), Tuning())
        for n in latest:
            record = again.get(digest_of(n))
            assert record is not None or n not in synced
            assert record is None or record[5] == b"%5d" % n * (len(record[5]) // 5)
            assert record is None or again.set_names == {7: b"people"}


# Write cache


def put_until_overload(engine: SsdEngine) -> int:
    for n in range(10_000):
        try:
            put(engine, n)
        except DeviceOverload:
            return n
    raise AssertionError("there is no end to it")


@pytest.mark.parametrize(("cache", "blocks"), [(0, 1), (BLOCK, 1), (4 * BLOCK, 4), (300_000, 4)])
def test_blocks_that_wait_are_bounded(cache: int, blocks: int) -> None:
    disk = FaultyDisk()
    engine = make(disk, Tuning(max_write_cache=cache))
    count = put_until_overload(engine)
    assert engine.statistics()["write_q"] == blocks
    assert not writes(disk)
    assert engine.index.objects == count
    with pytest.raises(DeviceOverload):
        put(engine, 0)
    assert all(engine.get(digest_of(n)) for n in range(count))
    engine._check()
    engine.write_behind()
    assert engine.statistics()["write_q"] == 0
    assert engine.statistics()["writes"] == blocks
    for n in range(count, count + 50):
        put(engine, n)
    engine._check()


def test_without_a_bound_the_thread_that_puts_writes() -> None:
    disk = FaultyDisk()
    engine = make(disk, Tuning())
    for n in range(1000):
        put(engine, n)
    assert engine.statistics()["write_q"] <= 8
    assert len(writes(disk)) >= 6


def test_moving_records_stops_at_the_bound_as_well() -> None:
    disk = FaultyDisk()
    tuning = Tuning()
    engine = make(disk, tuning, read_blocking=True)
    for n in range(600):
        put(engine, n)
    engine.sync()
    tuning.max_write_cache = 2 * BLOCK
    for n in range(600):
        if n % 4 != 3:
            engine.remove(digest_of(n))
    assert engine.statistics()["defrag_writes"] > 0
    assert engine.statistics()["write_q"] == 2
    engine._check()
    assert all(engine.get(digest_of(n)) for n in range(3, 600, 4))


# Pace of defragmentation


def sparse_store(tuning: Tuning, **options: object) -> SsdEngine:
    """Some 20 blocks, in most of which little lives."""
    engine = make(FaultyDisk(), tuning, read_blocking=True, **options)
    tuning.defrag_queue_min, least = 1 << 30, tuning.defrag_queue_min
    for n in range(1200):
        put(engine, n)
    engine.sync()
    for n in range(1200):
        if n % 4:
            engine.remove(digest_of(n))
    assert engine.statistics()["defrag_reads"] == 0
    assert engine.statistics()["defrag_q"] > 15
    tuning.defrag_queue_min = least
    return engine


def work(engine: SsdEngine, rounds: int = 400) -> None:
    """Make garbage, so that defragmentation goes on."""
    for _ in range(rounds):
        put(engine, 0, 3000)


def test_so_many_blocks_may_wait() -> None:
    tuning = Tuning(defrag_queue_min=15)
    engine = sparse_store(tuning)
    work(engine)
    assert 15 <= engine.statistics()["defrag_q"] <= 17
    tuning.defrag_queue_min = 0
    work(engine)
    assert WAITING <= engine.statistics()["defrag_q"] <= 2 * WAITING + 2
    engine._check()
    assert all(engine.get(digest_of(n)) for n in range(0, 1200, 4))


def test_there_is_a_pause_between_blocks() -> None:
    clock = VirtualClock()
    tuning = Tuning(defrag_sleep_us=5_000_000, clock=clock)
    engine = sparse_store(tuning)
    for blocks in range(1, 5):
        work(engine, 100)
        assert engine.statistics()["defrag_reads"] == blocks
        clock.advance(4)
        work(engine, 100)
        assert engine.statistics()["defrag_reads"] == blocks
        clock.advance(1.1)
    tuning.defrag_sleep_us = 0
    work(engine)
    assert engine.statistics()["defrag_reads"] > 15


def test_a_full_device_waits_for_nothing() -> None:
    tuning = Tuning(defrag_sleep_us=1 << 40, clock=VirtualClock())
    engine = sparse_store(tuning, size=25 * BLOCK)
    tuning.defrag_queue_min = 1 << 30
    work(engine, 2000)
    assert engine.statistics()["defrag_reads"] > 5
    engine._check()


# A sync that failed


def test_no_later_sync_vouches_for_what_a_failed_one_left() -> None:
    disk = FaultyDisk()
    engine = make(disk, Tuning())
    put(engine, 1)

    def fail(operation: str, path: str) -> None:
        if operation == "fdatasync":
            raise OSError(errno.EIO, "once")

    disk.on_io = fail
    with pytest.raises(OSError, match="once"):
        engine.sync()
    disk.on_io = lambda operation, path: None
    with pytest.raises(OSError, match=r"a device failed.*once"):
        engine.sync()
    with pytest.raises(OSError, match="once"):
        engine.write_behind()
    with pytest.raises(StorageError):
        put(engine, 2)
    assert engine.get(digest_of(1)) is not None
