"""Arrows between the packages run down only, and each names exactly what it imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

MEMBERS = ("citrusleaf", "aerospike_common", "storage", "cluster", "aerospike_client", "asd")
MAY_IMPORT = {
    "citrusleaf": frozenset(),
    "aerospike_common": frozenset({"citrusleaf"}),
    "storage": frozenset({"citrusleaf"}),
    "cluster": frozenset({"citrusleaf", "aerospike_common"}),
    "aerospike_client": frozenset({"citrusleaf", "aerospike_common"}),
    "asd": frozenset({"citrusleaf", "aerospike_common", "storage", "cluster", "aerospike_client"}),
}
DISTRIBUTIONS = {
    "aerospike_common": "citrusleaf-common",
    "storage": "citrusleaf-storage",
    "cluster": "citrusleaf-cluster",
    "aerospike_client": "citrusleaf-client",
    "asd": "citrusleaf-asd",
    "attr": "attrs",
    "Crypto": "pycryptodome",
    "google_crc32c": "google-crc32c",
    "re2": "google-re2",
    "yaml": "pyyaml",
}
"""Import name -> distribution, where they differ."""

HOSTS = {
    "asd/src/asd/pytest_plugin.py": frozenset({"pytest", "aerospike"}),
}
"""Files that are imported by the very package they import, or do without it."""


def imports(tree: ast.AST, guarded: bool = False) -> Iterator[tuple[str, int, bool]]:
    """(top-level name, line, is it in a `try` that catches ImportError) of each import."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno, guarded
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node.lineno, guarded
        elif isinstance(node, ast.Try):
            caught = "".join(ast.unparse(handler.type or node) for handler in node.handlers)
            yield from imports(node, guarded or "Import" in caught or "ModuleNotFound" in caught)
        else:
            yield from imports(node, guarded)


def requirement_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0] for requirement in requirements}


def test_arrows_run_down_only(sources):
    complaints = [
        f"{module.name}:{line}: {module.member} may not import {name}; move what both need down"
        for module in sources
        for name, line, _ in imports(module.tree)
        if name in MEMBERS and name not in MAY_IMPORT[module.member] | {module.member}
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_every_import_is_declared_and_every_declaration_imported(root: Path, sources):
    complaints = []
    for member in MEMBERS:
        project = tomllib.loads((root / member / "pyproject.toml").read_text("utf-8"))["project"]
        declared = requirement_names(project.get("dependencies", []))
        extras = requirement_names(
            [name for extra in project.get("optional-dependencies", {}).values() for name in extra]
        )
        used = set()
        for module in (module for module in sources if module.member == member):
            for name, line, guarded in imports(module.tree):
                if name in sys.stdlib_module_names or name == member:
                    continue
                if name in HOSTS.get(module.name, ()):
                    continue
                distribution = DISTRIBUTIONS.get(name, name)
                used.add(distribution)
                if distribution not in declared | (extras if guarded else set()):
                    complaints.append(
                        f"{module.name}:{line}: imports {name}; add {distribution} to the"
                        f" dependencies in {member}/pyproject.toml"
                    )
        complaints += [
            f"{member}/pyproject.toml: nothing in the package imports {name}; remove it"
            for name in sorted(declared - used)
        ]
    assert not complaints, "\n" + "\n".join(complaints)
