"""Contexts: the way from a bin's value down to the collection, inside it, that is meant.

A context is a sequence of steps, outermost first. `(map_key("orders"), list_index(-1))` is the last
element of the list under the key "orders". The steps from `all_children` on are for path
operations alone: they lead to many places at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol, TypeAlias

import attrs

from aerospike_client.errors import InvalidParameter
from aerospike_client.operations.codes import ListOrder, MapOrder
from aerospike_client.values import BinValue, to_element
from aerospike_common import as_msgpack

LIST: Final = 0x10
MAP: Final = 0x20
"""One of the two is in the kind of every step into an element: what it steps into."""

_INDEX: Final = 0x00
_RANK: Final = 0x01
_KEY: Final = 0x02
_VALUE: Final = 0x03
_KEYS_IN: Final = 0x0A
_EXPRESSION: Final = 0x04
_AND: Final = 0x200
_PERSIST: Final = 0x100
_BOOL: Final = 1
"""The number of that type of expression."""


class Condition(Protocol):
    """An expression that is true or false: `aerospike_client.expressions.Bool`."""

    TYPE: ClassVar[Any]

    @property
    def tree(self) -> Any:
        """The expression as `as_msgpack.pack` takes it."""
        ...

    @property
    def free(self) -> Mapping[str, Any]:
        """The variables that it does not define."""
        ...


def _tree(condition: Condition) -> Any:
    if getattr(condition, "TYPE", None) != _BOOL:
        raise InvalidParameter(f"a condition is an expression that gives Bool, not {condition!r}")
    if condition.free:
        raise InvalidParameter("a path's condition does not see the variables around it")
    return condition.tree


@attrs.frozen
class Step:
    """One step: its kind on the wire and what goes with it, as `as_msgpack.pack` takes it."""

    kind: int
    argument: Any


Context: TypeAlias = Sequence[Step]


def encode(context: Context) -> list[Any]:
    """The context as the wire has it: kind, argument, kind, argument, ..."""
    flat: list[Any] = []
    for step in context:
        if not isinstance(step, Step):
            raise InvalidParameter(
                f"a context is made of steps such as map_key('a') or list_index(0), not {step!r}"
            )
        flat += (step.kind, step.argument)
    return flat


def pack(context: Context) -> bytes:
    """The context's wire form, as indexes and their queries take it."""
    return as_msgpack.pack(encode(context))


def list_index(index: int) -> Step:
    """The element of a list at `index`; from the end when negative."""
    return Step(LIST | _INDEX, index)


def list_rank(rank: int) -> Step:
    """The element of a list that is `rank`-th by value; -1 is the greatest."""
    return Step(LIST | _RANK, rank)


def list_value(value: BinValue) -> Step:
    """The first element of a list that equals `value`."""
    return Step(LIST | _VALUE, to_element(value))


def map_index(index: int) -> Step:
    """The value of a map's entry that is `index`-th by key."""
    return Step(MAP | _INDEX, index)


def map_rank(rank: int) -> Step:
    """The value of a map's entry that is `rank`-th by value; -1 is the greatest."""
    return Step(MAP | _RANK, rank)


def map_key(key: BinValue) -> Step:
    """The value under `key` in a map."""
    return Step(MAP | _KEY, to_element(key))


def map_value(value: BinValue) -> Step:
    """The first value of a map that equals `value`."""
    return Step(MAP | _VALUE, to_element(value))


def list_index_create(
    index: int,
    order: ListOrder = ListOrder.UNORDERED,
    *,
    pad: bool = False,
    persist_index: bool = False,
) -> Step:
    """As `list_index`, but what is missing is created.

    `order` is that of the list that `index` is an index of. `pad` fills an unordered list with nil
    up to `index`; without it, `index` may be at most the list's length.
    """
    if order is ListOrder.ORDERED and pad:
        raise InvalidParameter("an ordered list cannot be padded: leave out pad, or the order")
    return creating_list(list_index(index), order, pad=pad, persist_index=persist_index)


def map_key_create(
    key: BinValue, order: MapOrder = MapOrder.UNORDERED, *, persist_index: bool = False
) -> Step:
    """As `map_key`, but what is missing is created. `order` is that of the map with the key."""
    return creating_map(map_key(key), order, persist_index=persist_index)


def creating_list(
    step: Step, order: ListOrder, *, pad: bool = False, persist_index: bool = False
) -> Step:
    """The step, with the order of the list that is created where it leads to nothing."""
    flag = 0xC0 if order is ListOrder.ORDERED else 0x80 if pad else 0x40
    return Step(step.kind | flag | (_PERSIST if persist_index else 0), step.argument)


def creating_map(step: Step, order: MapOrder, *, persist_index: bool = False) -> Step:
    """The step, with the order of the map that is created where it leads to nothing."""
    flag = {MapOrder.UNORDERED: 0x40, MapOrder.KEY_ORDERED: 0x80}.get(order, 0xC0)
    return Step(step.kind | flag | (_PERSIST if persist_index else 0), step.argument)


def all_children(condition: Condition | None = None) -> Step:
    """Every element, or those of which `condition` is true. In paths only.

    The condition speaks of the element with `element_key`, `element_value` and `element_index` of
    `aerospike_client.expressions`.
    """
    return Step(_EXPRESSION, True if condition is None else _tree(condition))


def map_keys_in(keys: Sequence[BinValue]) -> Step:
    """The values under those of `keys` that a map has. In paths only."""
    return Step(MAP | _KEYS_IN, to_element(list(keys)))


def and_filter(condition: Condition) -> Step:
    """Of what the step before selects, that of which `condition` is true. In paths only."""
    return Step(_AND | _EXPRESSION, _tree(condition))
