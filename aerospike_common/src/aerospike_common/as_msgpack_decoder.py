"""Decoding msgpack that somebody else wrote: checked, bounded, in the values of `as_msgpack`.

The C library decodes what is plain; whatever it would read differently than the protocol means
(bin headers, extensions, unsigned 64-bit integers, odd map keys) goes to a decoder in Python, which
is the authority on all of it.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

from msgpack import ExtType, OutOfData, Unpacker, unpackb

from aerospike_common.wire.errors import MessageError

Value: TypeAlias = Any
"""None | bool | int | float | str | bytes (a string with a bin header) | list | dict | ExtType
(flags, WILDCARD, INF)."""

MAX_DEPTH: Final = 128
"""Containers within containers, in what is received and in what is stored. Far above real use, and
low enough for the interpreter's stack at every place that walks a value."""

# ExtType refuses codes above 127, its packer does not: built past the constructor, the two
# special values pack to their wire form (d4 ff 00, d4 ff 01).
WILDCARD: Final[ExtType] = tuple.__new__(ExtType, (-1, b"\x00"))
"""Equal to anything; as a list element it also swallows the rest. Never stored."""
INF: Final[ExtType] = tuple.__new__(ExtType, (-1, b"\x01"))
"""Greater than everything. Never stored."""

BAD_MAP: Final[ExtType] = tuple.__new__(ExtType, (-1, b"\x02"))
"""Stands for a map with a key that is none, see `unpack`. Never stored."""
UNWALKED: Final = object()
"""Stands for a container that claims to hold more than there is; see `unpack_sound_part`."""

# Bytes that may begin what the C decoder reads differently than the protocol means: bin headers,
# extensions, unsigned 64-bit integers. Their absence (one C scan) makes its result exact.
_ODD_BYTES: Final = bytes([*range(0xC4, 0xCA), 0xCF, *range(0xD4, 0xD9)])
_CONTAINER_BYTES: Final = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_KEY_TYPES: Final = frozenset({int, str})
_PLAIN: Final = frozenset({type(None), bool, int, float, str, list, dict})
# So few bytes can neither nest too deeply nor claim counts worth checking beforehand.
_SMALL: Final = MAX_DEPTH


def unpack(data: bytes, *, keep_bins: bool = False, bad_maps: bool = False) -> Value:
    """Decode bytes from outside; they must hold exactly one value.

    Bin headers become `str`; with `keep_bins` those that are stored as they came become `bytes`,
    which `pack` gives the same header: of 32 bytes or more and the shortest. Map keys are `str` in
    any case, unsigned integers above 2^63-1 their signed bit pattern, extensions
    lose their payload (WILDCARD and INF are recognised). `MessageError` for truncated or trailing
    bytes, counts beyond the bytes, map keys other than integers, strings and blobs (with `bad_maps`
    such a map is BAD_MAP), duplicate keys, and nesting deeper than MAX_DEPTH. Time and memory are
    linear in `len(data)`.
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
    return Decoder(data, keep_bins=keep_bins, bad_maps=bad_maps).decode()


def unpack_prefix(data: bytes, *, keep_bins: bool = False) -> Value:
    """Decode the value that `data` begins with; bytes behind it are ignored. Else as `unpack`."""
    try:
        return unpack(data, keep_bins=keep_bins)
    except MessageError:
        return Decoder(data, keep_bins=keep_bins).prefix()


class SoundPart(NamedTuple):
    """What of a broken list can be decoded: its first elements, the bytes behind them, and whether
    these are all its elements after all."""

    elements: list[Value]
    rest: bytes
    whole: bool


def unpack_sound_part(data: bytes) -> SoundPart:
    """The elements of the list `data` begins with, up to the first that cannot be decoded.

    An element that is no more than the 32-bit header of a list or map, with a count that no bytes
    are there for, is UNWALKED, and what follows the header is the next element. Nothing is decoded
    when `data` does not begin with a list."""
    if not data or not (0x90 <= data[0] <= 0x9F or 0xDC <= data[0] <= 0xDD):
        return SoundPart([], b"", False)
    return Decoder(data).sound_part()


def text(value: Value) -> Value:
    """What stood behind a bin header as the string that it is; anything else as it is."""
    return value.decode("utf-8", "surrogateescape") if type(value) is bytes else value


def is_flags(value: Value) -> bool:
    """Whether `value` is the element that carries a container's flags."""
    return type(value) is ExtType and value.code >= 0


# -- the two decoders ----------------------------------------------------------------


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


class Decoder:
    """The whole of the accepted msgpack in Python: slower, and the authority on odd forms."""

    def __init__(self, data: bytes, *, keep_bins: bool = False, bad_maps: bool = False) -> None:
        self._data = data
        self._at = 0
        self._keep_bins = keep_bins
        self._bad_maps = bad_maps

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

    def sound_part(self) -> SoundPart:
        """The elements of the list at the front that can be decoded."""
        tag = self._data[0]
        start = self._at = 1 if tag < 0xDC else 3 if tag == 0xDC else 5
        count = tag & 0x0F if tag < 0xDC else int.from_bytes(self._data[1:start])
        items: list[Value] = []
        try:
            while len(items) < count:
                items.append(UNWALKED if self._skip_unwalked() else self.prefix())
                start = self._at
        except MessageError:
            pass  # what comes from here on is broken, and wanted as it is
        return SoundPart(items, self._data[start:], len(items) == count)

    def _skip_unwalked(self) -> bool:
        """Step over the header of a large container if not even a byte an element is there."""
        header = self._data[self._at : self._at + 5]
        if len(header) < 5 or header[0] not in (0xDD, 0xDF):
            return False
        least = int.from_bytes(header[1:]) * (1 if header[0] == 0xDD else 2)
        if least <= len(self._data) - self._at - 5:
            return False
        self._at += 5
        return True

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
            return self._bin(tag)
        if 0xC7 <= tag <= 0xC9:
            return self._extension(self._uint(1 << (tag - 0xC7)))
        raise MessageError("msgpack: unknown tag")

    def _text(self, size: int) -> str:
        return self._take(size).decode("utf-8", "surrogateescape")

    def _bin(self, tag: int) -> str | bytes:
        size = self._uint(1 << (tag - 0xC4))
        if self._keep_bins and size >= _BIN_MIN and size >= _SHORTEST[tag]:
            return self._take(size)
        return self._text(size)

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

    def _map(self, count: int, depth: int) -> Value:
        self._room(2 * count, depth)
        pairs: dict[Value, Value] = {}
        bad = False
        for index in range(count):
            key = text(self._value(depth + 1))
            if type(key) not in _KEY_TYPES and not (index == 0 and is_flags(key)):
                if not self._bad_maps:
                    raise MessageError("msgpack: map key is not an integer, string or blob")
                bad = True
                self._value(depth + 1)
                continue
            if key in pairs:
                raise MessageError("msgpack: duplicate map key")
            pairs[key] = self._value(depth + 1)
        return BAD_MAP if bad else pairs


_BIN_MIN: Final = 32
"""Bytes from which on a bin header is kept; what is shorter is stored as a string."""
_SHORTEST: Final = {0xC4: 0, 0xC5: 0x100, 0xC6: 0x10000}
_SIMPLE: Final = {0xC0: None, 0xC2: False, 0xC3: True}
