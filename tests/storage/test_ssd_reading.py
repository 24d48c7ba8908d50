"""How the ssd engine reads: ahead, once, and again where something has changed."""

from __future__ import annotations

import random

from storage.ssd import SsdEngine
from storage.testing import FaultyDisk
from storage.testing.faulty import FaultyDevice

BLOCK = 4096


def make(disk: FaultyDisk, paths: tuple[str, ...] = ("a",)) -> SsdEngine:
    engine = SsdEngine(paths, disk, block_size=BLOCK, names_size=4096, cache_bytes=0)
    engine.open()
    return engine


def digest_of(n: int) -> bytes:
    return random.Random(n).randbytes(20)


def put(engine: SsdEngine, n: int, payload: bytes) -> None:
    engine.put(digest_of(n), 1, 0, 500, 7, 0, payload)


def crashed(disk: FaultyDisk) -> FaultyDisk:
    """The disk after a crash that lost nothing."""
    return FaultyDisk({path: bytearray(data) for path, data in disk.files.items()})


def fill(engine: SsdEngine, count: int, size: int = 300) -> None:
    for n in range(count):
        put(engine, n, b"%5d" % n * (size // 5))
    engine.sync()


def test_a_cold_start_tells_the_devices_ahead_what_it_will_read(monkeypatch):
    disk = FaultyDisk()
    engine = make(disk, ("a", "b"))
    fill(engine, 200)
    told = []
    monkeypatch.setattr(FaultyDevice, "will_read", lambda *hint: told.append(hint[0]._path))
    again = make(crashed(disk), ("a", "b"))
    assert len(again.index) == 200
    assert len(told) == sum(len(log.used) for log in again.logs)
    assert set(told[:4]) == {"a", "b"}
    again._check()


def test_a_sync_reads_a_block_that_is_to_be_emptied_once():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 200)
    engine.least_debt = 1 << 20  # nothing is emptied yet
    for n in range(0, 200, 3):
        engine.remove(digest_of(n))
        engine.remove(digest_of(n + 1))
    put(engine, 500, b"x" * 3000)
    engine.sync()
    engine.logs[0].forget_written()
    engine.sync()
    assert engine.logs[0].prefetched
    reads = []
    disk.on_io = lambda operation, path: reads.append(operation)
    for n in range(5):
        put(engine, 600 + n, b"few")
        engine.sync()
    assert "pread" not in reads


def test_what_the_page_cache_has_lost_is_read_again():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 100)
    for n in range(0, 99, 3):
        engine.remove(digest_of(n))
    engine.logs[0].forget_written()
    engine.sync()
    disk.slow.add("a")
    for n in range(300):
        put(engine, 1000 + n % 50, b"%300d" % n)
        if n % 10 == 0:
            engine.sync()
            engine.logs[0].forget_written()
    assert engine.moved
    engine._check()


def test_a_scan_looks_again_at_what_changes_under_it():
    disk = FaultyDisk()
    engine = make(disk)
    mine = sorted(bytes((5, 0)) + digest_of(n)[2:] for n in range(40))
    for digest in mine:
        engine.put(digest, 1, 0, 500, 7, 0, b"old" * 100)
    engine.sync()
    engine.logs[0].forget_written()
    scan = engine.scan(5)
    assert next(scan)[1][5] == b"old" * 100
    disk.flip_bit("a", 8 * (engine.logs[0].position(0) + 100))
    for round_number in range(30):  # until every block has been used again
        for digest in mine[1:]:
            engine.put(digest, 2, 0, 600, 7, 0, b"%300d" % round_number)
        engine.sync()
        engine.logs[0].forget_written()
    assert [(d, record[0], record[5]) for d, record in scan] == [
        (digest, 2, b"%300d" % 29) for digest in mine[1:]
    ]


def sizes_read(monkeypatch, engine: SsdEngine) -> list[int]:
    """Bytes of each read of a pass over all records."""
    sizes: list[int] = []
    pread = FaultyDevice.pread

    def noted(device: FaultyDevice, offset: int, size: int) -> bytes:
        sizes.append(size)
        return pread(device, offset, size)

    monkeypatch.setattr(FaultyDevice, "pread", noted)
    assert len(list(engine.records())) == len(engine.index)
    return sizes


def test_a_pass_over_all_records_reads_long_pieces(monkeypatch, let_go):
    disk = FaultyDisk()
    engine = make(disk, ("a", "b"))
    fill(engine, 200)
    let_go(engine)
    sizes = sizes_read(monkeypatch, engine)
    full = [used for log in engine.logs for used in log.used].count(11 * 368)
    assert sizes.count(BLOCK - 32) == full > 10
    assert len(sizes) < 200 // 4


def test_a_pass_over_few_records_reads_no_more_than_these(monkeypatch, let_go):
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 40)
    engine.least_debt = 1 << 20  # what is left stays where it is
    for n in set(range(40)) - {5, 15, 25, 35}:
        engine.remove(digest_of(n))
    let_go(engine)
    assert sizes_read(monkeypatch, engine) == [368] * 4


def test_a_pass_over_all_records_leaves_out_what_cannot_be_read(let_go):
    disk = FaultyDisk()
    engine = make(disk, ("a", "b"))
    fill(engine, 100)
    let_go(engine)
    disk.unreadable.add("a")
    readable = {digest_of(n) for n in range(100) if digest_of(n)[8] % 2}
    assert {digest for digest, _ in engine.records()} == readable
    assert engine.statistics()["damaged_records"] == 100 - len(readable)
