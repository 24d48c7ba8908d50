"""The faults of one node: in the order in which they were injected, the first that fits strikes.

A server without faults pays nothing for them. While there are any, no request takes a fast path
(`Bar.FAULTS` in `asd.fastpath.contract`), and the connections hand theirs to `asd.service.struck`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from asd.faults.fault import CONNECT, Asked, Fault


class Faults:
    """What is injected. Owned by the loop's thread."""

    def __init__(self, changed: Callable[[bool], None]) -> None:
        """`changed` is told when there are faults that may strike, and when there are none."""
        self._changed = changed
        self._faults: dict[int, Fault] = {}
        self._last = 0
        self.armed = False
        """There are faults that may strike."""

    @property
    def all(self) -> Mapping[int, Fault]:
        """Every fault by its number, those that are spent too."""
        return MappingProxyType(self._faults)

    def add(self, fault: Fault) -> int:
        """Inject a fault; its number."""
        self._last += 1
        self._faults[self._last] = fault
        self._look()
        return self._last

    def remove(self, number: int) -> bool:
        """Take a fault back; False when there is none of this number."""
        found = self._faults.pop(number, None)
        self._look()
        return found is not None

    def clear(self) -> None:
        """Take all back."""
        self._faults.clear()
        self._look()

    def strike(self, of: Asked, *, answers_alone: bool = False) -> Fault | None:
        """The fault that strikes this request; it counts.

        `answers_alone` passes over those that let it be carried out.
        """
        for fault in self._faults.values():
            if answers_alone and fault.code is None:
                continue
            if not fault.spent and fault.match.fits(of):
                fault.hits += 1
                if fault.spent:
                    self._look()
                return fault
        return None

    def refuses(self) -> bool:
        """Is a connection that is made just now to be closed?"""
        return self.armed and self.strike(Asked(CONNECT)) is not None

    def _look(self) -> None:
        armed = not all(fault.spent for fault in self._faults.values())
        if armed != self.armed:
            self.armed = armed
            self._changed(armed)

    def _check(self) -> None:
        """Assert every invariant."""
        assert self.armed == any(not fault.spent for fault in self._faults.values())
        assert all(fault.hits <= fault.times for fault in self._faults.values() if fault.times)
