"""Base64 of the standard alphabet with padding, and nothing looser.

>>> encode(b"any bytes")
'YW55IGJ5dGVz'
>>> decode("YW55IGJ5dGVz")
b'any bytes'
"""

import binascii


def encode(data: bytes) -> str:
    """Bytes as base64 text, without line breaks. O(n)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode(text: str | bytes) -> bytes:
    """The bytes that base64 text stands for. O(n).

    ValueError unless the text is padded to fours, with no character outside the alphabet and none
    after the padding. Unused bits in the last character may have any value.
    """
    data = binascii.a2b_base64(text, strict_mode=True)
    # Strict mode lets superfluous padding behind a full group of four pass.
    if encoded_size(len(data)) != len(text):
        raise ValueError("base64 text with too much padding")
    return data


def is_valid(text: str | bytes) -> bool:
    """Whether `decode` would take it. O(n).

    >>> is_valid("YQ=="), is_valid("YQ"), is_valid("Y Q="), is_valid("")
    (True, False, False, True)
    """
    try:
        decode(text)
    except ValueError:
        return False
    return True


def encoded_size(size: int) -> int:
    """Characters in the base64 of `size` bytes. O(1).

    >>> encoded_size(20)
    28
    """
    return (size + 2) // 3 * 4
