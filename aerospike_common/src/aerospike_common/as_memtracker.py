"""`AsMemtracker`: an account of memory with a limit."""

from __future__ import annotations


class AsMemoryLimitError(Exception):
    """A reservation would exceed the limit; nothing was reserved."""


class AsMemtracker:
    """Counts the bytes a computation says it takes, and refuses what is too much.

    >>> tracker = AsMemtracker(limit=100)
    >>> tracker.reserve(60)
    >>> tracker.reserve(60)
    Traceback (most recent call last):
      ...
    aerospike_common.as_memtracker.AsMemoryLimitError: 120 bytes, limit 100
    >>> tracker.release(20)
    >>> tracker.used
    40
    """

    def __init__(self, limit: int) -> None:
        """Allow `limit` bytes. Raises ValueError for a negative one."""
        self._limit = _not_negative(limit)
        self._used = 0

    @property
    def limit(self) -> int:
        """The bytes allowed."""
        return self._limit

    @property
    def used(self) -> int:
        """The bytes reserved and not released."""
        return self._used

    def reserve(self, size: int) -> None:
        """Count `size` more bytes. Raises AsMemoryLimitError."""
        wanted = self._used + _not_negative(size)
        if wanted > self._limit:
            raise AsMemoryLimitError(f"{wanted} bytes, limit {self._limit}")
        self._used = wanted

    def release(self, size: int) -> None:
        """Count `size` fewer bytes. Raises ValueError for more than are reserved."""
        if _not_negative(size) > self._used:
            raise ValueError(f"releasing {size} of {self._used} bytes")
        self._used -= size

    def reset(self) -> None:
        """Release everything."""
        self._used = 0

    def _check(self) -> None:
        assert 0 <= self._used <= self._limit


def _not_negative(size: int) -> int:
    if size < 0:
        raise ValueError(f"negative size: {size}")
    return size
