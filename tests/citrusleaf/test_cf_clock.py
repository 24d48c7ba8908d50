"""The clocks: units, epochs, and a virtual clock against a two-number model."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from citrusleaf.cf_clock import (
    CITRUSLEAF_EPOCH_S,
    Clock,
    SystemClock,
    VirtualClock,
    epoch_ms_to_unix_ms,
    epoch_s_to_unix_s,
    unix_ms_to_epoch_ms,
    unix_s_to_epoch_s,
)

SECOND = 1_000_000_000


class HandClock(Clock):
    """A base clock turned by hand."""

    def __init__(self) -> None:
        self.mono = 7 * SECOND
        self.unix = 1_700_000_000 * SECOND

    def monotonic_ns(self) -> int:
        return self.mono

    def wall_ns(self) -> int:
        return self.unix


def test_epoch_is_2010() -> None:
    assert time.gmtime(CITRUSLEAF_EPOCH_S)[:6] == (2010, 1, 1, 0, 0, 0)


@given(st.integers(0, 2**33))
def test_epoch_conversions_are_inverse(seconds: int) -> None:
    assert unix_s_to_epoch_s(epoch_s_to_unix_s(seconds)) == seconds
    assert unix_ms_to_epoch_ms(epoch_ms_to_unix_ms(seconds)) == seconds
    assert epoch_ms_to_unix_ms(seconds * 1000) == epoch_s_to_unix_s(seconds) * 1000


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_units_are_floors_of_one_reading(mono_ns: int, wall_ns: int) -> None:
    clock = HandClock()
    clock.mono, clock.unix = mono_ns, wall_ns
    assert clock.monotonic_us() == mono_ns // 10**3
    assert clock.monotonic_ms() == mono_ns // 10**6
    assert clock.wall_us() == wall_ns // 10**3
    assert clock.wall_ms() == wall_ns // 10**6
    assert clock.epoch_s() == max(0, wall_ns // SECOND - CITRUSLEAF_EPOCH_S)
    epoch_ms = max(0, wall_ns // 10**6 - CITRUSLEAF_EPOCH_S * 1000)
    assert clock.epoch_ms() == min(epoch_ms, 2**40 - 1)  # what a record's time has room for


def test_system_clock_follows_the_machine() -> None:
    clock = SystemClock()
    assert abs(clock.wall_ms() - time.time() * 1000) < 1000
    assert abs(clock.monotonic_ms() - time.monotonic() * 1000) < 1000
    readings = [clock.monotonic_ns() for _ in range(100)]
    assert readings == sorted(readings)


def test_virtual_clock_starts_the_same_everywhere() -> None:
    assert VirtualClock().wall_ns() == VirtualClock().wall_ns()
    assert VirtualClock(CITRUSLEAF_EPOCH_S + 1.5).epoch_ms() == 1500


def test_auto_advance_moves_after_each_reading() -> None:
    clock = VirtualClock(auto_advance_s=0.002)
    assert [clock.monotonic_ms() for _ in range(3)] == [0, 2, 4]
    clock.resume()
    assert not clock.frozen


@pytest.mark.parametrize("step", [-1, -0.001])
def test_time_does_not_run_backwards(step: float) -> None:
    with pytest.raises(ValueError, match="backwards"):
        VirtualClock().advance(step)
    with pytest.raises(ValueError, match="backwards"):
        VirtualClock(auto_advance_s=step)


def test_a_running_clock_can_be_advanced() -> None:
    system = SystemClock()
    clock = VirtualClock.running()
    clock.advance(1000)
    assert 1000 <= clock.epoch_s() - system.epoch_s() <= 1001
    assert 999_000 <= clock.monotonic_ms() - system.monotonic_ms() <= 1_001_000


class VirtualClockMachine(RuleBasedStateMachine):
    """Model: the two readings and whether they follow the base."""

    def __init__(self) -> None:
        super().__init__()
        self.base = HandClock()
        self.clock = VirtualClock.running(self.base)
        self.mono, self.wall = self.base.mono, self.base.unix
        self.frozen = False

    @rule(ms=st.integers(0, 10**6))
    def base_moves(self, ms: int) -> None:
        self.base.mono += ms * 10**6
        self.base.unix += ms * 10**6
        if not self.frozen:
            self.mono += ms * 10**6
            self.wall += ms * 10**6

    @rule(seconds=st.integers(0, 10**6))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.mono += seconds * SECOND
        self.wall += seconds * SECOND

    @rule(unix_s=st.integers(CITRUSLEAF_EPOCH_S, 2**32))
    def set_wall(self, unix_s: int) -> None:
        self.clock.set_wall_s(unix_s)
        self.wall = unix_s * SECOND

    @rule()
    def freeze(self) -> None:
        self.clock.freeze()
        self.frozen = True

    @rule()
    def resume(self) -> None:
        self.clock.resume()
        self.frozen = False

    @invariant()
    def agrees(self) -> None:
        self.clock._check()
        assert self.clock.frozen == self.frozen
        assert self.clock.monotonic_ns() == self.mono
        assert self.clock.wall_ns() == self.wall


TestVirtualClockMachine = VirtualClockMachine.TestCase
TestVirtualClockMachine.settings = settings(max_examples=40, stateful_step_count=30)


def test_stepped_from_threads_while_read() -> None:
    clock = VirtualClock()
    readings: list[int] = []
    done = threading.Event()

    def step() -> None:
        for _ in range(500):
            clock.advance(0.001)

    def read() -> None:
        while not done.is_set():
            readings.append(clock.monotonic_ns())

    reader = threading.Thread(target=read)
    steppers = [threading.Thread(target=step) for _ in range(2)]
    for thread in (reader, *steppers):
        thread.start()
    for thread in steppers:
        thread.join()
    done.set()
    reader.join()
    assert clock.monotonic_ms() == 1000
    assert readings == sorted(readings)
