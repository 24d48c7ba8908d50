"""Collections as bytes and as plain Python values, and the order of all values.

Values are the ones of docs/architecture.md, chosen so that the C msgpack library works in both
directions: typed strings (string, blob, GeoJSON, HLL) are `str` with the particle type byte as
first character, lists are `list`, maps are `dict`, a container's flags are an
`ExtType(flags, b"")` in front. Four entries:

`unpack`                 bytes of a stranger: checked, bounded, `MessageError` for anything odd.
`unpack_stored`          bytes this server stored: one call into C.
`normalise_for_storage`  what a list or map becomes on its way into a record.
`pack`                   canonical bytes.

`order_key` and `compare` give the total order of values (nil < bool < integer < string < list <
map < blob < double < GeoJSON < INF).
"""

from __future__ import annotations

from functools import cmp_to_key
from itertools import repeat
from operator import lt
from struct import Struct
from typing import Any, Final, TypeAlias

from msgpack import ExtType, OutOfData, Unpacker, packb, unpackb

from aerospike_common.wire.errors import MessageError

Value: TypeAlias = Any
"""None | bool | int | float | str | list | dict | ExtType (flags, WILDCARD, INF)."""

MAX_DEPTH: Final = 128
"""Containers within containers, in what is received and in what is stored. Far above real use, and
low enough for the interpreter's stack at every place that walks a value."""

ORDERED: Final = 0x01
"""List: kept sorted. Map: key ordered."""
VALUE_ORDERED: Final = 0x02
"""Map: value ordered (with ORDERED: key and value ordered)."""
PRESERVE_ORDER: Final = 0x08
"""Map results only: key-value pairs in the order of the bytes."""
PERSIST_INDEX: Final = 0x10
"""Accepted and dropped: this server keeps no index inside a value, and the flag is never sent."""

LIST_FLAGS: Final = ORDERED
MAP_FLAGS: Final = ORDERED | VALUE_ORDERED

# ExtType refuses codes above 127, its packer does not: built past the constructor, the two
# special values pack to their wire form (d4 ff 00, d4 ff 01).
WILDCARD: Final[ExtType] = tuple.__new__(ExtType, (-1, b"\x00"))
"""Equal to anything; as a list element it also swallows the rest. Never stored."""
INF: Final[ExtType] = tuple.__new__(ExtType, (-1, b"\x01"))
"""Greater than everything. Never stored."""

STRING: Final = "\x03"
BLOB: Final = "\x04"
GEOJSON: Final = "\x17"

# Bytes that may begin what the C decoder reads differently than the protocol means: bin headers,
# extensions, unsigned 64-bit integers. Their absence (one C scan) makes its result exact.
_ODD_BYTES: Final = bytes([*range(0xC4, 0xCA), 0xCF, *range(0xD4, 0xD9)])
_CONTAINER_BYTES: Final = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_LIST32: Final = Struct(">BI")
_MAP16: Final = Struct(">BH")
_KEY_TYPES: Final = frozenset({int, str})
_SCALARS: Final = frozenset({type(None), bool, int, float, str})
_CONTAINERS: Final = frozenset({list, dict})
_PLAIN: Final = _SCALARS | _CONTAINERS
# So few bytes can neither nest too deeply nor claim counts worth checking beforehand.
_SMALL: Final = MAX_DEPTH


def pack(value: Value) -> bytes:
    """The canonical bytes of `value`: every integer, string and container in its shortest form.

    A list or dict keeps its order; see `normalise_for_storage` for what may be stored.
    """
    try:
        return packb(value)  # type: ignore[no-any-return]
    except UnicodeEncodeError:
        return packb(value, unicode_errors="surrogateescape")  # type: ignore[no-any-return]


def unpack_stored(data: bytes) -> Value:
    """Decode bytes that `pack` wrote: one call into C, no checks."""
    return unpackb(data, unicode_errors="surrogateescape", strict_map_key=False)


def unpack(data: bytes) -> Value:
    """Decode bytes from outside; they must hold exactly one value.

    Bin headers become `str`, unsigned integers above 2^63-1 their signed bit pattern, extensions
    lose their payload (WILDCARD and INF are recognised). `MessageError` for truncated or trailing
    bytes, counts beyond the bytes, map keys other than integers, strings and blobs, duplicate
    keys, and nesting deeper than MAX_DEPTH. Time and memory are linear in `len(data)`.
    """
    plain = len(data.translate(None, _ODD_BYTES)) == len(data)
    if data and (plain or len(data) > _SMALL):
        try:
            if len(data) > _SMALL:
                _check_structure(data)
            return unpackb(
                data,
                unicode_errors="surrogateescape",
                strict_map_key=False,
                object_pairs_hook=_checked_map,
                list_hook=None if plain else _checked_list,
                ext_hook=_refuse_extension,
            )
        except _Unusual:
            pass  # only the slow decoder below knows these forms
        except (ValueError, OutOfData) as error:
            if plain:
                raise MessageError(f"msgpack: {error}") from None
    return _Decoder(data).decode()


def unpack_prefix(data: bytes) -> Value:
    """Decode the value that `data` begins with; bytes behind it are ignored. Else as `unpack`."""
    try:
        return unpack(data)
    except MessageError:
        return _Decoder(data).prefix()


def unpack_head(data: bytes) -> int | None:
    """The integer that is the first element of the list `data` begins with; None when there is
    none. The rest of `data` may be broken."""
    if not data or not (0x91 <= data[0] <= 0x9F or 0xDC <= data[0] <= 0xDD):
        return None
    try:
        head = _Decoder(data[1 if data[0] < 0xDC else 3 if data[0] == 0xDC else 5 :]).prefix()
    except MessageError:
        return None
    return head if type(head) is int else None


def is_flags(value: Value) -> bool:
    """Whether `value` is the element that carries a container's flags."""
    return type(value) is ExtType and value.code >= 0


def list_flags(items: list[Value]) -> int:
    """The flags byte of a decoded list; 0 without one. The first element is then not an item."""
    return items[0].code if items and is_flags(items[0]) else 0


def map_flags(pairs: dict[Value, Value]) -> int:
    """The flags byte of a decoded map; 0 without one. The first key is then not a key."""
    first: Value = next(iter(pairs), None)
    return first.code if is_flags(first) else 0


def list_items(values: list[Value]) -> list[Value]:
    """The items of a decoded list without its flags; may be the same object."""
    return values[1:] if values and is_flags(values[0]) else values


def map_items(pairs: dict[Value, Value]) -> list[tuple[Value, Value]]:
    """The key-value pairs of a decoded map without its flags, in the order of the bytes."""
    items = list(pairs.items())
    return items[1:] if items and is_flags(items[0][0]) else items


def unpack_stored_map(data: bytes) -> tuple[int, list[Value], list[Value]]:
    """Decode a map that `pack` wrote into (flags, keys, values), several times faster than a dict.

    A map's bytes are a list's of twice the count but for the header.
    """
    tag = data[0]
    if tag < 0x90:
        count, start = tag & 0x0F, 1
    elif tag == 0xDE:
        count, start = int.from_bytes(data[1:3]), 3
    else:
        count, start = int.from_bytes(data[1:5]), 5
    flat = unpackb(
        _LIST32.pack(0xDD, 2 * count) + data[start:],
        unicode_errors="surrogateescape",
        strict_map_key=False,
    )
    if flat and is_flags(flat[0]):
        return flat[0].code, flat[2::2], flat[3::2]
    return 0, flat[0::2], flat[1::2]


def pack_map(flags: int, keys: list[Value], values: list[Value]) -> bytes:
    """The bytes of a map of these flags, keys and values, in this order."""
    pairs = len(keys) + (1 if flags else 0)
    flat: list[Value] = [None] * (2 * pairs)
    if flags:
        flat[0] = ExtType(flags, b"")
    flat[2 * (pairs - len(keys)) :: 2] = keys
    flat[2 * (pairs - len(keys)) + 1 :: 2] = values
    body = pack(flat)[1 if pairs < 8 else 3 if pairs < 0x8000 else 5 :]
    if pairs < 16:
        return bytes([0x80 | pairs]) + body
    return (_MAP16.pack(0xDE, pairs) if pairs < 0x10000 else _LIST32.pack(0xDF, pairs)) + body


def normalise_for_storage(value: Value, depth: int = 0) -> Value:
    """`value` as it is stored: maps sorted by key, only the flags that are kept.

    `MessageError` for WILDCARD, INF or stray extensions anywhere inside, a list flagged ordered
    that is not, a map flagged key ordered that is not. Scalars come back as they are; containers
    may come back as the same object or as a copy. O(n log n). `depth` is how many containers the
    value will stand in; together with its own they may not be more than MAX_DEPTH.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if depth > MAX_DEPTH:
        raise MessageError("nested too deeply")
    if kind is list:
        return _normalise_list(value, depth)
    if kind is dict:
        return _normalise_map(value, depth)
    raise MessageError("not a storable value")


def _normalise_list(items: list[Value], depth: int) -> list[Value]:
    flags = list_flags(items) & LIST_FLAGS
    body = list_items(items)
    if not _SCALARS.issuperset(map(type, body)):
        body = list(map(normalise_for_storage, body, repeat(depth + 1)))
    if not flags:
        return body
    if not is_sorted(body):
        raise MessageError("list flagged ordered is not in order")
    return [ExtType(flags, b""), *body]


def _normalise_map(pairs: dict[Value, Value], depth: int) -> dict[Value, Value]:
    flags = map_flags(pairs) & MAP_FLAGS
    items = map_items(pairs)
    if GEOJSON in {key[:1] for key, _ in items if type(key) is str}:
        raise MessageError("GeoJSON map key")
    ordered = sort_pairs(items)
    if flags & ORDERED and ordered != items:
        raise MessageError("map flagged key ordered is not in order")
    stored: dict[Value, Value] = {ExtType(flags, b""): None} if flags else {}
    for key, value in ordered:
        stored[key] = value if type(value) in _SCALARS else normalise_for_storage(value, depth + 1)
    return stored


# -- order ----------------------------------------------------------------------------------------


def order_key(value: Value) -> tuple[Any, ...]:
    """A tuple that sorts as `value` does. `value` must not hold WILDCARD (use `compare`).

    One tuple per container, its elements' keys in line, so that comparing nests no deeper than
    the value does. Maps are taken in the order they stand, as in `compare`.
    """
    kind = type(value)
    if kind is int:
        return (3, value)
    if kind is str:
        # Code points order as their UTF-8 bytes do, except the surrogates that escape bytes.
        text = value if value.isascii() else _byte_text(value)
        first = text[:1]
        return (4 if first == STRING else 9 if first == GEOJSON else 7, text)
    if kind is float:
        return (8, value)
    if kind is list:
        return (5, *map(order_key, list_items(value)))
    if kind is dict:
        return _map_order_key(value)
    if value is None:
        return (1,)
    if kind is bool:
        return (2, value)
    return (10,)


def _byte_text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _map_order_key(pairs: dict[Value, Value]) -> tuple[Any, ...]:
    items = map_items(pairs)
    flat = [order_key(part) for pair in items for part in pair]
    return (6, len(items), *flat)


def sort_values(values: list[Value], *, reverse: bool = False) -> list[Value]:
    """`values` in order, equal ones in their old order. C speed when all are of one plain kind."""
    if is_uniform(values):
        return sorted(values, reverse=reverse)
    return sorted(values, key=order_key, reverse=reverse)


def sort_pairs(pairs: list[tuple[Value, Value]]) -> list[tuple[Value, Value]]:
    """Key-value pairs in key order."""
    keys = [key for key, _ in pairs]
    if is_sorted(keys):
        return pairs
    if is_uniform(keys):
        return sorted(pairs, key=_first)
    return sorted(pairs, key=_first_order_key)


def _first(pair: tuple[Value, Value]) -> Value:
    return pair[0]


def _first_order_key(pair: tuple[Value, Value]) -> tuple[Any, ...]:
    return order_key(pair[0])


def is_sorted(values: list[Value]) -> bool:
    """Whether every value is at least its predecessor. O(n)."""
    keys = values if is_uniform(values) else [order_key(value) for value in values]
    return not any(map(lt, keys[1:], keys))


def is_uniform(values: list[Value]) -> bool:
    """Whether Python's own comparison of `values` is the protocol's: all integers, all doubles, or
    all typed ASCII strings. O(n) in C."""
    kinds = set(map(type, values))
    if len(kinds) != 1:
        return not kinds
    kind = kinds.pop()
    if kind is str:
        # Type bytes from string (3) over the blobs to GeoJSON (23) order as the protocol wants;
        # strings without such a byte, and escaped bytes, do not.
        return "".join(values).isascii() and min(values) >= STRING and max(values) < "\x18"
    return kind is int or kind is float


def compare(a: Value, b: Value) -> int:
    """-1, 0 or 1 as `a` is before, equal to or after `b`; knows WILDCARD.

    A WILDCARD equals anything, and inside a list it equals one value and all that follow. Maps
    compare pair by pair as they stand: stored ones are in key order, a stranger's equals them only
    if it is, too.
    """
    if a is WILDCARD or b is WILDCARD:
        return 0
    if type(a) is list and type(b) is list:
        return _compare_lists(list_items(a), list_items(b))
    if type(a) is dict and type(b) is dict:
        return _compare_maps(map_items(a), map_items(b))
    key_a, key_b = _rank_key(a), _rank_key(b)
    return (key_a > key_b) - (key_a < key_b)


compare_key = cmp_to_key(compare)
"""Wraps a value so that Python's comparisons are `compare`'s."""


def has_wildcard(value: Value) -> bool:
    """Whether WILDCARD occurs anywhere in `value`."""
    kind = type(value)
    if kind is list:
        return any(map(has_wildcard, value))
    if kind is dict:
        return any(map(has_wildcard, value.values()))
    return value is WILDCARD


def _rank_key(value: Value) -> tuple[Any, ...]:
    kind = type(value)
    return (5,) if kind is list else (6,) if kind is dict else order_key(value)


def _compare_lists(a: list[Value], b: list[Value]) -> int:
    for left, right in zip(a, b, strict=False):
        if left is WILDCARD or right is WILDCARD:
            return 0
        order = compare(left, right)
        if order:
            return order
    return (len(a) > len(b)) - (len(a) < len(b))


def _compare_maps(a: list[tuple[Value, Value]], b: list[tuple[Value, Value]]) -> int:
    if len(a) != len(b):
        return 1 if len(a) > len(b) else -1
    for (key_a, value_a), (key_b, value_b) in zip(a, b, strict=True):
        order = compare(key_a, key_b) or compare(value_a, value_b)
        if order:
            return order
    return 0


# -- decoding what a stranger sent ----------------------------------------------------------------


class _Unusual(Exception):
    """The C decoder met a form whose meaning here differs from msgpack's."""


def _check_structure(data: bytes) -> None:
    """Walk `data` once without building values: counts are covered by bytes, one value exactly."""
    walker = Unpacker(max_buffer_size=len(data), read_size=1)
    walker.feed(data)
    walker.skip()
    if walker.tell() != len(data):
        raise ValueError("bytes after the value")
    if len(data) - len(data.translate(None, _CONTAINER_BYTES)) > MAX_DEPTH:
        # Perhaps too deep for Python's hooks, perhaps just many small containers: the C decoder
        # gives the tree, walked level by level.
        _check_depth(data)


def _check_depth(data: bytes) -> None:
    level = [unpackb(data, raw=True, strict_map_key=False, object_pairs_hook=_flat)]
    for _ in range(MAX_DEPTH + 1):
        level = [item for items in level if type(items) is list for item in items]
        level = [item for item in level if type(item) is list]
        if not level:
            return
    raise ValueError("nested too deeply")


def _flat(pairs: list[tuple[Value, Value]]) -> list[Value]:
    return [part for pair in pairs for part in pair]


def _checked_list(items: list[Value]) -> list[Value]:
    kinds = set(map(type, items))
    if not kinds <= _PLAIN:
        raise _Unusual
    if int in kinds and any(type(item) is int and item > 0x7FFFFFFFFFFFFFFF for item in items):
        raise _Unusual
    return items


def _checked_map(pairs: list[tuple[Value, Value]]) -> dict[Value, Value]:
    result = dict(pairs) if _KEY_TYPES.issuperset([type(key) for key, _ in pairs]) else None
    if result is None or len(result) != len(pairs):
        raise _Unusual
    _checked_list(list(result))
    _checked_list(list(result.values()))
    return result


def _refuse_extension(code: int, payload: bytes) -> Value:
    raise _Unusual


_U16: Final = Struct(">H")
_U32: Final = Struct(">I")
_DOUBLE: Final = Struct(">d")
_FLOAT: Final = Struct(">f")


class _Decoder:
    """The whole of the accepted msgpack in Python: slower, and the authority on odd forms."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def prefix(self) -> Value:
        """The value at the front."""
        try:
            return self._value(0)
        except IndexError:
            raise MessageError("msgpack: truncated") from None

    def decode(self) -> Value:
        """The one value that fills the bytes."""
        value = self.prefix()
        if self._at != len(self._data):
            raise MessageError("msgpack: bytes after the value")
        return value

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise MessageError("msgpack: truncated")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def _uint(self, size: int) -> int:
        return int.from_bytes(self._take(size))

    def _value(self, depth: int) -> Value:
        tag = self._data[self._at]
        self._at += 1
        if tag < 0x80:
            return tag
        if tag >= 0xE0:
            return tag - 0x100
        if tag < 0x90:
            return self._map(tag & 0x0F, depth)
        if tag < 0xA0:
            return self._list(tag & 0x0F, depth)
        if tag < 0xC0:
            return self._text(tag & 0x1F)
        if tag in _SIMPLE:
            return _SIMPLE[tag]
        if 0xCC <= tag <= 0xD3:
            return self._integer(tag)
        if tag >= 0xD4:
            return self._sized(tag, depth)
        return self._float_bin_ext(tag)

    def _integer(self, tag: int) -> int:
        raw = self._take(1 << ((tag - 0xCC) & 3))
        # Eight bytes are a bit pattern whatever the tag says; shorter ones mind the sign bit.
        return int.from_bytes(raw, signed=tag >= 0xCF)

    def _sized(self, tag: int, depth: int) -> Value:
        if tag <= 0xD8:
            return self._extension(1 << (tag - 0xD4))
        if tag <= 0xDB:
            return self._text(self._uint(1 << (tag - 0xD9)))
        count = self._uint(4 if tag & 1 else 2)
        return self._list(count, depth) if tag <= 0xDD else self._map(count, depth)

    def _float_bin_ext(self, tag: int) -> Value:
        if tag == 0xCB:
            return _DOUBLE.unpack(self._take(8))[0]
        if tag == 0xCA:
            return _FLOAT.unpack(self._take(4))[0]
        if 0xC4 <= tag <= 0xC6:
            return self._text(self._uint(1 << (tag - 0xC4)))
        if 0xC7 <= tag <= 0xC9:
            return self._extension(self._uint(1 << (tag - 0xC7)))
        raise MessageError("msgpack: unknown tag")

    def _text(self, size: int) -> str:
        return self._take(size).decode("utf-8", "surrogateescape")

    def _extension(self, size: int) -> ExtType:
        code = self._uint(1)
        payload = self._take(size)
        if code == 0xFF and size == 1 and payload[0] <= 1:
            return INF if payload[0] else WILDCARD
        # Only the low bits are flags; ExtType holds no code above 127.
        return ExtType(code & 0x7F, b"")

    def _room(self, count: int, depth: int) -> None:
        if count > len(self._data) - self._at:
            raise MessageError("msgpack: truncated")
        if depth > MAX_DEPTH:
            raise MessageError("msgpack: nested too deeply")

    def _list(self, count: int, depth: int) -> list[Value]:
        self._room(count, depth)
        items = []
        for _ in range(count):
            items.append(self._value(depth + 1))  # noqa: PERF401 - a comprehension nests a frame
        return items

    def _map(self, count: int, depth: int) -> dict[Value, Value]:
        self._room(2 * count, depth)
        pairs: dict[Value, Value] = {}
        for index in range(count):
            key = self._value(depth + 1)
            if type(key) not in _KEY_TYPES and not (index == 0 and is_flags(key)):
                raise MessageError("msgpack: map key is not an integer, string or blob")
            if key in pairs:
                raise MessageError("msgpack: duplicate map key")
            pairs[key] = self._value(depth + 1)
        return pairs


_SIMPLE: Final = {0xC0: None, 0xC2: False, 0xC3: True}
