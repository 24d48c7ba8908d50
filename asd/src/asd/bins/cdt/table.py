"""The form of the operation tables: one row per op code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

from aerospike_common.as_msgpack import BAD_MAP, UNWALKED, Value, text
from aerospike_common.wire.codes import ResultCode
from asd.bins.cdt.answers import asks_for_range, resolve
from asd.bins.cdt.containers import Container, ListValue, bad_argument, not_applicable, storable
from asd.bins.cdt.selection import By, Selection, by_value_list, distinct

Handler: TypeAlias = Callable[..., Value]
"""(container, *arguments) -> result, None for no result. A modify changes the container."""


class Arg(Enum):
    """The shape of an argument."""

    INT = "integer"
    VALUE = "any value, to compare with"
    STORED = "a value to store"
    STORED_LIST = "list of values to store"
    STORED_MAP = "map of values to store"
    NUMBER = "integer, double or nil"


class Op(NamedTuple):
    """One operation.

    `required`, `optional`  argument shapes; optional ones may be left out from the right,
    `run`      the handler; arguments left out take its defaults,
    `modifies` whether it belongs into a modify op,
    `creates`  from the arguments, the flags of the container a modify makes when there is none;
               without it the modify of nothing is a no-op,
    `absent`   the error of a modify where there is nothing,
    `blind`    whether a modify of nothing does not look at its arguments, not even at broken ones.
    """

    name: str
    required: Sequence[Arg]
    optional: Sequence[Arg]
    run: Handler
    modifies: bool = False
    creates: Callable[[Sequence[Value]], int] | None = None
    absent: ResultCode | None = None
    blind: bool = False

    def arguments(self, given: Sequence[Value], depth: int) -> list[Value]:
        """The checked arguments for a container that stands in `depth` others; error 4 for a wrong
        count or shape. An operation that takes none does not look at any."""
        shapes = (*self.required, *self.optional)
        if not shapes:
            return []
        if not len(self.required) <= len(given) <= len(shapes):
            bad_argument(f"{self.name}: wrong number of arguments")
        return [_check(shape, value, depth) for shape, value in zip(shapes, given, strict=False)]


def _check(shape: Arg, value: Value, depth: int) -> Value:
    kind = type(value)
    if shape is Arg.INT:
        if kind is not int:
            bad_argument("not an integer")
    elif shape is Arg.STORED:
        return storable(value, depth + 1)
    elif shape is Arg.NUMBER:
        if kind is not int and kind is not float and value is not None:
            bad_argument("not a number")
    elif shape is Arg.VALUE:
        if value is BAD_MAP:
            bad_argument("map key is not an integer, string or blob")
        return text(value)
    else:
        if kind is not _CONTAINER_TYPE[shape]:
            bad_argument("not a list or map")
        return storable(value, depth)
    return value


_CONTAINER_TYPE: Final = {Arg.STORED_LIST: list, Arg.STORED_MAP: dict}


def getter(
    name: str,
    selector: Callable[..., Selection],
    required: Sequence[Arg],
    optional: Sequence[Arg] = (),
) -> Op:
    """A read that answers about the elements a selector chooses; its first argument is the
    return type."""

    def run(container: Container, return_type: int, *args: Any) -> Value:
        return resolve(container, _choose(selector, container, return_type, args), return_type)[1]

    return Op(name, (Arg.INT, *required), optional, run)


def _choose(
    selector: Callable[..., Selection],
    container: Container,
    return_type: int,
    args: Sequence[Value],
) -> Selection:
    if UNWALKED in args:
        args = _filled(selector, container, return_type, args)
    in_list = type(container) is ListValue and selector is by_value_list
    if in_list and asks_for_range(return_type):
        # Looked at before the values asked for, which may be no list at all.
        not_applicable("what values a list holds is no range")
    return selector(container, *args)


def _filled(
    selector: Callable[..., Selection],
    container: Container,
    return_type: int,
    args: Sequence[Value],
) -> Sequence[Value]:
    """Arguments without those that claim to hold more than there is. Who compares with them meets
    the end of the bytes: error 4, if the return type is not refused first. An empty map compares
    nothing."""
    args = [[None] if arg is UNWALKED else arg for arg in args]
    if type(container) is ListValue or container.size:
        resolve(container, _choose(selector, container, return_type, args), return_type)
        bad_argument("an argument claims to hold more than there is")
    return args


def remover(
    name: str,
    selector: Callable[..., Selection],
    required: Sequence[Arg],
    optional: Sequence[Arg] = (),
) -> Op:
    """A modify that removes the elements a selector chooses and answers about them."""

    def run(container: Container, return_type: int, *args: Any) -> Value:
        chosen = _choose(selector, container, return_type, args)
        chosen, answer = resolve(container, chosen, return_type)
        repeats = chosen.by is By.VALUE_LIST
        container.remove(distinct(chosen.positions) if repeats else chosen.positions)
        return answer

    return Op(name, (Arg.INT, *required), optional, run, modifies=True, blind=True)
