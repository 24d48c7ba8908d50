"""The rw-hash: one transaction in flight for each digest, the others in line behind it."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class PendingLimit(Exception):
    """Too many transactions wait for one record: the key is busy."""


class RwHash(Generic[T]):
    """Transactions by digest; at most `limit` wait behind the one in flight (0: any number).

    >>> line = RwHash[str](limit=1)
    >>> line.enter(b"d", "first"), line.enter(b"d", "second")
    (True, False)
    >>> line.leave(b"d")
    'second'
    """

    def __init__(self, limit: int = 20) -> None:
        self.limit = limit
        self._lines: dict[bytes, deque[T]] = {}

    def __len__(self) -> int:
        """Transactions in flight and in line."""
        return sum(len(line) for line in self._lines.values())

    def enter(self, digest: bytes, transaction: T) -> bool:
        """Join the line; True when it is in flight at once. O(1). Raises PendingLimit."""
        line = self._lines.get(digest)
        if line is None:
            self._lines[digest] = deque([transaction])
            return True
        if self.limit and len(line) > self.limit:
            raise PendingLimit
        line.append(transaction)
        return False

    def leave(self, digest: bytes) -> T | None:
        """The one in flight is done; the next, which is in flight now, or None. O(1)."""
        line = self._lines[digest]
        line.popleft()
        if line:
            return line[0]
        del self._lines[digest]
        return None

    def in_flight(self) -> list[T]:
        """The first of every line."""
        return [line[0] for line in self._lines.values()]

    def clear(self) -> list[T]:
        """Break everything off; all that was in flight or in line."""
        broken = [transaction for line in self._lines.values() for transaction in line]
        self._lines.clear()
        return broken

    def _check(self) -> None:
        for line in self._lines.values():
            assert line, "an empty line is taken away"
            assert not self.limit or len(line) <= self.limit + 1
