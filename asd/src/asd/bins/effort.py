"""What one request may take: the time of its work on values, and their size.

Operations are pure functions, and most are over in microseconds. One that has a big value before it
looks at the clock first (`TimeLimit.look`), so that a request with many of them ends with result 9
when its time is over, and holds its node no longer than that and one operation. Who hands no limit
in has no limit. Whatever is to be caught as an operation's failure, `OutOfTime` is not: the time of
the request is over, and not that of the operation alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError

HEAVY: Final = 4096
"""Elements or bytes from which on a value is worth a look at the clock."""

MOST_BYTES: Final = 8 << 20
"""Of the largest record that any namespace may hold: nothing bigger is of use on the way."""


class OutOfTime(OperationError):
    """The time of the request is over."""

    def __init__(self, limit_ms: int) -> None:
        super().__init__(ResultCode.TIMEOUT, f"not done within {limit_ms} ms")


class Timed(Protocol):
    """What has a limit of time."""

    def look(self, about: object = None) -> None:
        """Heavy work comes. Raises OutOfTime when the time is over."""


class TimeLimit:
    """The time of one request, which begins with the first look at the clock.

    One that serves many requests (of a fast path) is told them apart by what they are about.
    """

    __slots__ = ("_about", "_end_ns", "_limit_ms", "_now_ns")

    def __init__(self, now_ns: Callable[[], int], limit_ms: int) -> None:
        self._now_ns = now_ns
        self._limit_ms = limit_ms
        self._about: object = self
        self._end_ns = 0

    def look(self, about: object = None) -> None:
        """Raises OutOfTime when the request has had its time."""
        now = self._now_ns()
        if self._about is not about:
            self._about = about
            self._end_ns = now + self._limit_ms * 1_000_000
        elif now >= self._end_ns:
            raise OutOfTime(self._limit_ms)
