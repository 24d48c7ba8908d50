"""A lap of chaos with each kind of fault, as short as can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.plan import Laps
from chaos.run import Run

pytest.importorskip("aerospike", reason="the official client is not installed")

PATIENT = 30
"""Missed heartbeats: nodes that share a processor with other tests shall not miss each other."""


def test_nothing_is_lost_in_a_short_lap(tmp_path: Path) -> None:
    said: list[str] = []
    account = Run(tmp_path, seed=1, say=said.append, laps=Laps.SHORT, timeout=PATIENT).go(
        minutes=0.1
    )
    assert not account.complaints, "\n".join([*said, f"logs and histories in {tmp_path}"])
    assert account.copies
