"""The record digest: RIPEMD-160 of set name and key, and the partition it falls into.

A record is known by its 20-byte digest alone. The namespace is not part of it.

>>> digest(b"demo", KeyType.STRING, b"key1").hex()
'ec91192d4b7f8ce35d5d78d34bca65cbaaaac960'
>>> partition_id(key_digest("demo", "key1"))
492
"""

import hashlib
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Final

DIGEST_SIZE: Final = 20
"""Bytes in a digest."""

PARTITIONS: Final = 4096
"""Partitions in a namespace; a power of two, so that an id is a few bits of the digest."""


class KeyType(IntEnum):
    """The type byte hashed between the set name and the key."""

    INTEGER = 1
    """Eight bytes, big-endian, signed."""
    DOUBLE = 2
    """Eight bytes, big-endian IEEE-754."""
    STRING = 3
    """UTF-8."""
    BLOB = 4
    """Raw bytes."""


_INTEGER: Final = struct.Struct(">q").pack
_DOUBLE: Final = struct.Struct(">d").pack


def _ripemd160_openssl() -> Callable[[bytes], bytes]:
    """OpenSSL's RIPEMD-160; ValueError where it is not built in or not allowed."""
    # Copying a fresh state skips the look-up by name that hashlib.new makes on each call.
    copy = hashlib.new("ripemd160", usedforsecurity=False).copy

    def ripemd160(data: bytes) -> bytes:
        """RIPEMD-160 of some bytes: 20 bytes. O(n)."""
        state = copy()
        state.update(data)
        return state.digest()

    return ripemd160


def _ripemd160_pycryptodome(data: bytes) -> bytes:
    """RIPEMD-160 of some bytes: 20 bytes. O(n)."""
    from Crypto.Hash import RIPEMD160

    return RIPEMD160.new(data).digest()


def _choose_ripemd160() -> Callable[[bytes], bytes]:
    """The fastest implementation this machine has. OpenSSL 3 hides RIPEMD-160 on some systems."""
    try:
        return _ripemd160_openssl()
    except ValueError:
        return _ripemd160_pycryptodome


ripemd160: Final[Callable[[bytes], bytes]] = _choose_ripemd160()
"""RIPEMD-160 of some bytes: 20 bytes. O(n)."""


def digest(set_name: bytes, key_type: int, key: bytes) -> bytes:
    """The digest of a key already in wire form: 20 bytes. O(n).

    `set_name` is empty for a record without a set. ValueError if `key_type` is not one byte.
    """
    return ripemd160(b"%b%b%b" % (set_name, bytes((key_type,)), key))


def key_digest(set_name: str | bytes, key: int | float | str | bytes) -> bytes:
    """The digest of a Python key: 20 bytes. O(n).

    OverflowError for an integer beyond 64 signed bits; TypeError for a bool or any other type.

    >>> key_digest("demo", 42).hex()
    'cf5a1365effa4dc53333f2166d103358f8711096'
    """
    name = set_name.encode() if isinstance(set_name, str) else set_name
    match key:
        case bool():
            raise TypeError("a bool cannot be a key")
        case int():
            if not -(1 << 63) <= key < 1 << 63:
                raise OverflowError(f"integer key needs more than 64 bits: {key}")
            return digest(name, KeyType.INTEGER, _INTEGER(key))
        case float():
            return digest(name, KeyType.DOUBLE, _DOUBLE(key))
        case str():
            return digest(name, KeyType.STRING, key.encode())
        case bytes():
            return digest(name, KeyType.BLOB, key)
    raise TypeError(f"cannot be a key: {type(key).__name__}")


def partition_id(digest: bytes) -> int:
    """The partition of a digest: 0 to 4095. O(1)."""
    return (digest[0] | digest[1] << 8) & 4095
