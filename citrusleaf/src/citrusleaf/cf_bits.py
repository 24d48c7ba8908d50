"""Bits of integers, and a packed array of bits.

>>> bits = CfBits(100)
>>> bits.set(3); bits.set(97)
>>> bits.find_set(), bits.find_set(4), bits.count(), list(bits)
(3, 97, 2, [3, 97])
"""

from collections.abc import Iterator


def bit_count(value: int) -> int:
    """How many bits are set in a non-negative integer. O(bits).

    >>> bit_count(0b1011)
    3
    """
    return value.bit_count()


def lowest_bit(value: int) -> int:
    """The position of the lowest set bit, 0 for the last; -1 if there is none. O(bits).

    >>> lowest_bit(0b1000), lowest_bit(0)
    (3, -1)
    """
    return (value & -value).bit_length() - 1


def highest_bit(value: int) -> int:
    """The position of the highest set bit of a non-negative integer; -1 if there is none. O(1).

    >>> highest_bit(0b1010), highest_bit(0)
    (3, -1)
    """
    return value.bit_length() - 1


def is_power_of_two(value: int) -> bool:
    """Whether exactly one bit is set in a positive integer. O(bits).

    >>> [n for n in range(10) if is_power_of_two(n)]
    [1, 2, 4, 8]
    """
    return value > 0 and value & (value - 1) == 0


def round_up_to_power_of_two(value: int) -> int:
    """The smallest power of two that is at least `value`, and at least 1. O(bits).

    >>> round_up_to_power_of_two(100)
    128
    """
    return 1 << (value - 1).bit_length() if value > 1 else 1


class CfBits:
    """A fixed number of bits, all clear at first, eight to the byte.

    Positions run from 0; IndexError outside. Not locked.
    """

    __slots__ = ("_bytes", "_size")

    def __init__(self, size: int) -> None:
        """`size` clear bits. ValueError if negative."""
        if size < 0:
            raise ValueError(f"size must not be negative: {size}")
        self._size = size
        self._bytes = bytearray((size + 7) // 8)

    def set(self, position: int) -> None:
        """Set a bit. O(1)."""
        self._bytes[self._byte(position)] |= 1 << (position & 7)

    def clear(self, position: int) -> None:
        """Clear a bit. O(1)."""
        self._bytes[self._byte(position)] &= ~(1 << (position & 7))

    def test(self, position: int) -> bool:
        """Whether a bit is set. O(1)."""
        return bool(self._bytes[self._byte(position)] >> (position & 7) & 1)

    def find_set(self, start: int = 0) -> int:
        """The first set bit at or after `start`; -1 if there is none. O(n), in C."""
        rest = self._from(start)
        return lowest_bit(rest) + start if rest else -1

    def find_clear(self, start: int = 0) -> int:
        """The first clear bit at or after `start`; -1 if there is none. O(n), in C."""
        rest = ~self._from(start) & ((1 << max(0, self._size - start)) - 1)
        return lowest_bit(rest) + start if rest else -1

    def count(self) -> int:
        """How many bits are set. O(n), in C."""
        return bit_count(int.from_bytes(self._bytes, "little"))

    def __len__(self) -> int:
        """How many bits there are, set or clear. O(1)."""
        return self._size

    def __iter__(self) -> Iterator[int]:
        """The positions of the set bits, ascending. O(n)."""
        for index, byte in enumerate(self._bytes):
            while byte:
                yield index * 8 + lowest_bit(byte)
                byte &= byte - 1

    def _byte(self, position: int) -> int:
        if not 0 <= position < self._size:
            raise IndexError(f"bit {position} of {self._size}")
        return position >> 3

    def _from(self, start: int) -> int:
        """The bits at and after `start` as an integer whose bit 0 is bit `start`."""
        if start < 0:
            raise IndexError(f"bit {start} of {self._size}")
        return int.from_bytes(self._bytes[start >> 3 :], "little") >> (start & 7)

    def _check(self) -> None:
        """Assert that the bytes fit the size and no bit beyond it is set."""
        assert len(self._bytes) == (self._size + 7) // 8
        assert int.from_bytes(self._bytes, "little") >> self._size == 0
