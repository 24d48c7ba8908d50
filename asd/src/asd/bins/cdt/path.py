"""Path operations: selecting or changing all elements that a path with expressions matches.

    [0xfe, context, flags]               select
    [0xfe, context, flags, expression]   apply

The context is a list of items as in `context`, any of which may match several elements: an
expression (or true for all) as type 0x04, a list of map keys as type 0x2a, and expressions as type
0x204 that filter what the item before them matched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from aerospike_common import as_msgpack as msgpack
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import MessageError
from asd.bins.cdt.containers import (
    Container,
    ListValue,
    MapValue,
    bad_argument,
    dict_of,
    from_value,
    refuse,
)
from asd.bins.cdt.context import (
    CREATE_ORDERED,
    INDEX,
    KEY,
    ON_LIST,
    ON_MAP,
    PERSIST,
    RANK,
    VALUE,
    Item,
    find,
)
from asd.bins.cdt.selection import all_by_value


class PathExpression(Protocol):
    """A compiled expression over one element."""

    def evaluate(self, key: Value, value: Value, index: int | None) -> Value:
        """The result for an element: its map key (None in a list), value, and list index (None in
        a map). UNKNOWN when it cannot be evaluated, REMOVE when the element is to go."""
        ...


class PathCompiler(Protocol):
    """Compiles the expressions inside path operations."""

    def compile(self, wire: bytes) -> PathExpression:
        """The expression of these msgpack bytes; OperationError PARAMETER when it is none."""
        ...


class _Sentinel:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


UNKNOWN: Final = _Sentinel("UNKNOWN")
"""An expression cannot be evaluated for this element."""
REMOVE: Final = _Sentinel("REMOVE")
"""The element is to be removed."""

EXPRESSION: Final = 0x04
KEY_LIST: Final = 0x2A
AND_EXPRESSION: Final = 0x204
MAX_ITEMS: Final = 64

TREE, VALUES, KEYS, KEYS_AND_VALUES, APPLY = range(5)
_MODE_MASK: Final = 0x0F
NO_FAIL: Final = 0x10


class _Always:
    """The filter that is literally true."""

    def evaluate(self, key: Value, value: Value, index: int | None) -> Value:
        return True


class PathItem(NamedTuple):
    """One level of a path: which elements of a container it matches, and the filters on them."""

    item: Item
    filters: tuple[PathExpression, ...]


class Path(NamedTuple):
    """A whole path operation."""

    items: list[PathItem]
    mode: int
    no_fail: bool
    expression: PathExpression | None


def run(
    root: Container | None, wire: list[Value], compiler: PathCompiler, *, modify: bool
) -> Value:
    """Run a path operation on a container (None: something else).

    A select answers in the shape of its mode; an apply, which only a modify may be, changes the
    container and answers nothing.
    """
    if root is None:
        refuse(ResultCode.BIN_TYPE, "a path needs a list or map")
    path = _parse(wire, compiler, modify=modify)
    top = _Level(root, 0, True)
    if path.mode == APPLY:
        return _apply(path, top)
    if path.mode == TREE:
        return _tree(path, top)
    emit = _EMITTERS[path.mode]
    result: list[Value] = []
    for container, positions in _leaves(path, top):
        result += emit(container, positions)
    return result


# -- parsing --------------------------------------------------------------------------------------


def _parse(wire: list[Value], compiler: PathCompiler, *, modify: bool) -> Path:
    if not 3 <= len(wire) <= 4 or type(wire[2]) is not int:
        bad_argument("a path operation has a context, flags and perhaps an expression")
    mode, no_fail = wire[2] & _MODE_MASK, bool(wire[2] & NO_FAIL)
    if mode not in range(APPLY + 1) or (mode == APPLY and not modify):
        bad_argument("no such path mode here")
    if len(wire) != (4 if mode == APPLY else 3):
        bad_argument("an apply has an expression, a select has none")
    items = _parse_items(wire[1], compiler)
    if not no_fail and any(item.kind == _LIST_KEY for item, _ in items):
        bad_argument("lists have no keys")
    return Path(items, mode, no_fail, _compile(compiler, wire[3]) if mode == APPLY else None)


def _parse_items(wire: Value, compiler: PathCompiler) -> list[PathItem]:
    if type(wire) is not list or not wire or len(wire) % 2 or len(wire) > 2 * MAX_ITEMS:
        bad_argument("a path is a list of 1 to 64 pairs")
    items: list[PathItem] = []
    for kind, value in zip(wire[::2], wire[1::2], strict=True):
        if type(kind) is not int:
            bad_argument("path item type is not an integer")
        if kind == AND_EXPRESSION:
            if not items or items[-1].item.kind == EXPRESSION or items[-1].filters:
                bad_argument("a filter follows an item that has none")
            condition = _Always() if value is True else _condition(compiler, value)
            items[-1] = items[-1]._replace(filters=(condition,))
        elif kind == EXPRESSION:
            filters = () if value is True else (_condition(compiler, value),)
            items.append(PathItem(Item(kind, None), filters))
        else:
            items.append(PathItem(_simple_item(kind, value), ()))
    return items


def _simple_item(kind: int, value: Value) -> Item:
    if kind == KEY_LIST:
        if type(value) is not list:
            bad_argument("not a list of keys")
        return Item(kind, value)
    kind &= ~(CREATE_ORDERED | PERSIST)
    if kind not in _SIMPLE_KINDS:
        bad_argument("no such path item type")
    if kind & 0x0F in (INDEX, RANK) and type(value) is not int:
        bad_argument("path index or rank is not an integer")
    return Item(kind, msgpack.text(value))


MAP_INDEX: Final = ON_MAP | INDEX
_FIRST_ONLY: Final = frozenset({ON_LIST | RANK, MAP_INDEX})
_COUNTED: Final = _FIRST_ONLY | {ON_MAP | RANK}
_LIST_KEY: Final = ON_LIST | KEY
"""Matches nothing, where that is no failure."""
_SIMPLE_KINDS: Final = frozenset(
    {ON_LIST | by for by in (INDEX, RANK, KEY, VALUE)}
    | {ON_MAP | by for by in (INDEX, RANK, KEY, VALUE)}
)


def _condition(compiler: PathCompiler, tree: Value) -> PathExpression:
    if type(tree) is not list:
        bad_argument("a path condition is an expression")
    return _compile(compiler, tree)


def _compile(compiler: PathCompiler, tree: Value) -> PathExpression:
    return compiler.compile(msgpack.pack(tree))


# -- matching -------------------------------------------------------------------------------------


class _Level(NamedTuple):
    """A container on the way, how many items lead to it, and whether its bytes end the value's."""

    container: Container
    depth: int
    last: bool

    def into(self, path: Path, at: int) -> _Level | None:
        """The level below a position, None when a scalar is there."""
        inner = from_value(self.container.elements[at])
        if inner is None:
            return None
        item, filters = path.items[self.depth]
        # What was counted or filtered for has been taken out of the value and stands alone.
        alone = item.kind in _COUNTED or (bool(filters) and item.kind != EXPRESSION)
        last = alone or (self.last and at == self.container.size - 1)
        return _Level(inner, self.depth + 1, last)


def _matches(path: Path, level: _Level) -> Iterator[int]:
    """The positions that the item of a level matches, in storage order, one after the other: what
    is found below the first comes before a filter fails on the second."""
    item, filters = path.items[level.depth]
    # Where an index or a rank leads, a filter that cannot be evaluated is taken for false.
    lenient = path.no_fail or item.kind & 0x0F in (INDEX, RANK)
    for at in _positions(path, level, item):
        if all(_holds(expression, level.container, at, lenient) for expression in filters):
            yield at


def _positions(path: Path, level: _Level, item: Item) -> Sequence[int]:
    container = level.container
    if item.kind == EXPRESSION:
        return range(container.size)
    if bool(item.kind & ON_MAP) is not (type(container) is MapValue):
        bad_argument("path leads into a container of another type")
    if item.kind == KEY_LIST:
        assert type(container) is MapValue
        found = {container.find(key) for key in msgpack.list_items(item.value)}
        return sorted(found - {-1})
    if item.kind & 0x0F == VALUE:
        return all_by_value(container, item.value).positions
    at = find(container, item)
    if at < 0:
        return ()
    _check_countable(path, level, item, at)
    return (at,)


def _check_countable(path: Path, level: _Level, item: Item, at: int) -> None:
    """The protocol's own limits: what is counted for is only found in the last bytes of a value,
    and, if the path goes on into a container there, by some kinds at its first step alone."""
    leaf = level.depth + 1 == len(path.items)
    if item.kind in _COUNTED and not level.last and (leaf or item.kind & ON_MAP):
        refuse(ResultCode.SERVER_ERROR, "path cannot count here")
    if leaf or not level.depth or path.no_fail or item.kind not in _FIRST_ONLY:
        return
    if type(level.container.value_at(at)) in (list, dict):
        refuse(ResultCode.SERVER_ERROR, "path cannot count behind another step")


def _holds(expression: PathExpression, container: Container, at: int, lenient: bool) -> bool:
    verdict = _evaluate(expression, container, at)
    if verdict is UNKNOWN and not lenient:
        bad_argument("path expression cannot be evaluated")
    return verdict is True


def _evaluate(expression: PathExpression, container: Container, at: int) -> Value:
    if type(container) is MapValue:
        return expression.evaluate(container.keys[at], container.elements[at], None)
    return expression.evaluate(None, container.elements[at], at)


# -- selecting ------------------------------------------------------------------------------------


def _tree(path: Path, level: _Level) -> Value:
    """The container with only what matches; a scalar that the path would lead into stays."""
    container = level.container
    positions, values = [], []
    for at in _matches(path, level):
        below = level.into(path, at) if level.depth + 1 < len(path.items) else None
        positions.append(at)
        values.append(container.values[at] if below is None else _tree(path, below))
    if type(container) is ListValue:
        return ListValue(container.flags, values).to_value()
    return dict_of(container.flags, [container.keys[at] for at in positions], values)


def _leaves(path: Path, level: _Level) -> Iterator[tuple[Container, Sequence[int]]]:
    """The containers the path ends in, with the positions it matches there."""
    if level.depth + 1 == len(path.items):
        if path.mode == VALUES or type(level.container) is MapValue:
            yield level.container, list(_matches(path, level))
        elif not path.no_fail:
            refuse(ResultCode.BIN_TYPE, "a list has no keys")
        return
    for at in _matches(path, level):
        below = level.into(path, at)
        if below is not None:
            yield from _leaves(path, below)


_Emitter = Callable[[Container, Sequence[int]], list[Value]]


def _values(container: Container, positions: Sequence[int]) -> list[Value]:
    return [container.values[at] for at in positions]


def _keys(container: Container, positions: Sequence[int]) -> list[Value]:
    return [container.keys[at] for at in positions]


def _keys_and_values(container: Container, positions: Sequence[int]) -> list[Value]:
    return [part for at in positions for part in (container.keys[at], container.values[at])]


_EMITTERS: Final[Mapping[int, _Emitter]] = MappingProxyType(
    {VALUES: _values, KEYS: _keys, KEYS_AND_VALUES: _keys_and_values}
)


# -- applying -------------------------------------------------------------------------------------


def _apply(path: Path, level: _Level) -> None:
    container = level.container
    removed = []
    for at in _matches(path, level):
        if level.depth + 1 < len(path.items):
            below = level.into(path, at)
            if below is not None:
                _apply(path, below)
                container.values[at] = below.container.to_value()
        elif _change(path, level, at):
            removed.append(at)
    container.remove(removed)
    if type(container) is ListValue and container.ordered:
        container.values = msgpack.sort_values(container.values)


def _change(path: Path, level: _Level, at: int) -> bool:
    """Replace one element by what the expression makes of it; true when it is to be removed."""
    assert path.expression is not None
    container = level.container
    result = _evaluate(path.expression, container, at)
    if result is REMOVE:
        return True
    if result is UNKNOWN:
        if not path.no_fail:
            refuse(ResultCode.SERVER_ERROR, "path expression cannot be evaluated")
        return False
    try:
        container.values[at] = msgpack.normalise_for_storage(result, level.depth + 1)
    except MessageError as error:
        refuse(ResultCode.BIN_TYPE, str(error))
    return False
