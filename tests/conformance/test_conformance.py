"""A sample of recorded exchanges with the real server, played against ours over a socket."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asd import Server


def _player() -> Any:
    """The module beside this file (tests are no package)."""
    path = Path(__file__).with_name("player.py")
    spec = importlib.util.spec_from_file_location("conformance_player", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


player = _player()

KNOWN = {"info-1-00291": "the recorded server had an admin port, this one has none"}
"""Scenarios that differ, and why; docs/compatibility.md has the whole list."""

AREAS = sorted(path.name.partition(".")[0] for path in player.RECORDINGS.glob("*.jsonl.gz"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(namespaces=["test", "bar"], edition="community") as running:
        yield running


@pytest.mark.parametrize("area", AREAS)
def test_the_recorded_answers(server: Server, area: str) -> None:
    connection = player.Player(server.address)
    scenarios = [s for s in player.scenarios(area) if s["id"] not in KNOWN]
    problems = [found for s in scenarios if (found := connection.play(s))]
    connection.close()
    assert not problems, f"{len(problems)} differ:\n" + "\n".join(problems[:20])


def test_what_is_known_to_differ_does(server: Server) -> None:
    connection = player.Player(server.address)
    found = [s for area in AREAS for s in player.scenarios(area) if s["id"] in KNOWN]
    assert found
    assert all(connection.play(scenario) for scenario in found)
    connection.close()


def test_a_difference_is_seen(server: Server) -> None:
    """The player itself: a recording that does not hold must fail."""
    scenario = next(s for s in player.scenarios("kv") if len(s["steps"]) > 2)
    last = scenario["steps"][-1]
    reply = bytearray.fromhex(last["recv"])
    reply[-1] ^= 1
    last["recv"] = reply.hex()
    connection = player.Player(server.address)
    assert connection.play(scenario)
    connection.close()
