"""From a bin's name, a code and arguments to an operation of a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aerospike_client.commands.single import bin_name
from aerospike_client.errors import InvalidParameter
from aerospike_client.operations.codes import IN_CONTEXT, INVERTED
from aerospike_client.operations.context import Context, encode
from aerospike_client.values import BinValue, to_element
from aerospike_common import as_msgpack
from aerospike_common.wire import Op, ParticleType

_BLOB: Final = int(ParticleType.BLOB)


def operation(kind: int, bin: str, context: Context, code: int, *arguments: BinValue) -> Op:
    """`[code, argument, ...]` on a bin, or on what lies in it where `context` leads.

    Raises InvalidParameter for a name that no bin has, or a value that the database has not.
    """
    op_list: list[Any] = [int(code), *[to_element(each) for each in arguments]]
    if context:
        op_list = [IN_CONTEXT, encode(context), op_list]
    return packed(kind, bin, op_list)


def packed(kind: int, bin: str, op_list: list[Any]) -> Op:
    """An operation of a ready list."""
    try:
        data = as_msgpack.pack(op_list)
    except OverflowError:
        raise InvalidParameter("integers have 64 signed bits at most") from None
    return Op(int(kind), _BLOB, bin_name(bin), data)


def optional(value: BinValue) -> tuple[BinValue, ...]:
    """A last argument that may be left out."""
    return () if value is None else (value,)


def return_type(returning: int, inverted: bool) -> int:
    """The number of a return type. InvalidParameter when NONE is to be inverted by a mistake."""
    if not isinstance(returning, int):
        raise InvalidParameter(f"a return type such as ListReturnType.VALUE, not {returning!r}")
    return returning | (INVERTED if inverted else 0)


def as_list(values: Sequence[BinValue]) -> list[BinValue]:
    """Several values. InvalidParameter for what is no list: a str is one value."""
    if not isinstance(values, list | tuple):
        raise InvalidParameter(f"a list of values, not {type(values).__name__}: {values!r}")
    return list(values)
