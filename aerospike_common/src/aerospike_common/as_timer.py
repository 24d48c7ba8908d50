"""`AsTimer`: a deadline."""

from __future__ import annotations

from citrusleaf.cf_clock import Clock


class AsTimer:
    """Time that runs out, by the clock it is given.

    >>> from citrusleaf.cf_clock import VirtualClock
    >>> clock = VirtualClock()
    >>> timer = AsTimer(clock, timeout_ms=250)
    >>> clock.advance(0.2)
    >>> timer.expired(), timer.remaining_ms()
    (False, 50)
    >>> clock.advance(0.05)
    >>> timer.expired(), timer.remaining_ms()
    (True, 0)
    """

    def __init__(self, clock: Clock, timeout_ms: int) -> None:
        """Begin now. Raises ValueError for a negative timeout."""
        if timeout_ms < 0:
            raise ValueError(f"negative timeout: {timeout_ms} ms")
        self._clock = clock
        self._deadline_us = clock.monotonic_us() + timeout_ms * 1_000

    def expired(self) -> bool:
        """Whether the time is over."""
        return self._clock.monotonic_us() >= self._deadline_us

    def remaining_ms(self) -> int:
        """The milliseconds left, rounded up; 0 when the time is over."""
        left_us = self._deadline_us - self._clock.monotonic_us()
        return max(0, -(-left_us // 1_000))
