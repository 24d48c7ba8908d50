"""Passwords as clients send them: hashed once, all with the same salt.

A client never sends a password (but to a server that asks an external directory); it sends this
hash, and the server keeps it. So the hash is the secret on the wire, and needs TLS like any other.
"""

from __future__ import annotations

import hmac
from typing import Final

from aerospike_common.crypt_blowfish import crypt

SETTING: Final = "$2a$10$7EqJtq98hPqEX7fNZaFWoO"
"""The salt and cost that all clients use."""

NO_PASSWORD: Final = "nopassword"
"""Stands for the password of users who log in with a certificate."""


def hash_password(password: str) -> str:
    """The hash that clients send for `password`: 60 characters. About 50 ms.

    Raises ValueError for a password with a NUL in it.

    >>> hash_password("password")
    '$2a$10$7EqJtq98hPqEX7fNZaFWoOqUH6KN8IKy3Yk5Kz..RHGKNAUCoP/LG'
    """
    return crypt(password.encode("utf-8"), SETTING)


def matches(hash_given: str | bytes, hash_kept: str | bytes) -> bool:
    """Whether two hashes are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(_bytes(hash_given), _bytes(hash_kept))


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
