"""Quotas: how much a second a user may read and write.

What counts is an average that follows the load: at the end of each second it becomes
`(average * (weight - 1) + count) / weight`, where the weight is the configuration's `tps-weight`.
A request is admitted while the average that the running second would give stays below the quota.
So a user who was idle may do `weight` times the quota in his first second, and in the long run gets
what the quota says. A refused request does not count.

Queries count by the records a second they ask for, as long as they run, and not by what they find;
one that asks for no limit cannot be held to a quota and is refused where there is one.
"""

from __future__ import annotations

from typing import Final

from citrusleaf.cf_clock import NS_PER_S

FLOOR: Final = 100
"""Records a second that a query counts for at least."""

_FORGOTTEN_S: Final = 64
"""Idle seconds after which an average is as good as 0."""


class Meter:
    """One user's reads, or writes."""

    __slots__ = ("_average", "_count", "_second", "limited", "limitless")

    def __init__(self) -> None:
        self._second = 0
        self._count = 0
        self._average = 0.0
        self.limited = 0
        """Records a second that running queries have asked for, together."""
        self.limitless = 0
        """Queries running that ask for no limit."""

    def count(self, now_ns: int, weight: int) -> None:
        """One record more."""
        self._roll(now_ns, weight)
        self._count += 1

    def rate(self, now_ns: int, weight: int) -> float:
        """Single records a second, on average."""
        self._roll(now_ns, weight)
        return self._average

    def admits(self, quota: int, now_ns: int, weight: int) -> bool:
        """Is there room for one record more? Always where the quota is 0."""
        if not quota:
            return True
        self._roll(now_ns, weight)
        coming = (self._average * (weight - 1) + self._count + 1) / weight
        return coming + self.limited <= quota

    def admits_query(self, quota: int, rps: int, now_ns: int, weight: int) -> bool:
        """Is there room for a query of `rps` records a second (0: as fast as it goes)?"""
        if not quota:
            return True
        if not rps:
            return False
        return self.rate(now_ns, weight) + self.limited + max(rps, FLOOR) <= quota

    def begin(self, rps: int) -> None:
        """A query begins."""
        if rps:
            self.limited += max(rps, FLOOR)
        else:
            self.limitless += 1

    def end(self, rps: int) -> None:
        """A query that has begun ends."""
        if rps:
            self.limited -= max(rps, FLOOR)
        else:
            self.limitless -= 1
        assert self.limited >= 0
        assert self.limitless >= 0

    def _roll(self, now_ns: int, weight: int) -> None:
        """Take up the seconds that have passed. O(1)."""
        second = now_ns // NS_PER_S
        passed = second - self._second
        if passed <= 0:
            return
        self._second = second
        kept = (weight - 1) / weight
        average = self._average * kept + self._count / weight
        self._average = 0.0 if passed > _FORGOTTEN_S else average * kept ** (passed - 1)
        self._count = 0
