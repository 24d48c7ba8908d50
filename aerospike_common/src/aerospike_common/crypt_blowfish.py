"""`crypt` with Blowfish: bcrypt hashes, as text.

A setting is `$2a$` (or `$2b$`, `$2y$`), the cost in two digits, `$` and 22 characters of salt; a
hash is the setting it was made with and 31 characters more.
"""

from __future__ import annotations

import base64
from typing import Final

import bcrypt

SALT_SIZE: Final = 16
"""The bytes of randomness in a salt."""

_MAX_KEY_SIZE: Final = 72
_TO_BCRYPT: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
)


def crypt(key: bytes, setting: str) -> str:
    """The hash of `key` under `setting`, 60 characters. A hash serves as its own setting.

    Time doubles with each step of the cost, about 50 ms at 10. Of the key the first 72 bytes
    count. Raises ValueError for an invalid setting or a NUL in the key.

    >>> crypt(b"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.")
    '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'
    """
    if b"\0" in key:
        raise ValueError("NUL in the key")
    return bcrypt.hashpw(key[:_MAX_KEY_SIZE], setting.encode("ascii")).decode("ascii")


def gensalt(cost: int, randomness: bytes) -> str:
    """A setting for `crypt`: `cost` 4 to 31, and 16 bytes from a good source of randomness.

    Raises ValueError for any other cost or size.

    >>> gensalt(5, bytes(16))
    '$2a$05$......................'
    """
    if not 4 <= cost <= 31:
        raise ValueError(f"cost {cost} is not 4 to 31")
    if len(randomness) != SALT_SIZE:
        raise ValueError(f"{len(randomness)} bytes of randomness, not {SALT_SIZE}")
    salt = base64.b64encode(randomness).translate(_TO_BCRYPT, b"=").decode("ascii")
    return f"$2a${cost:02}${salt}"
