"""`AsMsgpackSerializer`: values to the wire's msgpack and back.

Between a value and its bytes stand the plain Python values of `aerospike_common.as_msgpack`:
`to_wire` and `from_wire` go there and back, for callers that have them at hand anyway.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
from msgpack import ExtType

from aerospike_common import as_msgpack
from aerospike_common.as_arraylist import AsArraylist
from aerospike_common.as_boolean import AsBoolean
from aerospike_common.as_bytes import BYTES_TYPES, AsBytes
from aerospike_common.as_double import AsDouble
from aerospike_common.as_geojson import AsGeojson
from aerospike_common.as_hashmap import AsHashmap
from aerospike_common.as_integer import AsInteger
from aerospike_common.as_list import AsList
from aerospike_common.as_map import AsMap, MapKey
from aerospike_common.as_nil import NIL, AsNil
from aerospike_common.as_orderedmap import AsOrderedmap
from aerospike_common.as_pair import AsPair
from aerospike_common.as_string import AsString, encoded
from aerospike_common.as_val import MAX_NESTING, AsVal, order_key_of
from aerospike_common.wire.errors import MessageError

_BYTES_MARKS: Final = frozenset(map(chr, BYTES_TYPES))


@attrs.frozen
class AsMsgpackSerializer:
    """The serializer of the wire and of stored lists and maps.

    Bytes are canonical: each form the shortest, maps in key order whatever their kind, lists that
    are `ordered` sorted. Equal values of equal kind give equal bytes, 0.0 and -0.0 excepted.
    A pair goes out as a list; a map flagged with any order comes in as an `AsOrderedmap`.

    >>> serializer = AsMsgpackSerializer()
    >>> serializer.serialize(AsArraylist([AsInteger(1), AsString("a")]))
    b'\\x92\\x01\\xa2\\x03a'
    >>> serializer.deserialize(b"\\x92\\x01\\xa2\\x04a")
    AsArraylist([AsInteger(value=1), AsBytes(value=b'a', type=<ParticleType.BLOB: 4>)])
    """

    def serialize(self, value: AsVal) -> bytes:
        """The bytes of `value`. O(n log n). Raises ValueError when nested too deeply."""
        return as_msgpack.pack(to_wire(value))

    def deserialize(self, data: bytes) -> AsVal:
        """The one value that `data` holds, from whomever it comes. O(n).

        Raises MessageError when it holds none, more, or what is no value (wildcard, infinity).
        """
        return from_wire(as_msgpack.unpack(data))


def to_wire(value: AsVal) -> as_msgpack.Value:
    """A value as `as_msgpack` packs it.

    Raises ValueError for containers nested deeper than `MAX_NESTING` (a list inside itself is).
    """
    return _to_wire(value, MAX_NESTING)


def _to_wire(value: AsVal, nesting: int) -> as_msgpack.Value:
    if nesting < 0:
        raise ValueError(f"nested deeper than {MAX_NESTING} containers")
    match value:
        case AsNil():
            return None
        case AsBoolean() | AsInteger() | AsDouble():
            return value.value
        case AsString():
            return as_msgpack.STRING + value.value
        case AsBytes():
            return chr(value.type) + value.value.decode("utf-8", "surrogateescape")
        case AsGeojson():
            return as_msgpack.GEOJSON + value.value
        case AsPair():
            return [_to_wire(value.first, nesting - 1), _to_wire(value.second, nesting - 1)]
        case AsList():
            return _list_to_wire(value, nesting - 1)
        case AsMap():
            return _map_to_wire(value, nesting - 1)
        case _:
            raise TypeError(f"{type(value).__name__} is not stored")


def _list_to_wire(values: AsList, nesting: int) -> list[Any]:
    wire = [_to_wire(item, nesting) for item in values.stored()]
    if isinstance(values, AsArraylist) and values.ordered:
        wire.insert(0, _flags(as_msgpack.ORDERED))
    return wire


def _map_to_wire(pairs: AsMap, nesting: int) -> dict[Any, Any]:
    wire: dict[Any, Any] = {}
    if isinstance(pairs, AsOrderedmap):
        by_value = as_msgpack.VALUE_ORDERED if pairs.value_ordered else 0
        wire[_flags(as_msgpack.ORDERED | by_value)] = None
    for key in sorted(pairs, key=order_key_of):
        wire[_to_wire(key, nesting)] = _to_wire(pairs[key], nesting)
    return wire


def _flags(flags: int) -> ExtType:
    return ExtType(flags, b"")


def from_wire(value: as_msgpack.Value) -> AsVal:
    """The value of what `as_msgpack` unpacked. Raises MessageError for what is no value."""
    match value:
        case None:
            return NIL
        case bool():
            return AsBoolean(value)
        case int():
            return AsInteger(value)
        case float():
            return AsDouble(value)
        case str():
            return _text_from_wire(value)
        case list():
            ordered = bool(as_msgpack.list_flags(value) & as_msgpack.ORDERED)
            items = [from_wire(item) for item in as_msgpack.list_items(value)]
            return AsArraylist(items, ordered=ordered)
        case dict():
            return _map_from_wire(value)
        case _:
            raise MessageError("not a storable value")


def _text_from_wire(text: str) -> AsVal:
    mark, body = text[:1], text[1:]
    if mark == as_msgpack.STRING:
        return AsString(body)
    if mark == as_msgpack.GEOJSON:
        return AsGeojson(body)
    if mark in _BYTES_MARKS:
        return AsBytes(encoded(body), ord(mark))
    raise MessageError("string without a known type byte")


def _map_from_wire(wire: dict[Any, Any]) -> AsMap:
    pairs = [(_key_from_wire(k), from_wire(v)) for k, v in as_msgpack.map_items(wire)]
    flags = as_msgpack.map_flags(wire)
    if not flags & as_msgpack.MAP_FLAGS:
        return AsHashmap(pairs)
    return AsOrderedmap(pairs, value_ordered=bool(flags & as_msgpack.VALUE_ORDERED))


def _key_from_wire(wire: as_msgpack.Value) -> MapKey:
    key = from_wire(wire)
    if not isinstance(key, MapKey):
        raise MessageError("map key is not an integer, string or blob")
    return key
