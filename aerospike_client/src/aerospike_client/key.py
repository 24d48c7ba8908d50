"""`Key`: which record is meant."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, Self

from aerospike_common.wire import ParticleType
from citrusleaf.cf_digest import DIGEST_SIZE, key_digest

UserKey = int | float | str | bytes
"""What an application calls a record by, within its set."""

_MAX_NAMESPACE: Final = 31
_MAX_SET: Final = 63


class _Fields(NamedTuple):
    namespace: str
    #: Empty when the record is in no set.
    set_name: str
    #: None when only the digest is known: the server keeps the user key only if it was sent one.
    user_key: UserKey | None
    digest: bytes


class Key(_Fields):
    """A namespace, a set and what the application calls the record; immutable, hashable.

    The server knows a record by the 20-byte digest of set and user key alone. Two keys are equal
    when namespace and digest are. (A tuple underneath, because a query makes one a record.)

    >>> key = Key("test", "demo", "key1")
    >>> key.digest.hex(), key.partition_id
    ('ec91192d4b7f8ce35d5d78d34bca65cbaaaac960', 492)
    """

    __slots__ = ()

    def __new__(cls, namespace: str, set_name: str | None, user_key: UserKey) -> Self:
        """ValueError for an empty or overlong name, TypeError for a user key of another type,
        OverflowError for an integer beyond 64 signed bits."""
        set_name = set_name or ""
        _check_names(namespace, set_name)
        digest = key_digest(set_name, user_key)
        return tuple.__new__(cls, (namespace, set_name, user_key, digest))

    @classmethod
    def of_digest(
        cls,
        namespace: str,
        set_name: str | None,
        digest: bytes,
        user_key: UserKey | None = None,
    ) -> Self:
        """The key of a record whose digest is known. ValueError unless that has 20 bytes."""
        set_name = set_name or ""
        _check_names(namespace, set_name)
        if len(digest) != DIGEST_SIZE:
            raise ValueError(f"a digest has {DIGEST_SIZE} bytes, not {len(digest)}")
        return tuple.__new__(cls, (namespace, set_name, user_key, digest))

    @property
    def partition_id(self) -> int:
        """0 to 4095: the part of the namespace in which the record lies."""
        digest = self[3]
        return (digest[0] | digest[1] << 8) & 4095

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        return self[3] == other[3] and self[0] == other[0]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self[0], self[3]))

    def __repr__(self) -> str:
        name = f"digest {self.digest.hex()}" if self.user_key is None else repr(self.user_key)
        return f"Key({self.namespace!r}, {self.set_name!r}, {name})"


def _check_names(namespace: str, set_name: str) -> None:
    if not 0 < len(namespace) <= _MAX_NAMESPACE:
        raise ValueError(f"a namespace's name has 1 to {_MAX_NAMESPACE} bytes: {namespace!r}")
    if len(set_name) > _MAX_SET:
        raise ValueError(f"a set's name has at most {_MAX_SET} bytes: {set_name!r}")


def user_key_particle(user_key: UserKey) -> bytes:
    """The user key in the form in which it travels: particle type byte, then the value."""
    match user_key:
        case str():
            return bytes((ParticleType.STRING,)) + user_key.encode()
        case int():
            return bytes((ParticleType.INTEGER,)) + user_key.to_bytes(8, "big", signed=True)
        case bytes():
            return bytes((ParticleType.BLOB,)) + user_key
        case float():
            return bytes((ParticleType.DOUBLE,)) + struct.pack(">d", user_key)


def user_key_of(particle: bytes) -> UserKey | None:
    """The inverse of `user_key_particle`; None for a type that is none of a key's."""
    match particle[:1]:
        case b"\x03":
            return particle[1:].decode("utf-8", "surrogateescape")
        case b"\x01":
            return int.from_bytes(particle[1:], "big", signed=True)
        case b"\x02" if len(particle) == 9:
            (number,) = struct.unpack(">d", particle[1:])
            return float(number)
        case b"\x04":
            return particle[1:]
    return None
