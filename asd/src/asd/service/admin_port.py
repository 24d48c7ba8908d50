"""The admin port: a listener for tools, so that a node whose service port is crowded, or closed to
them, still answers.

It takes info and admin frames alone, has its connections counted by themselves, and gives them none
of the service port's machinery: no record is read or written here. What is not one of the two kinds
of frame ends the connection, as a broken frame does on the service port.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, cast

from aerospike_common.wire.admin import encode_admin
from aerospike_common.wire.codes import MessageType, ResultCode
from aerospike_common.wire.errors import FrameError
from aerospike_common.wire.frame import Frame, FrameReader, frame
from asd.info import MAX_REQUEST, InfoNode, respond
from asd.service.listening import listen, listening_addresses

log = logging.getLogger("asd.info")

MAX_CONNECTIONS: Final = 100
"""Tools are few. One connection more is closed at once."""


class AdminPort:
    """The admin port of one node. Without a port in the configuration it does nothing."""

    def __init__(self, node: InfoNode) -> None:
        self.node = node
        self.port = 0
        self.addresses: list[str] | None = None
        self.opened = 0
        self.closed = 0
        self._server: asyncio.Server | None = None
        self._open: set[AdminConnection] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when the port cannot be had."""
        config = self.node.config.network.admin
        if not config.port:
            return
        self.addresses = listening_addresses(config.address)
        self._server = await listen(lambda: AdminConnection(self), self.addresses, config.port)
        self.port = config.port
        log.info("tools are served on port %d of %s", self.port, self.addresses or "all")

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.close()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, connection: object) -> bool:
        return connection in self._open

    def admit(self, connection: AdminConnection) -> bool:
        """Take a connection in; False when there are too many."""
        if len(self._open) >= MAX_CONNECTIONS:
            log.warning("%s turned away: %d connections of tools", connection.peer, MAX_CONNECTIONS)
            return False
        self._open.add(connection)
        self.opened += 1
        return True

    def discard(self, connection: AdminConnection) -> None:
        """A connection has closed."""
        if connection in self._open:
            self._open.remove(connection)
            self.closed += 1


class AdminConnection(asyncio.Protocol):
    """One connection of a tool. Frames are answered in order, and only as fast as they are read."""

    def __init__(self, port: AdminPort) -> None:
        self._port = port
        self._frames = FrameReader(MAX_REQUEST)
        self._transport: asyncio.Transport
        self._writable = True
        self.peer = self.local_host = "?"
        self.user_agent: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A tool has connected; one too many is turned away."""
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.peer = f"{peer[0]}:{peer[1]}" if peer else "?"
        self.local_host = local[0] if local else "?"
        if not self._port.admit(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The tool is gone."""
        self._port.discard(self)

    def pause_writing(self) -> None:
        """The tool reads too slowly: take no more requests from it."""
        self._writable = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The tool has caught up."""
        self._writable = True
        self._transport.resume_reading()
        self._answer()

    def data_received(self, data: bytes) -> None:
        """Answer all whole frames; keep the rest."""
        self._frames.feed(data)
        self._answer()

    def close(self) -> None:
        """Close after what was answered has been sent."""
        self._transport.close()

    def _answer(self) -> None:
        try:
            while self._writable and not self._transport.is_closing():
                request = self._frames.next_frame()
                if request is None:
                    return
                self._transport.write(self._reply(request))
        except FrameError as error:
            log.info("%s: %s: closed", self.peer, error)
            self.close()

    def _reply(self, request: Frame) -> bytes:
        """The answer to a frame. Raises FrameError for a kind that is not served here."""
        if request.type == MessageType.INFO:
            return frame(MessageType.INFO, respond(self._port.node, self, request.body))
        if request.type == MessageType.ADMIN:
            refusal = encode_admin(result_code=ResultCode.SECURITY_NOT_SUPPORTED)
            return frame(MessageType.ADMIN, refusal)
        raise FrameError(f"message type {request.type} on the admin port")
