"""`Key`: which record is meant."""

from __future__ import annotations

import struct
from typing import Final, Self

from aerospike_common.wire import ParticleType
from citrusleaf.cf_digest import DIGEST_SIZE, key_digest

UserKey = int | float | str | bytes
"""What an application calls a record by, within its set."""

_MAX_NAMESPACE: Final = 31
_MAX_SET: Final = 63


class Key:
    """A namespace, a set and what the application calls the record; immutable, hashable.

    The server knows a record by the 20-byte digest of set and user key alone. Two keys are equal
    when namespace and digest are.

    >>> key = Key("test", "demo", "key1")
    >>> key.digest.hex(), key.partition_id
    ('ec91192d4b7f8ce35d5d78d34bca65cbaaaac960', 492)
    """

    __slots__ = ("digest", "namespace", "partition_id", "set_name", "user_key")

    namespace: str
    #: Empty when the record is in no set.
    set_name: str
    #: None when only the digest is known: the server keeps the user key only if it was sent one.
    user_key: UserKey | None
    digest: bytes
    #: 0 to 4095: the part of the namespace in which the record lies.
    partition_id: int

    def __init__(self, namespace: str, set_name: str | None, user_key: UserKey) -> None:
        """ValueError for an empty or overlong name, TypeError for a user key of another type,
        OverflowError for an integer beyond 64 signed bits."""
        self._settle(namespace, set_name, user_key, key_digest(set_name or "", user_key))

    @classmethod
    def of_digest(
        cls,
        namespace: str,
        set_name: str | None,
        digest: bytes,
        user_key: UserKey | None = None,
    ) -> Self:
        """The key of a record whose digest is known. ValueError unless that has 20 bytes."""
        if len(digest) != DIGEST_SIZE:
            raise ValueError(f"a digest has {DIGEST_SIZE} bytes, not {len(digest)}")
        key = cls.__new__(cls)
        key._settle(namespace, set_name, user_key, digest)
        return key

    def _settle(
        self, namespace: str, set_name: str | None, user_key: UserKey | None, digest: bytes
    ) -> None:
        if not 0 < len(namespace) <= _MAX_NAMESPACE:
            raise ValueError(f"a namespace's name has 1 to {_MAX_NAMESPACE} bytes: {namespace!r}")
        if set_name is None:
            set_name = ""
        elif len(set_name) > _MAX_SET:
            raise ValueError(f"a set's name has at most {_MAX_SET} bytes: {set_name!r}")
        put = object.__setattr__
        put(self, "namespace", namespace)
        put(self, "set_name", set_name)
        put(self, "user_key", user_key)
        put(self, "digest", digest)
        put(self, "partition_id", (digest[0] | digest[1] << 8) & 4095)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a key does not change: make a new one with another {name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        return self.digest == other.digest and self.namespace == other.namespace

    def __hash__(self) -> int:
        return hash((self.namespace, self.digest))

    def __repr__(self) -> str:
        name = f"digest {self.digest.hex()}" if self.user_key is None else repr(self.user_key)
        return f"Key({self.namespace!r}, {self.set_name!r}, {name})"


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
