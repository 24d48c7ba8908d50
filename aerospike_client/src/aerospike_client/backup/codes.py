"""The letters of the format and the particles they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ParticleType

VERSION: Final = b"3.1"

BLOBS: Final[Mapping[bytes, int]] = MappingProxyType(
    {
        b"B": ParticleType.BLOB,
        b"J": ParticleType.JAVA_BLOB,
        b"C": ParticleType.CSHARP_BLOB,
        b"P": ParticleType.PYTHON_BLOB,
        b"R": ParticleType.RUBY_BLOB,
        b"H": ParticleType.PHP_BLOB,
        b"E": ParticleType.ERLANG_BLOB,
        b"Y": ParticleType.HLL,
        b"M": ParticleType.MAP,
        b"L": ParticleType.LIST,
    }
)
"""Bins whose values are bytes: in base64 or, with `!` behind the letter, as they are."""

BLOB_LETTERS: Final[Mapping[int, bytes]] = MappingProxyType(
    {particle: letter for letter, particle in BLOBS.items()}
)

GEOJSON_HEAD: Final = bytes(3)
"""Flags and the number of cells, in front of the text: the server computes the cells anew."""
