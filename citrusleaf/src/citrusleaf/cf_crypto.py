"""Hashes, message authentication and AES, with the choices that must be right already made.

>>> sealed = aes_gcm_seal(bytes(16), bytes(12), b"attack at dawn")
>>> aes_gcm_open(bytes(16), bytes(12), sealed)
b'attack at dawn'

AES is imported where it is used: it costs 50 ms, which most programs need not pay at their start.
"""

import hashlib
import hmac
from typing import Final

AES_BLOCK_SIZE: Final = 16
"""Bytes in an AES block."""

GCM_NONCE_SIZE: Final = 12
"""Bytes in the nonce of `aes_gcm_seal`."""

GCM_TAG_SIZE: Final = 16
"""Bytes that `aes_gcm_seal` adds."""


def sha1(data: bytes) -> bytes:
    """SHA-1: 20 bytes. For compatibility, not for signatures. O(n)."""
    return hashlib.sha1(data, usedforsecurity=False).digest()


def sha256(data: bytes) -> bytes:
    """SHA-256: 32 bytes. O(n).

    >>> sha256(b"abc").hex()[:16]
    'ba7816bf8f01cfea'
    """
    return hashlib.sha256(data).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256 of some data under a key of any length: 32 bytes. O(n)."""
    return hmac.digest(key, data, "sha256")


def is_equal(a: bytes, b: bytes) -> bool:
    """Whether two byte strings are equal, in a time that does not tell where they differ. O(n)."""
    return hmac.compare_digest(a, b)


def aes_ctr(key: bytes, nonce: bytes, data: bytes, offset: int = 0) -> bytes:
    """Encrypt or decrypt (the same thing) by AES in counter mode. O(n).

    `data` may be any piece of a longer message, `offset` bytes from its beginning, so a device can
    be read anywhere. `key` has 16, 24 or 32 bytes, `nonce` 8, never used twice with one key for
    different messages. Nothing tells whether the data was tampered with. ValueError otherwise.

    >>> whole = aes_ctr(bytes(16), bytes(8), b"a longer message")
    >>> aes_ctr(bytes(16), bytes(8), whole[9:], offset=9)
    b'message'
    """
    from Crypto.Cipher import AES

    if len(nonce) != 8 or offset < 0:
        raise ValueError("a nonce has 8 bytes and an offset is not negative")
    block, skipped = divmod(offset, AES_BLOCK_SIZE)
    cipher = AES.new(key, AES.MODE_CTR, nonce=nonce, initial_value=block)
    cipher.encrypt(bytes(skipped))
    return cipher.encrypt(data)


def aes_gcm_seal(key: bytes, nonce: bytes, data: bytes, associated: bytes = b"") -> bytes:
    """Encrypt and authenticate by AES-GCM: the ciphertext and a tag of 16 bytes. O(n).

    `key` has 16, 24 or 32 bytes, `nonce` 12, never used twice with one key. `associated` data is
    authenticated but not included. ValueError for other sizes.
    """
    from Crypto.Cipher import AES

    if len(nonce) != GCM_NONCE_SIZE:
        raise ValueError(f"nonce of {len(nonce)} bytes")
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=GCM_TAG_SIZE)
    cipher.update(associated)
    ciphertext, tag = cipher.encrypt_and_digest(data)
    return ciphertext + tag


def aes_gcm_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
    """What `aes_gcm_seal` sealed with the same arguments. O(n).

    ValueError if anything differs: key, nonce, associated data, or one bit of `sealed`.
    """
    from Crypto.Cipher import AES

    if len(nonce) != GCM_NONCE_SIZE or len(sealed) < GCM_TAG_SIZE:
        raise ValueError(f"nonce of {len(nonce)} bytes, sealed data of {len(sealed)}")
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=GCM_TAG_SIZE)
    cipher.update(associated)
    return cipher.decrypt_and_verify(sealed[:-GCM_TAG_SIZE], sealed[-GCM_TAG_SIZE:])
