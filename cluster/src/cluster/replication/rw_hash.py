"""The rw-hash: one transaction in flight for each record, the others in line behind it.

Only transactions that need it stand here (`cluster.replication.transactions`): in a partition
without duplicates a record's writes follow one another without a line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class PendingLimit(Exception):
    """Too many transactions wait for one record: the key is busy."""


class RwHash(Generic[K, T]):
    """Transactions by record; at most `limit` wait behind the one in flight (0: any number).

    >>> line = RwHash[bytes, str](limit=1)
    >>> line.enter(b"d", "first"), line.enter(b"d", "second")
    (True, False)
    >>> line.leave(b"d")
    'second'
    """

    def __init__(self, limit: int = 20) -> None:
        self.limit = limit
        self._lines: dict[K, deque[T]] = {}

    def __len__(self) -> int:
        """Transactions in flight and in line."""
        return sum(len(line) for line in self._lines.values())

    def __contains__(self, key: K) -> bool:
        """Is there a line for this record? O(1)."""
        return key in self._lines

    def is_first(self, key: K, transaction: T) -> bool:
        """Is this transaction the one in flight? O(1)."""
        line = self._lines.get(key)
        return line is not None and line[0] is transaction

    def enter(self, key: K, transaction: T) -> bool:
        """Join the line; True when it is in flight at once. O(1). Raises PendingLimit."""
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = deque([transaction])
            return True
        if self.limit and len(line) > self.limit:
            raise PendingLimit
        line.append(transaction)
        return False

    def leave(self, key: K) -> T | None:
        """The one in flight is done; the next, which is in flight now, or None. O(1)."""
        line = self._lines[key]
        line.popleft()
        if line:
            return line[0]
        del self._lines[key]
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
