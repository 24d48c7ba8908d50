"""The examples of the page run as they stand, and its table is what the code has."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = re.compile(r"<!-- example -->\n\n```python\n(.*?)```", re.DOTALL)


def test_the_examples_run():
    page = (DOCS / "simulation.md").read_text("utf-8")
    examples = EXAMPLE.findall(page)
    assert len(examples) == 2
    names: dict[str, Any] = {"__name__": "simulation"}
    for example in examples:
        exec(compile(example, "docs/simulation.md", "exec"), names)


def test_the_table_of_workloads_is_up_to_date():
    spec = importlib.util.spec_from_file_location("make_simulation", DOCS / "make_simulation.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    text = (DOCS / "simulation.md").read_text("utf-8")
    assert maker.page(text) == text, "run python docs/make_simulation.py"
