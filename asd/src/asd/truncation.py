"""Truncation: all records of a set, or of a namespace, last written before a time, are gone.

They are gone at once, for every reader, while a job takes them out a piece at a time. The threshold
is remembered, so that the job starts again where a restart interrupted it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class Truncation:
    """The truncations of one namespace. Times are milliseconds since 2010-01-01."""

    __slots__ = ("_thresholds", "running")

    def __init__(self) -> None:
        self._thresholds: dict[int | None, int] = {}
        self.running: dict[int | None, int] = {}
        """Those whose records are not all removed yet: set id (None = every set) to threshold."""

    @property
    def thresholds(self) -> Mapping[int | None, int]:
        """Every threshold since start: set id (None = every set) to time."""
        return MappingProxyType(self._thresholds)

    def begin(self, set_id: int | None, before_ms: int) -> None:
        """Hide what was last written before `before_ms`. An older threshold gives way to it."""
        before_ms = max(before_ms, self._thresholds.get(set_id, 0))
        self._thresholds[set_id] = self.running[set_id] = before_ms

    def end(self, set_id: int | None, before_ms: int) -> None:
        """All records older than `before_ms` have been removed."""
        if self.running.get(set_id) == before_ms:
            del self.running[set_id]

    def forget(self, set_id: int | None) -> None:
        """Take a threshold back; what is removed already stays so."""
        self._thresholds.pop(set_id, None)
        self.running.pop(set_id, None)

    def hides(self, set_id: int, last_update_ms: int) -> bool:
        """Is a record of this set and time one of those that are gone?"""
        running = self.running
        return last_update_ms < running.get(set_id, 0) or last_update_ms < running.get(None, 0)
