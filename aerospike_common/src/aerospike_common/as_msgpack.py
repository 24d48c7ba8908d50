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

from collections.abc import Sequence
from functools import cmp_to_key
from itertools import repeat
from operator import lt
from struct import Struct
from typing import Any, Final

from msgpack import ExtType, packb, unpackb

from aerospike_common.as_msgpack_decoder import (
    BAD_MAP,
    INF,
    MAX_DEPTH,
    UNWALKED,
    WILDCARD,
    Value,
    is_flags,
    text,
    unpack,
    unpack_prefix,
    unpack_sound_part,
)
from aerospike_common.wire.errors import MessageError

__all__ = [
    "Value",
    "WILDCARD",
    "INF",
    "UNWALKED",
    "BAD_MAP",
    "STRING",
    "BLOB",
    "GEOJSON",
    "MAX_DEPTH",
    "ORDERED",
    "VALUE_ORDERED",
    "PRESERVE_ORDER",
    "PERSIST_INDEX",
    "LIST_FLAGS",
    "MAP_FLAGS",
    "pack",
    "pack_elements",
    "pack_entries",
    "is_kept",
    "join_list",
    "join_map",
    "unpack",
    "unpack_prefix",
    "unpack_sound_part",
    "unpack_stored",
    "unpack_elements",
    "split_stored",
    "normalise_for_storage",
    "is_flags",
    "text",
    "without_bins",
    "list_flags",
    "list_items",
    "map_flags",
    "map_items",
    "order_key",
    "compare",
    "compare_key",
    "has_wildcard",
    "is_sorted",
    "is_uniform",
    "sort_values",
    "sort_pairs",
]

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

STRING: Final = "\x03"
BLOB: Final = "\x04"
GEOJSON: Final = "\x17"

_COUNT16: Final = Struct(">BH")
_COUNT32: Final = Struct(">BI")
_FLAGS_HEAD: Final = b"\xc7\x00"
"""An extension without payload, as `pack` writes it; nothing else that is stored begins so."""
_FIXED_SIZES: Final = {bytes((0xD4 + power,)): 2 + (1 << power) for power in range(5)}
"""The sizes of extensions of fixed size: the flags of a list may have come in one and are kept."""
_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})


def pack(value: Value) -> bytes:
    """The canonical bytes of `value`: every integer, string and container in its shortest form.

    A list or dict keeps its order; see `normalise_for_storage` for what may be stored.
    """
    try:
        packed: bytes = packb(value)
    except UnicodeEncodeError:
        packed = packb(value, unicode_errors="surrogateescape")
    return packed


def unpack_stored(data: bytes) -> Value:
    """Decode bytes that `pack` wrote: one call into C, no checks."""
    return unpackb(data, unicode_errors="surrogateescape", strict_map_key=False)


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


def without_bins(value: Value) -> Value:
    """A decoded value with `str` in place of `bytes`, in it and in its lists. O(n)."""
    return list(map(without_bins, value)) if type(value) is list else text(value)


def split_stored(data: bytes) -> tuple[int, int, bytes]:
    """A stored list or map in parts: flags, number of elements or entries, and their bytes. O(n)
    to copy."""
    tag = data[0]
    if tag < 0xA0:
        count, start = tag & 0x0F, 1
    elif tag in (0xDC, 0xDE):
        count, start = int.from_bytes(data[1:3]), 3
    else:
        count, start = int.from_bytes(data[1:5]), 5
    if data[start : start + 2] != _FLAGS_HEAD:
        mark = _FIXED_SIZES.get(data[start : start + 1])
        if mark is None:
            return 0, count, data[start:]
        return data[start + 1] & LIST_FLAGS, count - 1, data[start + mark :]
    is_map = tag < 0x90 or tag >= 0xDE
    return data[start + 2], count - 1, data[start + (4 if is_map else 3) :]


def is_kept(data: bytes, packed: bytes) -> bool:
    """Whether `data`, whose canonical form is `packed`, is stored as it came: a list with its flags
    in an extension of fixed size, and all else canonical."""
    if packed[0] < 0x90 or packed[0] >= 0xDE:
        return False
    _, count, elements = split_stored(packed)
    head = _head(0x90, 0xDC, count + 1)
    mark = _FIXED_SIZES.get(data[len(head) : len(head) + 1])
    return mark is not None and data.startswith(head) and data[len(head) + mark :] == elements


def join_list(flags: int, count: int, elements: bytes) -> bytes:
    """The bytes of a list of these flags and elements."""
    mark = _FLAGS_HEAD + bytes((flags,)) if flags else b""
    return _head(0x90, 0xDC, count + bool(flags)) + mark + elements


def join_map(flags: int, count: int, entries: bytes) -> bytes:
    """The bytes of a map of these flags and entries."""
    mark = _FLAGS_HEAD + bytes((flags, 0xC0)) if flags else b""
    return _head(0x80, 0xDE, count + bool(flags)) + mark + entries


def _head(short: int, long: int, count: int) -> bytes:
    if count < 16:
        return bytes((short | count,))
    return _COUNT16.pack(long, count) if count < 0x10000 else _COUNT32.pack(long + 1, count)


def unpack_elements(count: int, data: bytes, *, raw: bool = False) -> list[Value]:
    """The `count` elements that `data` holds one after the other; with `raw` strings as bytes."""
    as_list = _COUNT32.pack(0xDD, count) + data
    elements: list[Value] = (
        unpackb(as_list, raw=True, strict_map_key=False) if raw else unpack_stored(as_list)
    )
    return elements


def pack_elements(values: Sequence[Value]) -> bytes:
    """The bytes of values one after the other, without a list's header."""
    count = len(values)
    return pack(values)[1 if count < 16 else 3 if count < 0x10000 else 5 :]


def pack_entries(keys: list[Value], values: list[Value]) -> bytes:
    """The bytes of a map's entries, without its header."""
    flat: list[Value] = [None] * (2 * len(keys))
    flat[0::2] = keys
    flat[1::2] = values
    return pack_elements(flat)


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
    body = sent = list_items(items)
    if not _SCALARS.issuperset(map(type, sent)):
        body = list(map(normalise_for_storage, sent, repeat(depth + 1)))
    if not flags:
        return body
    # The protocol compares what was sent: maps in it as they stand, before they are sorted.
    if not is_sorted(sent):
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
        sortable = value if value.isascii() else _byte_text(value)
        first = sortable[:1]
        return (4 if first == STRING else 9 if first == GEOJSON else 7, sortable)
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
    return order_key(text(value)) if kind is bytes else (10,)


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


def is_uniform(values: Sequence[Value]) -> bool:
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
