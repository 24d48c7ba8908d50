"""The load generator's batches are batches that the server understands."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from asd import Server

LOAD = Path(__file__).parents[2] / "bench" / "load.c"

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("bench") / "load"
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, LOAD], check=True)
    return program


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_batches_of_the_load_generator(load: Path, rows: int) -> None:
    with Server(namespaces=["test"]) as server:
        for mode, missing in (("batch-put", 0), ("batch-get", None)):
            arguments = (server.address[1], 2, rows, 0.05, mode, 50)
            command = [load, *map(str, arguments)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            result = json.loads(output)
            assert result["operations"] >= 2 * rows
            assert result["operations"] % rows == 0
            assert missing is None or result["not_found"] == missing
