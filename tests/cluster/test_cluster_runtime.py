"""What comes in bulk waits for its turn, and only that is left unread when too much waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from citrusleaf.cf_clock import VirtualClock
from cluster.fabric.endpoint import Fabric
from cluster.fabric.link import PLANE as FABRIC
from cluster.fabric.link import FabricConfig
from cluster.membership.heartbeat import PLANE as HEARTBEAT
from cluster.membership.heartbeat import Identity
from cluster.messages import FabricHello, Prepare, codec
from cluster.outputs import Channel, Hangup, Transmit
from cluster.runtime import MOST_A_TURN, NodeRuntime, _Link
from cluster.wire import frame

CODEC = codec()


class Transport:
    """Knows whether it is read, and what is written to it."""

    def __init__(self) -> None:
        self.is_read = True
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def pause_reading(self) -> None:
        self.is_read = False

    def abort(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


class Node:
    """A fabric alone. What is in `failing` raises when it is taken. Each message takes a while."""

    deadline = 1 << 40

    def __init__(self) -> None:
        self.fabric = Fabric(Identity(1, 11), FabricConfig(), CODEC)
        self.fabric.arrived(2, 12, ("h", 1), 0)
        self.taken: list[int] = []
        self.failing: set[int] = set()
        self.clock = VirtualClock()
        self.takes_ms = 1
        self.answers: dict[int, list[Any]] = {}

    def accepted(self, plane: str, link: int, now: int) -> list[Any]:
        return self.fabric.accepted(link, 0) if plane == FABRIC else []

    def received(self, plane: str, link: int, data: bytes, now: int) -> list[Any]:
        return self.fabric.received(link, data, 0) if plane == FABRIC else []

    def take_waiting(self, now: int) -> list[Any]:
        for came in self.fabric.take_waiting(0):
            self.taken.append(came.message.sequence)
            self.clock.advance(self.takes_ms / 1000)
            if self.taken[-1] in self.failing:
                raise LookupError
        return self.answers.get(self.taken[-1], [])


def connected(runtime: NodeRuntime, plane: str, channel: Channel | None) -> tuple[Any, Transport]:
    link = _Link(runtime, None, plane)
    transport: Any = Transport()
    link.connection_made(transport)
    if channel is not None:
        link.data_received(frame(CODEC.encode(FabricHello(2, 12, 1, 11, channel))))
    return link, transport


def prepare(*numbers: int) -> bytes:
    return b"".join(frame(CODEC.encode(Prepare(number, ()))) for number in numbers)


def test_only_what_comes_in_bulk_is_left_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.runtime.MOST_WAITING_BYTES", 1)
    monkeypatch.setattr("cluster.fabric.endpoint.TAKEN_AT_ONCE", 1)

    async def script() -> None:
        node: Any = Node()
        runtime = NodeRuntime(node, asyncio.get_running_loop(), clock=node.clock)
        bulk, unread = connected(runtime, FABRIC, Channel.BULK)
        replication, read = connected(runtime, FABRIC, Channel.REPLICATION)
        heartbeat, heard = connected(runtime, HEARTBEAT, None)
        bulk.data_received(prepare(1, 2))
        replication.data_received(prepare(3))
        heartbeat.data_received(b"pulse")
        assert (unread.is_read, read.is_read, heard.is_read) == (False, True, True)
        await asyncio.sleep(0)
        assert node.taken == [1], "one a turn"
        assert not unread.is_read
        await asyncio.sleep(0)
        assert node.taken == [1, 2]
        assert unread.is_read
        await runtime.stop()

    asyncio.run(script())


def test_as_much_is_taken_in_a_turn_as_fits_into_its_time() -> None:
    async def script() -> None:
        node: Any = Node()
        node.takes_ms = 0
        runtime = NodeRuntime(node, asyncio.get_running_loop(), clock=node.clock)
        bulk, _ = connected(runtime, FABRIC, Channel.BULK)
        many = 4 * MOST_A_TURN + 1
        bulk.data_received(prepare(*range(1, many + 1)))
        await asyncio.sleep(0)
        assert len(node.taken) == many - 1, "no time passes, and still there is an end"
        await asyncio.sleep(0)
        assert len(node.taken) == many
        await runtime.stop()

    asyncio.run(script())


def test_what_answers_the_messages_of_a_turn_goes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.fabric.endpoint.TAKEN_AT_ONCE", 1)

    async def script() -> None:
        node: Any = Node()
        node.takes_ms = 0
        runtime = NodeRuntime(node, asyncio.get_running_loop(), clock=node.clock)
        bulk, one = connected(runtime, FABRIC, Channel.BULK)
        first, other = connected(runtime, FABRIC, Channel.BULK)
        to_one, to_other = bulk.key, first.key
        node.answers = {
            1: [Transmit(*to_one, b"a"), Transmit(*to_other, b"b")],
            2: [Transmit(*to_one, b"c")],
            3: [Transmit(*to_one, b"d"), Hangup(*to_one)],
        }
        bulk.data_received(prepare(1, 2, 3))
        await asyncio.sleep(0)
        assert one.written == [b"acd"]
        assert other.written == [b"b"]
        assert not one.is_read, "and then it was hung up on"
        await runtime.stop()

    asyncio.run(script())


def test_what_waits_has_as_much_of_a_turn_as_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.fabric.endpoint.TAKEN_AT_ONCE", 1)

    async def script() -> None:
        node: Any = Node()
        node.takes_ms = 0.1
        runtime = NodeRuntime(node, asyncio.get_running_loop(), clock=node.clock)
        bulk, _ = connected(runtime, FABRIC, Channel.BULK)
        bulk.data_received(prepare(*range(1, 31)))
        taken = []
        for others_ms in (0, 0.01, 0.29, 100):
            node.clock.advance(others_ms / 1000)
            before = len(node.taken)
            await asyncio.sleep(0)
            taken.append(len(node.taken) - before)
        assert taken == [1, 1, 3, 5], "one at least, and half a millisecond at most"
        await runtime.stop()

    asyncio.run(script())


def test_a_message_that_fails_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.runtime.MOST_WAITING_BYTES", 1)
    monkeypatch.setattr("cluster.fabric.endpoint.TAKEN_AT_ONCE", 1)

    async def script() -> None:
        loop = asyncio.get_running_loop()
        failures: list[Any] = []
        loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
        node: Any = Node()
        node.failing = {1, 2}
        runtime = NodeRuntime(node, loop, clock=node.clock)
        bulk, unread = connected(runtime, FABRIC, Channel.BULK)
        bulk.data_received(prepare(1, 2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert node.taken == [1, 2]
        assert unread.is_read
        assert [type(failure) for failure in failures] == [LookupError, LookupError]
        await runtime.stop()

    asyncio.run(script())


def test_what_ends_its_handshake_after_the_stop_is_closed() -> None:
    async def script() -> None:
        node: Any = Node()
        runtime = NodeRuntime(node, asyncio.get_running_loop(), clock=node.clock)
        await runtime.stop()
        _, late = connected(runtime, HEARTBEAT, None)
        assert not late.is_read
        assert runtime.connections(HEARTBEAT) == (0, 0)

    asyncio.run(script())
