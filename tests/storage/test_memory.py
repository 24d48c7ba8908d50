"""What is the memory engine's own: its limit, its log, its frugality."""

from __future__ import annotations

import random
import struct
import subprocess
import sys

import pytest
from google_crc32c import value as crc_of

from storage.engine import OutOfSpace, StorageError
from storage.mapped import MappedMemoryEngine
from storage.memory import MemoryEngine

BLOCK = 64 << 10


def put(engine: MemoryEngine, digest: bytes, payload: bytes, flags: int = 0) -> None:
    engine.put(digest, 1, 0, 500, 7, flags, payload)


def log_bytes(engine: MemoryEngine) -> int:
    return engine.statistics()["data_total_bytes"]


def fill(engine: MemoryEngine, count: int, size: int) -> list[bytes]:
    source = random.Random(count)
    digests = [source.randbytes(20) for _ in range(count)]
    for digest in digests:
        put(engine, digest, digest[:1] * size)
    return digests


def test_out_of_space_leaves_the_store_as_it_was():
    engine = MemoryEngine(data_size=80)
    first, second = bytes(20), bytes([1] * 20)
    put(engine, first, b"a" * 40)
    put(engine, second, b"b" * 40)
    before = engine.statistics()
    assert before["data_used_bytes"] == before["data_total_bytes"] == 80
    with pytest.raises(OutOfSpace):
        put(engine, bytes([2] * 20), b"c")
    with pytest.raises(OutOfSpace):
        put(engine, first, b"a" * 41)
    assert engine.statistics() == before
    assert engine.get(first)[5] == b"a" * 40
    assert engine.get(bytes([2] * 20)) is None
    engine._check()


def test_a_full_store_still_takes_what_needs_no_more():
    engine = MemoryEngine(data_size=40)
    put(engine, bytes(20), b"a" * 40)
    put(engine, bytes(20), b"b" * 40)
    put(engine, bytes(20), b"c" * 3)
    put(engine, bytes([1] * 20), b"")
    assert engine.get(bytes(20))[5] == b"ccc"
    assert engine.remove(bytes(20)) is True
    put(engine, bytes([1] * 20), b"d" * 40)
    engine._check()


def test_a_payload_longer_than_a_block_is_refused():
    engine = MemoryEngine(block_size=4096)
    put(engine, bytes(20), b"x" * 4096)
    with pytest.raises(ValueError, match="4104"):
        put(engine, bytes(20), b"y" * 4097)
    assert engine.get(bytes(20))[5] == b"x" * 4096


@pytest.mark.parametrize("digest", [bytes(20), bytes([1] * 20)], ids=["present", "absent"])
def test_metadata_out_of_range_changes_nothing(digest):
    engine = MemoryEngine()
    put(engine, bytes(20), b"before")
    before = engine.get(digest)
    with pytest.raises(struct.error):
        engine.put(digest, 65536, 0, 500, 7, 0, b"after!")
    with pytest.raises(struct.error):
        engine.put(digest, 1, 0, 500, 65536, 0, b"after!")
    assert engine.get(digest) == before
    engine._check()


def test_overwrites_of_the_same_size_need_no_log():
    engine = MemoryEngine(block_size=BLOCK)
    digests = fill(engine, 100, 21)
    before = engine.statistics()
    for n in range(200):
        for digest in digests:
            put(engine, digest, bytes([n]) * 21)
    assert engine.statistics() == before


def test_overwrites_of_changing_size_do_not_make_the_log_grow():
    engine = MemoryEngine(block_size=BLOCK)
    source = random.Random(1)
    digests = fill(engine, 1000, 300)
    lengths = []
    for _ in range(60):
        for _ in range(1000):
            put(engine, source.choice(digests), b"x" * source.randrange(1, 600))
        lengths.append(log_bytes(engine))
    assert max(lengths) <= 2 * engine.statistics()["data_used_bytes"] + 6 * BLOCK
    assert max(lengths[30:]) <= max(lengths[:30]) + BLOCK
    engine._check()


def test_a_record_that_changes_its_set_is_counted_in_the_new_one():
    engine = MemoryEngine()
    engine.put(bytes(20), 1, 0, 500, 7, 0, b"same size")
    engine.put(bytes(20), 2, 0, 500, 8, 0, b"sAmE sIzE")
    assert engine.get(bytes(20)) == (2, 0, 500, 8, 0, b"sAmE sIzE")
    assert {set_id: usage.bytes for set_id, usage in engine.index.sets.items()} == {8: 9}
    engine._check()


def test_what_lives_in_sparse_blocks_is_moved_intact():
    engine = MemoryEngine(block_size=BLOCK)
    digests = fill(engine, 4000, 100)
    kept = digests[::10]
    for digest in set(digests) - set(kept):
        engine.remove(digest)
    assert engine.statistics()["defrag_writes"] > 0
    assert engine.statistics()["free_wblocks"] >= 0.6 * log_bytes(engine) / BLOCK
    assert all(engine.get(digest)[5] == digest[:1] * 100 for digest in kept)
    engine._check()


def test_the_place_of_what_was_removed_is_used_again():
    engine = MemoryEngine(block_size=BLOCK)
    fill(engine, 2000, 200)
    length = log_bytes(engine)
    for round_ in range(5):
        for digest in fill(engine, 2000, 200):
            engine.remove(digest)
        fill(engine, 2000 + round_, 200)
        for partition in range(4096):
            for digest, _ in list(engine.scan(partition)):
                engine.remove(digest)
    assert log_bytes(engine) <= length + 4 * BLOCK
    engine._check()


def test_one_call_empties_only_a_little():
    """What a big record leaves is paid for over many calls, not by one that takes long."""
    engine = MemoryEngine(block_size=1 << 20)
    digests = fill(engine, 70_000, 21)
    big = bytes(20)
    put(engine, big, b"b" * 900_000)
    before = 0
    for digest in digests[::2] + digests[1::2]:
        engine.remove(digest)
        before = engine.statistics()["defrag_writes"]
        if before:
            break
    engine.remove(big)
    moved = engine.statistics()["defrag_writes"] - before
    assert 64 < moved <= 256
    for _ in range(100):
        engine.remove(digests.pop())
    assert engine.statistics()["defrag_writes"] > before + moved
    engine._check()


def test_a_record_of_one_integer_costs_less_than_133_bytes():
    script = """
import os, random
from storage.memory import MemoryEngine
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
engine, source, payload = MemoryEngine(), random.Random(1), bytes(21)
before = resident()
for _ in range(250_000):
    engine.put(source.randbytes(20), 1, 0, 1 << 38, 1, 0, payload)
print((resident() - before) / 250_000)
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert float(answer.stdout) < 133


def test_a_mapped_file_of_an_older_format_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "records"
    engine = MappedMemoryEngine(str(path))
    engine.open()
    engine.close()
    head = path.read_bytes()[:4096]
    body = (1).to_bytes(4, "little") + head[16:40]
    with path.open("r+b") as file:
        file.write(head[:8] + crc_of(body).to_bytes(4, "little") + body)
    with pytest.raises(StorageError, match="version 1 of its format, and not 2: remove it"):
        MappedMemoryEngine(str(path)).open()
