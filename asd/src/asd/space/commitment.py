"""Held replies: what the writes of one turn of the loop wait for, together.

A write that must be on a medium, or on other nodes, before it is acknowledged is *done* at once;
its reply waits. All writes of one turn of the loop share one `Commitment`. When the turn ends,
whatever must happen begins, once for all of them (LevelDB groups the writes of many threads in the
same way): one sync, one message to each replica. When everything has happened the commitment is
released, and with it the replies, in order (`asd.service.held_replies`). So sixteen writes in
flight on a connection wait for one sync and not for sixteen, and the fast paths do such writes like
any others.

    door      a record is written: `Commitments` observes it, and opens the turn's commitment
    turn end  each *stage* is told of it; one that takes its time calls `expect`, later `arrive`
    release   when all that was expected has arrived; those who wait are called

What must hold:

- A commitment covers at least what was written in its turn. A sync that was under way when the turn
  ended does not cover it; the next one does.
- Commitments of one namespace are released in the order of their turns: whoever was released has
  everything before it behind it.
- A failure is told to everybody who waits for the commitment, and to nobody else; the writes have
  happened here, and what became of them elsewhere is in doubt.
- At rest, or where nothing is waited for, there is no commitment (`turn` is None) and no cost.

While an earlier commitment is under way, one takes the writes of two turns: where many clients
write, a turn's are few (three of sixteen connections), and what a commitment costs, whatever is in
it, is more than twice what a write adds. A client that writes alone does not wait for it.

Rejected: parking the request (the connection then waits for a sync a write); a commitment a write
(as many objects and callbacks as writes, for the same one message); and three turns for one
commitment (no more writes than in two, when all clients wait).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from aerospike_common.wire.codes import ResultCode
from asd.measures.histogram import Histogram
from asd.measures.turns import Turns
from storage.engine import Record


class Commitment:
    """The writes of one turn, until they are safe. `started_ns`: when the turn began."""

    __slots__ = ("_answered", "_expected", "_waiting", "code", "released", "started_ns")

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.code = ResultCode.OK
        """What clients are told once it is released; OK: the replies they have."""
        self.released = False
        self._expected = 1  # the turn's own end
        self._waiting: list[Callable[[], None]] = []
        self._answered: dict[Histogram, int] = {}

    def expect(self) -> None:
        """One more thing must happen before it is released."""
        assert not self.released
        self._expected += 1

    def arrive(self, code: ResultCode = ResultCode.OK) -> None:
        """One of the things has happened, or has failed with a code."""
        assert self._expected > 0
        self._expected -= 1
        if code != ResultCode.OK:
            self.code = code

    @property
    def complete(self) -> bool:
        """All that was expected has arrived."""
        return not self._expected

    def count(self, latency: Histogram) -> None:
        """A transaction that is answered when this is released."""
        self._answered[latency] = self._answered.get(latency, 0) + 1

    def turn_over(self) -> None:
        """Its turn has ended: who writes next reads the clock again (`Histogram.since_ms`)."""
        for latency in self._answered:
            latency.since_ms = 0

    def when_released(self, call: Callable[[], None]) -> None:
        """Call it then."""
        assert not self.released
        self._waiting.append(call)

    async def wait(self) -> ResultCode:
        """Return when it is released, with its code."""
        if not self.released:
            released = asyncio.get_running_loop().create_future()
            self.when_released(lambda: None if released.done() else released.set_result(None))
            await released
        return self.code

    def release(self, now_ns: int) -> None:
        """Let everybody go on who waits."""
        assert self.complete
        assert not self.released
        self.released = True
        for latency, count in self._answered.items():
            latency.add_many(now_ns - self.started_ns, count)
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()


Stage: TypeAlias = Callable[[Commitment], None]
"""Told of a commitment when its turn ends."""


class Commitments:
    """The commitments of one namespace. Observes its door, once something is to be waited for."""

    __slots__ = ("_extended", "_now_ns", "_open", "_stages", "_turns", "turn")

    def __init__(self, turns: Turns, now_ns: Callable[[], int]) -> None:
        self._turns = turns
        self._now_ns = now_ns
        self._stages: list[Stage] = []
        self._open: list[Commitment] = []
        """Those whose turn has ended, oldest first."""
        self._extended = False
        """Does this one take the writes of a second turn?"""
        self.turn: Commitment | None = None
        """That of this turn; None while nothing that must be waited for was written in it."""

    def add_stage(self, stage: Stage) -> None:
        """Something that must happen before writes are acknowledged."""
        self._stages.append(stage)

    def __call__(self, digest: bytes, new: Record | None) -> None:
        """A record has changed: its acknowledgement will have to wait."""
        if self.turn is None:
            self.turn = Commitment(self._turns.started_ns or self._turns.begin())
            self._turns.at_end(self._end_turn)

    def _end_turn(self) -> None:
        if self._open and not self._extended:
            self._extended = True
            self._turns.at_end(self._end_turn)
            return
        self._extended = False
        commitment, self.turn = self.turn, None
        assert commitment is not None
        commitment.turn_over()
        self._open.append(commitment)
        for stage in self._stages:
            stage(commitment)
        commitment.arrive()
        self.settle()

    def settle(self) -> None:
        """Release those that have all they expected, in order. Stages call it when they arrive."""
        while self._open and self._open[0].complete:
            self._open.pop(0).release(self._now_ns())

    def _check(self) -> None:
        """Assert every invariant."""
        assert not any(each.released for each in self._open)
        assert self.turn is None or not self.turn.released
