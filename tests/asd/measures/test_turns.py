"""Durations counted by turns of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asd.measures.histogram import NS_PER_MS, Histogram
from asd.measures.turns import Turns
from citrusleaf.cf_clock import SystemClock, VirtualClock

MS = 0.001


class Loop:
    """Calls what it was given when the turn ends."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def end_turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


@pytest.fixture
def clock() -> VirtualClock:
    clock = VirtualClock()
    clock.advance(1)
    return clock


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def turns(clock: VirtualClock, loop: Loop) -> Turns:
    return Turns(clock.monotonic_ns, loop.call_soon)


def durations(histogram: Histogram) -> tuple[int, int]:
    """(transactions, their durations summed up in ms)."""
    return sum(histogram.counts), histogram.total_ns // NS_PER_MS


def test_all_of_a_turn_take_from_its_first_request_to_its_end(turns, clock, loop) -> None:
    reads, writes = Histogram("read"), Histogram("write")
    turns.begin()
    turns.count(reads)
    clock.advance(2 * MS)
    turns.count(reads, 3)
    turns.count(writes)
    clock.advance(1 * MS)
    assert durations(reads) == (0, 0)
    loop.end_turn()
    assert durations(reads) == (4, 12)
    assert durations(writes) == (1, 3)


def test_a_turn_begins_when_something_happens(turns, clock, loop) -> None:
    reads = Histogram("read")
    turns.count(reads)
    loop.end_turn()
    clock.advance(5)
    assert (turns.started_ns, loop.calls) == (0, [])
    turns.count(reads)
    clock.advance(1 * MS)
    loop.end_turn()
    assert durations(reads) == (2, 1)


def test_what_began_earlier_is_measured_from_there(turns, clock, loop) -> None:
    reads, waited = Histogram("read"), Histogram("waited")
    began_ns = turns.begin()
    loop.end_turn()
    clock.advance(10 * MS)
    turns.count(reads)
    clock.advance(1 * MS)
    with turns.since(began_ns):
        turns.count(waited)
    assert durations(waited) == (1, 11)
    assert durations(reads) == (1, 1)
    turns.count(reads)
    clock.advance(3 * MS)
    loop.end_turn()
    assert durations(reads) == (2, 5)
    assert durations(waited) == (1, 11)


def test_a_histogram_cleared_in_between_counts_on(turns, loop) -> None:
    reads = Histogram("read")
    turns.count(reads, 7)
    reads.clear()
    turns.count(reads, 2)
    loop.end_turn()
    assert durations(reads) == (2, 0)


def test_two_clients_in_one_turn_of_a_real_loop(kit: Any) -> None:
    async def script() -> None:
        node = kit.make_node()
        node.turns = Turns(SystemClock().monotonic_ns, asyncio.get_running_loop().call_soon)
        one, other = kit.Wire(node), kit.Wire(node)
        one.connection.data_received(kit.get(1))
        other.connection.data_received(kit.get(2))
        latency = node.namespaces[b"test"].read_latency
        assert latency.pending == 2
        await asyncio.sleep(0)
        assert latency.pending == 0
        assert sum(latency.counts) == 2
        assert latency.total_ns > 0

    asyncio.run(script())
