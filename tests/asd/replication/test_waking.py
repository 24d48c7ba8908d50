"""A node that has not run for a while notices it before it looks at a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asd.measures.turns import Turns
from asd.replication.waking import Waking

MS = 1_000_000
INTERVAL_MS = 150
LATE_MS = 8 * INTERVAL_MS + 1


class World:
    """A clock, a loop with one timer, and the turns of both."""

    def __init__(self) -> None:
        self.now_ms = 1000
        self.woke = 0
        self.tick: Callable[[], None] = lambda: None
        self.turns = Turns(self.now_ns, lambda call: None)
        self.waking = Waking(self.turns, self.now_ns, INTERVAL_MS, 10, self.wake)
        loop: Any = self
        self.waking.start(loop)

    def now_ns(self) -> int:
        return self.now_ms * MS

    def wake(self) -> None:
        self.woke += 1

    def call_later(self, delay_s: float, call: Callable[..., None], *arguments: Any) -> World:
        self.tick = lambda: call(*arguments)
        return self

    def cancel(self) -> None:
        self.tick = lambda: None

    def run(self, passed_ms: int) -> None:
        """Time passes in which the loop runs."""
        for _ in range(passed_ms // INTERVAL_MS):
            self.now_ms += INTERVAL_MS
            self.tick()


@pytest.fixture
def world() -> World:
    return World()


def test_a_node_that_runs_does_not_wake(world: World) -> None:
    world.run(10_000)
    world.turns.begin()
    assert world.woke == 0


@pytest.mark.parametrize("first", ["request", "tick"])
def test_what_comes_first_after_a_stop_wakes_it_once(world: World, first: str) -> None:
    world.run(1000)
    world.now_ms += LATE_MS
    if first == "request":
        world.turns.begin()
    else:
        world.tick()
    assert world.woke == 1
    world.tick()
    world.turns.end()
    world.turns.begin()
    assert world.woke == 1


def test_a_short_stop_is_nothing(world: World) -> None:
    world.now_ms += 1000
    world.turns.begin()
    world.tick()
    assert world.woke == 0


def test_other_times_of_the_heartbeat_hold_from_the_next_tick_on(world: World) -> None:
    world.waking.go_by(INTERVAL_MS, 40)
    world.run(INTERVAL_MS)
    world.now_ms += LATE_MS
    world.turns.begin()
    assert world.woke == 0


def test_a_node_that_ends_does_not_wake(world: World) -> None:
    world.waking.stop()
    world.now_ms += LATE_MS
    world.turns.begin()
    assert world.woke == 0
