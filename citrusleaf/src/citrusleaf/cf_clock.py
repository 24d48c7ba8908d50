"""Clocks: monotonic and wall time, the 2010 epoch, and a clock that tests can hold in their hand.

Everything that needs the time is given a `Clock`. A server runs on `SystemClock`; a test runs the
same server on a `VirtualClock` and steps it instead of sleeping.

Two epochs meet here. *Unix* time counts from 1970; records carry *epoch* time, which counts from
2010-01-01 UTC so that a void-time fits 32 bits and a last-update-time 40.
"""

import threading
import time
from abc import ABC, abstractmethod
from typing import Final, Self

CITRUSLEAF_EPOCH_S: Final = 1_262_304_000
"""2010-01-01T00:00:00Z in Unix seconds."""

_EPOCH_MS: Final = CITRUSLEAF_EPOCH_S * 1_000
_EPOCH_MS_MAX: Final = (1 << 40) - 1
NS_PER_S: Final = 1_000_000_000
_EPOCH_NS: Final = CITRUSLEAF_EPOCH_S * NS_PER_S
_DEFAULT_START_S: Final = 1_577_836_800  # 2020-01-01: safely after the epoch, the same in every run


def unix_s_to_epoch_s(unix_s: int) -> int:
    """Seconds since 1970 to seconds since 2010.

    >>> unix_s_to_epoch_s(1_262_304_060)
    60
    """
    return unix_s - CITRUSLEAF_EPOCH_S


def epoch_s_to_unix_s(epoch_s: int) -> int:
    """Seconds since 2010 to seconds since 1970.

    >>> epoch_s_to_unix_s(60)
    1262304060
    """
    return epoch_s + CITRUSLEAF_EPOCH_S


def unix_ms_to_epoch_ms(unix_ms: int) -> int:
    """Milliseconds since 1970 to milliseconds since 2010."""
    return unix_ms - _EPOCH_MS


def epoch_ms_to_unix_ms(epoch_ms: int) -> int:
    """Milliseconds since 2010 to milliseconds since 1970."""
    return epoch_ms + _EPOCH_MS


class Clock(ABC):
    """What time it is, in two senses: how long since (monotonic), and which date (wall).

    All readings are integers, floored to the unit in the name. Monotonic readings never go back
    and have no meaning except against one another; wall readings may jump either way. O(1) each.
    """

    @abstractmethod
    def monotonic_ns(self) -> int:
        """Nanoseconds since some fixed instant; never goes back."""

    @abstractmethod
    def wall_ns(self) -> int:
        """Unix nanoseconds."""

    def monotonic_us(self) -> int:
        """Microseconds on the monotonic clock."""
        return self.monotonic_ns() // 1_000

    def monotonic_ms(self) -> int:
        """Milliseconds on the monotonic clock."""
        return self.monotonic_ns() // 1_000_000

    def wall_us(self) -> int:
        """Unix microseconds."""
        return self.wall_ns() // 1_000

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return self.wall_ns() // 1_000_000

    def epoch_s(self) -> int:
        """Seconds since 2010: the unit of void-times. 0 for a wall clock before that."""
        now = (self.wall_ns() - _EPOCH_NS) // NS_PER_S
        return now if now > 0 else 0

    def epoch_ms(self) -> int:
        """Milliseconds since 2010: the unit of last-update-times. 0 for a wall clock before that,
        and no more than its 40 bits hold, to the year 2044."""
        return min(max(0, self.wall_ns() - _EPOCH_NS) // 1_000_000, _EPOCH_MS_MAX)


class SystemClock(Clock):
    """The machine's clocks. Stateless: any two are interchangeable.

    >>> clock = SystemClock()
    >>> clock.monotonic_us() <= clock.monotonic_us()
    True
    """

    # The C functions themselves: a server reads the clock for every request.
    monotonic_ns = staticmethod(time.monotonic_ns)
    wall_ns = staticmethod(time.time_ns)

    def epoch_ms(self) -> int:
        """Milliseconds since 2010, as above."""
        now = (time.time_ns() - _EPOCH_NS) // 1_000_000
        if not now >> 40:  # neither negative nor too large, at the least cost
            return now
        return 0 if now < 0 else _EPOCH_MS_MAX


class VirtualClock(Clock):
    """A clock for tests: frozen until stepped, or running at a base clock's pace plus an offset.

    `VirtualClock()` starts frozen at the same instant in every run. `VirtualClock.running()`
    follows the system clock until it is advanced or frozen. Any thread may read it while another
    steps it: a reading sees the state before or after a step, never a mixture.

    >>> clock = VirtualClock()
    >>> before = clock.epoch_s()
    >>> clock.advance(3600)
    >>> clock.epoch_s() - before
    3600
    """

    def __init__(
        self,
        wall_s: float = _DEFAULT_START_S,
        *,
        auto_advance_s: float = 0,
        base: Clock | None = None,
    ) -> None:
        """Start frozen at Unix second `wall_s`, monotonic 0.

        With `auto_advance_s`, every reading taken while frozen first returns its value and then
        moves the clock on, so that a loop which only polls the clock makes progress.
        `base` (default: the system clock) sets the pace after `resume`.
        """
        self._base = base if base is not None else SystemClock()
        self._auto_ns = _nanoseconds(auto_advance_s)
        self._lock = threading.Lock()
        # (frozen, monotonic, wall): readings while frozen, offsets from the base while running.
        # Replaced whole, so that a reader needs no lock.
        self._state = (True, 0, round(wall_s * NS_PER_S))

    @classmethod
    def running(cls, base: Clock | None = None) -> Self:
        """A clock that shows what `base` (default: the system clock) shows, until stepped."""
        clock = cls(base=base)
        clock._state = (False, 0, 0)
        return clock

    @property
    def frozen(self) -> bool:
        """Whether the clock moves only when stepped."""
        return self._state[0]

    def monotonic_ns(self) -> int:
        """Nanoseconds on the virtual monotonic clock; never goes back."""
        frozen, monotonic, _ = self._state
        return self._read()[0] if frozen else self._base.monotonic_ns() + monotonic

    def wall_ns(self) -> int:
        """Unix nanoseconds by the virtual wall clock."""
        frozen, _, wall = self._state
        return self._read()[1] if frozen else self._base.wall_ns() + wall

    def advance(self, seconds: float) -> None:
        """Move both clocks on at once. ValueError for a negative step."""
        step_ns = _nanoseconds(seconds)
        with self._lock:
            frozen, monotonic, wall = self._state
            self._state = (frozen, monotonic + step_ns, wall + step_ns)

    def set_wall_s(self, wall_s: float) -> None:
        """Set the wall clock to a Unix second, forth or back; the monotonic clock stays."""
        wall_ns = round(wall_s * NS_PER_S)
        with self._lock:
            frozen, monotonic, _ = self._state
            self._state = (frozen, monotonic, wall_ns if frozen else wall_ns - self._base.wall_ns())

    def freeze(self) -> None:
        """Stand still at this instant; no effect when already frozen."""
        with self._lock:
            frozen, monotonic, wall = self._state
            if not frozen:
                base = self._base
                self._state = (True, base.monotonic_ns() + monotonic, base.wall_ns() + wall)

    def resume(self) -> None:
        """Run on from this instant at the base clock's pace; no effect when already running."""
        with self._lock:
            frozen, monotonic, wall = self._state
            if frozen:
                base = self._base
                self._state = (False, monotonic - base.monotonic_ns(), wall - base.wall_ns())

    def _read(self) -> tuple[int, int]:
        """Monotonic and wall nanoseconds at one instant, moving on by itself if it is to."""
        with self._lock:
            frozen, monotonic, wall = self._state
            if not frozen:
                return self._base.monotonic_ns() + monotonic, self._base.wall_ns() + wall
            self._state = (True, monotonic + self._auto_ns, wall + self._auto_ns)
            return monotonic, wall

    def _check(self) -> None:
        frozen, monotonic, _ = self._state
        assert self._auto_ns >= 0
        assert (monotonic if frozen else self._base.monotonic_ns() + monotonic) >= 0


def _nanoseconds(seconds: float) -> int:
    nanoseconds = round(seconds * NS_PER_S)
    if nanoseconds < 0:
        raise ValueError(f"time does not run backwards: {seconds} s")
    return nanoseconds
