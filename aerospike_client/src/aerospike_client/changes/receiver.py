"""`Receiver`: what servers ship to when an application follows changes: it is their connector.

A server sends its changes one behind the other and does not wait; answers go back in the order of a
connection. A change that is not answered for some seconds, or with `RETRY`, is sent again. So what
the application has not finished is never lost: at least once, and one change of a record at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

from aerospike_client.changes.change import Change, parse_change
from aerospike_common.wire import MAX_BODY, MessageError, MessageType, inflate
from aerospike_common.wire.frame import HEADER_SIZE, frame

log = logging.getLogger("aerospike_client")

DONE: Final = 0
RETRY: Final = 11
BROKEN: Final = 4
_MESSAGE: Final = int(MessageType.AS_MSG)
_COMPRESSED: Final = int(MessageType.AS_MSG_COMPRESSED)


class Received:
    """A change that waits for its answer."""

    __slots__ = ("_connection", "change", "code")

    def __init__(self, change: Change | None, connection: _Connection) -> None:
        self.change = change
        self.code: int | None = None if change is not None else BROKEN
        self._connection = connection

    def answer(self, code: int = DONE) -> None:
        """The change is done, or is to be sent again (`RETRY`)."""
        self.code = code
        self._connection.answer()


class _Connection(asyncio.Protocol):
    """One server's connection."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.Transport
        self._line: deque[Received] = deque()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A server has connected."""
        self._transport = transport  # type: ignore[assignment]  # a stream's; uvloop's has no base
        self._receiver.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """It has gone; what is not answered is sent again by another connection."""
        self._receiver.connections.discard(self)
        self._receiver.forget(self._line)

    def close(self) -> None:
        """End it."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Changes have come."""
        data = self._rest + data if self._rest else data
        at, came = 0, []
        while len(data) - at >= HEADER_SIZE:
            size = int.from_bytes(data[at + 2 : at + HEADER_SIZE], "big")
            if data[at] != 2 or data[at + 1] not in (_MESSAGE, _COMPRESSED) or size > MAX_BODY:
                log.warning("what came to the receiver of changes is no frame: closed")
                self.close()
                return
            end = at + HEADER_SIZE + size
            if end > len(data):
                break
            came.append(Received(_parsed(data[at + 1], data[at + HEADER_SIZE : end]), self))
            at = end
        self._rest = data[at:]
        self._line += came
        self._receiver.came([each for each in came if each.change is not None])
        self.answer()

    def answer(self) -> None:
        """Send the answers that are there, up to the first that is not."""
        out = []
        while self._line and (code := self._line[0].code) is not None:
            self._line.popleft()
            out.append(frame(MessageType.AS_MSG, bytes((22, 0, 0, 0, 0, code)) + bytes(16)))
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))


def _parsed(kind: int, body: bytes) -> Change | None:
    """None for what can not be read, which a server need not send again."""
    try:
        return parse_change(inflate(body) if kind == _COMPRESSED else body)
    except MessageError as error:
        log.warning("a change can not be read: %s", error)
        return None


class Receiver:
    """Listens for servers. What they have under way bounds what waits here."""

    def __init__(self) -> None:
        self.connections: set[_Connection] = set()
        self._waiting: deque[Received] = deque()
        self._there = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Begin; the port. OSError when it can not be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port)
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    async def close(self) -> None:
        """End; servers send what is not answered elsewhere, or again."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()
        await asyncio.sleep(0)

    async def take(self, most: int = 1) -> list[Received]:
        """The next changes, at least one: each must be answered."""
        while not self._waiting:
            self._there.clear()
            await self._there.wait()
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def came(self, received: list[Received]) -> None:
        """Changes have come on a connection."""
        self._waiting += received
        if received:
            self._there.set()

    def forget(self, lost: deque[Received]) -> None:
        """A connection has ended: they will come again."""
        gone = set(map(id, lost))
        self._waiting = deque(each for each in self._waiting if id(each) not in gone)
