"""Stored lists and maps in their bytes: one element is exchanged without packing all others anew.

Stored bytes are canonical, so packing the elements in front of one gives the very bytes that stand
there, and their number is where it begins. That is the way of plain Python, whose C decoder and
encoder are quicker than a walk in Python. Where walking is compiled (`as_msgpack_walk`), nothing is
decoded but what is asked for: `WalkedMap` does what `PackedMap` does, `cut` what `replaced` does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

from aerospike_common import as_msgpack as msgpack
from aerospike_common import as_msgpack_walk as walk
from aerospike_common.as_msgpack import Value
from asd.bins.cdt.bounds import lower_bound

_NESTED: Final = frozenset({list, dict})


def replaced(body: bytes, elements: Sequence[Value], at: int, gone: int, new: list[Value]) -> bytes:
    """The bytes of `elements`, which `body` are, with the `gone` from `at` on replaced by `new`."""
    end = at + gone
    if 2 * at <= len(elements):
        start = len(msgpack.pack_elements(elements[:at]))
        stop = start + len(msgpack.pack_elements(elements[at:end]))
    else:
        stop = len(body) - len(msgpack.pack_elements(elements[end:]))
        start = stop - len(msgpack.pack_elements(elements[at:end]))
    return b"".join((body[:start], msgpack.pack_elements(new), body[stop:]))


def cut(body: bytes, size: int, at: int, gone: int, new: bytes) -> bytes:
    """The bytes of `size` elements with the `gone` from position `at` on replaced by the bytes of
    others."""
    start = len(body) if at == size else walk.skip(body, 0, at)
    return b"".join((body[:start], new, body[walk.skip(body, start, gone) :]))


class PackedMap:
    """The entries of a stored map, in key order, as bytes and with strings undecoded, which is the
    least that finding a key takes."""

    __slots__ = ("_columns", "_flat", "_keys", "body", "size")

    def __init__(self, size: int, body: bytes) -> None:
        self.size = size
        self.body = body
        self._flat: list[Any] | None = None
        self._keys: list[Any] | None = None
        self._columns: tuple[list[Value], list[Value]] | None = None

    def _raw(self) -> list[Any]:
        if self._flat is None:
            self._flat = msgpack.unpack_elements(2 * self.size, self.body, raw=True)
        return self._flat

    def columns(self) -> tuple[list[Value], list[Value]]:
        """All keys and all values."""
        if self._columns is None:
            flat = msgpack.unpack_elements(2 * self.size, self.body)
            self._columns = flat[0::2], flat[1::2]
        return self._columns

    def numbers(self) -> list[Value] | None:
        """All values if they are numbers or booleans, which need no decoding; None otherwise."""
        values = self._raw()[1::2]
        try:
            sum(values)  # the quickest way to see
        except TypeError:
            return None
        return values

    def open(self) -> None:
        """A value will be looked into, for which strings are needed: decode once for all."""
        self.columns()

    def bound(self, key: int | str) -> int:
        """The position of the first key that is not less. O(n) to decode once, then O(log n)."""
        if self._columns is not None:
            return lower_bound(self._columns[0], key)
        if self._keys is None:
            self._keys = self._raw()[0::2]
        keys = self._keys
        target = _undecoded(key)
        if keys and _rank(keys[0]) == _rank(keys[-1]) == _rank(target):
            return bisect_left(keys, target)
        return bisect_left(keys, _order(target), key=_order)

    def is_at(self, at: int, key: int | str) -> bool:
        """Whether `key` stands at a position, which may be the one behind the last."""
        if self._columns is not None:
            return at < self.size and bool(self._columns[0][at] == key)
        return at < self.size and bool(self._raw()[2 * at] == _undecoded(key))

    def is_nested(self, at: int) -> bool:
        """Whether a value is a list or map: those are not found here."""
        return type(self._raw()[2 * at + 1]) in _NESTED

    def value_at(self, at: int) -> Value:
        """A value that is not nested."""
        return _decoded(self._raw()[2 * at + 1])

    def exchanged(self, at: int, gone: int, entry: list[Value]) -> PackedMap | None:
        """The map with an `entry` of key and value in front of a position, or instead of the one
        there if `gone` is 1; an empty entry removes that. None when where it begins does not show
        in the bytes."""
        start = stop = len(self.body)
        if at < self.size:
            marker = msgpack.pack(_decoded(self._raw()[2 * at]))
            start = stop = self.body.find(marker)
            if self.body.find(marker, start + 1) >= 0 or (gone and self.is_nested(at)):
                return None
            if gone:
                stop = start + len(marker) + len(msgpack.pack(self.value_at(at)))
        body = self.body[:start] + msgpack.pack_elements(entry) + self.body[stop:]
        return PackedMap(self.size + len(entry) // 2 - gone, body)

    def with_value(self, at: int, value: bytes) -> PackedMap | None:
        """The map with other bytes for the value at a position; None as in `exchanged`."""
        keys, values = self.columns()
        key = msgpack.pack(keys[at])
        entry = key + msgpack.pack(values[at])
        start = self.body.find(entry)
        if self.body.find(entry, start + 1) >= 0:
            return None
        parts = (self.body[: start + len(key)], value, self.body[start + len(entry) :])
        return PackedMap(self.size, b"".join(parts))


class WalkedMap(PackedMap):
    """The same by walking: a key is found and a value changed without decoding any other.

    The place that was looked at last is kept, so that what comes behind it is not walked to again.
    """

    __slots__ = ("_at", "_offset")

    def __init__(self, size: int, body: bytes) -> None:
        super().__init__(size, body)
        self._at = self._offset = 0

    def open(self) -> None:
        """A value will be looked into: it is found in the bytes."""

    def bound(self, key: int | str) -> int:
        """The position of the first key that is not less. O(n)."""
        if isinstance(key, int):
            found = walk.bound_of_integer(self.body, self.size, 2, key, False)
        else:
            found = walk.bound_of_text(self.body, self.size, 2, _raw_text(key), False)
        self._at, self._offset = found
        return self._at

    def _offset_of(self, at: int) -> int:
        if at < self._at:
            self._at = self._offset = 0
        self._offset = walk.skip(self.body, self._offset, 2 * (at - self._at))
        self._at = at
        return self._offset

    def is_at(self, at: int, key: int | str) -> bool:
        """Whether `key` stands at a position, which may be the one behind the last."""
        return at < self.size and self.body.startswith(msgpack.pack(key), self._offset_of(at))

    def is_nested(self, at: int) -> bool:
        """All values are found here, lists and maps, too."""
        return False

    def bytes_at(self, at: int) -> bytes:
        """The bytes of a value."""
        start = walk.skip(self.body, self._offset_of(at), 1)
        return self.body[start : walk.skip(self.body, start, 1)]

    def value_at(self, at: int) -> Value:
        """A value."""
        return msgpack.unpack_stored(self.bytes_at(at))

    def exchanged(self, at: int, gone: int, entry: list[Value]) -> WalkedMap:
        """The map with an `entry` of key and value in front of a position, or instead of the one
        there if `gone` is 1; an empty entry removes that."""
        start = self._offset_of(at)
        stop = walk.skip(self.body, start, 2 * gone)
        body = b"".join((self.body[:start], msgpack.pack_elements(entry), self.body[stop:]))
        return WalkedMap(self.size + len(entry) // 2 - gone, body)

    def with_value(self, at: int, value: bytes) -> WalkedMap:
        """The map with other bytes for the value at a position."""
        start = walk.skip(self.body, self._offset_of(at), 1)
        stop = walk.skip(self.body, start, 1)
        return WalkedMap(self.size, b"".join((self.body[:start], value, self.body[stop:])))


def _undecoded(key: int | str) -> int | bytes:
    return _raw_text(key) if isinstance(key, str) else key


def _raw_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decoded(raw: Any) -> Value:
    return raw.decode("utf-8", "surrogateescape") if type(raw) is bytes else raw


def _rank(raw: Any) -> int:
    """The order of the types of undecoded keys: integers, strings, blobs. Within each, keys sort
    as Python sorts them."""
    if type(raw) is int:
        return 0
    return 1 if raw[:1] == b"\x03" else 2


def _order(raw: Any) -> tuple[int, Any]:
    """A tuple that sorts as the undecoded key."""
    return _rank(raw), raw
