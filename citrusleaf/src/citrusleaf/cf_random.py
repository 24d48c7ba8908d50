"""Random bytes and numbers, drawn from a buffer that is filled many draws at a time.

Without a seed they come from the operating system and are fit for secrets; with one they are the
same in every run and every Python version, and fit for simulations.

>>> CfRandom(seed=1).u64() == CfRandom(seed=1).u64()
True
>>> 0 <= CfRandom().below(6) < 6
True
"""

import os
import random
from collections.abc import Callable

from citrusleaf.cf_hooks import MutexFactory, new_mutex


class CfRandom:
    """A source of random bytes; every number is a piece of one stream. Safe between threads."""

    __slots__ = ("_at", "_buffer", "_buffer_size", "_mutex", "_refill")

    def __init__(
        self,
        seed: int | None = None,
        *,
        buffer_size: int = 4096,
        mutex: MutexFactory = new_mutex,
    ) -> None:
        """A source seeded by `seed`, or by the system without one. `mutex`: see `cf_hooks`.

        ValueError unless `buffer_size`, in bytes, is a positive multiple of 4.
        """
        if buffer_size <= 0 or buffer_size % 4:
            raise ValueError(f"buffer size must be a positive multiple of 4: {buffer_size}")
        self._refill: Callable[[int], bytes] = (
            os.urandom if seed is None else random.Random(seed).randbytes
        )
        self._buffer_size = buffer_size
        self._buffer = b""
        self._at = 0
        self._mutex = mutex()

    def get_bytes(self, size: int) -> bytes:
        """The next `size` bytes of the stream. O(size). ValueError if negative."""
        if size < 0:
            raise ValueError(f"size must not be negative: {size}")
        with self._mutex:
            at = self._at
            if at + size > len(self._buffer):
                missing = at + size - len(self._buffer)
                refills = -(-missing // self._buffer_size)
                self._buffer = self._buffer[at:] + self._refill(refills * self._buffer_size)
                at = 0
            self._at = at + size
            return self._buffer[at : at + size]

    def u32(self) -> int:
        """A number of 32 random bits. O(1)."""
        return int.from_bytes(self.get_bytes(4), "little")

    def u64(self) -> int:
        """A number of 64 random bits. O(1)."""
        return int.from_bytes(self.get_bytes(8), "little")

    def below(self, limit: int) -> int:
        """A number from 0 up to but not including `limit`, each as likely. O(1) expected.

        ValueError unless `limit` is positive.
        """
        if limit <= 0:
            raise ValueError(f"limit must be positive: {limit}")
        bits = (limit - 1).bit_length()
        size = (bits + 7) // 8
        while True:  # a draw is too high less than half the time
            number = int.from_bytes(self.get_bytes(size), "little") >> (size * 8 - bits)
            if number < limit:
                return number

    def _check(self) -> None:
        """Assert that the buffer is drawn from within its bounds."""
        with self._mutex:
            assert 0 <= self._at <= len(self._buffer)
