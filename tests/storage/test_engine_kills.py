"""A process that writes is killed, again and again; what it acknowledged is there each time.

KILLS=100 in the environment makes it a long test.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.cold import ColdEngine
from storage.engine import Engine
from storage.kv import KvEngine
from storage.ssd import SsdEngine

KILLS = int(os.environ.get("KILLS", "2"))
KEYS = 200
ENGINES: dict[str, Callable[[str], Any]] = {
    "ssd": lambda path: SsdEngine([path], block_size=65536, commit=True, read_blocking=True),
    "kv": lambda path: KvEngine(path, commit=True),
    "ssd_cold": lambda path: ColdEngine(path, chunk_bytes=4096, commit=True, read_blocking=True),
}


def key(n: int) -> bytes:
    return random.Random(n % KEYS).randbytes(20)


def value(n: int) -> bytes:
    return b"%08d" % n * (1 + n * 7 % 90)


def write_for_ever(name: str, path: str, n: int) -> None:
    """Put numbered records, 16 to a sync; say the number of each sync's last record."""
    engine: Engine = ENGINES[name](path)
    engine.open()
    while True:
        for _ in range(16):
            n += 1
            engine.put(key(n), 1, 0, n, 1, 0, value(n))
        engine.sync()
        print(n, flush=True)


def run_and_kill(name: str, path: Path, n: int, syncs: int) -> int:
    """The last number that was acknowledged."""
    command = [sys.executable, __file__, name, str(path), str(n)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(syncs):
            n = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split("\n")[:-1]
        return int(rest[-1]) if rest else n


@pytest.mark.parametrize("name", ENGINES)
def test_what_was_acknowledged_survives_kills(name, tmp_path):
    path = tmp_path / "a"
    source = random.Random(KILLS)
    n = 0
    for _ in range(KILLS):
        n = run_and_kill(name, path, n, source.randrange(1, 60))
        engine = ENGINES[name](str(path))
        engine.open()
        assert not engine.started_warm or name == "kv"
        for last in range(max(1, n - KEYS + 1), n + 1):
            record = engine.get(key(last))
            written = record[2]
            assert written >= last
            assert record[5] == value(written)
        engine._check()
        engine.close()


if __name__ == "__main__":
    write_for_ever(sys.argv[1], sys.argv[2], int(sys.argv[3]))
