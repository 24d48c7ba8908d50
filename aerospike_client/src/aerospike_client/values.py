"""Bins' values: plain Python to particles and back.

| Python                             | Particle                   | comes back as       |
|------------------------------------|----------------------------|---------------------|
| None                               | null: no bin               | None                |
| bool, int, float, str              | bool, integer, double, string | the same         |
| bytes, bytearray, memoryview       | blob                       | bytes               |
| list, tuple and other sequences    | list                       | list                |
| dict and other mappings            | map                        | dict                |
| AsGeojson                          | GeoJSON                    | AsGeojson           |
| AsBytes (HLL, blobs of a language) | of its type                | AsBytes             |
| any other AsVal                    | what it is                 | plain Python        |

Inside lists and maps the same holds. There is a second way from Python to bytes in
`aerospike_common.as_python` and the serializer, over value objects; this one makes none of them,
because every element of every list passes here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aerospike_client.errors import InvalidParameter
from aerospike_common import AsBytes, AsGeojson, AsVal, as_msgpack
from aerospike_common.as_msgpack_serializer import to_wire
from aerospike_common.wire import MessageError, ParticleType

BinValue = (
    bool
    | int
    | float
    | str
    | bytes
    | bytearray
    | memoryview
    | Sequence["BinValue"]
    | Mapping[Any, "BinValue"]
    | AsVal
    | None
)
"""What may be written into a bin."""

Particle = tuple[int, bytes]
"""Type byte (a `ParticleType`) and wire form."""

MAX_DEPTH: Final = as_msgpack.MAX_DEPTH
_INT: Final = struct.Struct(">q").pack
_FLOAT: Final = struct.Struct(">d")
_GEOJSON_HEAD: Final = bytes(3)
_PLAIN_BLOB: Final = chr(ParticleType.BLOB)
_ESCAPE: Final = "surrogateescape"


def to_particle(value: BinValue) -> Particle:
    """The particle of a Python value. O(size).

    Raises InvalidParameter for a type that no particle stands for, an integer beyond 64 signed
    bits, or containers nested too deeply.
    """
    kind = type(value)
    if kind is str:
        return 3, value.encode("utf-8", _ESCAPE)  # type: ignore[union-attr]  # kind says it is a str
    if kind is int:
        try:
            return 1, _INT(value)
        except struct.error:
            raise InvalidParameter(f"an integer has 64 bits at most: {value!r}") from None
    if kind is bytes:
        return 4, value  # type: ignore[return-value]  # kind says it is bytes
    return _other_particle(value)


def _other_particle(value: BinValue) -> Particle:
    match value:
        case None:
            return ParticleType.NULL, b""
        case bool():
            return ParticleType.BOOL, b"\1" if value else b"\0"
        case int():
            return to_particle(int(value))
        case float():
            return ParticleType.DOUBLE, _FLOAT.pack(value)
        case str():
            return to_particle(str.__str__(value))
        case bytes() | bytearray() | memoryview():
            return ParticleType.BLOB, bytes(value)
        case AsGeojson():
            return ParticleType.GEOJSON, _GEOJSON_HEAD + value.value.encode("utf-8", _ESCAPE)
        case AsBytes():
            return value.type, value.value
    packed = pack_value(value)
    return (ParticleType.MAP if isinstance(value, Mapping) else ParticleType.LIST), packed


def pack_value(value: BinValue) -> bytes:
    """A value as msgpack, as it stands inside lists, maps and the arguments of operations."""
    try:
        return as_msgpack.pack(to_element(value))
    except (OverflowError, ValueError) as error:
        raise InvalidParameter(f"cannot be packed: {error}") from None


def to_element(value: BinValue, depth: int = 0) -> as_msgpack.Value:
    """A value as `as_msgpack` packs it: strings and blobs marked with their type."""
    kind = type(value)
    if kind is str:
        return "\x03" + value  # type: ignore[operator]  # kind says it is a str
    if kind is int or kind is float or kind is bool or value is None:
        return value
    if depth > MAX_DEPTH:
        raise InvalidParameter(f"lists and maps nest {MAX_DEPTH} deep at most")
    if value is as_msgpack.WILDCARD or value is as_msgpack.INF:
        return value  # not to be stored, but compared with
    match value:
        case AsVal():
            return to_wire(value)
        case str():
            return "\x03" + str.__str__(value)
        case int() | float():
            return value
        case bytes() | bytearray() | memoryview():
            return _PLAIN_BLOB + bytes(value).decode("utf-8", _ESCAPE)
        case Mapping():
            return _to_map(value, depth + 1)
        case Sequence():
            return [to_element(item, depth + 1) for item in value]
    raise InvalidParameter(f"a bin holds no {type(value).__name__}")


def _to_map(pairs: Mapping[Any, BinValue], depth: int) -> as_msgpack.Value:
    """In key order, as the official clients pack maps."""
    items = [(to_element(key, depth), to_element(item, depth)) for key, item in pairs.items()]
    for key, _ in items:
        if type(key) is not int and (type(key) is not str or key[0] == as_msgpack.GEOJSON):
            raise InvalidParameter("a map's keys are integers, strings or bytes: " + repr(key))
    return dict(as_msgpack.sort_pairs(items))


def from_particle(kind: int, data: bytes) -> Any:
    """The Python value of a particle. O(size). Raises MessageError for what is no value."""
    if kind == 3:
        return data.decode("utf-8", _ESCAPE)
    if kind == 1:
        return int.from_bytes(data, "big", signed=True)
    if kind == 4:
        return data
    return _from_other_particle(kind, data)


def _from_other_particle(kind: int, data: bytes) -> Any:
    match kind:
        case ParticleType.NULL:
            return None
        case ParticleType.LIST | ParticleType.MAP:
            return unpack_value(data)
        case ParticleType.DOUBLE if len(data) == 8:
            return _FLOAT.unpack(data)[0]
        case ParticleType.BOOL if len(data) == 1:
            return data != b"\0"
        case ParticleType.GEOJSON if len(data) >= 3:
            start = 3 + 8 * int.from_bytes(data[1:3], "big")
            return AsGeojson(data[start:].decode("utf-8", _ESCAPE))
    try:
        return AsBytes(data, kind)
    except ValueError:
        raise MessageError(f"a particle of type {kind} with {len(data)} bytes") from None


def unpack_value(data: bytes) -> Any:
    """The Python value of a list, map or element in msgpack. MessageError for what is none."""
    try:
        return from_element(as_msgpack.unpack_stored(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise MessageError(f"a collection that cannot be read: {error}") from None


def from_element(value: as_msgpack.Value) -> Any:
    """The Python value of what `as_msgpack` unpacked."""
    kind = type(value)
    if kind is str:
        mark = value[:1]
        if mark == "\x03":
            return value[1:]
        return _from_marked(mark, value[1:])
    if kind is int or kind is float or kind is bool or value is None:
        return value
    if kind is list:
        return [from_element(item) for item in as_msgpack.list_items(value)]
    if kind is dict:
        return {from_element(key): from_element(item) for key, item in as_msgpack.map_items(value)}
    if value is as_msgpack.INF or value is as_msgpack.WILDCARD:
        return value
    raise MessageError("an element that is no value")


def _from_marked(mark: str, text: str) -> Any:
    if mark == as_msgpack.GEOJSON:
        return AsGeojson(text)
    data = text.encode("utf-8", _ESCAPE)
    if mark == _PLAIN_BLOB:
        return data
    try:
        return AsBytes(data, ord(mark))
    except (ValueError, TypeError):
        raise MessageError(f"an element marked {mark!r}") from None
