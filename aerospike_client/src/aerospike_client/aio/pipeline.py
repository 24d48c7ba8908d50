"""`Pipeline`: a connection for very many small writes, whose result codes are all that matters.

A `Channel` makes a future for every request, since somebody waits for each. Who sends tens of
thousands of writes a second, as change shipping does, wants neither futures nor tasks: requests go
in with a token each, and leave when `flush` is called; result codes come back in bulk, each with
its token, in the order of the requests. When the connection ends, the tokens of all requests whose
answers have not come are told.

    pipeline = await pools.dial(node.address, node.name, Pipeline)
    pipeline.begin(replied, lost)
    pipeline.send(frame, token)
    pipeline.flush()
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from aerospike_client.transport import Broken, reason_of
from aerospike_common.wire import MAX_BODY
from aerospike_common.wire.frame import HEADER_SIZE, PROTOCOL_VERSION
from citrusleaf.cf_clock import Clock

_HEAD: Final = struct.Struct(">Q").unpack_from
_LENGTH: Final = (1 << 48) - 1
_CODE_AT: Final = 5

Answers: TypeAlias = list[tuple[Any, int]]
"""Tokens with the result codes of their requests."""


def _nobody(*_: object) -> None:
    """Nobody listens yet."""


class Pipeline(asyncio.Protocol):
    """One such connection. It does no retries and knows no deadlines: `oldest_us` tells how long
    the first unanswered request is under way, and `close` ends it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._monotonic_us = clock.monotonic_us
        self._transport: asyncio.Transport | None = None
        self._line: deque[tuple[Any, int]] = deque()
        self._out: list[bytes] = []
        self._rest = b""
        self._sent_us = 0
        self._asked: asyncio.Future[bytes] | None = None
        self._replied: Callable[[Answers, int], None] = _nobody
        self._lost: Callable[[list[Any], str], None] = _nobody
        self.open = False
        self.writable = True
        """False while the peer takes nothing: what is sent then stays in memory."""
        self.bytes_sent = 0

    def begin(
        self,
        replied: Callable[[Answers, int], None],
        lost: Callable[[list[Any], str], None],
    ) -> None:
        """Who is told: `replied` of answers, and how long the last of them took (microseconds);
        `lost`, once, of the tokens that will not be answered, and why."""
        self._replied, self._lost = replied, lost

    @property
    def load(self) -> int:
        """Requests that are not answered."""
        return len(self._line)

    @property
    def oldest_us(self) -> int:
        """How long the first of them is under way, in microseconds."""
        return self._monotonic_us() - self._line[0][1] if self._line else 0

    def send(self, frame: bytes, token: Any) -> None:
        """A request, which leaves with the next `flush`."""
        if not self._out:  # the time of the first is that of all that leave together
            self._sent_us = self._monotonic_us()
        self._out.append(frame)
        self._line.append((token, self._sent_us))

    def flush(self) -> None:
        """Let everything go that was given to `send`."""
        out, self._out = self._out, []
        if out and self._transport is not None and self.open:
            data = b"".join(out)
            self.bytes_sent += len(data)
            self._transport.write(data)

    def exchange(self, frame: bytes, deadline_us: int) -> asyncio.Future[bytes]:
        """One request for which somebody waits, before all others: a login. Raises Broken."""
        asked: asyncio.Future[bytes] = self._loop.create_future()
        self._asked = asked
        if self._transport is not None and self.open:
            self._transport.write(frame)
        else:
            asked.set_exception(Broken("closed the connection"))
        if deadline_us:
            self._loop.call_later(
                max(0, deadline_us - self._monotonic_us()) / 1e6, self._overdue, asked
            )
        return asked

    def _overdue(self, asked: asyncio.Future[bytes]) -> None:
        if not asked.done():
            self._fail("did not answer in time")

    def close(self) -> None:
        """End it; what is not answered is lost."""
        self._fail("was closed on this side")

    # ------------------------------------------------------------------ for the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has connected."""
        self._transport = transport  # type: ignore[assignment]  # a stream's; uvloop's has no base
        self.open = True

    def pause_writing(self) -> None:
        """The peer is slow."""
        self.writable = False

    def resume_writing(self) -> None:
        """It has caught up."""
        self.writable = True

    def data_received(self, data: bytes) -> None:
        """Bytes have come: answers, some perhaps cut off."""
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        line, answers = self._line, []
        sent_us = 0
        while size - at >= HEADER_SIZE:
            (head,) = _HEAD(data, at)
            end = at + HEADER_SIZE + (head & _LENGTH)
            if head >> 56 not in (0, PROTOCOL_VERSION) or end - at > MAX_BODY:
                self._fail("answered with what is no reply")
                return
            if end > size:
                break
            if self._asked is not None:
                asked, self._asked = self._asked, None
                if not asked.done():
                    asked.set_result(data[at + HEADER_SIZE : end])
            elif not line or end - at < HEADER_SIZE + _CODE_AT + 1:
                self._fail("answered with what is no reply")
                return
            else:
                token, sent_us = line.popleft()
                answers.append((token, data[at + HEADER_SIZE + _CODE_AT]))
            at = end
        self._rest = data[at:]
        if answers:
            self._replied(answers, self._monotonic_us() - sent_us)

    def connection_lost(self, error: Exception | None) -> None:
        """The peer or the network has closed it."""
        self._fail(reason_of(error) if isinstance(error, OSError) else "closed the connection")

    def _fail(self, reason: str) -> None:
        if not self.open:
            return
        self.open = False
        if self._transport is not None:
            self._transport.abort()
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(Broken(reason, True))
        line, self._line = self._line, deque()
        self._out.clear()
        self._lost([token for token, _ in line], reason)
