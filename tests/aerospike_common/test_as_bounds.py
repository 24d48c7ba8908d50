"""The bounds of a computation: its time, its memory; and its log."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.as_logger import AsLogger, AsLogLevel
from aerospike_common.as_memtracker import AsMemoryLimitError, AsMemtracker
from aerospike_common.as_timer import AsTimer
from citrusleaf.cf_clock import VirtualClock


@given(st.integers(0, 10_000), st.lists(st.integers(0, 5_000_000), max_size=8))
def test_a_timer_expires_at_its_deadline(timeout_ms, steps_us):
    clock = VirtualClock()
    timer = AsTimer(clock, timeout_ms)
    past_us = 0
    for step_us in steps_us:
        clock.advance(step_us / 1_000_000)
        past_us += step_us
        left_us = timeout_ms * 1_000 - past_us
        assert timer.expired() == (left_us <= 0)
        assert timer.remaining_ms() == max(0, (left_us + 999) // 1_000)
        assert timer.expired() == (timer.remaining_ms() == 0)


def test_the_wall_clock_does_not_move_a_deadline():
    clock = VirtualClock()
    timer = AsTimer(clock, 10)
    clock.set_wall_s(2_000_000_000)
    assert timer.remaining_ms() == 10


def test_no_negative_timeout():
    with pytest.raises(ValueError, match="negative"):
        AsTimer(VirtualClock(), -1)


@given(st.integers(0, 100), st.lists(st.integers(-60, 60)))
def test_an_account_never_exceeds_its_limit(limit, sizes):
    tracker = AsMemtracker(limit)
    used = 0
    for size in sizes:
        if size >= 0 and used + size > limit:
            with pytest.raises(AsMemoryLimitError):
                tracker.reserve(size)
        elif size >= 0:
            tracker.reserve(size)
            used += size
        elif -size > used:
            with pytest.raises(ValueError, match="releasing"):
                tracker.release(-size)
        else:
            tracker.release(-size)
            used += size
        tracker._check()
        assert (tracker.used, tracker.limit) == (used, limit)
    tracker.reset()
    assert tracker.used == 0
    tracker.reserve(limit)


@pytest.mark.parametrize("operation", ["reserve", "release"])
def test_no_negative_sizes(operation):
    with pytest.raises(ValueError, match="negative"):
        getattr(AsMemtracker(10), operation)(-1)
    with pytest.raises(ValueError, match="negative"):
        AsMemtracker(-1)


class Keeper(logging.Handler):
    """Keeps the records it is given."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


def test_lines_arrive_with_level_text_and_place():
    keeper = Keeper()
    target = logging.Logger("udf")
    target.addHandler(keeper)
    logger = AsLogger(target)
    for level in AsLogLevel:
        logger.log(level, "%d of %s", level, "five")
    assert [record.levelname for record in keeper.records[:4]] == [
        "ERROR",
        "WARNING",
        "INFO",
        "DEBUG",
    ]
    assert 0 < keeper.records[4].levelno < logging.DEBUG
    assert keeper.records[2].getMessage() == "2 of five"
    assert keeper.records[2].filename == "test_as_bounds.py"


@pytest.mark.parametrize("level", AsLogLevel)
def test_levels_below_the_threshold_are_dropped(level):
    keeper = Keeper()
    target = logging.Logger("udf", level.logging_level)
    target.addHandler(keeper)
    logger = AsLogger(target)
    for each in AsLogLevel:
        assert logger.is_enabled(each) == (each <= level)
        logger.log(each, "line")
    assert len(keeper.records) == level + 1
