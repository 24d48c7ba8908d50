"""Engines without room: what is refused has not happened, and everything else goes on."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.cold import ColdEngine
from storage.engine import OutOfSpace
from storage.kv import KvEngine
from storage.mapped import MappedMemoryEngine
from storage.memory import MemoryEngine
from storage.ssd import SsdEngine


def digest_of(number: int) -> bytes:
    return struct.pack("<HI14s", 5, number * 2654435761 % 2**32, b"%d" % number)


def put(engine: Any, digest: bytes, payload: bytes) -> None:
    engine.put(digest, 1, 0, 500, 7, 0, payload)


FULL: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: MemoryEngine(20_000, block_size=4096),
    "memory, mapped": lambda path: MappedMemoryEngine(str(path / "a"), 20_000, block_size=4096),
    "ssd": lambda path: SsdEngine(
        [str(path / "a")], size=100_000, names_size=4096, block_size=4096, read_blocking=True
    ),
    "kv": lambda path: KvEngine(str(path / "a"), size=200_000),
    "ssd_cold": lambda path: ColdEngine(
        str(path / "a"),
        size=100_000,
        names_size=4096,
        block_size=4096,
        chunk_bytes=1000,
        read_blocking=True,
    ),
}


@pytest.mark.parametrize("name", FULL)
def test_a_full_store_refuses_puts_keeps_what_it_has_and_takes_more_after_removal(name, tmp_path):
    engine = FULL[name](tmp_path)
    engine.open()
    held = {}
    with contextlib.suppress(OutOfSpace):
        for n in range(2000):
            put(engine, digest_of(n), b"%d" % n * 100)
            held[digest_of(n)] = b"%d" % n * 100
            engine.sync()
    assert 20 < len(held) < 2000
    assert {digest: engine.get(digest)[5] for digest in held} == held
    assert engine.get(digest_of(len(held))) is None
    for n, digest in enumerate(held):
        if n % 4:
            engine.remove(digest)
    engine.sync()
    for digest in list(held)[::8]:
        put(engine, digest, b"again")
        engine.sync()
        assert engine.get(digest)[5] == b"again"
    engine._check()
    engine.close()


@pytest.mark.parametrize("name", ["ssd", "ssd_cold"])
def test_a_full_table_of_names_and_metadata_refuses_more_and_keeps_what_it_has(name, tmp_path):
    engine = FULL[name](tmp_path)
    engine.open()
    kept = {}
    with contextlib.suppress(OutOfSpace):
        for n in range(100):
            engine.set_meta(b"%d" % n, b"v" * 200)
            kept[b"%d" % n] = b"v" * 200
    assert 10 < len(kept) < 100
    with pytest.raises(OutOfSpace):
        engine.name_set(1, b"n" * 250)
    engine.set_meta(b"0", b"w" * 200)
    engine.close()
    engine = FULL[name](tmp_path)
    engine.open()
    assert engine.meta() == kept | {b"0": b"w" * 200}
    engine.set_meta(b"0", None)
    engine.name_set(1, b"n" * 200)
    assert engine.set_names == {1: b"n" * 200}
    engine._check()
    engine.close()
