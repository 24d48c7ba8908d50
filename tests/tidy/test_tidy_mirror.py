"""Tests are found by name: paths mirror those of the packages, and what texts point at exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMBERS = ("citrusleaf", "aerospike_common", "storage", "cluster", "aerospike_client", "asd")

PREFIXES = {"aerospike_common": ("as", "wire"), "citrusleaf": ("cf",)}
"""What the modules of a package begin with: a test of several may be named so."""

POINTER = re.compile(r"\b(?:tests|bench|docs)/[\w/.-]+\.(?:py|md|json|conf|c)\b")


def complaint(root: Path, test: Path) -> str:
    """Why a test file is not where it is looked for; '' when it is.

    `tests/asd/space/test_nsup.py` is about `asd.space.nsup`, and so is `test_nsup_eviction.py`. A
    test of a whole room or package is named for it.
    """
    member, *folders = test.relative_to(root / "tests").parent.parts
    home = root.joinpath(member, "src", member, *folders)
    if not home.is_dir():
        return f"there is no {home.relative_to(root).as_posix()}"
    name = test.stem.removeprefix("test_")
    subjects = {path.stem for path in home.iterdir()} | {home.name}
    subjects |= set(PREFIXES.get(member, ()))
    words = name.split("_")
    if any("_".join(words[:count]) in subjects for count in range(1, len(words) + 1)):
        return ""
    return f"nothing in {home.relative_to(root).as_posix()} is called so"


def member_tests(root: Path) -> Iterator[Path]:
    for member in MEMBERS:
        yield from sorted((root / "tests" / member).rglob("test_*.py"))


def test_tests_mirror_what_they_test(root: Path):
    complaints = [
        f"{test.relative_to(root).as_posix()}: {why}; name it for the module it tests"
        for test in member_tests(root)
        if (why := complaint(root, test))
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_what_texts_point_at_exists(root: Path, texts):
    complaints = [
        f"{name}:{number}: there is no {pointer}"
        for name, text in texts
        if not name.startswith(("bench/results", "tests/tidy/test_tidy_mirror"))
        for number, line in enumerate(text.splitlines(), 1)
        for pointer in POINTER.findall(line)
        if "NAME" not in pointer
        if not (root / pointer).exists()
        and not any((root / home / pointer).exists() for home in MEMBERS)
    ]
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ("tests/asd/space/test_nsup.py", ""),
        ("tests/asd/space/test_nsup_eviction.py", ""),
        ("tests/asd/space/test_space.py", ""),
        ("tests/asd/space/test_eviction.py", "nothing in"),
        ("tests/asd/nowhere/test_nsup.py", "there is no"),
    ],
)
def test_the_eye_for_places(root: Path, test: str, why: str):
    found = complaint(root, root / test)
    assert why in found
    assert bool(why) == bool(found)
