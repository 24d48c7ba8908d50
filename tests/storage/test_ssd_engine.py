"""What is the ssd engine's own: restarts, group commit, its log, and media that fail."""

from __future__ import annotations

import errno
import logging
import random

import pytest

from storage.engine import (
    TOMBSTONE,
    DamagedRecord,
    NotResident,
    OutOfSpace,
    StorageError,
    raid_waited,
)
from storage.ssd import SsdEngine
from storage.testing import FaultyDisk
from storage.testing.crash import ENGINES, try_workload
from storage.testing.faulty import Synced, Written, surviving_files

BLOCK = 4096
DATA = 8192 + 2 * 4096


def make(disk: FaultyDisk, **options: object) -> SsdEngine:
    settings = {"block_size": BLOCK, "names_size": 4096, "cache_bytes": 0, **options}
    engine = SsdEngine(["a"], disk, **settings)
    engine.open()
    return engine


def digest_of(n: int) -> bytes:
    return random.Random(n).randbytes(20)


def put(engine: SsdEngine, n: int, payload: bytes, flags: int = 0) -> None:
    engine.put(digest_of(n), 1, 0, 500, 7, flags, payload)


def crashed(disk: FaultyDisk) -> FaultyDisk:
    """The disk after a crash that lost nothing."""
    return FaultyDisk({path: bytearray(data) for path, data in disk.files.items()})


def fill(engine: SsdEngine, count: int, size: int = 300) -> None:
    for n in range(count):
        put(engine, n, b"%5d" % n * (size // 5))
    engine.sync()


@pytest.mark.parametrize("name", ENGINES)
def test_crash_states_hold_only_what_they_may(name, monkeypatch):
    monkeypatch.setattr(logging.getLogger("storage.ssd"), "disabled", True)
    assert sum(try_workload(ENGINES[name], seed) for seed in range(1000, 1025)) == 25 * 24


def test_a_plain_remove_may_come_back_after_a_crash_a_tombstone_never():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 2)
    engine.remove(digest_of(0))
    put(engine, 1, b"", TOMBSTONE)
    engine.sync()
    again = make(crashed(disk))
    assert again.get(digest_of(0)) is not None
    assert again.get(digest_of(1)) is None
    assert again.statistics()["tombstones"] == 1
    engine.close()
    warm = make(crashed(disk))
    assert warm.started_warm
    assert warm.get(digest_of(0)) is None


def test_the_clock_does_not_decide_which_copy_is_the_newest():
    disk = FaultyDisk()
    engine = make(disk)
    engine.put(digest_of(1), 9, 0, 1000, 7, 0, b"first")
    engine.put(digest_of(1), 1, 0, 10, 7, 0, b"second")
    engine.sync()
    assert make(crashed(disk)).get(digest_of(1)) == (1, 0, 10, 7, 0, b"second")


def test_many_puts_are_one_fdatasync():
    disk = FaultyDisk()
    engine = make(disk, commit=True, block_size=1 << 16)
    disk.trace.clear()
    for n in range(32):
        put(engine, n, b"x" * 100)
    engine.sync()
    assert engine.acknowledges_sync
    assert [type(event) for event in disk.trace[-2:]] == [Written, Synced]
    assert sum(isinstance(event, Synced) for event in disk.trace) == 1


def test_a_name_is_on_the_medium_before_any_record_of_its_set():
    for seed in range(40):
        disk = FaultyDisk()
        engine = make(disk)
        cut = len(disk.trace)
        engine.name_set(7, b"people")
        put(engine, 1, b"x")
        engine.sync()
        chance = random.Random(seed).random
        at = cut + seed % (len(disk.trace) - cut + 1)
        again = make(FaultyDisk(surviving_files(disk.trace[:at], chance)))
        if again.get(digest_of(1)) is not None:
            assert again.set_names == {7: b"people"}


def test_too_many_names_are_refused():
    engine = make(FaultyDisk())
    for set_id in range(1, 21):
        engine.name_set(set_id, b"n" * 200)
    with pytest.raises(OutOfSpace):
        engine.name_set(21, b"n" * 200)
    assert len(engine.set_names) == 20


def test_a_cold_start_says_how_far_it_is():
    disk = FaultyDisk()
    fill(make(disk), 50)
    seen: list[tuple[int, int, int]] = []
    make(crashed(disk), progress=lambda *args: seen.append(args))
    assert seen[-1][0] == seen[-1][1] == len(seen)
    assert seen[-1][2] == 50


def test_a_tombstone_stays_while_an_older_copy_could_come_back():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 60)
    put(engine, 1, b"", TOMBSTONE)
    put(engine, 999, b"", TOMBSTONE)  # of something that never was
    assert raid_waited(engine, 499) == 0
    assert raid_waited(engine, 500) == 1
    assert engine.statistics()["tombstones"] == 1
    assert make(crashed(disk)).get(digest_of(1)) is None
    for round_ in range(40):
        for n in range(2, 60):
            put(engine, n, b"%d" % round_ * 200)
        engine.sync()
    assert raid_waited(engine, 500) == 1
    assert engine.statistics()["tombstones"] == 0
    again = make(crashed(disk))
    assert again.get(digest_of(1)) is None
    engine._check()


def test_a_raid_goes_on_block_by_block_while_the_store_is_used():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 60)
    put(engine, 1, b"", TOMBSTONE)
    put(engine, 999, b"", TOMBSTONE)
    raid = engine.tomb_raid(500)
    parts = 0
    for part in raid.parts():
        if part is not None:
            part()
        put(engine, 100 + parts, b"meanwhile" * 30)
        engine.sync()
        parts += 1
    assert parts > 6
    assert raid.gone == 1
    assert make(crashed(disk)).get(digest_of(1)) is None
    engine._check()


# Devices that are not what they should be


def test_devices_of_another_store_are_refused():
    disk = FaultyDisk()
    disk.files["a"] = bytearray(b"somebody's letters" * 1000)
    with pytest.raises(StorageError, match="a is not a device of this store"):
        make(disk)
    disk = FaultyDisk()
    SsdEngine(["a", "b"], disk, names_size=4096).open()
    with pytest.raises(StorageError, match="a is device 1 of 2 of a store, not 1 of 1"):
        make(disk)
    with pytest.raises(StorageError, match="b is device 2 of 2 of a store"):
        SsdEngine(["b", "a"], disk).open()
    disk.files["b"] = bytearray()
    with pytest.raises(StorageError, match="b is not a device of this store"):
        SsdEngine(["a", "b"], disk).open()


def test_a_damaged_header_is_made_good_by_its_copy():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 3)
    newer = 4096 * (engine.logs[0].header.update % 2)
    disk.flip_bit("a", 8 * newer + 200)
    assert make(disk).get(digest_of(1)) is not None


# Media that fail


def place_of(engine: SsdEngine, n: int) -> int:
    """Where a record's payload begins on the device."""
    entry = engine.index.entry(engine.index.find(digest_of(n)))
    device, block, at, _ = engine.locate(entry.location)
    return device.position(block) + at + 64


def settled(disk: FaultyDisk, engine: SsdEngine) -> SsdEngine:
    """The store reopened, so that nothing is in memory."""
    engine.close()
    return make(disk)


@pytest.mark.parametrize("bit", [0, 77, 3 * 64, 8 * 63, 8 * 70, 8 * 363])
def test_a_bit_turned_over_costs_one_record_and_is_never_served(bit):
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 40)
    engine = settled(disk, engine)
    disk.flip_bit("a", 8 * (place_of(engine, 5) - 64) + bit)
    with pytest.raises(DamagedRecord, match=r"a, block \d+, position \d+"):
        engine.get(digest_of(5))
    assert sum(1 for partition in range(4096) for _ in engine.scan(partition)) == 39
    assert {digest for digest, _ in engine.records()} == {digest_of(n) for n in range(40) if n != 5}
    cold = make(crashed(disk))
    assert not cold.started_warm
    expected = set(range(40)) - {5}
    found = {n for n in range(40) if cold.get(digest_of(n)) is not None}
    assert found == expected
    assert all(cold.get(digest_of(n))[5] == b"%5d" % n * 60 for n in expected)


def test_a_misdirected_write_is_noticed():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 20)
    disk.misdirected_by = 512
    put(engine, 100, b"astray")
    put(engine, 3, b"astray, too" * 20)
    engine.sync()
    for n in (100, 3):
        engine.logs[0].memory.clear()
        with pytest.raises(DamagedRecord):
            engine.get(digest_of(n))


def test_a_write_that_stops_half_way_fails_the_sync_and_leaves_no_half_record():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 5)
    put(engine, 5, b"5" * 1000)
    put(engine, 6, b"6" * 1000)
    disk.short_writes = 1
    with pytest.raises(OSError, match="half way"):
        engine.sync()
    with pytest.raises(StorageError, match="half way"):
        put(engine, 7, b"7")
    assert engine.get(digest_of(6))[5] == b"6" * 1000
    again = make(crashed(disk))
    assert again.get(digest_of(5)) in (None, (1, 0, 500, 7, 0, b"5" * 1000))
    assert again.get(digest_of(6)) is None
    assert all(again.get(digest_of(n)) for n in range(5))


def test_a_dead_device_refuses_puts_and_serves_what_can_be_read():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 40)
    disk.dead.add("a")
    put(engine, 50, b"x")
    with pytest.raises(OSError, match="dead"):
        engine.sync()
    with pytest.raises(StorageError):
        put(engine, 51, b"x")
    assert engine.get(digest_of(1)) is not None
    disk.unreadable.add("a")
    engine.logs[0].memory.clear()
    with pytest.raises(DamagedRecord):
        engine.get(digest_of(1))
    engine.close()


def put_until_full(engine: SsdEngine) -> int:
    """How many records found room."""
    for count in range(10_000):
        try:
            put(engine, count, b"%d" % count * 100)
        except OutOfSpace:
            return count
        engine.sync()
    raise AssertionError("there is no end to it")


def test_a_full_disk_refuses_puts_and_keeps_serving():
    disk = FaultyDisk()
    engine = make(disk)
    disk.capacity_bytes = 300_000
    count = put_until_full(engine)
    assert count > 100
    assert all(engine.get(digest_of(n))[5] == b"%d" % n * 100 for n in range(count))
    for n in range(count // 2):
        engine.remove(digest_of(n))
    engine.sync()
    put(engine, 9999, b"room again")
    engine._check()


def test_a_part_that_cannot_be_read_costs_its_records_only():
    disk = FaultyDisk()
    fill(make(disk, block_size=65536), 40, 3000)
    again = crashed(disk)

    def refuse(operation: str, path: str) -> None:
        calls.append(operation)
        if operation == "pread" and len(calls) in (12, 15):
            raise OSError(errno.EIO, "a bad page")

    calls: list[str] = []
    again.on_io = refuse
    engine = SsdEngine(["a"], again)
    engine.open()
    assert 30 <= engine.statistics()["objects"] <= 40


def test_what_would_block_is_loaded_elsewhere():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 40)
    engine = settled(disk, engine)
    disk.slow.add("a")
    with pytest.raises(NotResident) as missing:
        engine.get(digest_of(1))
    missing.value.load()
    for _ in range(2):  # remembered from here on
        assert engine.get(digest_of(1))[5] == b"%5d" % 1 * 60
    with pytest.raises(NotResident):
        engine.get(digest_of(2))
    assert len([1 for p in range(4096) for _ in engine.scan(p)]) == 40
    blocking = make(crashed(disk), read_blocking=True)
    blocking.disk.slow.add("a")
    assert blocking.get(digest_of(1))[5] == b"%5d" % 1 * 60


def test_what_was_read_is_not_taken_for_what_took_its_place():
    disk = FaultyDisk()
    engine = make(disk, size=20 * BLOCK)
    source = random.Random(3)
    model: dict[int, bytes] = {}
    taken = set()
    for step in range(4000):
        n = source.randrange(40)
        model[n] = b"%5d" % step * 60
        put(engine, n, model[n])
        if step % 40 == 39:
            engine.sync()
        if step % 200 == 199:
            engine = settled(disk, engine)
        for m in source.sample(sorted(model), min(3, len(model))):
            assert engine.get(digest_of(m))[5] == model[m]
        taken |= {number for log in engine.logs for number in log.memory}
    assert len(taken) > 15, "blocks were written over"
    for m, payload in model.items():
        assert engine.get(digest_of(m))[5] == payload


def test_what_was_written_while_it_was_loaded_is_not_overlooked():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 40)
    engine = settled(disk, engine)
    disk.slow.add("a")
    with pytest.raises(NotResident) as missing:
        engine.get(digest_of(1))
    put(engine, 1, b"newer")
    missing.value.load()
    assert engine.get(digest_of(1))[5] == b"newer"


def test_what_was_loaded_is_not_taken_for_what_stands_there_later():
    disk = FaultyDisk()
    engine = make(disk)
    fill(engine, 40)
    engine = settled(disk, engine)
    disk.slow.add("a")
    loads = []
    for n in range(40):
        with pytest.raises(NotResident) as missing:
            engine.get(digest_of(n))
        loads.append(missing.value.load)
    for load in loads:
        load()
    disk.slow.clear()
    for round_ in range(6):
        for n in range(40):
            put(engine, n, b"%5d" % round_ * 60)
        engine.sync()
    engine.logs[0].memory.clear()
    assert all(engine.get(digest_of(n))[5] == b"%5d" % 5 * 60 for n in range(40))
    assert engine.statistics()["damaged_records"] == 0


def test_a_compressed_record_that_is_damaged_is_not_served():
    disk = FaultyDisk()
    engine = make(disk, compression="zstd")
    fill(engine, 40, 1000)
    assert engine.statistics()["data_used_bytes"] < 40 * 200
    engine = settled(disk, engine)
    disk.flip_bit("a", 8 * place_of(engine, 5) + 3)
    with pytest.raises(DamagedRecord):
        engine.get(digest_of(5))
    assert engine.get(digest_of(6))[5] == b"%5d" % 6 * 200


# Encryption


def encrypted(disk: FaultyDisk, **options: object) -> SsdEngine:
    disk.files.setdefault("key", bytearray(b"the secret of this test\n"))
    disk.files.setdefault("new key", bytearray(b"the secret that comes next"))
    return make(disk, encryption="aes-256", **{"key_file": "key", **options})


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_payloads_are_encrypted_at_rest(compression):
    disk = FaultyDisk()
    engine = encrypted(disk, compression=compression)
    fill(engine, 40)
    assert engine.get(digest_of(7))[5] == b"%5d" % 7 * 60
    assert b"%5d" % 7 * 3 not in disk.files["a"]
    for again in (encrypted(crashed(disk)), encrypted(disk) if engine.close() is None else None):
        assert all(again.get(digest_of(n))[5] == b"%5d" % n * 60 for n in range(40))
        put(again, 7, b"newer")
        assert again.get(digest_of(7))[5] == b"newer"


def test_without_its_key_a_store_is_not_opened():
    disk = FaultyDisk()
    encrypted(disk).close()
    for options in ({"key_file": "new key"}, {"key_file": ""}):
        with pytest.raises(StorageError, match="no key file given opens it"):
            encrypted(disk, **options)
    with pytest.raises(StorageError, match="cannot be read"):
        encrypted(disk, key_file="missing")
    disk.files["short"] = bytearray(b"short")
    with pytest.raises(StorageError, match="less than 16 bytes"):
        encrypted(FaultyDisk(disk.files | {"a": bytearray()}), key_file="short")


def test_a_key_from_the_environment():
    disk = FaultyDisk()
    disk.environment["KEY"] = b"the secret of this test"
    engine = encrypted(disk, key_file="env:KEY")
    fill(engine, 3)
    engine.close()
    assert encrypted(disk, key_file="key").get(digest_of(1)) is not None  # the same secret
    with pytest.raises(StorageError, match="no variable env:NONE with a key"):
        encrypted(disk, key_file="env:NONE")


def test_the_key_file_may_be_changed():
    disk = FaultyDisk()
    engine = encrypted(disk)
    fill(engine, 3)
    engine.close()
    encrypted(disk, key_file="new key", old_key_file="key").close()
    assert encrypted(disk, key_file="new key").get(digest_of(1)) is not None
