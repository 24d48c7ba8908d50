"""Expressions of lists and maps, and of what lies inside of them.

A context leads inside: `Bin("m").map().at(map_key("tags")).list().contains("x")`.
"""

# Lists give maps and maps give lists: `list_calls`, `map_calls` and `selections` import this module
# as a whole, and the package's `__init__` imports it first.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic

from aerospike_client.expressions.codes import (
    MODIFY_LOCAL,
    Code,
    ExpType,
    System,
)
from aerospike_client.expressions.expression import (
    E,
    Expression,
    ExpressionError,
    build,
    made,
)
from aerospike_client.expressions.list_calls import ListCalls
from aerospike_client.expressions.map_calls import MapCalls
from aerospike_client.expressions.receiver import C, Receiver
from aerospike_client.expressions.scalars import Ordered
from aerospike_client.operations import context as contexts
from aerospike_client.operations.codes import ON_PATH, PATH_NO_FAIL, SelectMode
from aerospike_client.operations.context import Context, Step
from aerospike_client.values import to_element

_STEPS_MAX: Final = 64
"""In a path."""


class List(Ordered[Sequence[object]], ListCalls["List"]):
    """A list; lists compare element by element, then by length."""

    __slots__ = ()
    TYPE = ExpType.LIST

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ExpressionError(f"List takes a list, not {type(value).__name__}: {value!r}")
        return [int(Code.QUOTE), to_element(list(value))]

    def _receiver(self) -> Receiver[List]:
        return Receiver(System.COLLECTION, self)

    def at(self, *steps: Step) -> Inside[List]:
        """The collection inside, where these steps lead."""
        return Inside(self, _checked(self, steps))

    def path(self, *steps: Step, no_fail: bool = False) -> Path[List]:
        """All the elements inside that these steps lead to. Servers from 8.1.

        With `no_fail`, an element of which a condition cannot be computed is left out.
        """
        return Path(self, _checked(self, steps), PATH_NO_FAIL if no_fail else 0)


class Map(Ordered[Mapping[Any, object]], MapCalls["Map"]):
    """A map; maps compare by size, then by entries in key order. Unordered ones do not compare."""

    __slots__ = ()
    TYPE = ExpType.MAP

    @classmethod
    def _literal(cls, value: Any) -> Any:
        tree = to_element(value)
        if type(tree) is not dict:
            raise ExpressionError(f"Map takes a dict, not {type(value).__name__}: {value!r}")
        return tree

    def _receiver(self) -> Receiver[Map]:
        return Receiver(System.COLLECTION, self)

    def keys(self) -> List:
        """All keys, in order. Servers from 8.1.1."""
        return build(List, Code.MAP_KEYS, self)

    def values(self) -> List:
        """All values, in key order. Servers from 8.1.1."""
        return build(List, Code.MAP_VALUES, self)

    def at(self, *steps: Step) -> Inside[Map]:
        """The collection inside, where these steps lead."""
        return Inside(self, _checked(self, steps))

    def path(self, *steps: Step, no_fail: bool = False) -> Path[Map]:
        """All the elements inside that these steps lead to. Servers from 8.1.

        With `no_fail`, an element of which a condition cannot be computed is left out.
        """
        return Path(self, _checked(self, steps), PATH_NO_FAIL if no_fail else 0)


class Inside(Generic[C]):
    """A place inside of a collection: say what is there."""

    __slots__ = ("_receiver",)

    def __init__(self, whole: C, context: Context) -> None:
        self._receiver = Receiver(System.COLLECTION, whole, context)

    def list(self) -> NestedList[C]:
        """A list."""
        return NestedList(self._receiver)

    def map(self) -> NestedMap[C]:
        """A map."""
        return NestedMap(self._receiver)


class NestedList(ListCalls[C]):
    """A list inside of a collection. What modifies it gives the whole collection."""

    __slots__ = ("_where",)

    def __init__(self, where: Receiver[C]) -> None:
        self._where = where

    def _receiver(self) -> Receiver[C]:
        return self._where


class NestedMap(MapCalls[C]):
    """A map inside of a collection. What modifies it gives the whole collection."""

    __slots__ = ("_where",)

    def __init__(self, where: Receiver[C]) -> None:
        self._where = where

    def _receiver(self) -> Receiver[C]:
        return self._where


class Path(Generic[C]):
    """The elements that a path leads to."""

    __slots__ = ("_context", "_flags", "_whole")

    def __init__(self, whole: C, context: Context, flags: int) -> None:
        if len(context) > _STEPS_MAX:
            raise ExpressionError(f"a path has at most {_STEPS_MAX} steps, not {len(context)}")
        self._whole = whole
        self._context = contexts.encode(context)
        self._flags = flags

    def _select(self, result: type[E], mode: SelectMode) -> E:
        op_list = [ON_PATH, self._context, mode | self._flags]
        return self._call(result, System.COLLECTION, op_list)

    def _call(self, result: type[E], system: int, op_list: list[Any]) -> E:
        tree = [int(Code.CALL), int(result.TYPE), int(system), op_list, self._whole.tree]
        return made(result, tree, (self._whole,))

    def tree(self) -> C:
        """The collection with those elements alone, each where it is."""
        return self._select(type(self._whole), SelectMode.TREE)

    def values(self) -> List:
        """The elements."""
        return self._select(List, SelectMode.VALUES)

    def keys(self) -> List:
        """The keys under which they are; what the last step leads into must be maps."""
        return self._select(List, SelectMode.KEYS)

    def pairs(self) -> List:
        """Key, value, key, value, ... in one list."""
        return self._select(List, SelectMode.PAIRS)

    def apply(self, expression: Expression) -> C:
        """The collection with each of those elements replaced by what `expression` makes of it, or
        removed where that is `remove_element()`."""
        if expression.free:
            raise ExpressionError("a path's expression does not see the variables around it")
        op_list = [ON_PATH, self._context, SelectMode.APPLY | self._flags, expression.tree]
        return self._call(type(self._whole), System.COLLECTION | MODIFY_LOCAL, op_list)


def _checked(whole: Expression, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    if not steps:
        raise ExpressionError("where to? give steps such as map_key('a') or list_index(0)")
    wrong = contexts.MAP if whole.TYPE is ExpType.LIST else contexts.LIST
    right = "list" if whole.TYPE is ExpType.LIST else "map"
    if isinstance(steps[0], Step) and steps[0].kind & wrong:
        raise ExpressionError(
            f"the first step leads into a {right}: use {right}_index() or the like, not {steps[0]}"
        )
    return steps
