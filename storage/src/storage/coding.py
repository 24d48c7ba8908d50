"""How payloads are written: as they are, or compressed."""

from __future__ import annotations

from typing import Final, Protocol

import lz4.block  # type: ignore[import-untyped]  # lz4 ships no type information
import zstandard

PLAIN: Final = 0
LZ4: Final = 1
ZSTD: Final = 2
ENCRYPTED: Final = 0x10
"""Added to the others: what is stored was encrypted afterwards."""
CODING_NAMES: Final = ("none", "lz4", "zstd")

_WORTH_TRYING: Final = 64  # bytes under which no coder gains anything


class Coder(Protocol):
    """Makes payloads shorter and gives them back."""

    def encode(self, payload: bytes) -> tuple[int, bytes]:
        """(coding, bytes to store); never longer than the payload."""

    def decode(self, coding: int, stored: bytes) -> bytes:
        """The payload. Raises ValueError for bytes that `encode` did not make."""


class Compression:
    """A `Coder` for new payloads by name and level; it reads every coding there is.

    >>> coder = Compression("zstd", level=3)
    >>> coding, stored = coder.encode(b"again and " * 100)
    >>> len(stored) < 50, coder.decode(coding, stored) == b"again and " * 100
    (True, True)
    """

    def __init__(self, name: str = "none", level: int = 0) -> None:
        """`name` is one of CODING_NAMES; `level` 0 = the coder's own choice.

        Raises ValueError for another name.
        """
        self._coding = CODING_NAMES.index(name)
        self._acceleration = max(1, level)
        self._compress = zstandard.ZstdCompressor(level=level or 3).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def encode(self, payload: bytes) -> tuple[int, bytes]:
        """(coding, bytes to store)."""
        if self._coding == PLAIN or len(payload) < _WORTH_TRYING:
            return PLAIN, payload
        if self._coding == LZ4:
            stored: bytes = lz4.block.compress(payload, "fast", acceleration=self._acceleration)
        else:
            stored = self._compress(payload)
        return (self._coding, stored) if len(stored) < len(payload) else (PLAIN, payload)

    def decode(self, coding: int, stored: bytes) -> bytes:
        """The payload."""
        if coding == PLAIN:
            return stored
        try:
            if coding == LZ4:
                plain: bytes = lz4.block.decompress(stored)
                return plain
            if coding == ZSTD:
                return self._decompress(stored)
        except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
            raise ValueError(str(error)) from error
        raise ValueError(f"no coding {coding}")
