"""The benchmark beside the official client works; what it measures is not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"


def test_the_benchmark_prints_its_table() -> None:
    command = [sys.executable, str(BENCH / "client.py"), "--rounds", "1", "--records", "1000"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    for name in ("get, blocking", "get, asyncio", "batch of 100", "scan, one by one"):
        assert f"| {name}" in output
