"""What the ssd engine keeps of what it reads: bounded, never another record, never unchecked."""

from __future__ import annotations

import random

import pytest

from storage.engine import DamagedRecord, NotResident
from storage.ssd import SsdEngine
from storage.ssd.read_cache import MAX_PAYLOADS, MISSES, MISSES_FULL, PIECE, ReadCache
from storage.testing import FaultyDisk

BLOCK = 16 * PIECE
SMALL = 100
LARGE = 2000
"""Bytes of payloads that are, and are not, kept by themselves."""


def digest_of(n: int) -> bytes:
    return random.Random(n).randbytes(20)


def value(n: int, size: int) -> bytes:
    return b"%10d" % n + b"\xff" * (size - 20) + b"%10d" % n


@pytest.fixture
def disk():
    return FaultyDisk()


def opened(disk: FaultyDisk, pieces: int) -> SsdEngine:
    """The store, which may keep so many pieces."""
    engine = SsdEngine(
        ["a"], disk, block_size=BLOCK, names_size=4096, cache_bytes=4 * PIECE * pieces
    )
    engine.open()
    return engine


def filled(disk: FaultyDisk, count: int, size: int, *, pieces: int) -> SsdEngine:
    """A store of which nothing is in memory."""
    engine = opened(disk, 0)
    for n in range(count):
        engine.put(digest_of(n), 1, 0, 500, 7, 0, value(n, size))
    engine.close()
    return opened(disk, pieces)


def read_all(engine: SsdEngine, count: int, size: int) -> None:
    for n in random.Random(count).sample(range(count), count):
        assert engine.get(digest_of(n))[5] == value(n, size)


def resident(engine: SsdEngine, disk: FaultyDisk, count: int) -> list[int]:
    """Which records are answered when the device cannot be read at once."""
    disk.slow.add("a")
    found = []
    for n in range(count):
        try:
            if engine.get(digest_of(n)) is not None:
                found.append(n)
        except NotResident:
            pass
    disk.slow.clear()
    return found


@pytest.mark.parametrize("size", [50, SMALL, 128, 280, LARGE])
def test_what_is_read_again_and_again_is_read_no_more(disk, size):
    count = 12 * PIECE // (size + 64)
    engine = filled(disk, count, size, pieces=16)
    for _ in range(3):
        read_all(engine, count, size)
    assert len(resident(engine, disk, count)) > count - 16  # but for those cut by a piece's end
    read_all(engine, count, size)


def test_a_record_is_served_from_a_piece_only_after_it_was_checked(disk):
    count = PIECE // LARGE
    engine = filled(disk, count, LARGE, pieces=8)
    for _ in range(MISSES):
        assert engine.get(digest_of(0))
    engine.get(digest_of(0))
    assert resident(engine, disk, count) == [0]
    log = engine.logs[0]
    disk.flip_bit("a", 8 * (log.position(0) + 5000))  # in the third record
    with pytest.raises(DamagedRecord):
        engine.get(digest_of(2))


def test_a_record_that_is_not_what_the_piece_holds_is_not_served_from_it(disk):
    engine = filled(disk, PIECE // LARGE, LARGE, pieces=8)
    log = engine.logs[0]
    bit = 8 * (log.position(0) + 32 + 64 + 500)
    disk.flip_bit("a", bit)
    for _ in range(MISSES):
        assert engine.get(digest_of(1))
    disk.flip_bit("a", bit)  # what is on the device is right again, the piece is not
    for _ in range(3):
        assert engine.get(digest_of(0))[5] == value(0, LARGE)
    assert 0 not in resident(engine, disk, 3)


def test_pieces_are_bounded_and_the_oldest_goes(disk):
    count = 6 * PIECE // LARGE
    engine = filled(disk, count, LARGE, pieces=2)
    cache = engine.logs[0].read_cache
    for _ in range(MISSES_FULL // 8):
        read_all(engine, count, LARGE)
        assert len(cache.pieces) <= 2
    last = count - 1
    for _ in range(2 * MISSES_FULL):
        engine.get(digest_of(last))
    assert last in resident(engine, disk, count)


def test_payloads_kept_are_bounded():
    cache = ReadCache(lambda *_: None, 0, BLOCK, 0)
    for n in range(MAX_PAYLOADS + 10):
        cache.note(0, 16 * n, n, b"record", b"payload")
    assert len(cache.payloads) <= MAX_PAYLOADS
    cache.note(0, 0, -1, b"record", bytes(LARGE))
    assert -1 not in cache.payloads


@pytest.mark.parametrize("pieces", [0, 3], ids=["payloads", "pieces"])
def test_nothing_is_kept_of_a_block_that_is_written_over(disk, pieces):
    size = 1000
    count = 2 * BLOCK // size
    engine = filled(disk, count, size, pieces=pieces)
    log = engine.logs[0]
    for round_number in range(1, 8):
        for _ in range(MISSES_FULL):
            for n in range(4):  # what is kept now stays kept while nothing else is read
                engine.get(digest_of(n))
        for n in range(count):
            engine.put(digest_of(n), 1, 0, 500, 7, 0, value(n + round_number, size))
        log.seal()
        engine.sync()
        log.forget_written()
        for n in range(4):
            assert engine.get(digest_of(n))[5] == value(n + round_number, size)


def test_a_piece_that_cannot_be_read_costs_nothing(disk):
    def read(offset: int, size: int) -> bytes | None:
        raise OSError("no")

    cache = ReadCache(read, 0, BLOCK, BLOCK)
    for n in range(2 * MISSES):
        cache.note(0, 16 * n, n, b"record", b"payload")
    assert not cache.pieces
    assert len(cache.payloads) == 2 * MISSES
