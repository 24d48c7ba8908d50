"""Emptying sparse blocks: how much, when, and what it makes of damage."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest

from storage.cold import ColdEngine
from storage.engine import OutOfSpace
from storage.ssd import SsdEngine
from storage.ssd.log import WAITING
from storage.testing import FaultyDisk

BLOCK = 4096


def make(disk: FaultyDisk, **options: object) -> SsdEngine:
    settings = {"block_size": BLOCK, "names_size": 4096, "cache_bytes": 0, **options}
    engine = SsdEngine(["a"], disk, **settings)
    engine.open()
    return engine


def digest_of(n: int) -> bytes:
    return random.Random(n).randbytes(20)


def put(engine: Any, n: int, payload: bytes) -> None:
    engine.put(digest_of(n), 1, 0, 500, 7, 0, payload)


def fill(engine: SsdEngine, count: int, size: int = 300) -> None:
    for n in range(count):
        put(engine, n, b"%5d" % n * (size // 5))
    engine.sync()


def place_of(engine: SsdEngine, n: int) -> int:
    """Where a record begins on the device."""
    entry = engine.index.entry(engine.index.find(digest_of(n)))
    device, block, at, _ = engine.locate(entry.location)
    return device.position(block) + at


def test_overwriting_does_not_make_the_device_grow():
    disk = FaultyDisk()
    engine = make(disk)
    source = random.Random(1)
    fill(engine, 200)
    lengths = []
    for _ in range(30):
        for _ in range(200):
            put(engine, source.randrange(200), b"y" * source.randrange(600))
        engine.sync()
        lengths.append(len(disk.files["a"]))
    used = engine.statistics()["data_used_bytes"]
    # Beside half-empty blocks: what is put and moved between two syncs, and a step of growth.
    assert max(lengths) < 2 * used + 60 * BLOCK
    assert max(lengths) == lengths[5]
    assert engine.statistics()["defrag_writes"] > 0
    engine._check()


def test_few_blocks_are_left_to_become_garbage_by_themselves():
    """What is updated at random, and fits a few blocks, is never moved."""
    engine = make(FaultyDisk(), block_size=65536)
    for n in range(4000):
        put(engine, n % 40, b"x" * 1000)
        if n % 20 == 0:
            engine.sync()
    assert engine.statistics()["defrag_writes"] == 0
    assert sum(used > 0 for used in engine.logs[0].used) <= WAITING + 4


def test_a_log_under_random_updates_is_at_most_twice_what_lives():
    source = random.Random(1)
    engine = make(FaultyDisk(), block_size=8192)
    log = engine.logs[0]
    count = 4000
    for n in range(count):
        put(engine, n, b"x" * 100)
    moved_before = engine.statistics()["defrag_writes"]
    for n in range(5 * count):
        put(engine, source.randrange(count), b"x" * 100)
        if n % 20 == 0:
            engine.sync()
            taken = sum(used > 0 for used in log.used)
            assert (taken - WAITING - 3) * 8192 <= 2 * log.used_bytes
    moved = engine.statistics()["defrag_writes"] - moved_before
    assert 0 < moved < 0.75 * 5 * count  # blocks emptied half full cost one for each put
    engine._check()


@pytest.mark.parametrize("bit", [0, 2, 6, 20, 30])
def test_defragmentation_survives_a_dead_record_whose_length_is_wrong(bit, let_go):
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 200)
    let_go(engine)
    for n in range(0, 200, 5):
        stored_size = place_of(engine, n) + 8
        disk.flip_bit("a", 8 * stored_size + bit)
    for n in range(200):
        if n % 5 != 3:
            engine.remove(digest_of(n))
    for _ in range(100):
        put(engine, 0, b"x" * 400)
        engine.sync()
    assert engine.statistics()["defrag_reads"] > 5
    assert all(engine.get(digest_of(n))[5] == b"%5d" % n * 60 for n in range(3, 200, 5))
    engine._check()


def test_defragmentation_goes_on_where_the_page_cache_cannot_be_asked():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 200)
    disk.slow.add("a")
    for n in range(200):
        if n % 5:
            engine.remove(digest_of(n))
        engine.sync()
    for _ in range(40):
        put(engine, 0, b"x" * 400)
        engine.sync()
    assert engine.statistics()["defrag_writes"] > 5
    assert len(engine.logs[0].prefetched) <= 3
    disk.slow.clear()
    assert all(engine.get(digest_of(n)) for n in range(5, 200, 5))
    engine._check()


def test_blocks_that_wait_are_emptied_when_the_file_cannot_grow():
    """Puts are refused for a moment only, though none of them makes garbage."""
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 11 * 10)
    for n in range(44):
        if n % 11:
            engine.remove(digest_of(n))
    assert engine.statistics()["defrag_q"] == WAITING
    disk.capacity_bytes = len(disk.files["a"])
    refused = 0
    for n in range(500, 530):
        try:
            put(engine, n, b"new" * 100)
        except OutOfSpace:
            refused += 1
            engine.sync()
    assert 0 < refused < 10
    assert all(engine.get(digest_of(n)) for n in (0, 11, 22, 33, *range(44, 110)))
    engine._check()


def test_chunks_that_wait_are_emptied_when_the_file_cannot_grow():
    """The same for `ssd_cold`, which asks for room before it writes a chunk."""
    source = random.Random(2)
    disk = FaultyDisk()
    block = 16384
    engine = ColdEngine("a", disk, block_size=block, names_size=4096, chunk_bytes=2000, level=1)
    engine.open()
    refused = 0
    for n in range(1200):
        if n == 120:
            disk.capacity_bytes = 16384 + 8 * block + len(disk.files["a.cold"])
        try:
            put(engine, n if n < 120 else source.randrange(120), source.randbytes(200))
        except OutOfSpace:
            refused += 1
        if n % 40 == 0:
            with suppress(OSError):
                engine.sync()
    assert 0 < refused < 30
    engine._check()


@pytest.mark.parametrize(("blocks", "lives"), [(8, 0.4), (12, 0.5), (20, 0.5), (60, 0.6)])
def test_a_bounded_device_takes_updates_for_ever(blocks, lives):
    """Blocks that wait to be emptied never cost a small device its room."""
    block = 8192
    source = random.Random(1)
    engine = make(FaultyDisk(), block_size=block, size=8192 + 2 * 4096 + blocks * block)
    count = int(blocks * block * lives / 176)
    for n in range(12 * count):
        put(engine, n if n < count else source.randrange(count), b"x" * 100)
        if n % 20 == 0:
            engine.sync()
    engine._check()
