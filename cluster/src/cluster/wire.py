"""Messages on the wire: attrs classes to msgpack and back, and frames in a stream of bytes.

A message is the msgpack array `[type, version, {field number: value}]`. Fields that have their
default are left out; a reader ignores numbers it does not know and takes the default for those it
misses, so either side may be newer. A frame is a 32-bit big-endian length and that many bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, cast

import attrs
import msgpack

MAX_FRAME_BYTES = 64 << 20
"""A longer frame is no frame of ours: the stream is given up."""

LENGTH = struct.Struct(">I")

Endpoint = tuple[str, int]
"""Host and port."""


class WireError(Exception):
    """The peer sent what is no message; the fault is the peer's."""


class Message:
    """The base of all messages. `TYPE` is the number on the wire, unique and never reused."""

    __slots__ = ()
    TYPE: ClassVar[int]
    VERSION: ClassVar[int] = 1


def _int(raw: Any) -> int:
    if type(raw) is not int or not 0 <= raw < 1 << 64:
        raise WireError("not an unsigned 64-bit integer")
    return raw


def _bool(raw: Any) -> bool:
    if type(raw) is not bool:
        raise WireError("not a boolean")
    return raw


def _text(raw: Any) -> str:
    if type(raw) is not str:
        raise WireError("not text")
    return raw


def _endpoint(raw: Any) -> Endpoint:
    if type(raw) is not tuple or len(raw) < 2:
        raise WireError("not an endpoint")
    return _text(raw[0]), _int(raw[1])


def _maybe_text(raw: Any) -> str | None:
    return None if raw is None else _text(raw)


def _blob(raw: Any) -> bytes:
    if type(raw) is not bytes:
        raise WireError("not bytes")
    return raw


def _digest(raw: Any) -> bytes:
    if type(raw) is not bytes or not 2 <= len(raw) <= 20:
        raise WireError("not a digest")
    return raw


def _ints(raw: Any) -> tuple[int, ...]:
    if type(raw) is not tuple:
        raise WireError("not a list")
    for each in raw:
        if type(each) is not int or not 0 <= each < 1 << 64:
            raise WireError("not an unsigned 64-bit integer")
    return tuple(raw)


def _lists_of_ints(raw: Any) -> tuple[tuple[int, ...], ...]:
    if type(raw) is not tuple:
        raise WireError("not a list")
    return tuple([_ints(each) for each in raw])


def _rows(kinds: tuple[Callable[[Any], Any], ...], raw: Any) -> tuple[tuple[Any, ...], ...]:
    if type(raw) is not tuple:
        raise WireError("not a list")
    return tuple([_row(kinds, each) for each in raw])


def _row(kinds: tuple[Callable[[Any], Any], ...], raw: Any) -> tuple[Any, ...]:
    if type(raw) is not tuple or len(raw) < len(kinds):
        raise WireError("not a row")
    return tuple([kind(each) for kind, each in zip(kinds, raw, strict=False)])


def record_rows(raw: Any) -> tuple[Any, ...]:
    """As `_rows` of `RecordRow`, spelled out: each replicated write comes through here."""
    if type(raw) is not tuple:
        raise WireError("not a list")
    longer = False
    for each in raw:
        if type(each) is not tuple or len(each) < 7:
            raise WireError("not a record")
        if len(each) > 7:  # a newer peer's
            longer = True
            each = each[:7]
        digest, generation, updated, void_time, set_name, flags, body = each
        if not (
            type(digest) is bytes
            and 2 <= len(digest) <= 20
            and type(generation) is type(updated) is type(void_time) is type(flags) is int
            and type(set_name) is str
            and type(body) is bytes
            and 1 <= generation <= 0xFFFF
            and updated >= 0 <= void_time
            and flags >= 0
        ):
            raise WireError("not a record")
    return tuple([each[:7] for each in raw]) if longer else raw


Kind = Callable[[Any], Any]
"""Checks what came in a field, and brings it into its Python form. Raises WireError."""

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "int": _int,
        "bool": _bool,
        "str": _text,
        "str | None": _maybe_text,
        "bytes": _blob,
        "Digest": _digest,
        "tuple[int, ...]": _ints,
        "Endpoint": _endpoint,
        "tuple[Host, ...]": partial(_rows, (_int, _text, _int)),
        "tuple[MemberRow, ...]": partial(_rows, (_int, _int, _int, _bool)),
        "tuple[ItemRow, ...]": partial(_rows, (_text, _int, _int, _maybe_text)),
        "tuple[ModuleRow, ...]": partial(
            _rows, (_text, partial(_rows, (_text, _int, _int, _maybe_text)))
        ),
        "tuple[NamespaceRow, ...]": partial(
            _rows, (_text, _int, _int, _int, _ints, partial(_rows, (_int, _int, _blob)))
        ),
        "tuple[StateRow, ...]": partial(_rows, (_text, _int, _bool, _lists_of_ints)),
        "tuple[RecordRow, ...]": record_rows,
        "tuple[SummaryRow, ...]": partial(_rows, (_digest, _int, _int, _int, _int, _int)),
    }
)
"""How a field of each annotated type is checked and brought into its Python form."""


class Codec:
    """Encoder and decoder of a set of message classes. One thread's."""

    def __init__(self, classes: Iterable[type[Message]]) -> None:
        """ValueError when two classes claim one type number."""
        self.classes: dict[int, type[Message]] = {}
        # Kept: each new one takes a buffer of 256 KiB from the system and gives it back.
        self._pack = msgpack.Packer().pack
        self._fields: dict[type[Message], tuple[tuple[int, str, Any], ...]] = {}
        self._kinds: dict[int, tuple[type[Message], dict[int, tuple[str, Kind]]]] = {}
        for cls in classes:
            if cls.TYPE in self.classes:
                raise ValueError(f"{cls.__name__} and {self.classes[cls.TYPE]} share a number")
            self.classes[cls.TYPE] = cls
            numbered = list(enumerate(attrs.fields(cast(type[attrs.AttrsInstance], cls)), 1))
            self._fields[cls] = tuple((n, field.name, field.default) for n, field in numbered)
            kinds = {n: (field.name, KINDS[str(field.type)]) for n, field in numbered}
            self._kinds[cls.TYPE] = (cls, kinds)

    def encode(self, message: Message) -> bytes:
        """The message's bytes, without a frame. O(size)."""
        values = {}
        for number, name, default in self._fields[type(message)]:
            value = getattr(message, name)
            if value != default:
                values[number] = value
        packed: bytes = self._pack([message.TYPE, message.VERSION, values])
        return packed

    def decode(self, data: bytes) -> Message | None:
        """The message, or None for a type of a newer peer. Raises WireError only. O(size)."""
        try:
            kind, _, values = msgpack.unpackb(data, strict_map_key=False, use_list=False)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise WireError(f"not a message: {error}") from error
        if type(kind) is not int or type(values) is not dict:
            raise WireError("not a message")
        if kind not in self._kinds:
            return None
        cls, kinds = self._kinds[kind]
        known = {}
        for number, raw in values.items():
            if number in kinds:
                name, check = kinds[number]
                known[name] = check(raw)
        try:
            return cls(**known)
        except TypeError as error:
            raise WireError(f"{cls.__name__} misses a field") from error


def frame(payload: bytes) -> bytes:
    """The payload with its length in front. ValueError when it is too long for any reader."""
    if len(payload) > MAX_FRAME_BYTES:
        raise ValueError(f"a frame takes at most {MAX_FRAME_BYTES} bytes")
    return LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Cuts a stream of bytes, in whatever pieces it comes, into the payloads of its frames."""

    __slots__ = ("_missing", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._missing = 0
        """So many bytes more complete the frame that has begun, if its length has come."""

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads completed by `data`. Raises WireError when a frame is too long. O(size),
        however small the pieces are that a long frame comes in."""
        rest = self._rest
        if not rest and 4 <= len(data) <= MAX_FRAME_BYTES:
            (size,) = LENGTH.unpack_from(data)
            if size + 4 == len(data):
                return [bytes(data[4:])]  # one frame in one piece, as most come
        if rest:
            rest += data
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data, self._rest = bytes(rest), bytearray()
        else:
            data = bytes(data)
        payloads = []
        at, end, size = 0, len(data), 0
        while end - at >= 4:
            (size,) = LENGTH.unpack_from(data, at)
            if size > MAX_FRAME_BYTES:
                raise WireError(f"a frame of {size} bytes")
            if end - at - 4 < size:
                break
            payloads.append(data[at + 4 : at + 4 + size])
            at += 4 + size
        self._rest = bytearray(data[at:])
        self._missing = (at + 4 + size if end - at >= 4 else at + 4) - end
        return payloads
