"""A consumer that is killed at every one of its steps, and begins again: it misses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from aerospike_client import Client, Key, SendKey, WritePolicy
from asd import Server

RECORDS = int(os.environ.get("CONSUMER_RECORDS", "1"))
"""Written before each life of the consumer; the time the test takes goes up with the square."""
STRIDE = int(os.environ.get("CONSUMER_STRIDE", "4"))
"""1: it is killed at every step; more: at one of so many (each life takes half a second)."""
KILLED = 9
CONSUMER = Path(__file__).with_name("consumer.py")


def test_a_consumer_killed_at_every_step_misses_nothing(tmp_path: Path) -> None:
    stored = WritePolicy(key=SendKey.SEND)
    with Server(in_thread=True) as server, Client([server.address]) as client:
        (tmp_path / "position").write_text(str(time.time() - 1))
        written: list[str] = []
        for step in range(1 if STRIDE == 1 else 3, 1000, STRIDE):
            if step <= 8 * RECORDS:
                for _ in range(RECORDS):
                    number = len(written)
                    client.put(Key("test", "users", number), {"x": number}, stored)
                    written.append(f"{number} {number}")
            host, port = server.address
            command = [sys.executable, str(CONSUMER), f"{host}:{port}", str(tmp_path)]
            ended = subprocess.run(
                [*command, str(step), str(len(written))], check=False, timeout=60
            )
            if ended.returncode == 0:
                break
            assert ended.returncode == KILLED
        handled = (tmp_path / "handled").read_text().splitlines()
        assert set(handled) == set(written)
        assert step > 8 * RECORDS
