"""The page and the pictures are what the code makes of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_cluster", DOCS / "make_cluster.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(maker):
    text = (DOCS / "cluster.md").read_text("utf-8")
    assert maker.page(text) == text, "run python docs/make_cluster.py"
    for name in maker.SECTIONS:
        assert f"<!-- {name} -->" in text


def test_the_pictures_are_up_to_date(maker):
    for name, draw in maker.PICTURES.items():
        assert draw() == (DOCS / "pictures" / name).read_text("utf-8"), name
