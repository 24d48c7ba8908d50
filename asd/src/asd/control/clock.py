"""The clock of a server in another process, in the hands of its tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from citrusleaf.cf_clock import Clock


class RemoteClock(Clock):
    """What a server takes for the time: as a `VirtualClock`, but each reading and step asks it.

    Any thread may read and step it.
    """

    def __init__(self, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """`ask` has the command `clock` carried out with these arguments."""
        self._ask = ask

    @property
    def frozen(self) -> bool:
        """Whether the clock moves only when stepped."""
        return bool(self._ask({})["frozen"])

    def monotonic_ns(self) -> int:
        """Nanoseconds on the server's monotonic clock; never goes back."""
        return int(self._ask({})["monotonic_ns"])

    def wall_ns(self) -> int:
        """Unix nanoseconds by the server's wall clock."""
        return int(self._ask({})["wall_ns"])

    def advance(self, seconds: float) -> None:
        """Move both clocks on at once. ValueError for a negative step."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds} s")
        self._ask({"advance": seconds})

    def set_wall_s(self, wall_s: float) -> None:
        """Set the wall clock to a Unix second, forth or back; the monotonic clock stays."""
        self._ask({"set": wall_s})

    def freeze(self) -> None:
        """Stand still at this instant; no effect when already frozen."""
        self._ask({"freeze": True})

    def resume(self) -> None:
        """Run on from this instant at the system's pace; no effect when already running."""
        self._ask({"freeze": False})
