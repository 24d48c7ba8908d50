"""Replies that wait for what their turn of the loop has written, and the line behind them."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aerospike_common.wire.codes import Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Op, reply_frame
from asd.measures.turns import Turns
from asd.service.held_replies import HeldReplies
from asd.space.commitment import Commitment
from asd.space.namespace import Namespace
from storage.memory import MemoryEngine


def integer(number: int) -> tuple[bytes, int, bytes]:
    return (b"a", ParticleType.INTEGER, struct.pack(">q", number))


class Medium(MemoryEngine):
    """Writes must be synced; a sync waits until the test lets it go."""

    def __init__(self) -> None:
        super().__init__()
        self.acknowledges_sync = True
        self.syncs = 0
        self.go = threading.Semaphore(0)
        self.broken = False

    def sync(self) -> None:
        self.go.acquire()
        self.syncs += 1
        if self.broken:
            raise OSError("the medium is gone")


def play(kit: Any, script: Callable[[Any, Medium], Any]) -> None:
    """Run a script with a node whose namespace `test` is on such a medium."""

    async def run() -> None:
        node, engine = kit.make_node(), Medium()
        turns = Turns(node.clock.monotonic_ns, asyncio.get_running_loop().call_soon)
        node.namespaces[b"test"] = Namespace(
            node.namespaces[b"test"].config,
            engine,
            node.clock,
            node.transaction_threads,
            turns,
            community=False,
        )
        try:
            await script(node, engine)
        finally:
            engine.go.release(1000)
            node.transaction_threads.stop()

    asyncio.run(asyncio.wait_for(run(), 60))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it does not come about")


async def learn(kit: Any, engine: Medium, wire: Any) -> None:
    """Have the fast paths made."""
    for _ in range(2):
        wire.send(kit.put(1, integer(1)))
        engine.go.release(2)
        await until(lambda: bool(wire.transport.written))
    engine.syncs = 0
    while engine.go.acquire(blocking=False):
        pass


def test_sixteen_writes_in_flight_wait_for_one_sync(kit: Any) -> None:
    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        data = b"".join(kit.put(number, integer(number)) for number in range(16))
        assert wire.send(data) == b""  # nothing is acknowledged yet
        assert all(engine.get(kit.digest(number)) is not None for number in range(16))
        engine.go.release()
        await until(lambda: len(kit.codes(wire.transport.written)) == 16)
        assert engine.syncs == 1
        assert set(kit.codes(wire.transport.written)) == {ResultCode.OK}

    play(kit, script)


def test_each_turn_has_its_own_last_update_time(kit: Any) -> None:
    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        times = []
        for _ in range(3):
            node.clock.advance(60)
            wire.send(kit.put(1, integer(5)))
            record = engine.get(kit.digest(1))
            assert record is not None
            times.append(record[2])
            engine.go.release()
            await until(lambda: bool(wire.transport.written))
        assert [later - time for time, later in pairwise(times)] == [60_000, 60_000]

    play(kit, script)


def test_such_writes_have_fast_paths(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from asd.service import way

    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        general: list[bytes] = []
        monkeypatch.setattr(way, "answer", lambda *_: general.append(b"") or b"")
        wire.send(kit.put(1, integer(5)) * 3)
        engine.go.release(3)
        await until(lambda: len(kit.codes(wire.transport.written)) == 3)
        assert not general

    play(kit, script)


def test_what_comes_behind_a_held_reply_is_done_and_answered_in_order(kit: Any) -> None:
    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        wire.send(kit.put(1, integer(7)) + kit.get(1) + kit.get(999) + kit.put(2, integer(8)))
        assert wire.transport.written == b""
        wire.send(kit.get(1))  # another event, another turn
        assert wire.transport.written == b""
        engine.go.release(4)
        await until(lambda: len(kit.codes(wire.transport.written)) == 5)
        assert kit.codes(wire.transport.written) == [0, 0, ResultCode.NOT_FOUND, 0, 0]
        wire.transport.written = b""
        assert kit.codes(wire.send(kit.get(1))) == [0]  # nothing waits any longer

    play(kit, script)


def test_a_job_behind_a_held_reply_writes_behind_it(kit: Any) -> None:
    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        wire.send(kit.put(1, integer(7)) + b"\x02\x01" + (5).to_bytes(6, "big") + b"node\n")
        assert wire.transport.written == b""
        engine.go.release(2)
        await until(lambda: b"node\t" in wire.transport.written)
        assert wire.transport.written.startswith(reply_frame(0, 3)[:8])

    play(kit, script)


def test_a_sync_that_fails_is_told_to_the_writes_it_was_for(kit: Any) -> None:
    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        engine.broken = True
        wire.send(kit.put(1, integer(7)) + kit.get(1) + kit.put(2, integer(8)))
        engine.go.release(2)
        await until(lambda: len(kit.codes(wire.transport.written)) == 3)
        error = ResultCode.TIMEOUT
        assert kit.codes(wire.transport.written) == [error, ResultCode.OK, error]

    play(kit, script)


def test_every_kind_of_write_waits(kit: Any) -> None:
    touch = [Op(OpType.TOUCH, 0, b"", b"")]
    requests = [
        kit.put(1, integer(2)),
        kit.put(1, integer(2), fields={2: b"\x03key"}),
        kit.request(1, info2=Info2.WRITE, ops=touch),
        kit.request(1, info2=Info2.WRITE | Info2.DELETE),
    ]

    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        for request in requests:
            assert wire.send(request) == b""
            engine.go.release(2)
            await until(lambda: bool(wire.transport.written))

    play(kit, script)


def test_a_connection_with_a_long_line_takes_no_more(kit: Any) -> None:
    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        wire.send(kit.put(1, integer(7)) * 3000)
        assert not wire.transport.reading
        assert len(wire.connection._held) < 1200
        while len(kit.codes(wire.transport.written)) < 3000:
            engine.go.release()
            await asyncio.sleep(0.005)
        assert wire.transport.reading
        record = engine.get(kit.digest(1))
        assert record is not None
        assert record[0] == 3002

    play(kit, script)


def test_closing_waits_for_what_is_held(kit: Any) -> None:
    async def script(node: Any, engine: Medium) -> None:
        wire = kit.Wire(node)
        await learn(kit, engine, wire)
        wire.send(kit.put(1, integer(7)))
        wire.connection.close()
        assert not wire.transport.closed
        engine.go.release(2)
        await until(lambda: wire.transport.closed)
        assert kit.codes(wire.transport.written) == [0]

    play(kit, script)


class Line(RuleBasedStateMachine):
    """Replies come out in order, and none before its commitment is released."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.line = HeldReplies(self.sent.append)
        self.expected: list[tuple[bytes, Commitment | None]] = []
        self.open: list[Commitment] = []
        self.count = 0

    def reply(self) -> bytes:
        self.count += 1
        return reply_frame(0, self.count)

    @rule()
    def turn(self) -> None:
        self.open.append(Commitment(0))

    @precondition(lambda self: self.open)
    @rule()
    def hold(self) -> None:
        reply = self.reply()
        self.expected.append((reply, self.open[-1]))
        self.line.hold(reply, self.open[-1])

    @precondition(lambda self: len(self.line))
    @rule()
    def stand_behind(self) -> None:
        reply = self.reply()
        self.expected.append((reply, None))
        self.line.add(reply)

    @precondition(lambda self: self.open)
    @rule(fails=st.booleans())
    def release(self, fails: bool) -> None:
        commitment = self.open.pop(0)
        commitment.arrive(ResultCode.SERVER_ERROR if fails else ResultCode.OK)
        commitment.release(1)
        self.line.release()

    @invariant()
    def what_was_sent_is_what_may_be(self) -> None:
        self.line._check()
        ready = []
        for reply, commitment in self.expected:
            if commitment is not None and not commitment.released:
                break
            failed = commitment is not None and commitment.code != ResultCode.OK
            ready.append(reply_frame(ResultCode.SERVER_ERROR) if failed else reply)
        assert b"".join(self.sent) == b"".join(ready)
        assert len(self.line) == len(self.expected) - len(ready)


TestLine = Line.TestCase
