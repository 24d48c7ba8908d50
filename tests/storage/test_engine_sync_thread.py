"""Engines while another thread syncs them: nothing is lost, nothing is torn."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.cold import ColdEngine
from storage.engine import Overwrites
from storage.kv import KvEngine
from storage.ssd import SsdEngine

PUTS = 6000
ENGINES: dict[str, Callable[[str], Any]] = {
    "ssd": lambda path: SsdEngine(
        [path + "1", path + "2"], block_size=8192, cache_bytes=0, read_blocking=True
    ),
    "kv": KvEngine,
    "ssd_cold": lambda path: ColdEngine(
        path, block_size=16384, chunk_bytes=2000, read_blocking=True
    ),
}


@pytest.mark.parametrize("name", ENGINES)
def test_puts_gets_and_removes_while_a_thread_syncs(name: str, tmp_path: Path) -> None:
    make = ENGINES[name]
    engine = make(str(tmp_path / "a"))
    engine.open()
    done = threading.Event()
    failures: list[BaseException] = []

    def sync_for_ever() -> None:
        try:
            while not done.is_set():
                engine.sync()
        except BaseException as error:
            failures.append(error)

    source = random.Random(1)
    digests = [source.randbytes(20) for _ in range(300)]
    held: dict[bytes, bytes] = {}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=sync_for_ever)
    thread.start()
    try:
        for n in range(PUTS):
            digest = source.choice(digests)
            if n % 10 == 9:
                assert engine.remove(digest) == (held.pop(digest, None) is not None)
                continue
            if n % 2 and digest in held and isinstance(engine, Overwrites):
                payload = (b"%d " % n * 200)[: len(held[digest])]
                if engine.overwrite(digest, n, 7, b"", payload):
                    held[digest] = payload
                continue
            held[digest] = b"%d " % n * source.randrange(60)
            engine.put(digest, 1, 0, n, 7, 0, held[digest])
            asked = source.choice(digests)
            record = engine.get(asked)
            assert (record and record[5]) == held.get(asked)
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert not failures
    engine._check()
    engine.close()
    engine = make(str(tmp_path / "a"))
    engine.open()
    assert {d: engine.get(d)[5] for d in digests if engine.get(d)} == held
    engine.close()
