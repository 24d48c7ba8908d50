"""`Channel`: a connection that many commands share, their requests one behind the other.

A server answers the requests of a connection in their order, so a client need not wait for a reply
before it sends the next request. Two things come of that. Requests of one turn of the event loop
leave in one system call, and their replies mostly arrive in one: this is where an asyncio client
gets its speed from, for the calls into the kernel cost more than all that Python does. And a
command that is given up, because its time is over or its task was cancelled, costs no connection:
its place in the line stays, and the reply, should it come, is dropped.

The price is that a slow request holds up those behind it. So a channel takes `pipeline_depth` at
most while the node may have more channels, and none while it owes a reply that is overdue. Batches,
queries and whatever answers in streams have connections for themselves (`aio.connection`).

One timer a channel: it is set for the earliest deadline and looks through the line when it fires.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import Final

from aerospike_client.transport import Broken, Expired, reason_of
from aerospike_common.wire import MAX_BODY, MessageError, MessageType, inflate
from aerospike_common.wire.frame import HEADER_SIZE, PROTOCOL_VERSION
from citrusleaf.cf_clock import Clock

_HEAD: Final = struct.Struct(">Q").unpack_from
_LENGTH: Final = (1 << 48) - 1
_COMPRESSED: Final = int(MessageType.AS_MSG_COMPRESSED)

_GIVE_UP_AFTER_US: Final = 5_000_000
"""A channel that has owed a reply for so long beyond its deadline is closed."""


class Channel(asyncio.Protocol):
    """A pipelined connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._transport: asyncio.Transport
        #: Future of each request on its way, and its deadline (0 = never).
        self.line: deque[tuple[asyncio.Future[bytes], int]] = deque()
        self._out: list[bytes] = []
        self._rest = b""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_us = 0
        self.used_us = 0
        #: Whether it takes requests.
        self.open = False
        #: Whether the reply at the head of the line is overdue.
        self.late = False

    @property
    def load(self) -> int:
        """Requests in the line."""
        return len(self.line)

    def request(self, frame: bytes, deadline_us: int) -> asyncio.Future[bytes]:
        """Send a request: the body of its reply, decompressed. The future raises Broken, Expired.

        Cancel the future to give the request up; it may be applied all the same.
        """
        future: asyncio.Future[bytes] = self._loop.create_future()
        if not self.open:
            future.set_exception(Broken("closed the connection"))
            return future
        self.line.append((future, deadline_us))
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)
        if deadline_us and (self._timer is None or deadline_us < self._timer_us):
            self._set_timer(deadline_us)
        return future

    def exchange(self, frame: bytes, deadline_us: int) -> asyncio.Future[bytes]:
        """The same, for those to whom all kinds of connections are one."""
        return self.request(frame, deadline_us)

    def close(self) -> None:
        """Close it; requests in the line end with Broken."""
        self._fail("was closed on this side")

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self.open:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    # ------------------------------------------------------------------ for the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has connected."""
        self._transport = transport  # type: ignore[assignment]  # a stream's; uvloop's has no base
        self.open = True

    def data_received(self, data: bytes) -> None:
        """Bytes have come: hand out the replies among them."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at, size = 0, len(data)
        line = self.line
        while size - at >= HEADER_SIZE:
            (head,) = _HEAD(data, at)
            start = at + HEADER_SIZE
            end = start + (head & _LENGTH)
            if head >> 56 != PROTOCOL_VERSION or end - start > MAX_BODY or not line:
                self._fail("answered with what is no reply")
                return
            if end > size:
                break
            body = data[start:end]
            at = end
            if head >> 48 & 0xFF == _COMPRESSED:
                try:
                    body = inflate(body)
                except MessageError as error:
                    self._fail(f"answered with a bad frame: {error}")
                    return
            future, _ = line.popleft()
            if not future.done():
                future.set_result(body)
        self.late = False
        self._rest = data[at:]

    def connection_lost(self, error: Exception | None) -> None:
        """The peer or the network has closed it."""
        self._fail(reason_of(error) if isinstance(error, OSError) else "closed the connection")

    def _fail(self, reason: str) -> None:
        if not self.open:
            return
        self.open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()
        line, self.line = self.line, deque()
        for future, _ in line:
            if not future.done():
                future.set_exception(Broken(reason, True))

    # ------------------------------------------------------------------ time

    def _set_timer(self, deadline_us: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_us = deadline_us
        delay_s = max(0, deadline_us - self._clock.monotonic_us()) / 1e6
        self._timer = self._loop.call_later(delay_s, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        self._timer = None
        now_us = self._clock.monotonic_us()
        earliest_us = 0
        for place, (future, deadline_us) in enumerate(self.line):
            if not deadline_us:
                continue
            if deadline_us > now_us:
                earliest_us = min(earliest_us or deadline_us, deadline_us)
                continue
            self.late |= place == 0
            if not future.done():
                future.set_exception(Expired())
        if earliest_us:
            self._set_timer(earliest_us)

    def is_hopeless(self, now_us: int) -> bool:
        """Whether the reply at the head of the line is overdue for so long that none will come."""
        if not self.line:
            return False
        _, deadline_us = self.line[0]
        return bool(deadline_us) and now_us >= deadline_us + _GIVE_UP_AFTER_US
