"""The examples of the README and of docs/client.md run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("aerospike_client/README.md", "docs/client.md")


def examples() -> list[tuple[str, str]]:
    return [
        (f"{page} {number}", source)
        for page in PAGES
        for number, source in enumerate(
            re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL), 1
        )
    ]


@pytest.mark.parametrize(("name", "source"), examples(), ids=[name for name, _ in examples()])
def test_the_example_runs(name: str, source: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", source], check=True, timeout=60)
