"""One outgoing connection of the fabric: dialed when it is needed, with a bounded queue."""

from __future__ import annotations

from collections import deque
from enum import auto
from typing import Final

from attrs import frozen

from cluster.link_events import Empty, Full, Lost, Up
from cluster.outputs import Dial, Hangup, Output, Transmit
from cluster.state_machine import Observer, State, StateMachine, table
from cluster.wire import Endpoint

PLANE = "fabric"


@frozen
class FabricConfig:
    """Limits and times of the fabric. `connections` is by channel: control, meta, replication,
    bulk, and the lane, which is one connection because it is in order; seven together."""

    connections: tuple[int, int, int, int, int] = (1, 1, 2, 2, 1)
    queue_bytes: int = 4 << 20
    """A connection whose queue has so much takes nothing more."""
    window: int = 4096
    """Requests to one peer between the oldest open one and the next."""
    tick_ms: int = 50
    dial_timeout_ms: int = 1500
    backoff_ms: int = 300
    retransmit_ms: int = 400


class LinkState(State):
    """Where a connection stands."""

    IDLE = auto()
    DIALING = auto()
    OPEN = auto()
    CLOGGED = auto()
    BACKING_OFF = auto()


@frozen
class Queued:
    """There is something to send."""


@frozen
class Tick:
    """Some time has gone by."""


@frozen
class Dropped:
    """The peer has departed."""


BUSY: Final = frozenset({LinkState.DIALING, LinkState.BACKING_OFF})
"""States in which a link waits for time to pass."""

QUEUED, TICK = Queued(), Tick()


class FabricLink(StateMachine):
    """A connection to send on, with its queue."""

    TABLE = table(
        "fabric link",
        (LinkState.IDLE, Queued, "", LinkState.DIALING, "_dial"),
        (LinkState.DIALING, Up, "", LinkState.OPEN, "_greet_and_flush"),
        (LinkState.DIALING, Lost, "", LinkState.BACKING_OFF, "_back_off"),
        (LinkState.DIALING, Tick, "_dialed_too_long", LinkState.BACKING_OFF, "_hang_up"),
        (LinkState.DIALING, Dropped, "", LinkState.IDLE, "_hang_up"),
        (LinkState.OPEN, Full, "", LinkState.CLOGGED, ""),
        (LinkState.OPEN, Lost, "", LinkState.BACKING_OFF, "_back_off"),
        (LinkState.OPEN, Dropped, "", LinkState.IDLE, "_hang_up"),
        (LinkState.CLOGGED, Empty, "", LinkState.OPEN, "_flush"),
        (LinkState.CLOGGED, Lost, "", LinkState.BACKING_OFF, "_back_off"),
        (LinkState.CLOGGED, Dropped, "", LinkState.IDLE, "_hang_up"),
        (LinkState.BACKING_OFF, Tick, "_may_dial_again", LinkState.DIALING, "_dial"),
        (LinkState.BACKING_OFF, Tick, "_has_nothing_left", LinkState.IDLE, ""),
        (LinkState.BACKING_OFF, Dropped, "", LinkState.IDLE, ""),
    )

    def __init__(
        self,
        link: int,
        endpoint: Endpoint,
        greeting: bytes,
        config: FabricConfig,
        observer: Observer | None,
    ) -> None:
        super().__init__(LinkState.IDLE, observer)
        self.link = link
        self.outputs: list[Output] = []
        self.queued_bytes = 0
        self._endpoint = endpoint
        self._greeting = greeting
        self._config = config
        self._queue: deque[bytes] = deque()
        self._since = 0

    def push(self, framed: bytes, now: int) -> bool:
        """Write a frame, or queue it until the connection can; False when the queue is full."""
        if self.state is LinkState.OPEN:
            self.outputs.append(Transmit(PLANE, self.link, framed))
            return True
        if self.queued_bytes >= self._config.queue_bytes:
            return False
        self._queue.append(framed)
        self.queued_bytes += len(framed)
        self.fire(QUEUED, now)
        return True

    @property
    def is_busy(self) -> bool:
        """Does the link wait for time to pass?"""
        return self.state in BUSY

    def clear(self) -> None:
        """Forget what is queued."""
        self._queue.clear()
        self.queued_bytes = 0

    def _dial(self, _: object, now: int) -> None:
        self._since = now
        self.outputs.append(Dial(PLANE, self.link, self._endpoint))

    def _greet_and_flush(self, _: object, now: int) -> None:
        self.outputs.append(Transmit(PLANE, self.link, self._greeting))
        self._flush(_, now)

    def _flush(self, _: object, now: int) -> None:
        if self._queue:
            self.outputs.append(Transmit(PLANE, self.link, b"".join(self._queue)))
            self.clear()

    def _back_off(self, _: object, now: int) -> None:
        self._since = now

    def _hang_up(self, _: object, now: int) -> None:
        self.outputs.append(Hangup(PLANE, self.link))
        self._since = now

    def _dialed_too_long(self, _: object, now: int) -> bool:
        return now - self._since >= self._config.dial_timeout_ms

    def _may_dial_again(self, _: object, now: int) -> bool:
        return bool(self._queue) and now - self._since >= self._config.backoff_ms

    def _has_nothing_left(self, _: object, now: int) -> bool:
        return not self._queue and now - self._since >= self._config.backoff_ms

    def _check(self) -> None:
        assert not self.outputs
        assert self.queued_bytes == sum(map(len, self._queue))
        assert not (self.state is LinkState.OPEN and self._queue), "an open link sends at once"
        assert not (self.state is LinkState.IDLE and self._queue)
