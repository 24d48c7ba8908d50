"""One door: nothing in `asd` calls what changes an engine's records but `asd.space.commit`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

DOOR = "asd/src/asd/space/commit.py"

CHANGES = frozenset({"put", "overwrite", "exchange", "remove", "remove_slots"})
"""The methods of an engine that change its records."""

ENGINES = frozenset({"engine", "_engine"})
"""What an engine is called in `asd`."""


def uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of each use of such a method, called or taken as a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CHANGES:
            owner = ast.unparse(node.value)
            if owner.split(".")[-1] in ENGINES:
                yield node.lineno, f"{owner}.{node.attr}"


def test_records_change_through_one_door(sources):
    complaints = [
        f"{module.name}:{line}: uses {what}; commit a Change, or ask the door of the namespace"
        for module in sources
        if module.member == "asd" and module.name != DOOR
        for line, what in uses(module.tree)
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_the_door_is_where_it_is_looked_for(sources):
    door = next(module for module in sources if module.name == DOOR)
    found = {what.rpartition(".")[2] for _, what in uses(door.tree)}
    assert found == CHANGES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("namespace.engine.put(1)", ["namespace.engine.put"]),
        ("put = self._engine.put", ["self._engine.put"]),
        ("engine.overwrite", ["engine.overwrite"]),
        ("engine.get(1)", []),
        ("queue.put(1)", []),
        ("engine.index.remove(1)", []),
    ],
)
def test_the_eye_for_changes_of_records(source, found):
    assert [what for _, what in uses(ast.parse(source))] == found
