"""The official Node.js client: the basics of an application, run by `node` against a server.

It takes node and the npm package `aerospike`, 60 MB. The package is looked for in the folder that
ASD_NODE_MODULES names, then in the cache; ASD_NODE_CLIENT=1 lets npm install it into the cache.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asd import Server

HERE = Path(__file__).parent
CACHE = Path.home() / ".cache" / "citrusleaf" / "node-client"
PACKAGE = "aerospike@6"
NODE_MODULES = Path(os.environ.get("ASD_NODE_MODULES", CACHE / "node_modules"))

Answers = dict[str, Any]


def reason_to_skip() -> str:
    """What is missing; '' when all is there, or may be installed."""
    if shutil.which("node") is None:
        return "node is not installed"
    if (NODE_MODULES / "aerospike").is_dir():
        return ""
    if os.environ.get("ASD_NODE_CLIENT") != "1" or "ASD_NODE_MODULES" in os.environ:
        return f"no npm package aerospike in {NODE_MODULES} (ASD_NODE_CLIENT=1 installs it)"
    return "" if shutil.which("npm") else "npm is not installed"


if missing := reason_to_skip():
    pytest.skip(missing, allow_module_level=True)


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The folder that has the client in it."""
    if not (NODE_MODULES / "aerospike").is_dir():
        install(CACHE)
    return NODE_MODULES


def install(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", PACKAGE],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")


@pytest.fixture(scope="module")
def answers(node_modules: Path) -> Iterator[Answers]:
    """What the steps of `node_client.js` came to."""
    with Server() as server:
        done = subprocess.run(
            ["node", "node_client.js", str(server.address[1]), str(HERE / "node_client.lua")],
            cwd=HERE,
            env={**os.environ, "NODE_PATH": str(node_modules)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


def test_put_and_get(answers: Answers) -> None:
    assert answers["put_get"] == {
        "born": 1815,
        "name": "Ada",
        "ratio": 0.5,
        "raw": "raw",
        "langs": ["en", "fr"],
        "notes": {"a": 2, "c": 1},
        "known": True,
        "generation": 1,
    }
    assert answers["exists"] == [True, False]
    assert answers["select"] == {"name": "Ada"}
    assert answers["missing"] == {"error": 2}
    assert answers["remove"] is False


def test_operate(answers: Answers) -> None:
    assert answers["operate"] == {"born": 1816, "name": "Ada Lovelace"}
    assert answers["generation"] == {"error": 3}


def test_lists_maps_bits_and_hyperloglogs(answers: Answers) -> None:
    assert answers["collections"] == ["de", {"a": 2, "b": 3, "c": 1}]
    assert answers["bits"] == "Ra"
    assert answers["hyperloglog"] == {"seen": 3}


def test_filter_expressions(answers: Answers) -> None:
    assert answers["filter_lets_through"] == 1816
    assert answers["filter_keeps_out"] == {"error": 27}


def test_batches(answers: Answers) -> None:
    assert answers["batch_write"] == [0, 0, 0]
    assert answers["batch_read"] == [[0, 1], [0, 2], [0, 3], [2, None]]
    assert answers["batch_remove"] == [0, 2]


def test_scan_and_query(answers: Answers) -> None:
    assert answers["scan"] == [1, 2]
    assert answers["query"] == [2]


def test_user_defined_function(answers: Answers) -> None:
    assert answers["udf"] == 42


def test_truncate_and_info(answers: Answers) -> None:
    assert answers["truncate"] is False
    assert answers["info"].endswith("Aerospike Enterprise Edition")
