"""The examples in the package's docstrings and README are true."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
from pathlib import Path

import pytest

import storage

MODULES = [
    "storage",
    *(f"storage.{module.name}" for module in pkgutil.iter_modules(storage.__path__)),
]
README = Path(__file__).resolve().parents[2] / "storage" / "README.md"


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_readme_example_prints_what_it_says():
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    lines = printed.getvalue().splitlines()
    assert lines[0] == "(1, 0, 500, 7, 0, b'EDSGER')"
    assert lines[1] == "[(1, 0, 500, 7, 0, b'EDSGER')]"
    assert lines[2] == "3 14"
