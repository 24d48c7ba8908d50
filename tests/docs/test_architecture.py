"""The map of the rooms is what the code is."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_architecture", DOCS / "make_architecture.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_up_to_date(maker: ModuleType) -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    assert maker.page(text) == text, "run python docs/make_architecture.py"


def test_every_room_is_on_the_map(maker: ModuleType) -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    missing = [room for room in maker.rooms() if f"<!-- room {room} -->" not in text]
    assert not missing, f"say what these rooms are for: {missing}"
