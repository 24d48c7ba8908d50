"""No module-level mutable state: ten servers in one process must not see each other.

Tables are fine when they are named in UPPER_CASE and nothing ever changes them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Module

MUTABLE_LITERALS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
COLLECTION_MAKERS = frozenset({"list", "dict", "set", "bytearray", "array"})
STATE_MAKERS = frozenset(
    {"defaultdict", "OrderedDict", "Counter", "deque", "ChainMap", "count", "cycle", "iter"}
    | {"WeakKeyDictionary", "WeakValueDictionary", "WeakSet", "Queue", "SimpleQueue", "Random"}
    | {"Lock", "RLock", "Condition", "Event", "Semaphore", "local", "ContextVar"}
)
"""Even an UPPER_CASE name may not hold one of these: they exist to be changed."""

FROZEN_MAKERS = frozenset({"MappingProxyType", "Struct", "TypeVar", "ParamSpec", "NewType"})
"""What makes values that cannot change; frozen classes of the project are added to it."""

CACHES = frozenset({"cache", "lru_cache"})
MUTATORS = frozenset(
    {"append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault"}
    | {"add", "discard", "sort", "reverse"}
)


def is_constant_name(name: str) -> bool:
    return name.strip("_").isupper() or (name.startswith("__") and name.endswith("__"))


def callee(node: ast.expr) -> str:
    """The last name of what a call calls; '' when the value is no call."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr, int]]:
    """(name, value, line) of each assignment that runs when a module or class body does."""
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value, node.lineno
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value, node.lineno
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.For):
            for field in ("body", "orelse", "finalbody"):
                yield from assignments(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from assignments(handler.body)


def frozen_classes(modules: list[Module]) -> frozenset[str]:
    """Names of the project's classes whose instances cannot change."""
    names = set()
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                traits = [ast.unparse(trait) for trait in (*node.decorator_list, *node.bases)]
                if any(re.search(r"\bfrozen\b(?!=False)|NamedTuple|Enum", t) for t in traits):
                    names.add(node.name)
    return frozenset(names)


def fault(name: str, value: ast.expr, frozen: frozenset[str]) -> str:
    """Why the assignment is mutable state; '' when it is not."""
    made_by = callee(value)
    if made_by in STATE_MAKERS:
        return f"{name} = {made_by}(...) is state"
    if is_constant_name(name):
        return ""
    if isinstance(value, MUTABLE_LITERALS) or made_by in COLLECTION_MAKERS:
        return f"{name} can be changed"
    if made_by[:1].isupper() and made_by not in FROZEN_MAKERS | frozen:
        return f"{name} is an instance of {made_by}, which is not a frozen class"
    return ""


ADVICE = "keep it in an object that is handed in, or make it an UPPER_CASE table nothing changes"


def test_no_mutable_state_in_modules_and_classes(sources):
    complaints = []
    frozen = frozen_classes(sources)
    for module in sources:
        bodies = [module.tree.body]
        bodies += [n.body for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef)]
        complaints += [
            f"{module.name}:{line}: {why}; {ADVICE}"
            for number, body in enumerate(bodies)
            for name, value, line in assignments(body)
            # in a class body calls declare fields: only literals are shared by all instances
            if number == 0 or isinstance(value, MUTABLE_LITERALS)
            if (why := fault(name, value, frozen))
        ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_no_global_statements_and_no_caches_of_a_process(sources):
    complaints = []
    for module in sources:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Global):
                complaints.append(f"{module.name}:{node.lineno}: 'global' is state; {ADVICE}")
            for decorator in getattr(node, "decorator_list", []):
                name = callee(decorator) or getattr(decorator, "attr", getattr(decorator, "id", ""))
                if name in CACHES:
                    complaints.append(
                        f"{module.name}:{decorator.lineno}: @{name} keeps results for the whole"
                        f" process; {ADVICE}"
                    )
    assert not complaints, "\n" + "\n".join(complaints)


def test_tables_are_never_changed(sources):
    tables = {
        name
        for module in sources
        for name, value, _ in assignments(module.tree.body)
        if is_constant_name(name) and isinstance(value, MUTABLE_LITERALS)
    }
    complaints = [
        f"{module.name}:{line}: the table {name} is changed; {ADVICE}"
        for module in sources
        for line, name in changes(module.tree)
        if name in tables
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def changes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, name) of each name whose value is changed in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.lineno, last_name(node.value)
        elif isinstance(node, ast.AugAssign):
            yield node.lineno, last_name(node.target)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from [(node.lineno, last_name(node.func.value))] * (node.func.attr in MUTATORS)


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@pytest.mark.parametrize(
    ("source", "faulty"),
    [
        ("cache = {}", True),
        ("seen: set[int] = set()", True),
        ("if True:\n    names = [n for n in 'ab']", True),
        ("server = Server()", True),
        ("LOCK = threading.Lock()", True),
        ("COUNTS = defaultdict(int)", True),
        ("TABLE = {1: 2}", False),
        ("_ORDER = [1, 2]", False),
        ("__all__ = ['a']", False),
        ("limits = (1, 2)", False),
        ("names = frozenset({'a'})", False),
        ("table = MappingProxyType({})", False),
        ("header = struct.Struct('>I')", False),
        ("origin = Point(0, 0)", False),
        ("log = logging.getLogger('a')", False),
    ],
)
def test_the_eye_for_state(source, faulty):
    found = list(assignments(ast.parse(source).body))
    assert len(found) == 1
    name, value, _ = found[0]
    assert bool(fault(name, value, frozenset({"Point"}))) == faulty


@pytest.mark.parametrize(
    "source", ["T[1] = 2", "del T[1]", "a.T.append(1)", "T |= {1}", "T.update(a)", "T[1] += 1"]
)
def test_the_eye_for_changes(source):
    assert "T" in {name for _, name in changes(ast.parse(source))}
