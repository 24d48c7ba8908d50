"""Contexts: the way from a bin's value down to the container an operation works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from aerospike_common.as_msgpack import (
    MAX_DEPTH,
    ORDERED,
    PERSIST_INDEX,
    VALUE_ORDERED,
    Value,
    text,
)
from asd.bins.cdt import operation
from asd.bins.cdt.bounds import lower_bound
from asd.bins.cdt.containers import (
    Container,
    ListValue,
    MapValue,
    bad_argument,
    check_map_key,
    not_applicable,
)
from asd.bins.cdt.list_ops import pad
from asd.bins.cdt.selection import all_by_value, position_of_rank

INDEX: Final = 0x0
RANK: Final = 0x1
KEY: Final = 0x2
VALUE: Final = 0x3
ON_LIST: Final = 0x10
ON_MAP: Final = 0x20
LIST_INDEX: Final = ON_LIST | INDEX
MAP_KEY: Final = ON_MAP | KEY
_KINDS: Final = 0x0F

CREATE_UNORDERED: Final = 0x40
CREATE_PADDED: Final = 0x80
CREATE_ORDERED: Final = 0xC0
PERSIST: Final = 0x100
"""Asks for an index inside the value, which only a container at the first level may have."""
_NO_MEANING: Final = 0x200
"""Accepted where a list index creates, to no effect."""
_TYPE_BITS: Final = 0xFFFF
"""Bits above these are not looked at."""

_MAP_CREATE_FLAGS: Final = {0: 0, 0x40: 0, 0x80: ORDERED, 0xC0: ORDERED | VALUE_ORDERED}
_SET_TYPE_OPS: Final = (0, 64)
_NOWHERE: Final = -1


class Item(NamedTuple):
    """One step down: into a list or a map (`kind`; neither bit: whichever is there), by what, and
    what to do when nothing is there (`create`, 0: fail; `persist`: with an index)."""

    kind: int
    value: Value
    create: int = 0
    persist: bool = False


def parse(wire: Value) -> list[Item]:
    """The items of `[type, value, ...]`: error 4 for a broken list, 26 for types there are not."""
    if type(wire) is not list or not wire or len(wire) % 2:
        bad_argument("a context is a list of pairs")
    return [_item(wire[at], wire[at + 1]) for at in range(0, len(wire), 2)]


def _item(kind: Value, value: Value) -> Item:
    if type(kind) is not int:
        bad_argument("context type is not an integer")
    create = kind & CREATE_ORDERED
    base = kind & _TYPE_BITS & ~(CREATE_ORDERED | PERSIST)
    if create and base == LIST_INDEX | _NO_MEANING:
        base = LIST_INDEX
    if base & ~(_KINDS | ON_LIST | ON_MAP) or base & _KINDS > VALUE:
        not_applicable("no such context type")
    if base & ON_LIST and (base & ON_MAP or base & _KINDS == KEY):
        not_applicable("no such context type")
    if create and not base & (ON_LIST | ON_MAP):
        not_applicable("nothing can be created from this context type")
    if base & _KINDS in (INDEX, RANK) and type(value) is not int:
        not_applicable("context index or rank is not an integer")
    return Item(base, text(value), create, bool(kind & PERSIST))


class Step(NamedTuple):
    """A container on the way and the position of the next one in it."""

    container: Container
    at: int


def find(container: Container, item: Item) -> int:
    """The position that an item leads to, -1 when nothing is there; error 26 when the container is
    of the other type."""
    if item.kind & (ON_MAP if type(container) is ListValue else ON_LIST):
        not_applicable("context leads into a container of another type")
    by = item.kind & _KINDS
    if by == KEY:
        return container.find_nested(item.value) if type(container) is MapValue else -1
    if by == VALUE:
        found = all_by_value(container, item.value).positions
        return found[0] if found else -1
    size = container.size
    at = item.value + size if item.value < 0 else item.value
    if not 0 <= at < size:
        return -1
    return position_of_rank(container, at) if by == RANK else int(at)


def read(root: Container | None, items: Sequence[Item], op: Value) -> Value:
    """Run a read below a context."""
    _, container, missing = _dig(root, items)
    if missing:
        not_applicable("context leads nowhere")
    return operation.run(container, op, modify=False)


def modify(root: Container | None, items: Sequence[Item], op: Value) -> Value:
    """Run a modify below a context of `root`, which it changes.

    Where the way breaks off at an item with a create flag, the rest is created.
    """
    steps, container, missing = _dig(root, items)
    if missing:
        assert container is not None
        return _extend(steps, container, missing, op, fresh=False)
    indexed = container.flags & PERSIST_INDEX if container is not None else 0
    result = operation.run(container, op, modify=True, depth=len(steps))
    assert container is not None
    container.flags &= ~PERSIST_INDEX | indexed  # what is there is given none
    _write_back(steps, container)
    return result


def create(items: Sequence[Item], op: Value) -> tuple[Container | None, Value]:
    """Run a modify below a context of nothing: the new root, if it makes one, and the result."""
    root = _new_parent(items[0])
    if items[0].persist:
        root.flags |= PERSIST_INDEX
    result = _extend([], root, items, op, fresh=True)
    return (root if root.size else None), result


def _dig(
    root: Container | None, items: Sequence[Item]
) -> tuple[list[Step], Container | None, Sequence[Item]]:
    """Follow the items: the steps taken, the container reached (None: something else), and the
    items that lead nowhere, the first of which the container lacks."""
    if root is None:
        bad_argument("a context needs a list or map")
    steps: list[Step] = []
    container: Container | None = root
    for depth, item in enumerate(items):
        if container is None:
            not_applicable("context leads through a scalar")
        at = find(container, item)
        if at < 0:
            return steps, container, items[depth:]
        steps.append(Step(container, at))
        container = container.child(at)
    return steps, container, ()


def _write_back(steps: Sequence[Step], changed: Container) -> None:
    for container, at in reversed(steps):
        container.put_child(at, changed)
        changed = container


# -- creation -------------------------------------------------------------------------------------


def _extend(
    steps: list[Step], parent: Container, missing: Sequence[Item], op: Value, *, fresh: bool
) -> Value:
    """Create the way for the items from `missing` on and run the modify at its end.

    `parent` is the container that lacks the first of them, `fresh` when it is new itself.
    """
    if not missing[0].create:
        not_applicable("context leads nowhere")
    planned = [(parent, _place(parent, missing[0], fresh=fresh))]
    for item in missing[1:]:
        if item.persist:
            not_applicable("only a container at the first level may have an index")
        parent = _new_parent(item)
        planned.append((parent, _place(parent, item, fresh=True)))
    depth = len(steps) + len(missing)
    if depth > MAX_DEPTH:
        not_applicable("nested too deeply")
    target, result = operation.run_on_nothing(op, modify=True, nested=not fresh, depth=depth)
    if target is None:
        return None
    if planned[0][1] == _NOWHERE:
        not_applicable("context index before the first element")
    target.flags &= ~PERSIST_INDEX
    if op[0] in _SET_TYPE_OPS:
        if fresh:
            # The one way in which a nested container keeps this flag.
            target.flags |= op[1] & PERSIST_INDEX
    elif not target.size and not result and not _puts_nothing(op):
        return result
    for (container, at), item in zip(planned, missing, strict=True):
        _make_room(container, at, item)
        steps.append(Step(container, at))
    _write_back(steps, target)
    return result


def _puts_nothing(op: Value) -> bool:
    """Whether an operation that left its new container empty was asked to put an empty one."""
    return any(type(part) in (list, dict) and not part for part in op)


def _new_parent(item: Item) -> Container:
    if item.kind & ON_MAP:
        return MapValue(_MAP_CREATE_FLAGS[item.create], [], [])
    return ListValue(ORDERED if item.create == CREATE_ORDERED else 0, [])


def _place(container: Container, item: Item, *, fresh: bool) -> int:
    """Where the new entry for `item` goes; error 26 when nothing can be created there, or
    `_NOWHERE` when that only shows once there is something to put there."""
    if item.kind not in (LIST_INDEX, MAP_KEY):
        not_applicable("only list indexes and map keys can be created")
    if type(container) is MapValue:
        check_map_key(item.value)
        return lower_bound(container.keys, item.value)
    size = container.size
    index = 0 if item.value == -1 and not size else int(item.value)
    if container.ordered and (fresh or index >= size):
        return size
    pads = item.create == CREATE_PADDED
    if index < 0 and pads is not container.ordered and not item.persist:
        return _NOWHERE
    if index < 0 or (index > size and (not pads or item.persist)):
        not_applicable("context index out of bounds")
    return index


def _make_room(container: Container, at: int, item: Item) -> None:
    """Put a nil entry there."""
    if type(container) is MapValue:
        container.keys.insert(at, item.value)
    elif type(container) is ListValue:
        pad(container, at)
    container.values.insert(at, None)
