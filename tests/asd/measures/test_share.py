"""Slices of long jobs beside clients that ask one thing at a time, by a clock that turns move."""

from __future__ import annotations

import asyncio

import pytest

from asd.measures.share import MOST_TURNS, PATIENCE_NS, SHORTEST_NS, Share
from asd.measures.turns import Turns

LONGEST_NS = 1_000_000
TURN_NS = 5_000
ANSWER_NS = 10_000


class Loop:
    """Turns of a loop in which a client asks again some turns after each of its answers."""

    def __init__(self, thinks_turns: int | None, moves: bool = True) -> None:
        self.now = 1_000
        self.turn = self.answers = 0
        self.ends: list[object] = []
        self.turns = Turns(lambda: self.now, self.ends.append)
        self._thinks = thinks_turns
        self._moves = moves

    async def run(self) -> None:
        waits = 0
        while True:
            await asyncio.sleep(0)
            self.turn += 1
            self.now += TURN_NS if self._moves else 0
            if self._thinks is None:
                continue
            if waits:
                waits -= 1
                continue
            self.turns.begin()
            self.answers += 1
            self.now += ANSWER_NS if self._moves else 0
            waits = self._thinks


def work(loop: Loop, slices: int) -> list[int]:
    """How long each slice may be, when each is used to its end."""

    async def job() -> list[int]:
        share, lengths = Share(loop.turns, lambda: loop.now, LONGEST_NS), []
        others = asyncio.create_task(loop.run())
        for _ in range(slices):
            end = share.begin()
            lengths.append(end - loop.now)
            loop.now += lengths[-1] if loop._moves else 0
            await share.others()
        others.cancel()
        return lengths

    return asyncio.run(job())


def test_while_nobody_is_there_slices_are_long_and_a_turn_is_between_them():
    loop = Loop(None)
    assert work(loop, 4) == [LONGEST_NS] * 4
    assert loop.turn <= 5


@pytest.mark.parametrize("thinks", [0, 1, 3])
def test_one_who_asks_again_when_answered_has_half_of_the_time(thinks: int):
    loop = Loop(thinks)
    lengths = work(loop, 100)
    assert lengths[2:] == [SHORTEST_NS] * 98, "the loop had no turn before the first"
    alone_ns = TURN_NS * (thinks + 1) + ANSWER_NS
    share = loop.answers * alone_ns / (loop.now - sum(lengths[:2]))
    assert share >= 0.45


def test_one_who_thinks_for_long_is_not_waited_for():
    thinks = 4 * PATIENCE_NS // TURN_NS
    loop = Loop(thinks)
    work(loop, 50)
    assert loop.turn <= 50 * (PATIENCE_NS // TURN_NS + 2) + LONGEST_NS // TURN_NS


def test_where_time_stands_still_it_goes_on():
    loop = Loop(0, moves=False)
    assert len(work(loop, 3)) == 3
    assert loop.turn <= 3 * MOST_TURNS + 3
