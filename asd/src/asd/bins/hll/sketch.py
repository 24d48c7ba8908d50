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
from collections.abc import Iterable, MutableSequence, Sequence
from struct import Struct, unpack
from typing import Any, Final, NamedTuple

from mmh3 import mmh3_x64_128_digest, mmh3_x64_128_utupledigest
from msgpack import Packer

from aerospike_common import as_msgpack
from aerospike_common.as_msgpack_walk import COMPILED
from asd.bins.hll import lanes
from asd.bins.hll.lanes import RANK_BITS, Lanes
from asd.bins.hll.packed_elements import PackedElements
from asd.bins.hll.registers import hashes, raised, rank_of

INDEX_BITS_MIN: Final = 4
INDEX_BITS_MAX: Final = 16
MINHASH_BITS_MIN: Final = 4
MINHASH_BITS_MAX: Final = 51

_HASH_BITS: Final = 64
_HEADER: Final = Struct("<BBBQ")

# Without minhash a register is 6 bits wide, which is what a base64 digit is: the C codec packs
# and unpacks them, a translation table maps digits to values.
_DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_DIGITS: Final = _DIGITS.ljust(256, b"\0")
_FROM_DIGITS: Final = bytes(max(0, _DIGITS.find(byte)) for byte in range(256))


_LOW_RANKS: Final = bytes((byte & -byte).bit_length() for byte in range(256))
"""The rank that the lowest byte shows; 0 for the byte 0, which shows none."""

_UNPACKED_AT_ONCE: Final = 64
_UNPACKED_ONE_BY_ONE: Final = 2
"""Registers unpacked and packed again in the time that one element takes."""


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
            return self.ranks()
        # Eight registers fill a whole number of bytes.
        width = RANK_BITS + self.minhash_bits
        mask = (1 << width) - 1
        shifts = range(7 * width, -1, -width)
        groups = (
            int.from_bytes(self.packed[at : at + width], "big")
            for at in range(0, len(self.packed), width)
        )
        return [group >> shift & mask for group in groups for shift in shifts]

    def ranks(self) -> bytes:
        """The rank of every register. O(bytes)."""
        if self.minhash_bits == 0:
            return b2a_base64(self.packed, newline=False).translate(_FROM_DIGITS)
        return lanes.ranks_of(self.packed, RANK_BITS + self.minhash_bits)

    def lanes(self, index_bits: int, *, minhash: bool) -> Lanes:
        """All registers of the sketch folded to fewer index bits, with minhash (which there must
        then be) or their ranks alone. O(bytes)."""
        times = 1 << self.index_bits - index_bits
        if not minhash:
            return lanes.of_ranks(self.ranks()).folded(times)
        return lanes.of_packed(self.packed, RANK_BITS + self.minhash_bits).folded(times)


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


def add(sketch: Sketch, elements: Sequence[Any] | PackedElements) -> tuple[Sketch, int]:
    """The sketch after `elements`, and how many times a register rose. O(bytes + elements)."""
    if COMPILED and type(elements) is not PackedElements:
        elements = PackedElements(as_msgpack.pack_elements(elements), len(elements))
    packed = bytearray(sketch.packed)
    if type(elements) is PackedElements:
        changes = raised(packed, hashes(*elements), sketch.index_bits, sketch.minhash_bits)
    elif _are_many(sketch, elements):
        return _add_many(sketch, elements)
    else:
        changes = _raise_few(packed, elements, sketch.index_bits, sketch.minhash_bits)
    if not changes:
        return sketch, 0
    return sketch._replace(cached_count=0, packed=bytes(packed)), changes


def _raise_few(
    packed: bytearray, elements: Sequence[Any], index_bits: int, minhash_bits: int
) -> int:
    """As `registers.raised`, for elements."""
    width = RANK_BITS + minhash_bits
    mask, indexes, minhashes = (1 << width) - 1, (1 << index_bits) - 1, (1 << minhash_bits) - 1
    changes = 0
    for element in elements:
        low, high = mmh3_x64_128_utupledigest(as_msgpack.pack(element), 0)
        value = rank_of(high) << minhash_bits | low >> index_bits & minhashes
        start = (low & indexes) * width
        first, stop = start >> 3, (start + width + 7) >> 3
        below = stop * 8 - start - width
        chunk = int.from_bytes(packed[first:stop], "big")
        old = chunk >> below & mask
        if value > old:
            chunk ^= (value ^ old) << below
            packed[first:stop] = chunk.to_bytes(stop - first, "big")
            changes += 1
    return changes


def _add_many(sketch: Sketch, elements: Sequence[Any]) -> tuple[Sketch, int]:
    registers: MutableSequence[int] = bytearray(sketch.ranks())
    values: Iterable[int]
    indexes, values, minhashes = _locate_many(sketch, elements)
    if sketch.minhash_bits:
        registers = list(sketch.registers())
        pairs = zip(values, minhashes, strict=True)
        values = [rank << sketch.minhash_bits | minhash for rank, minhash in pairs]
    changes = 0
    for index, value in zip(indexes, values, strict=True):
        if value > registers[index]:
            registers[index] = value
            changes += 1
    if not changes:
        return sketch, 0
    return from_registers(sketch.index_bits, sketch.minhash_bits, registers), changes


def may_contain(sketch: Sketch, elements: Sequence[Any] | PackedElements) -> bool:
    """False when one of `elements` was certainly never added. O(bytes + elements)."""
    return add(sketch, elements)[1] == 0


def union(index_bits: int, minhash_bits: int, sketches: Iterable[Sketch]) -> Sketch:
    """The union of `sketches`, each with at least `index_bits`, in the given size.

    With minhash bits, all must have that many; without, theirs are dropped. O(registers).
    """
    minhash = minhash_bits > 0
    merged = lanes.greatest([sketch.lanes(index_bits, minhash=minhash) for sketch in sketches])
    if not minhash:
        return from_registers(index_bits, 0, merged.to_bytes())
    registers = lanes.registers_of(merged, RANK_BITS + minhash_bits)
    return from_registers(index_bits, minhash_bits, registers)


def _are_many(sketch: Sketch, elements: Sequence[Any]) -> bool:
    """Whether it is cheaper to take the whole sketch apart than to look at one register after the
    other. With minhash it takes steps of Python to do so."""
    worth = _UNPACKED_AT_ONCE if sketch.minhash_bits == 0 else _UNPACKED_ONE_BY_ONE
    return len(elements) * worth > 1 << sketch.index_bits


def _locate_many(
    sketch: Sketch, elements: Sequence[Any]
) -> tuple[Sequence[int], bytearray, Iterable[int]]:
    """Of each element the index of its register, its rank, and (with minhash) its minhash.

    The digests stand in one piece of bytes, 16 each, and are taken apart by slices with a stride:
    the index is in the two lowest bytes of the first half, and but for one element in 256 the rank
    shows in the lowest byte of the second.
    """
    digests = _hashes(elements)
    count = len(digests) // 16
    mask = (1 << sketch.index_bits) - 1
    halves = bytearray(2 * count)
    halves[0::2] = digests[0::16].translate(bytes(byte & mask for byte in range(256)))
    halves[1::2] = digests[1::16].translate(bytes(byte & mask >> 8 for byte in range(256)))
    ranks = bytearray(digests[8::16].translate(_LOW_RANKS))
    at = ranks.find(0)
    while at >= 0:
        ranks[at] = rank_of(int.from_bytes(digests[16 * at + 8 : 16 * at + 16], "little"))
        at = ranks.find(0, at + 1)
    minhashes: Iterable[int] = ()
    if sketch.minhash_bits:
        low, width = sketch.index_bits, (1 << sketch.minhash_bits) - 1
        minhashes = [half >> low & width for half in unpack(f"<{2 * count}Q", digests)[0::2]]
    return unpack(f"<{count}H", halves), ranks, minhashes


def _hashes(elements: Sequence[Any]) -> bytes:
    """16 bytes for each element, as `registers.hashes`."""
    try:
        return b"".join(map(mmh3_x64_128_digest, map(Packer().pack, elements)))
    except UnicodeEncodeError:  # escaped bytes in a string
        pack = Packer(unicode_errors="surrogateescape").pack
        return b"".join(map(mmh3_x64_128_digest, map(pack, elements)))


def _packed_size(index_bits: int, minhash_bits: int) -> int:
    return (RANK_BITS + minhash_bits << index_bits) // 8
