"""Index values: the signed 64-bit number that stands for an indexed value.

An integer is its own. A string or blob is hashed by wyhash (final version 3, public domain by Wang
Yi) with the seed of the real server, so that clients may go on with a query on either server. A
GeoJSON point or region is the ids of its cells.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

_MASK: Final = (1 << 64) - 1
_SEED: Final = 0x29FBB14CC886F
_SECRET: Final = (
    0xA0761D6478BD642F,
    0xE7037ED1A0B428DB,
    0x8EBC6AF09C88C6E3,
    0x589965CC75374CC3,
)
_START: Final = _SEED ^ _SECRET[0]
_BLOCK: Final = 16
_WIDE_BLOCK: Final = 48
_two: Final = Struct("<QQ").unpack_from
_six: Final = Struct("<6Q").unpack_from
_four_bytes: Final = Struct("<I").unpack_from


def signed(number: int) -> int:
    """A 64-bit pattern as a signed number."""
    return number - (1 << 64) if number >> 63 else number


def hash_bval(data: bytes) -> int:
    """The index value of a string's or blob's bytes."""
    size = len(data)
    seed = _START
    if size <= _BLOCK:
        first, second = _short(data, size)
    else:
        first, second, seed = _long(data, size)
    return signed(_mix(_SECRET[1] ^ size, _mix(first ^ _SECRET[1], second ^ seed)))


def _mix(a: int, b: int) -> int:
    product = a * b
    return (product & _MASK) ^ (product >> 64)


def _short(data: bytes, size: int) -> tuple[int, int]:
    if size >= 4:
        inner = size >> 3 << 2
        last = size - 4
        return (
            _four_bytes(data, 0)[0] << 32 | _four_bytes(data, inner)[0],
            _four_bytes(data, last)[0] << 32 | _four_bytes(data, last - inner)[0],
        )
    if size:
        return data[0] << 16 | data[size >> 1] << 8 | data[-1], 0
    return 0, 0


def _long(data: bytes, size: int) -> tuple[int, int, int]:
    seed, at = _START, 0
    if size > _WIDE_BLOCK:
        second = third = seed
        while size - at > _WIDE_BLOCK:
            a, b, c, d, e, f = _six(data, at)
            seed = _mix(a ^ _SECRET[1], b ^ seed)
            second = _mix(c ^ _SECRET[2], d ^ second)
            third = _mix(e ^ _SECRET[3], f ^ third)
            at += _WIDE_BLOCK
        seed ^= second ^ third
    while size - at > _BLOCK:
        a, b = _two(data, at)
        seed = _mix(a ^ _SECRET[1], b ^ seed)
        at += _BLOCK
    a, b = _two(data, size - _BLOCK)
    return a, b, seed
