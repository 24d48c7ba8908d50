"""Registers where they stand packed, one after the other; and the hashes of elements.

These loops are for the compiled twin (`COMPILED`), where a step takes some ten nanoseconds.
Plain Python has other ways, through C libraries (`sketch`, `estimate`). All ways come to the same,
which `tests/asd/bins/test_hll.py` holds against each other.
"""

from __future__ import annotations

from typing import Final

from aerospike_common.as_msgpack_walk import skip
from asd.bins.hll.lanes import RANK_BITS

_RANK_MAX: Final = (1 << RANK_BITS) - 1
_HASH_BITS: Final = 64
_ALL: Final = 0xFFFFFFFFFFFFFFFF
"""What keeps 64 bits of an integer; in C it is nothing to do."""
_A: Final = 0x87C37B91114253D5
_B: Final = 0x4CF5AD432745937F
_C: Final = 0xFF51AFD7ED558CCD
_D: Final = 0xC4CEB9FE1A85EC53
"""The factors of the hash."""


def hashes(data: bytes, count: int) -> bytes:
    """MurmurHash3 (x64, 128 bits, seed 0) of each of `count` msgpack values one behind the other:
    16 bytes each, both halves little-endian."""
    out = bytearray(16 * count)
    start = 0
    for number in range(count):
        end = skip(data, start, 1)
        _hash_into(out, 16 * number, data, start, end)
        start = end
    return bytes(out)


def _hash_into(out: bytearray, place: int, data: bytes, start: int, end: int) -> None:
    size = end - start
    low = high = 0
    while end - start >= 16:
        low ^= _mixed_low(_little(data, start, 8))
        low = (_rotated(low, 27) + high) * 5 + 0x52DCE729 & _ALL
        high ^= _mixed_high(_little(data, start + 8, 8))
        high = (_rotated(high, 31) + low) * 5 + 0x38495AB5 & _ALL
        start += 16
    rest = end - start
    if rest > 8:
        high ^= _mixed_high(_little(data, start + 8, rest - 8))
        rest = 8
    low ^= _mixed_low(_little(data, start, rest))
    low ^= size
    high ^= size
    low = low + high & _ALL
    high = high + low & _ALL
    low, high = _finished(low), _finished(high)
    low = low + high & _ALL
    high = high + low & _ALL
    for at in range(8):
        out[place + at] = low >> 8 * at & 0xFF
        out[place + 8 + at] = high >> 8 * at & 0xFF


def _little(data: bytes, start: int, count: int) -> int:
    """A little-endian number of up to 8 bytes."""
    number = 0
    for at in range(start + count - 1, start - 1, -1):
        number = number << 8 | data[at]
    return number


def _rotated(number: int, bits: int) -> int:
    return (number << bits | number >> _HASH_BITS - bits) & _ALL


def _mixed_low(number: int) -> int:
    return _rotated(number * _A & _ALL, 31) * _B & _ALL


def _mixed_high(number: int) -> int:
    return _rotated(number * _B & _ALL, 33) * _A & _ALL


def _finished(number: int) -> int:
    number = (number ^ number >> 33) * _C & _ALL
    number = (number ^ number >> 33) * _D & _ALL
    return number ^ number >> 33


def raised(packed: bytearray, digests: bytes, index_bits: int, minhash_bits: int) -> int:
    """Raise, in their place, the registers of elements with these `hashes`; how many times one
    rose. O(elements)."""
    width = RANK_BITS + minhash_bits
    changes = 0
    one = 1  # of 64 bits in C, as a 1 written there is not
    for number in range(len(digests) // 16):
        low = _little(digests, 16 * number, 8)
        value = rank_of(_little(digests, 16 * number + 8, 8))
        value = value << minhash_bits | low >> index_bits & (one << minhash_bits) - 1
        start = (low & (one << index_bits) - 1) * width
        first, stop = start >> 3, (start + width + 7) >> 3
        below = 8 * stop - start - width
        chunk = 0
        for at in range(first, stop):
            chunk = chunk << 8 | packed[at]
        old = chunk >> below & (one << width) - 1
        if value > old:
            chunk ^= (value ^ old) << below
            for at in range(stop - 1, first - 1, -1):
                packed[at] = chunk & 0xFF
                chunk >>= 8
            changes += 1
    return changes


def rank_of(half: int) -> int:
    """The rank that the second half of a hash shows: the place of its lowest bit, from 1 on."""
    rank = 1
    while rank <= _HASH_BITS and not half & 1:
        half >>= 1
        rank += 1
    return min(rank, _RANK_MAX)


def histogram(packed: bytes, width: int, most: int) -> list[int]:
    """How many registers of `width` bits have each rank from 0 to `most`. O(registers)."""
    ones, counts = bytearray(most + 1), [0] * (most + 1)
    size, start = len(packed), 0
    while start < 8 * size:
        first = start >> 3
        pair = packed[first] << 8
        if first + 1 < size:
            pair |= packed[first + 1]
        rank = pair >> 10 - (start & 7) & _RANK_MAX
        start += width
        if ones[rank] == 0xFF:  # bytes are counted in C, integers are not
            ones[rank] = 0
            counts[rank] += 0x100
        else:
            ones[rank] += 1
    return [many + few for many, few in zip(counts, ones, strict=True)]
