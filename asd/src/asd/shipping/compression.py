"""How what is shipped is compressed, and how a server finds out what has come.

The protocol's compressed message (type 4) is zlib: every server of the protocol takes that, and no
other. Between servers of this project the same message may hold a zstandard or an LZ4 frame: the
first takes less processor time for long records, the second for all, and packs less. Who sends one
has asked before (`ASKED`): whoever does not know the info command gets zlib. Who receives knows
them by their first bytes, which no zlib stream begins with. Both are sent with checksums, as zlib's
streams have one.

Nothing is decompressed beyond the size that the message announces, which is bounded itself: a
zstandard frame must tell its size, the same one, since its decoder makes room for what it tells.

The libraries are imported where they are used: every server has this module, few use them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.errors import MessageError
from aerospike_common.wire.frame import (
    COMPRESSED_AT,
    HEADER_SIZE,
    Compress,
    Decompress,
    deflate,
    inflate,
)
from aerospike_common.wire.info import parse_info_reply

ZLIB: Final = "zlib"
ZSTD: Final = "zstd"
LZ4: Final = "lz4"
ALGORITHMS: Final = (ZLIB, ZSTD, LZ4)
EVERYBODYS: Final = frozenset({ZLIB})
"""What every server of the protocol takes."""
ASKED: Final = "xdr-compression"
"""The info command, of this project alone, that tells which ones a server takes."""

_MAGIC_SIZE: Final = 4
_WINDOW: Final = 8 << 20
"""What a zstandard decoder may keep beside the output: twice what level 9 asks for."""


def told() -> str:
    """The answer to `ASKED`."""
    return ",".join(ALGORITHMS)


def heard(reply: bytes) -> frozenset[str]:
    """Which ones a server takes, by the body of its reply to `ASKED`, whatever that is."""
    try:
        ((_, value),) = parse_info_reply(reply)
    except (MessageError, ValueError):
        return EVERYBODYS
    return EVERYBODYS | set(ALGORITHMS).intersection(value.split(","))


# -------------------------------------------------------------------------- sending


class Compressor:
    """Makes compressed messages of requests. Belongs to one thread: zstandard's tables are kept,
    since making them costs more than a short record does."""

    def __init__(self, algorithm: str, level: int) -> None:
        """`level` is 1 (fastest) to 9, on each algorithm's own scale."""
        self._level = level
        self._compress: Compress = zlib.compress
        if algorithm == ZSTD:
            import zstandard

            keeper = zstandard.ZstdCompressor(level=level, write_checksum=True)
            self._compress = lambda plain, _: keeper.compress(plain)
        elif algorithm == LZ4:
            self._compress = _lz4

    def compress(self, frame: bytes) -> bytes:
        """A whole request (type 3) as a compressed message (type 4)."""
        return deflate(frame[HEADER_SIZE:], self._level, self._compress)


def _lz4(plain: bytes, level: int) -> bytes:
    import lz4.frame  # type: ignore[import-untyped]  # lz4 ships no type information

    packed: bytes = lz4.frame.compress(plain, compression_level=level, content_checksum=True)
    return packed


# ------------------------------------------------------------------------ receiving


def decompressed(body: bytes) -> bytes:
    """The message body inside the body of a compressed message, of any of these algorithms. Raises
    MessageError; see `inflate`."""
    decompress = _BY_MAGIC.get(body[COMPRESSED_AT : COMPRESSED_AT + _MAGIC_SIZE])
    if decompress is None:
        return inflate(body)
    return inflate(body, decompress=decompress)


def _from_zstd(packed: memoryview, size: int) -> bytes:
    import zstandard

    try:
        tells = zstandard.get_frame_parameters(packed).content_size
        if tells != size:
            raise MessageError(
                f"compressed message: a zstandard frame of {tells} bytes, not {size}"
            )
        decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        return decoder.decompress(packed, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise MessageError(f"compressed message: {error}") from None


def _from_lz4(packed: memoryview, size: int) -> bytes:
    import lz4.frame

    decoder = lz4.frame.LZ4FrameDecompressor()
    try:
        plain: bytes = decoder.decompress(packed, max_length=size + 1)
    except RuntimeError as error:  # it has no errors of its own
        raise MessageError(f"compressed message: {error}") from None
    if not decoder.eof or decoder.unused_data:
        raise MessageError("compressed message: not one whole LZ4 frame")
    return plain


_BY_MAGIC: Final[Mapping[bytes, Decompress]] = MappingProxyType(
    {b"\x28\xb5\x2f\xfd": _from_zstd, b"\x04\x22\x4d\x18": _from_lz4}
)
