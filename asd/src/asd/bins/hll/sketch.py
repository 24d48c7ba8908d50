"""The HyperLogLog sketch: its bytes, its registers, and how an element reaches a register.

    0   1  flags, 0
    1   1  index bits p: 2**p registers
    2   1  minhash bits r
    3   8  cached count, little-endian, 0 = not cached
    11  .  registers, 6 + r bits each, big-endian bit order, without gaps

A register's value is `rank << r | minhash`.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from mmh3 import mmh3_x64_128_utupledigest

from aerospike_common import as_msgpack

RANK_BITS: Final = 6
INDEX_BITS_MIN: Final = 4
INDEX_BITS_MAX: Final = 16
MINHASH_BITS_MIN: Final = 4
MINHASH_BITS_MAX: Final = 51

_HASH_BITS: Final = 64
_RANK_MAX: Final = (1 << RANK_BITS) - 1
_HEADER: Final = Struct("<BBBQ")

# Without minhash a register is 6 bits wide, which is what a base64 digit is: the C codec packs
# and unpacks them, a translation table maps digits to values.
_DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_DIGITS: Final = _DIGITS.ljust(256, b"\0")
_FROM_DIGITS: Final = bytes(max(0, _DIGITS.find(byte)) for byte in range(256))


class Sketch(NamedTuple):
    """A sketch with its registers packed. The cached count is 0 when there is none."""

    index_bits: int
    minhash_bits: int
    cached_count: int
    packed: bytes

    def to_bytes(self) -> bytes:
        """The particle's bytes."""
        return _HEADER.pack(0, self.index_bits, self.minhash_bits, self.cached_count) + self.packed

    def registers(self) -> Sequence[int]:
        """All 2**index_bits register values. O(registers)."""
        if self.minhash_bits == 0:
            return b2a_base64(self.packed, newline=False).translate(_FROM_DIGITS)
        # Eight registers fill a whole number of bytes.
        width = RANK_BITS + self.minhash_bits
        mask = (1 << width) - 1
        shifts = range(7 * width, -1, -width)
        groups = (
            int.from_bytes(self.packed[at : at + width], "big")
            for at in range(0, len(self.packed), width)
        )
        return [group >> shift & mask for group in groups for shift in shifts]

    def ranks(self) -> Sequence[int]:
        """The rank of every register."""
        registers = self.registers()
        if self.minhash_bits == 0:
            return registers
        return [register >> self.minhash_bits for register in registers]


def is_valid_size(index_bits: int, minhash_bits: int) -> bool:
    """Whether a sketch may have this many index and minhash bits."""
    return (
        INDEX_BITS_MIN <= index_bits <= INDEX_BITS_MAX
        and (minhash_bits == 0 or MINHASH_BITS_MIN <= minhash_bits <= MINHASH_BITS_MAX)
        and index_bits + minhash_bits <= _HASH_BITS
    )


def empty(index_bits: int, minhash_bits: int) -> Sketch:
    """A sketch that has seen nothing."""
    return Sketch(index_bits, minhash_bits, 0, bytes(_packed_size(index_bits, minhash_bits)))


def parse(data: bytes) -> Sketch | None:
    """The sketch in a particle's bytes; None when they are not one."""
    if len(data) < _HEADER.size:
        return None
    flags, index_bits, minhash_bits, cached_count = _HEADER.unpack_from(data)
    if flags != 0 or not is_valid_size(index_bits, minhash_bits):
        return None
    packed = data[_HEADER.size :]
    if len(packed) != _packed_size(index_bits, minhash_bits):
        return None
    return Sketch(index_bits, minhash_bits, cached_count, packed)


def from_registers(index_bits: int, minhash_bits: int, registers: Sequence[int]) -> Sketch:
    """The sketch that holds `registers`, without a cached count. O(registers)."""
    if minhash_bits == 0:
        return Sketch(index_bits, 0, 0, a2b_base64(bytes(registers).translate(_TO_DIGITS)))
    width = RANK_BITS + minhash_bits
    groups = []
    for at in range(0, len(registers), 8):
        group = 0
        for register in registers[at : at + 8]:
            group = group << width | register
        groups.append(group.to_bytes(width, "big"))
    return Sketch(index_bits, minhash_bits, 0, b"".join(groups))


def add(sketch: Sketch, elements: Iterable[Any]) -> tuple[Sketch, int]:
    """The sketch after `elements`, and how many times a register rose. O(bytes + elements)."""
    width = RANK_BITS + sketch.minhash_bits
    mask = (1 << width) - 1
    packed = bytearray(sketch.packed)
    changes = 0
    for element in elements:
        index, value = _locate(element, sketch.index_bits, sketch.minhash_bits)
        start = index * width
        first, stop = start >> 3, (start + width + 7) >> 3
        below = stop * 8 - start - width
        chunk = int.from_bytes(packed[first:stop], "big")
        old = chunk >> below & mask
        if value > old:
            chunk ^= (value ^ old) << below
            packed[first:stop] = chunk.to_bytes(stop - first, "big")
            changes += 1
    if not changes:
        return sketch, 0
    return sketch._replace(cached_count=0, packed=bytes(packed)), changes


def may_contain(sketch: Sketch, elements: Iterable[Any]) -> bool:
    """False when one of `elements` was certainly never added. O(elements)."""
    width = RANK_BITS + sketch.minhash_bits
    mask = (1 << width) - 1
    for element in elements:
        index, value = _locate(element, sketch.index_bits, sketch.minhash_bits)
        stop = ((index + 1) * width + 7) >> 3
        chunk = int.from_bytes(sketch.packed[index * width >> 3 : stop], "big")
        if value > chunk >> (stop * 8 - (index + 1) * width) & mask:
            return False
    return True


def union(index_bits: int, minhash_bits: int, sketches: Iterable[Sketch]) -> Sketch:
    """The union of `sketches`, each with at least `index_bits`, in the given size.

    With minhash bits, all must have that many; without, theirs are dropped. O(registers).
    """
    size = 1 << index_bits
    merged: Iterable[int] = bytes(size)
    for sketch in sketches:
        registers = sketch.registers() if minhash_bits else sketch.ranks()
        layers = [registers[at : at + size] for at in range(0, len(registers), size)]
        merged = list(map(max, merged, *layers))
    return from_registers(index_bits, minhash_bits, list(merged))


def _packed_size(index_bits: int, minhash_bits: int) -> int:
    return (RANK_BITS + minhash_bits << index_bits) // 8


def _locate(element: Any, index_bits: int, minhash_bits: int) -> tuple[int, int]:
    """The register an element belongs to, and the value it would raise it to."""
    low, high = mmh3_x64_128_utupledigest(as_msgpack.pack(element), 0)
    rank = min((high & -high).bit_length() or _HASH_BITS + 1, _RANK_MAX)
    minhash = low >> index_bits & ((1 << minhash_bits) - 1)
    return low & ((1 << index_bits) - 1), rank << minhash_bits | minhash
