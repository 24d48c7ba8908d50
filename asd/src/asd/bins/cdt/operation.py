"""One operation on one container: finding it in the tables, checking it, running it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ResultCode
from asd.bins.cdt.containers import Container, ListValue, MapValue, bad_argument, refuse
from asd.bins.cdt.list_ops import LIST_OPS
from asd.bins.cdt.map_ops import MAP_OPS
from asd.bins.cdt.table import Op

OPS: Final[Mapping[int, Op]] = MappingProxyType({**LIST_OPS, **MAP_OPS})
BROKEN: Final = object()
"""Stands for arguments that could not be decoded."""
FIRST_MAP_OP: Final = 64
"""Codes below belong to lists, this and all above to maps, whether the tables name them or not."""


def run(container: Container | None, wire: Value, *, modify: bool, depth: int = 0) -> Value:
    """Apply `[op code, argument, ...]` to a container, which a modify changes; the result.

    `depth` is how many containers the container stands in.

    Error 12 when the container (None: something else) is not of the op's family, before 4 for an
    unknown op or bad arguments.
    """
    code = op_code(wire)
    if type(container) is not (MapValue if code >= FIRST_MAP_OP else ListValue):
        refuse(ResultCode.BIN_TYPE, "operation on a value of another type")
    op = _known(code, modify)
    _check_sound(wire)
    return op.run(container, *op.arguments(wire[1:], depth))


def run_on_nothing(
    wire: Value, *, modify: bool, nested: bool = False, depth: int = 0
) -> tuple[Container | None, Value]:
    """Apply an operation where there is no container: what it creates, if it does, and the
    result."""
    code = op_code(wire)
    op = _known(code, modify)
    if op.blind:
        return None, None
    _check_sound(wire)
    if op.absent is not None and not nested:
        refuse(op.absent, f"nothing to {op.name}")
    if op.creates is None:
        return None, None
    arguments = op.arguments(wire[1:], depth)
    flags = op.creates(arguments)
    created = MapValue(flags, [], []) if code >= FIRST_MAP_OP else ListValue(flags, [])
    return created, op.run(created, *arguments)


def op_code(wire: Value) -> int:
    """The op code of an operation; error 4 when it has none."""
    if type(wire) is not list or not wire or type(wire[0]) is not int:
        bad_argument("an operation is a list that begins with its code")
    return int(wire[0]) & 0xFFFFFFFFFFFFFFFF


def _known(code: int, modify: bool) -> Op:
    op = OPS.get(code)
    if op is None or op.modifies is not modify:
        bad_argument("no such operation")
    return op


def _check_sound(wire: list[Value]) -> None:
    if wire[-1] is BROKEN:
        bad_argument("arguments cannot be decoded")
