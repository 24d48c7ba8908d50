"""What every engine promises. A new engine is one line in ENGINES."""

from __future__ import annotations

import random
import re
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.cold import ColdEngine
from storage.engine import (
    MAX_META_ENTRIES,
    TOMBSTONE,
    Bulk,
    Exchanges,
    OutOfSpace,
    Overwrites,
    Tunable,
    Upkeep,
    raid_waited,
)
from storage.kv import KvEngine
from storage.mapped import MappedMemoryEngine
from storage.memory import MemoryEngine
from storage.ssd import SsdEngine
from storage.testing import ModelEngine


def documented(path: str) -> Any:
    """The engine that the documentation shows how to make."""
    page = Path(__file__).resolve().parents[2] / "docs" / "storage-engines.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["sqlite_engine"](path)


ENGINES: dict[str, Callable[[Path], Any]] = {
    "model": lambda _: ModelEngine(),
    "memory": lambda _: MemoryEngine(),
    "memory, small blocks": lambda _: MemoryEngine(block_size=4096),
    "memory, mapped": lambda path: MappedMemoryEngine(str(path / "a"), block_size=4096),
    "ssd": lambda path: SsdEngine([str(path / "a")], read_blocking=True),
    "ssd, two devices, small blocks": lambda path: SsdEngine(
        [str(path / "a"), str(path / "b")], block_size=8192, cache_bytes=0, read_blocking=True
    ),
    "ssd, zstd": lambda path: SsdEngine([str(path / "a")], compression="zstd", read_blocking=True),
    "ssd, lz4, small blocks": lambda path: SsdEngine(
        [str(path / "a")], compression="lz4", block_size=8192, cache_bytes=0, read_blocking=True
    ),
    "kv": lambda path: KvEngine(str(path / "a")),
    "kv, on the documentation's own store": lambda path: documented(str(path / "a")),
    "ssd_cold": lambda path: ColdEngine(str(path / "a"), read_blocking=True),
    "ssd_cold, small chunks": lambda path: ColdEngine(
        str(path / "a"), block_size=8192, chunk_bytes=500, read_blocking=True
    ),
}
LASTING = [name for name in ENGINES if name not in ("model", "memory", "memory, small blocks")]
"""Engines that find again what they held at `close`."""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    engine = ENGINES[request.param](tmp_path)
    engine.open()
    yield engine
    engine.close()


def digest_of(number: int, partition: int = 5) -> bytes:
    return struct.pack("<HI14s", partition, number * 2654435761 % 2**32, b"%d" % number)


def put(engine: Any, digest: bytes, payload: bytes = b"payload", flags: int = 0) -> None:
    engine.put(digest, 1, 0, 500, 7, flags, payload)


def test_what_was_never_put_is_absent(engine):
    assert engine.get(digest_of(1)) is None
    assert engine.remove(digest_of(1)) is False
    assert list(engine.scan(5)) == []


@pytest.mark.parametrize(
    "record",
    [
        (1, 0, 0, 0, 0, b"x"),
        (65535, 2**32 - 1, 2**40 - 1, 65535, 0x7F, bytes(range(256))),
        (1, 0, 0, 0, 0, b""),
    ],
    ids=["least", "greatest", "empty"],
)
def test_a_record_comes_back_as_it_was_put(engine, record):
    engine.put(digest_of(1), *record)
    assert engine.get(digest_of(1)) == record
    assert type(engine.get(digest_of(1))[5]) is bytes


def test_bytes_given_as_a_buffer_are_copied(engine):
    payload = bytearray(b"before")
    put(engine, digest_of(1), payload)
    payload[:] = b"after!"
    assert engine.get(digest_of(1))[5] == b"before"


def test_a_record_held_by_the_caller_does_not_change(engine):
    put(engine, digest_of(1), b"before")
    held = engine.get(digest_of(1))
    put(engine, digest_of(1), b"after!")
    assert held == (1, 0, 500, 7, 0, b"before")


@pytest.mark.parametrize("size", [0, 1, 8, 9, 21, 24, 25, 1000, 4000])
def test_put_replaces_the_whole_record(engine, size):
    put(engine, digest_of(1), b"p" * 21)
    engine.put(digest_of(1), 2, 9, 600, 8, 3, b"q" * size)
    assert engine.get(digest_of(1)) == (2, 9, 600, 8, 3, b"q" * size)
    assert engine.statistics()["objects"] == 1


def test_a_removed_record_is_gone_and_may_come_again(engine):
    put(engine, digest_of(1))
    assert engine.remove(digest_of(1)) is True
    assert engine.get(digest_of(1)) is None
    assert engine.remove(digest_of(1)) is False
    put(engine, digest_of(1), b"again")
    assert engine.get(digest_of(1))[5] == b"again"


def test_a_tombstone_hides_the_record(engine):
    put(engine, digest_of(1))
    put(engine, digest_of(1), b"", flags=TOMBSTONE)
    assert engine.get(digest_of(1)) is None
    assert list(engine.scan(5)) == []
    statistics = engine.statistics()
    assert (statistics["objects"], statistics["tombstones"]) == (0, 1)


def test_a_tombstone_of_an_empty_record_counts_too(engine):
    put(engine, digest_of(1), b"")
    put(engine, digest_of(1), b"", flags=TOMBSTONE)
    assert engine.get(digest_of(1)) is None
    statistics = engine.statistics()
    assert (statistics["objects"], statistics["tombstones"]) == (0, 1)


def test_a_put_replaces_a_tombstone(engine):
    put(engine, digest_of(1), b"", flags=TOMBSTONE)
    put(engine, digest_of(1), b"back")
    assert engine.get(digest_of(1))[5] == b"back"
    statistics = engine.statistics()
    assert (statistics["objects"], statistics["tombstones"]) == (1, 0)


def test_removing_a_tombstone_forgets_it_but_no_record(engine):
    put(engine, digest_of(1), b"", flags=TOMBSTONE)
    assert engine.remove(digest_of(1)) is False
    assert engine.statistics()["tombstones"] == 0


def test_a_raid_takes_old_tombstones_away_and_nothing_else(engine):
    for n in range(3000):  # more than are looked at at once
        flags, updated = (TOMBSTONE, n) if n % 3 else (0, 0)
        payload = b"" if flags else b"payload"
        engine.put(digest_of(n, partition=n % 7), 1, 0, updated, 7, flags, payload)
    assert raid_waited(engine, 0) == 0
    assert raid_waited(engine, 1000) == 667
    statistics = engine.statistics()
    assert (statistics["objects"], statistics["tombstones"]) == (1000, 1333)
    assert raid_waited(engine, 2**40 - 1) == 1333
    assert raid_waited(engine, 2**40 - 1) == 0
    assert engine.statistics()["tombstones"] == 0
    assert sum(1 for _ in engine.records()) == 1000


def test_a_raid_leaves_what_is_written_while_it_goes_on(engine):
    for n in range(3000):
        put(engine, digest_of(n), b"", flags=TOMBSTONE)
    raid = engine.tomb_raid(500)
    for number, part in enumerate(raid.parts()):
        if part is not None:
            part()
        if number == 0:
            put(engine, digest_of(2998), b"back")
            engine.put(digest_of(2999), 2, 0, 501, 7, TOMBSTONE, b"")
    assert raid.gone == 2998
    assert engine.get(digest_of(2998))[5] == b"back"
    assert engine.statistics()["tombstones"] == 1


def test_a_store_may_be_cleared_under_a_raid(engine):
    for n in range(3000):
        put(engine, digest_of(n), b"", flags=TOMBSTONE)
    parts = engine.tomb_raid(500).parts()
    next(parts)
    engine.clear()
    put(engine, digest_of(1), b"newest")
    for part in parts:
        if part is not None:
            part()
    assert [record[5] for _, record in engine.records()] == [b"newest"]


def test_a_scan_is_one_partition_in_digest_order(engine):
    mine = [digest_of(n, partition=5) for n in range(200)]
    for digest in mine:
        put(engine, digest, digest[:7])
        put(engine, digest_of(1, partition=6))
    scanned = list(engine.scan(5))
    assert [digest for digest, _ in scanned] == sorted(mine)
    assert all(record[5] == digest[:7] for digest, record in scanned)


def test_a_scan_resumes_behind_a_digest(engine):
    mine = sorted(digest_of(n) for n in range(50))
    for digest in mine:
        put(engine, digest)
    assert [d for d, _ in engine.scan(5, mine[9])] == mine[10:]
    assert [d for d, _ in engine.scan(5, mine[-1])] == []
    engine.remove(mine[9])
    assert [d for d, _ in engine.scan(5, mine[9])] == mine[10:]


def test_a_store_may_change_under_a_scan(engine):
    mine = sorted(digest_of(n) for n in range(50))
    for digest in mine:
        put(engine, digest)
    scan = engine.scan(5)
    assert next(scan)[0] == mine[0]
    engine.remove(mine[1])
    put(engine, mine[2], b"newer")
    engine.clear()
    put(engine, mine[3], b"newest")
    assert [(d, record[5]) for d, record in scan] == [(mine[3], b"newest")]


def test_all_records_are_met_once(engine):
    expected = {}
    for n in range(300):
        digest = digest_of(n, partition=n % 7)
        put(engine, digest, bytes([n % 251]) * n)
        expected[digest] = bytes([n % 251]) * n
    for n in range(0, 300, 3):
        put(engine, digest_of(n, partition=n % 7), b"again")
        expected[digest_of(n, partition=n % 7)] = b"again"
    put(engine, digest_of(1, partition=1), b"", flags=TOMBSTONE)
    engine.remove(digest_of(2, partition=2))
    del expected[digest_of(1, partition=1)], expected[digest_of(2, partition=2)]
    engine.sync()
    met = list(engine.records())
    assert len(met) == len(expected)
    assert dict(met) == {digest: (1, 0, 500, 7, 0, value) for digest, value in expected.items()}


def test_a_store_may_change_under_a_pass_over_all_of_it(engine):
    digests = [digest_of(n, partition=n) for n in range(50)]
    for digest in digests:
        put(engine, digest)
    engine.sync()
    met = engine.records()
    first = next(met)[0]
    changed, removed, *others = (digest for digest in digests if digest != first)
    put(engine, changed, b"newer")
    engine.remove(removed)
    rest = [(digest, record[5]) for digest, record in met]
    assert sorted(rest) == sorted(
        [(changed, b"newer"), *((digest, b"payload") for digest in others)]
    )


def test_a_store_may_be_cleared_under_a_pass_over_all_of_it(engine):
    for n in range(2000):
        put(engine, digest_of(n, partition=n))
    met = engine.records()
    next(met)
    engine.clear()
    put(engine, digest_of(1), b"newest")
    assert [record[5] for _, record in met] in ([], [b"newest"])


def test_a_pass_over_all_records_ends_however_many_are_added(engine):
    put(engine, digest_of(0))
    for n, _ in enumerate(engine.records(), 1):
        assert n < 20_000
        put(engine, digest_of(n, partition=n % 4096))


def test_clear_forgets_everything_and_leaves_a_usable_store(engine):
    for n in range(100):
        put(engine, digest_of(n, partition=n))
    put(engine, digest_of(1), b"", flags=TOMBSTONE)
    engine.clear()
    statistics = engine.statistics()
    assert (statistics["objects"], statistics["tombstones"]) == (0, 0)
    assert all(engine.get(digest_of(n, partition=n)) is None for n in range(100))
    put(engine, digest_of(1))
    assert engine.get(digest_of(1)) is not None


def test_sync_returns_and_says_whether_it_matters(engine):
    put(engine, digest_of(1))
    engine.sync()
    assert isinstance(engine.acknowledges_sync, bool)
    assert engine.get(digest_of(1)) is not None


def test_statistics_are_whole_numbers_by_name(engine):
    put(engine, digest_of(1))
    assert all(
        isinstance(name, str) and isinstance(value, int)
        for name, value in engine.statistics().items()
    )


def test_puts_survive_a_sync_and_much_more_work(engine):
    digests = [digest_of(n, partition=n % 7) for n in range(60)]
    for round_ in range(30):
        for n, digest in enumerate(digests):
            put(engine, digest, bytes([round_]) * (20 + 13 * (n + round_) % 400))
        engine.sync()
    for n, digest in enumerate(digests):
        assert engine.get(digest)[5] == bytes([29]) * (20 + 13 * (n + 29) % 400)
    assert engine.statistics()["objects"] == 60


CAPABILITIES = {
    "memory": {Overwrites, Exchanges, Bulk},
    "ssd": {Overwrites, Upkeep, Tunable},
    "kv": {Upkeep},
    "ssd_cold": {Upkeep},
    "model": set(),
}


def test_an_engine_has_the_capabilities_that_the_documentation_says(request, engine):
    kind = request.node.callspec.params["engine"].split(",")[0]
    every = (Overwrites, Exchanges, Bulk, Upkeep, Tunable)
    assert {each for each in every if isinstance(engine, each)} == CAPABILITIES[kind]


def test_an_engine_says_when_what_has_gathered_should_be_written(engine):
    if not isinstance(engine, Upkeep):
        pytest.skip("it keeps records nowhere but in memory")
    due = []
    engine.on_flush_due(lambda: due.append(threading.get_ident()))
    payload = random.Random(1).randbytes(7000)  # no coder makes it shorter
    for n in range(1250):
        put(engine, digest_of(n), payload)
    assert set(due) == {threading.get_ident()}
    thread = threading.Thread(target=engine.write_behind)
    thread.start()
    thread.join()
    assert set(due) == {threading.get_ident()}
    assert all(engine.get(digest_of(n))[5] == payload for n in range(0, 1250, 100))
    engine._check()


def test_names_of_sets_are_kept(engine):
    engine.name_set(1, b"people")
    engine.name_set(65535, "größe".encode())
    engine.clear()
    assert engine.set_names == {1: b"people", 65535: "größe".encode()}


def test_metadata_is_kept_and_forgotten(engine):
    assert dict(engine.meta()) == {}
    for n in range(4096):
        engine.set_meta(b"partition %d" % n, b"%d" % n * 3)
    engine.set_meta(b"empty", b"")
    engine.set_meta(b"partition 7", b"another")
    engine.set_meta(b"partition 8", None)
    engine.set_meta(b"never", None)
    engine.clear()
    engine.sync()
    meta = engine.meta()
    assert (len(meta), meta[b"partition 7"], meta[b"empty"]) == (4096, b"another", b"")
    assert b"partition 8" not in meta
    assert engine.statistics()["objects"] == 0


def test_metadata_has_its_limits(engine):
    for key, value in ((b"", b"v"), (b"k" * 33, b"v"), (b"k", b"v" * 257), (b"k" * 33, None)):
        with pytest.raises(ValueError, match="metadata"):
            engine.set_meta(key, value)
    for n in range(MAX_META_ENTRIES):
        engine.set_meta(b"%032d" % n, b"v" * 256)
    before = dict(engine.meta())
    with pytest.raises(OutOfSpace):
        engine.set_meta(b"one more", b"")
    engine.set_meta(b"%032d" % 1, b"w" * 256)
    assert dict(engine.meta()) == before | {b"%032d" % 1: b"w" * 256}
    engine.set_meta(b"%032d" % 1, None)
    engine.set_meta(b"one more", b"")
    engine.sync()


@pytest.mark.parametrize("name", LASTING)
def test_everything_is_there_after_a_clean_shutdown(name, tmp_path):
    engine = ENGINES[name](tmp_path)
    engine.open()
    engine.name_set(7, b"people")
    engine.set_meta(b"version", bytes(range(256)))
    engine.set_meta(b"gone", b"")
    engine.set_meta(b"gone", None)
    digests = [digest_of(n, partition=n % 5) for n in range(300)]
    for n, digest in enumerate(digests):
        put(engine, digest, b"%d" % n * (n % 90))
    put(engine, digests[0], b"", flags=TOMBSTONE)
    engine.remove(digests[1])
    usage = engine.index.sets[7].bytes
    for _ in range(2):
        engine.close()
        engine = ENGINES[name](tmp_path)
        engine.open()
        assert engine.started_warm
        assert engine.set_names == {7: b"people"}
        assert engine.meta() == {b"version": bytes(range(256))}
        statistics = engine.statistics()
        assert (statistics["objects"], statistics["tombstones"]) == (298, 1)
        assert engine.index.sets[7].bytes == usage
        for n, digest in enumerate(digests[2:], 2):
            assert engine.get(digest) == (1, 0, 500, 7, 0, b"%d" % n * (n % 90))
        assert engine.get(digests[0]) is None
        assert engine.get(digests[1]) is None
        engine._check()
    engine.close()


@pytest.mark.parametrize("name", LASTING)
def test_the_index_of_an_older_shutdown_is_not_trusted(name, tmp_path):
    engine = ENGINES[name](tmp_path)
    engine.open()
    put(engine, digest_of(1), b"first")
    engine.close()
    file = tmp_path / ("a.cold" if "cold" in name else "a.index")
    index = file.read_bytes()
    engine = ENGINES[name](tmp_path)
    engine.open()
    put(engine, digest_of(1), b"second")
    engine.close()
    file.write_bytes(index)
    engine = ENGINES[name](tmp_path)
    engine.open()
    assert not engine.started_warm
    found = engine.get(digest_of(1))
    assert found is None if "mapped" in name else found[5] == b"second"
    engine.close()


@pytest.mark.parametrize("name", LASTING)
def test_an_engine_can_be_opened_again(name, tmp_path):
    engine = ENGINES[name](tmp_path)
    for n in range(3):
        engine.open()
        put(engine, digest_of(n))
        assert engine.statistics()["objects"] == n + 1
        engine.close()
