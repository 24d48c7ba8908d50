"""Encryption at rest: AES-GCM with a key for each device, wrapped by the key in a key file.

What is encrypted is the payload of a record; its digest and metadata are authenticated, not hidden.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from storage.device import Disk
from storage.engine import StorageError

KEY_BYTES: Final = MappingProxyType({"none": 0, "aes-128": 16, "aes-256": 32})
"""Bytes of a device's key, by the cipher's name in configurations."""
MIN_SECRET: Final = 16

_NONCE: Final = Struct("<QI")


class Cipher:
    """Encrypts payloads under a device's key.

    A stamp is given once in a store's life, so it serves as nonce.

    >>> cipher = Cipher(bytes(32))
    >>> stored = cipher.encrypt(b"payload", 7, b"digest")
    >>> cipher.decrypt(stored, 7, b"digest")
    b'payload'
    """

    def __init__(self, key: bytes) -> None:
        self._aes = AESGCM(key)

    def encrypt(self, data: bytes, stamp: int, digest: bytes) -> bytes:
        """16 bytes longer than `data`. About 1.5 µs and 0.3 µs a KiB."""
        return self._aes.encrypt(_NONCE.pack(stamp, 0), data, digest)

    def decrypt(self, stored: bytes, stamp: int, digest: bytes) -> bytes:
        """What was encrypted. Raises ValueError for anything else."""
        try:
            return self._aes.decrypt(_NONCE.pack(stamp, 0), stored, digest)
        except InvalidTag:
            raise ValueError("not what was encrypted under this key") from None


FROM_ENVIRONMENT: Final = "env:"


def read_secret(disk: Disk, path: str) -> bytes:
    """The key that wraps device keys, from a file of at least 16 bytes, or with `env:NAME` for the
    path from a variable of the environment. Raises StorageError."""
    secret = _secret(disk, path).strip()
    if len(secret) < MIN_SECRET:
        raise StorageError(f"the key file {path} has less than {MIN_SECRET} bytes")
    return sha256(secret).digest()


def _secret(disk: Disk, path: str) -> bytes:
    if path.startswith(FROM_ENVIRONMENT):
        found = disk.variable(path.removeprefix(FROM_ENVIRONMENT))
        if found is None:
            raise StorageError(f"there is no variable {path} with a key")
        return found
    try:
        file = disk.open(path, create=False)
        try:
            return file.pread(0, 1 << 16)
        finally:
            file.close()
    except OSError as error:
        raise StorageError(f"the key file cannot be read: {error}") from error


def wrap(secret: bytes, key: bytes) -> bytes:
    """A device's key, as it may be written down: 8 bytes longer."""
    return aes_key_wrap(secret, key)


def unwrap(secret: bytes, wrapped: bytes) -> bytes | None:
    """The key again; None when it was wrapped by another secret."""
    try:
        return aes_key_unwrap(secret, wrapped)
    except InvalidUnwrap:
        return None
