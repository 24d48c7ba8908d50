"""What may not stand in the text: leftovers, silent suppressions, places outside the project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

# written in halves, so that this file does not complain about itself
MARKERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
OUTSIDE = re.compile(r"(?<![\w.])/(wo" r"rk|ro" r"ot|ho" r"me/\w+|Us" r"ers/\w+)/")
SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no\s*cover|mypy:\s*disable)\b(.*)")
RULE = re.compile(r"^(:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*|\[[a-z, -]+\])")


def test_no_leftover_markers(texts):
    complaints = [
        f"{name}:{number}: '{match[0]}': do it now, or say what is true today"
        for name, text in texts
        for number, line in enumerate(text.splitlines(), 1)
        if (match := MARKERS.search(line))
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_no_paths_of_somebody_s_machine(texts):
    complaints = [
        f"{name}:{number}: '{match[0]}' is a place on somebody's machine; use one in the repository"
        for name, text in texts
        for number, line in enumerate(text.splitlines(), 1)
        if (match := OUTSIDE.search(line))
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_suppressions_name_their_rule_and_reason(modules):
    complaints = [
        f"{module.name}:{number}: {complaint}"
        for module in modules
        for number, line in enumerate(module.lines, 1)
        if (complaint := complaint_about_suppression(line))
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def complaint_about_suppression(line: str) -> str:
    """What is missing on a line that switches a check off; '' when nothing is."""
    match = SUPPRESSION.search(line)
    if match is None:
        return ""
    rule = RULE.match(match[2])
    if rule is None and not match[1].startswith("pragma"):
        return f"name the rule: '# {match[1]}' of which?"
    reason = match[2][rule.end() if rule else 0 :]
    if "import-untyped" in match[2] or len(re.findall(r"\w+", reason)) >= 3:
        return ""
    return f"say why behind it: '{match[0]} - reason'"


@pytest.mark.parametrize(
    ("comment", "complaint"),
    [
        ("noqa", "name the rule"),
        ("noqa: E501", "say why"),
        ("noqa: E501 - a table is read by its columns", ""),
        ("noqa: E501, W291  # a table is read by its columns", ""),
        ("type: ignore", "name the rule"),
        ("type: ignore[arg-type]", "say why"),
        ("type: ignore[arg-type]  # each subclass is an attrs class", ""),
        ("type: ignore[import-untyped]", ""),
        ("ordinary words", ""),
    ],
)
def test_the_eye_for_suppressions(comment, complaint):
    found = complaint_about_suppression(f"x = 1  # {comment}")
    assert complaint in found
    assert bool(complaint) == bool(found)


def test_rules_switched_off_have_a_reason(texts):
    complaints = []
    for name, text in texts:
        if not name.endswith("pyproject.toml"):
            continue
        inside = False
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(r'(ignore|disable_error_code|"[^"]+")\s*=\s*\[', line):
                inside = True
            if inside and re.search(r'"[A-Z]+[0-9]+"', line) and "#" not in line:
                complaints.append(f"{name}:{number}: say behind the rule why it is switched off")
            inside = inside and "]" not in line
            if re.match(r"(ignore_errors|ignore_missing_imports|disallow_\w+ = false)", line):
                before = text.splitlines()[max(0, number - 2) : number]
                if not any("#" in near for near in before):
                    complaints.append(f"{name}:{number}: say why the check is switched off")
    assert not complaints, "\n" + "\n".join(complaints)


def test_modules_say_what_they_are(modules):
    complaints = [
        f"{module.name}: begins without a docstring; say in one line what the module is"
        for module in modules
        if module.text.strip() and not ast.get_docstring(module.tree)
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_public_names_say_what_they_are(sources):
    complaints = [
        f"{module.name}:{node.lineno}: {node.name} has no docstring; say what it promises"
        for module in sources
        for node in public(module.tree.body)
        if not ast.get_docstring(node)
    ]
    assert not complaints, "\n" + "\n".join(complaints)


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(body: list[ast.stmt]) -> Iterator[Definition]:
    """The public functions and classes defined directly in a body."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node


def test_nothing_is_left_unwritten(sources):
    complaints = []
    for module in sources:
        for function in ast.walk(module.tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                complaints += [
                    f"{module.name}:{line}: {what}" for line, what in unwritten(function)
                ]
    assert not complaints, "\n" + "\n".join(complaints)


def unwritten(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    """(line, complaint) of each sign that a function was left for later."""
    decorators = {ast.unparse(decorator).split(".")[-1] for decorator in function.decorator_list}
    if "abstractmethod" in decorators or "overload" in decorators:
        return
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield node.lineno, "NotImplementedError outside an abstract method; write it"
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    if len(statements) == 1 and isinstance(statements[0], ast.Pass):
        yield (
            statements[0].lineno,
            f"{function.name} does nothing; let a docstring say so",
        )


@pytest.mark.parametrize(
    ("source", "complains"),
    [
        ("def f():\n    raise NotImplementedError", True),
        ("@abstractmethod\ndef f():\n    raise NotImplementedError", False),
        ("def f():\n    pass", True),
        ("def f():\n    '''Nothing to do.'''", False),
    ],
)
def test_the_eye_for_unwritten_functions(source, complains):
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert bool(list(unwritten(function))) == complains


def test_each_package_brings_the_license(root: Path):
    """Source distributions hold no file from outside their folder, so each has a copy."""
    license_ = (root / "LICENSE").read_bytes()
    for project in root.glob("*/pyproject.toml"):
        assert (project.parent / "LICENSE").read_bytes() == license_, project.parent.name
