"""What the tidy tests look at: every Python module of the repository, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

MEMBERS = ("citrusleaf", "aerospike_common", "storage", "cluster", "aerospike_client", "asd")
"""The packages, lowest first: arrows run from the right to the left."""

SKIPPED = frozenset({"build", "dist", "results", "__pycache__", "node_modules"})


@dataclass(frozen=True)
class Module:
    """A Python file: `name` is its path from the root, `member` the package it belongs to or ''."""

    name: str
    member: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> list[str]:
        """The file's lines, without their ends."""
        return self.text.splitlines()


def files(root: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The project's files with one of the suffixes (or names), outside hidden and built folders."""
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in SKIPPED:
            continue
        if path.is_dir():
            yield from files(path, suffixes)
        elif path.name.endswith(suffixes):
            yield path


def _module(root: Path, path: Path) -> Module:
    name = path.relative_to(root).as_posix()
    folder = name.split("/", 1)[0]
    member = folder if folder in MEMBERS and f"{folder}/src/" in name else ""
    text = path.read_text("utf-8")
    return Module(name, member, text, ast.parse(text, name))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def modules(root: Path) -> list[Module]:
    """Every Python file of the project."""
    return [_module(root, path) for path in files(root, (".py",))]


@pytest.fixture(scope="session")
def sources(modules: list[Module]) -> list[Module]:
    """The files of the packages, without tests and benchmarks."""
    return [module for module in modules if module.member]


@pytest.fixture(scope="session")
def texts(root: Path) -> list[tuple[str, str]]:
    """(path from the root, text) of every file people write."""
    kinds = (".py", ".md", ".toml", ".c", ".h", ".yml", ".yaml", ".conf", "Makefile", "run")
    return [(p.relative_to(root).as_posix(), p.read_text("utf-8")) for p in files(root, kinds)]
