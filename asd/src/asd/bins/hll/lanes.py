"""All registers of a sketch in one integer: a lane of bits for each.

What is done to all registers at once (the greater of two, which are equal, which are used) is then
some ten operations on integers of 64 to 512 KB, each one loop in C. A list of 65,536 registers
takes a step of Python for each of them, and about ten times as long; numpy would be a dependency
for these few loops alone.

The highest bit of a lane is never part of a register. It is what carries a comparison's outcome: a
lane with that bit set, less another lane, keeps the bit if it was not the lesser, and borrows
nothing from its neighbour.

Ranks alone stand in lanes of a byte, in the order of the registers. Registers with minhash stand in
eight columns: first all whose index is 0 modulo 8, then those of 1, and so on. Eight packed
registers fill a whole number of bytes, so slices with a stride take a column out of the packed
bytes. In its lane a register stays at the offset it has in those bytes, its neighbours' bits masked
away: where all lanes of a column are shifted alike, greater is greater and equal is equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

COLUMNS: Final = 8
RANK_BITS: Final = 6


class Lanes(NamedTuple):
    """`total` registers in lanes of `size` bytes, in `columns`."""

    size: int
    total: int
    columns: int
    value: int

    def folded(self, times: int) -> Lanes:
        """The registers of a sketch that is `times` smaller (a power of two)."""
        if times == 1:
            return self
        data = self.to_bytes()
        column = len(data) // self.columns
        layer = column // times
        starts = range(0, len(data), column)
        layers = [
            b"".join(data[start + at : start + at + layer] for start in starts)
            for at in range(0, column, layer)
        ]
        made = [self._replace(total=self.total // times, value=_number(part)) for part in layers]
        return greatest(made)

    def to_bytes(self) -> bytes:
        """The lanes one after the other, big-endian."""
        return self.value.to_bytes(self.size * self.total, "big")


def of_ranks(ranks: bytes) -> Lanes:
    """Lanes of ranks, which come a byte each."""
    return Lanes(1, len(ranks), 1, _number(ranks))


def of_packed(packed: bytes, width: int) -> Lanes:
    """Lanes of registers of `width` bits, packed without gaps."""
    size = (width + 15) // 8  # with room for any offset, and a bit above
    each = len(packed) // width
    data = bytearray(size * COLUMNS * each)
    mask = bytearray()
    for at in range(COLUMNS):
        first, stop, below = _window(at * width, width)
        for byte in range(first, stop):
            start = (at * each + 1) * size - (stop - byte)
            data[start : (at + 1) * each * size : size] = packed[byte::width]
        mask += ((1 << width) - 1 << below).to_bytes(size, "big") * each
    return Lanes(size, COLUMNS * each, COLUMNS, _number(data) & _number(mask))


def registers_of(lanes: Lanes, width: int) -> list[int]:
    """The registers of `of_packed` in their own order. A step of Python for each."""
    data, size = lanes.to_bytes(), lanes.size
    column = len(data) // COLUMNS
    found = [0] * lanes.total
    for at in range(COLUMNS):
        below = _window(at * width, width)[2]
        found[at::COLUMNS] = [
            int.from_bytes(data[start : start + size], "big") >> below
            for start in range(at * column, (at + 1) * column, size)
        ]
    return found


def ranks_of(packed: bytes, width: int) -> bytes:
    """The rank of each packed register of `width` bits, a byte each: its highest bits."""
    each = len(packed) // width
    ranks = bytearray(COLUMNS * each)
    low = _each(2, each, (1 << RANK_BITS) - 1)
    for at in range(COLUMNS):
        first, stop, below = _window(at * width, RANK_BITS)
        pairs = bytearray(2 * each)
        for byte in range(first, stop):
            pairs[byte - stop + 2 :: 2] = packed[byte::width]
        column = (_number(pairs) >> below & low).to_bytes(2 * each, "big")
        ranks[at::COLUMNS] = column[1::2]
    return bytes(ranks)


def _window(bit: int, width: int) -> tuple[int, int, int]:
    """The bytes (first, and behind the last) that `width` bits from `bit` on lie in, and how many
    bits there are below them."""
    stop = (bit + width + 7) // 8
    return bit // 8, stop, 8 * stop - bit - width


def greatest(several: Sequence[Lanes]) -> Lanes:
    """The greatest of each register among lanes of the same form."""
    first = several[0]
    size, total = first.size, first.total
    high = _each(size, total, 1 << 8 * size - 1)
    value = first.value
    for other in several[1:]:
        assert (other.size, other.total, other.columns) == (size, total, first.columns)
        greater = ((other.value | high) - value & high) >> 8 * size - 1
        taken = (greater << 8 * size) - greater  # all bits of the lanes where the other is not less
        value ^= (value ^ other.value) & taken
    return first._replace(value=value)


def used_and_equal(several: Sequence[Lanes]) -> tuple[int, int]:
    """How many registers any of the lanes uses, and how many all use with the same value."""
    first = several[0]
    together = differences = 0
    for other in several:
        together |= other.value
        differences |= other.value ^ first.value
    low = _each(first.size, first.total, 1)
    high = low << 8 * first.size - 1

    def not_zero(value: int) -> int:
        """The highest bit of each lane that is not 0."""
        return value + (high - low) & high

    equal = not_zero(first.value) & ~not_zero(differences)
    return not_zero(together).bit_count(), equal.bit_count()


def _number(data: bytes | bytearray) -> int:
    return int.from_bytes(data, "big")


def _each(size: int, count: int, value: int) -> int:
    """The same value in each lane."""
    return _number(value.to_bytes(size, "big") * count)
