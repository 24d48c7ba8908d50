"""Arithmetic on stored numbers."""

from __future__ import annotations

from aerospike_common.as_msgpack import Value
from asd.bins.cdt.containers import bad_argument


def add(number: Value, delta: int | float) -> int | float:
    """`number` + `delta` in the type of `number`; integers wrap at 64 bits. Error 4 when `number`
    is not a number."""
    if type(number) is float:
        return number + delta
    if type(number) is not int:
        bad_argument("element is not a number")
    return wrap(number + truncate(delta))


def check_number(value: Value) -> None:
    """Error 4 unless `value` is an integer or a double."""
    if type(value) is not int and type(value) is not float:
        bad_argument("not a number")


def truncate(number: int | float) -> int:
    """The integer part; what does not fit 64 bits becomes the lowest integer."""
    if type(number) is int:
        return number
    return int(number) if -(2.0**63) <= number < 2.0**63 else -(2**63)


def wrap(number: int) -> int:
    """The low 64 bits as a signed integer."""
    return ((number + 2**63) & (2**64 - 1)) - 2**63
