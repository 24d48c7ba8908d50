"""Functions and files stay short. Exceptions are listed with their length and may only shrink."""

from __future__ import annotations

import ast

import pytest

MAX_FUNCTION_LINES = 60
"""Lines of a function, decorators and docstring not counted."""

MAX_FILE_LINES = 500

LONG_FUNCTIONS: dict[str, int] = {}
"""'path::function' -> lines today; the longest where several in a file have the name."""

LONG_FILES: dict[str, int] = {}
"""'path' -> lines today."""


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def ratchet(found: dict[str, int], listed: dict[str, int], limit: int, table: str) -> list[str]:
    """What to say about the lengths found, given the exceptions listed."""
    complaints = []
    for name, lines in found.items():
        allowed = listed.get(name, limit)
        if lines > allowed:
            complaints.append(f"{name} has {lines} lines, more than {allowed}: split it by idea")
    for name, lines in listed.items():
        now = found.get(name, 0)
        if now <= limit:
            complaints.append(f"{name} is short enough now: take it off {table}")
        elif now < lines:
            complaints.append(f"{name} has shrunk: set it to {now} in {table}")
    return complaints


def test_functions_are_short(modules):
    found: dict[str, int] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{module.name}::{node.name}"
                found[name] = max(length(node), found.get(name, 0))
    complaints = ratchet(found, LONG_FUNCTIONS, MAX_FUNCTION_LINES, "LONG_FUNCTIONS")
    assert not complaints, "\n" + "\n".join(complaints)


def test_files_are_short(modules):
    found = {module.name: len(module.lines) for module in modules}
    complaints = ratchet(found, LONG_FILES, MAX_FILE_LINES, "LONG_FILES")
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    ("now", "expected"),
    [(61, "split it"), (60, ""), (70, "split it"), (10, "")],
)
def test_the_ratchet_on_what_is_not_listed(now, expected):
    assert expected in "".join(ratchet({"a": now}, {}, 60, "T"))
    assert bool(ratchet({"a": now}, {}, 60, "T")) == bool(expected)


@pytest.mark.parametrize(
    ("now", "expected"),
    [(81, "split it"), (80, ""), (79, "set it to 79 in T"), (60, "take it off T")],
)
def test_the_ratchet_on_what_is_listed(now, expected):
    complaints = ratchet({"a": now}, {"a": 80}, 60, "T")
    assert len(complaints) == bool(expected)
    assert expected in "".join(complaints)
