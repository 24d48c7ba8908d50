"""The rooms of `asd`: few files at the top, arrows between rooms that make no circle."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from pathlib import PurePosixPath

import pytest

TOP = "asd/src/asd/"
MOST_AT_THE_TOP = 10


def room_of(path: str) -> str:
    """The folder below the top, or the file itself where it lies at the top."""
    first, _, rest = path.removeprefix(TOP).partition("/")
    return first if rest else first.removesuffix(".py")


def dotted(path: str) -> str:
    """The module's name."""
    return path.removeprefix("asd/src/").removesuffix(".py").replace("/", ".")


def imported(tree: ast.AST) -> Iterator[str]:
    """The names of all modules that may be meant by the imports, those for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows(sources) -> dict[str, set[str]]:
    """Room -> the rooms that it imports from."""
    rooms = {
        dotted(module.name).removesuffix(".__init__"): room_of(module.name)
        for module in sources
        if module.member == "asd"
    }
    found: dict[str, set[str]] = defaultdict(set)
    for module in sources:
        if module.member == "asd":
            here = room_of(module.name)
            found[here] |= {rooms[name] for name in imported(module.tree) if name in rooms}
            found[here].discard(here)
    return found


def circle(found: Mapping[str, Set[str]]) -> list[str]:
    """Rooms that import one another in a circle, in that order; [] when there is none."""
    done: set[str] = set()

    def visit(room: str, way: list[str]) -> list[str]:
        if room in way:
            return way[way.index(room) :]
        if room not in done:
            for other in sorted(found.get(room, ())):
                if found_circle := visit(other, [*way, room]):
                    return found_circle
            done.add(room)
        return []

    for room in sorted(found):
        if found_circle := visit(room, []):
            return found_circle
    return []


def test_no_circle_of_imports_between_rooms(sources):
    rooms = circle(arrows(sources))
    assert not rooms, f"{' -> '.join([*rooms, rooms[0]])}: move what they share down, or hand it in"


def test_few_files_at_the_top(sources):
    at_the_top = [
        module.name
        for module in sources
        if module.member == "asd" and PurePosixPath(module.name).parent.as_posix() + "/" == TOP
    ]
    assert len(at_the_top) <= MOST_AT_THE_TOP, f"find rooms for some of {at_the_top}"


@pytest.mark.parametrize(
    ("found", "rooms"),
    [
        ({"a": {"b"}, "b": {"c"}}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, ["a", "b", "c"]),
        ({"z": {"a"}, "a": {"b"}, "b": {"a"}}, ["a", "b"]),
    ],
)
def test_the_eye_for_circles(found, rooms):
    assert circle(found) == rooms
