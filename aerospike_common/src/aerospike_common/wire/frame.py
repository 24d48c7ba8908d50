"""Frames: the 8-byte header around every message, and compressed frames.

byte 0      protocol version, 2 (0 is tolerated for admin messages)
byte 1      message type, see `MessageType`
bytes 2-7   length of the body, big-endian
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Final, NamedTuple, TypeAlias

from aerospike_common.wire.codes import MessageType
from aerospike_common.wire.errors import FrameError, MessageError

PROTOCOL_VERSION: Final = 2
HEADER_SIZE: Final = 8
#: Longest body that a peer may announce, in bytes.
MAX_BODY: Final = 128 << 20

_HEADER: Final = struct.Struct(">Q")
_VERSION_BITS: Final = PROTOCOL_VERSION << 56
_LENGTH_MASK: Final = (1 << 48) - 1
_TYPES: Final = frozenset(int(t) for t in MessageType)
#: Original size, the first word of a compressed body.
_ORIGINAL_SIZE: Final = struct.Struct(">Q")
COMPRESSED_AT: Final = _ORIGINAL_SIZE.size
"""Where in a compressed body the stream begins."""

Compress: TypeAlias = Callable[[bytes, int], bytes]
"""The plain bytes and a level in, the stream out."""
Decompress: TypeAlias = Callable[[memoryview, int], bytes]
"""A stream and the size that is announced in, the plain bytes out: all of them, or more than
announced, but never more than one byte more. Raises MessageError for no whole stream."""


class Frame(NamedTuple):
    """One whole frame: the message type (a `MessageType` value) and the body without its header."""

    type: int
    body: bytes


def frame(message_type: int, body: bytes) -> bytes:
    """Put the 8-byte header before `body`."""
    return _HEADER.pack(_VERSION_BITS | message_type << 48 | len(body)) + body


class FrameReader:
    """Cuts a byte stream into frames.

    >>> reader = FrameReader()
    >>> reader.feed(frame(1, b"build") + b"\\x02")
    >>> reader.next_frame()
    Frame(type=1, body=b'build')
    >>> reader.next_frame() is None
    True

    Memory: only bytes that have arrived are held, never what a header announces; at most one
    unfinished frame stays behind when the caller takes every frame after each `feed`.
    """

    __slots__ = ("_buffer", "_max_body", "_offset")

    def __init__(self, max_body: int = MAX_BODY) -> None:
        """`max_body`: longest body accepted, in bytes."""
        self._max_body = max_body
        self._buffer: bytes | bytearray = b""
        self._offset = 0

    def feed(self, data: bytes) -> None:
        """Append received bytes. Amortised O(len(data)); a chunk that follows whole frames is not
        copied."""
        if self._offset == len(self._buffer):
            self._buffer = data
            self._offset = 0
            return
        if isinstance(self._buffer, bytes):
            self._buffer = bytearray(memoryview(self._buffer)[self._offset :])
        else:
            del self._buffer[: self._offset]
        self._offset = 0
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None while more bytes are needed.

        Raises FrameError when the header is not one (version, type or size); so does every later
        call, since what follows cannot be trusted.
        """
        buffer, offset = self._buffer, self._offset
        if len(buffer) - offset < HEADER_SIZE:
            return None
        (word,) = _HEADER.unpack_from(buffer, offset)
        message_type = word >> 48 & 0xFF
        self._check(word >> 56, message_type, word & _LENGTH_MASK)
        start = offset + HEADER_SIZE
        end = start + (word & _LENGTH_MASK)
        if end > len(buffer):
            return None
        self._offset = end
        if isinstance(buffer, bytes):
            return Frame(message_type, buffer[start:end])
        return Frame(message_type, bytes(memoryview(buffer)[start:end]))

    def __iter__(self) -> Iterator[Frame]:
        """All whole frames received so far."""
        while (item := self.next_frame()) is not None:
            yield item

    @property
    def pending(self) -> int:
        """Bytes received that no returned frame has covered yet."""
        return len(self._buffer) - self._offset

    def _check(self, version: int, message_type: int, length: int) -> None:
        if version != PROTOCOL_VERSION and (version or message_type != MessageType.ADMIN):
            raise FrameError(f"protocol version {version}")
        if message_type not in _TYPES:
            raise FrameError(f"message type {message_type}")
        if length > self._max_body:
            raise FrameError(f"body of {length} bytes, the limit is {self._max_body}")


def deflate(body: bytes, level: int = 1, compress: Compress = zlib.compress) -> bytes:
    """The whole compressed frame (type 4) around the message `body` (type 3).

    `level` is zlib's, 1 (fastest, what clients use) to 9. `compress`: by another algorithm, for
    who is known to take it.
    """
    inner = frame(MessageType.AS_MSG, body)
    packed = _ORIGINAL_SIZE.pack(len(inner)) + compress(inner, level)
    return frame(MessageType.AS_MSG_COMPRESSED, packed)


_PIECE: Final = 1 << 18
"""Bytes that are compressed or decompressed in one go, of big messages."""


def _unzip(packed: memoryview, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        inner = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise MessageError(f"compressed message: {error}") from None
    if not stream.eof or stream.unused_data:
        raise MessageError("compressed message of another size than announced")
    return inner


def announced(body: bytes) -> int:
    """The size that the body of a compressed frame announces; 0 when that is cut off."""
    return int(_ORIGINAL_SIZE.unpack_from(body)[0]) if len(body) >= _ORIGINAL_SIZE.size else 0


def inflate(body: bytes, max_body: int = MAX_BODY, decompress: Decompress = _unzip) -> bytes:
    """The message body inside the body of a compressed frame (type 4), by zlib or as told.

    Raises MessageError unless the content is one whole type 3 frame of exactly the announced size.
    Never produces more than `max_body` bytes and a header, whatever the announcement.
    """
    if len(body) < _ORIGINAL_SIZE.size:
        raise MessageError("compressed body without its size")
    (size,) = _ORIGINAL_SIZE.unpack_from(body)
    if not HEADER_SIZE <= size <= max_body + HEADER_SIZE:
        raise MessageError(f"compressed message of {size} bytes")
    packed = memoryview(body)[COMPRESSED_AT:]
    if decompress is _unzip and size > _PIECE:
        head, inner = _unzip_in_pieces(packed, size)
    else:
        whole = decompress(packed, size)
        head, inner = whole[:HEADER_SIZE], whole[HEADER_SIZE:]
    if len(head) + len(inner) != size:
        raise MessageError("compressed message of another size than announced")
    (word,) = _HEADER.unpack_from(head)
    if word != _VERSION_BITS | MessageType.AS_MSG << 48 | size - HEADER_SIZE:
        raise MessageError("compressed message with a wrong inner header")
    return inner


def _unzip_in_pieces(packed: memoryview, size: int) -> tuple[bytes, bytes]:
    """The header and the rest of what is in a zlib stream, at most `size` bytes and a piece.

    A hundred megabytes in one go would keep the interpreter's lock for as long as copying them
    takes, whoever's thread does it.
    """
    stream, inner, head = zlib.decompressobj(), BytesIO(), b""
    left: bytes | memoryview = b""
    at = 0
    try:
        while not stream.eof and inner.tell() <= size:
            left = left or packed[at : at + _PIECE]
            at += 0 if stream.unconsumed_tail else _PIECE
            missing = HEADER_SIZE - len(head)
            found = stream.decompress(left, missing or _PIECE)
            if missing:
                head += found
            else:
                inner.write(found)
            if not found and not left:
                break  # the stream is cut off
            left = stream.unconsumed_tail
    except zlib.error as error:
        raise MessageError(f"compressed message: {error}") from None
    if not stream.eof or stream.unused_data or at < len(packed) or len(head) < HEADER_SIZE:
        raise MessageError("compressed message of another size than announced")
    return head, inner.getvalue()
