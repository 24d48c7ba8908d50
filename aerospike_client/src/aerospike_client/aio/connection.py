"""`Connection`: frames over an asyncio transport, one conversation at a time.

A conversation is a request and the frames of its reply: one, or for batches and queries a stream.
The connection knows one deadline, that of the present conversation, and has one timer, which looks
at it when it fires and sets itself again: a timer for every request would cost more than to parse
it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from typing import Final, TypeVar

from aerospike_client.core.addresses import Address
from aerospike_client.tls import Tls
from aerospike_client.transport import Broken, Expired, reason_of
from aerospike_common.wire import MAX_BODY, MessageError, MessageType, inflate
from aerospike_common.wire.frame import HEADER_SIZE
from citrusleaf.cf_clock import Clock

_MAX_WAITING_FRAMES: Final = 4
"""Frames of a stream that are read ahead (1 MiB each, mostly) before the peer has to wait."""

P = TypeVar("P", bound=asyncio.Protocol)

FrameBody = tuple[int, bytes]
"""Type and body of a frame."""


class Connection(asyncio.Protocol):
    """One connection. After Broken or Expired it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._frames: deque[FrameBody] = deque()
        self._waiter: asyncio.Future[FrameBody] | None = None
        self._error: Broken | Expired | None = None
        self._deadline_us = 0
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False

    # ------------------------------------------------------------------ for the engine

    def send(self, frame: bytes, deadline_us: int) -> None:
        """Begin a conversation; it ends at `deadline_us` (0 = never). Raises Broken."""
        if self._error is not None or self._transport is None:
            raise Broken("closed the connection")
        self._deadline_us = deadline_us
        if deadline_us and self._timer is None:
            self._set_timer(deadline_us)
        self._transport.write(frame)

    def receive(self) -> asyncio.Future[FrameBody]:
        """The next frame of the reply, body decompressed. The future raises Broken, Expired."""
        future: asyncio.Future[FrameBody] = self._loop.create_future()
        if self._frames:
            future.set_result(self._frames.popleft())
            if self._paused and self._transport is not None:
                self._paused = False
                self._transport.resume_reading()
        elif self._error is not None:
            future.set_exception(self._error)
        else:
            self._waiter = future
            if self._deadline_us and self._timer is None:  # it fired while nobody waited
                self._set_timer(self._deadline_us)
        return future

    async def exchange(self, frame: bytes, deadline_us: int) -> bytes:
        """A conversation of one request and one frame: the body of that."""
        self.send(frame, deadline_us)
        return (await self.receive())[1]

    def extend(self, deadline_us: int) -> None:
        """Move the present conversation's deadline."""
        self._deadline_us = deadline_us
        if deadline_us and self._timer is None and self._error is None:
            self._set_timer(deadline_us)

    @property
    def usable(self) -> bool:
        """Whether another conversation can begin: open, and nothing unasked for has come."""
        return self._error is None and not self._frames and not self._buffer

    def close(self) -> None:
        """Close it; more than once does no harm."""
        self._fail(Broken("was closed on this side", True))

    # ------------------------------------------------------------------ for the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has connected."""
        self._transport = transport  # type: ignore[assignment]  # a stream's; uvloop's has no base

    def data_received(self, data: bytes) -> None:
        """Bytes have come: cut them into frames."""
        buffer = self._buffer
        if not buffer and self._deliver_whole(data):
            return
        buffer += data
        while len(buffer) >= HEADER_SIZE:
            size = int.from_bytes(buffer[2:8], "big")
            if buffer[0] not in (0, 2) or size > MAX_BODY:
                self._fail(Broken("answered with what is no frame", True))
                return
            if len(buffer) < HEADER_SIZE + size:
                return
            kind = buffer[1]
            body = bytes(memoryview(buffer)[HEADER_SIZE : HEADER_SIZE + size])
            del buffer[: HEADER_SIZE + size]
            self._deliver(kind, body)

    def connection_lost(self, error: Exception | None) -> None:
        """The peer or the network has closed it."""
        reason = reason_of(error) if isinstance(error, OSError) else "closed the connection"
        self._fail(Broken(reason, True))

    # ------------------------------------------------------------------ within

    def _deliver_whole(self, data: bytes) -> bool:
        """The usual case: just one whole frame of a message, and somebody waiting for it."""
        if data[:2] != b"\x02\x03" or int.from_bytes(data[2:8], "big") != len(data) - HEADER_SIZE:
            return False
        self._deliver(MessageType.AS_MSG, data[HEADER_SIZE:])
        return True

    def _deliver(self, kind: int, body: bytes) -> None:
        if kind == MessageType.AS_MSG_COMPRESSED:
            try:
                kind, body = MessageType.AS_MSG, inflate(body)
            except MessageError as error:
                self._fail(Broken(f"answered with a bad frame: {error}", True))
                return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result((kind, body))
            return
        self._frames.append((kind, body))
        if len(self._frames) >= _MAX_WAITING_FRAMES and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _fail(self, error: Broken | Expired) -> None:
        if self._error is not None:
            return
        self._error = error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def _set_timer(self, deadline_us: int) -> None:
        delay_s = max(0, deadline_us - self._clock.monotonic_us()) / 1e6
        self._timer = self._loop.call_later(delay_s, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        self._timer = None
        if self._waiter is None or not self._deadline_us:
            return  # idle: the next request sets the timer again
        if self._clock.monotonic_us() >= self._deadline_us:
            self._fail(Expired())
        else:
            self._set_timer(self._deadline_us)


async def connect(
    address: Address,
    timeout_us: int,
    make: Callable[[], P],
    tls: Tls | None = None,
    tls_name: str = "",
) -> P:
    """A new connection with the protocol that `make` makes, in the clear or by TLS to a node of
    which `tls_name` is known. Raises Broken."""
    loop = asyncio.get_running_loop()
    secured = tls is not None
    name = tls.server_name(tls_name, address.host) if tls else None
    try:
        async with asyncio.timeout(timeout_us / 1e6 if timeout_us else None):
            with tls.resuming(address) if tls else nullcontext() as context:
                _, protocol = await loop.create_connection(
                    make, address.host, address.port, ssl=context, server_hostname=name
                )
    except (OSError, UnicodeError) as error:  # UnicodeError: a host that no name can have
        raise Broken(reason_of(error, tls=secured)) from None
    except ValueError as error:  # a name that nothing can have
        raise Broken(str(error)) from None
    return protocol
