"""Python values as the wire's collections hold them, and as particles.

The table of `aerospike_common.as_python` says which Python value stands for which of the
database's; here the way is the short one, without an object for every element. What is decoded is
in the values of `aerospike_common.as_msgpack`: typed strings are `str` with the type byte in front.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from aerospike_client.errors import InvalidParameter
from aerospike_common import AsVal, as_msgpack, from_python
from aerospike_common.as_msgpack_serializer import to_wire

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 63) - 1

WILDCARD: Final = as_msgpack.WILDCARD
"""Equals anything where values are searched; at the end of a list, also all that follows."""

INFINITY: Final = as_msgpack.INF
"""Greater than every value; the end of a range that has none."""


def wire(value: object) -> as_msgpack.Value:
    """`value` as `as_msgpack.pack` takes it. Maps come out in key order. O(n log n).

    Raises InvalidParameter for what the database has no value for.
    """
    convert = _PLAIN.get(type(value))
    if convert is not None:
        return convert(value)
    if value is WILDCARD or value is INFINITY:
        return value
    try:
        return to_wire(value if isinstance(value, AsVal) else from_python(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidParameter(str(error)) from None


def _int(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise InvalidParameter(f"{value} does not fit into 64 signed bits")
    return value


def _str(value: str) -> str:
    return as_msgpack.STRING + value


def _blob(value: bytes) -> str:
    return as_msgpack.BLOB + bytes(value).decode("utf-8", "surrogateescape")


def _list(values: Sequence[object]) -> list[Any]:
    return [wire(value) for value in values]


def _map(pairs: Mapping[object, object]) -> dict[Any, Any]:
    items = [(_map_key(key), wire(value)) for key, value in pairs.items()]
    return dict(as_msgpack.sort_pairs(items))


def _map_key(key: object) -> as_msgpack.Value:
    encoded = wire(key)
    if type(encoded) is not int and (type(encoded) is not str or encoded[0] == as_msgpack.GEOJSON):
        raise InvalidParameter(
            f"a map's keys are integers, strings or bytes, not {type(key).__name__}: {key!r}"
        )
    return encoded


def _same(value: object) -> object:
    return value


_PLAIN: Final[Mapping[type, Callable[[Any], as_msgpack.Value]]] = MappingProxyType(
    {
        type(None): _same,
        bool: _same,
        int: _int,
        float: _same,
        str: _str,
        bytes: _blob,
        bytearray: _blob,
        memoryview: _blob,
        list: _list,
        tuple: _list,
        dict: _map,
    }
)
