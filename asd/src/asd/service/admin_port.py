"""The admin port: a listener for tools, so that a node whose service port is crowded, or closed to
them, still answers.

It takes info and admin frames alone, has its connections counted by themselves, and gives them none
of the service port's machinery: no record is read or written here. What is not one of the two kinds
of frame ends the connection, as a broken frame does on the service port.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from aerospike_common.wire.codes import MessageType
from aerospike_common.wire.errors import FrameError
from aerospike_common.wire.frame import Frame, FrameReader, frame
from asd.info import MAX_REQUEST, InfoNode, respond_when_done
from asd.security.rights import UNRESTRICTED, Rights
from asd.security.session import (
    LOGIN_WITHIN_NS,
    Answer,
    Session,
    without_security,
)
from asd.service.listening import listen, listening_addresses
from asd.tls.keeper import Keeper

if TYPE_CHECKING:
    from asd.security.security import Security

log = logging.getLogger("asd.info")

MAX_CONNECTIONS: Final = 100
"""Tools are few. One connection more is closed at once."""


class AdminNode(InfoNode, Protocol):
    """A node as this port sees it."""

    @property
    def security(self) -> Security | None:
        """Access control; None: everybody may do everything."""

    @property
    def tls(self) -> Keeper:
        """The certificates of its ports."""


class AdminPort:
    """The admin port of one node, in the clear, by TLS, or both. Without a port in the
    configuration it does nothing."""

    def __init__(self, node: AdminNode) -> None:
        self.node = node
        self.port = 0
        self.addresses: list[str] | None = None
        self.opened = 0
        self.closed = 0
        self._servers: list[asyncio.Server] = []
        self._open: set[AdminConnection] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when a port cannot be had."""
        config = self.node.config.network.admin
        if config.port:
            self.addresses = listening_addresses(config.address)
            server = await listen(self._connection, self.addresses, config.port)
            self._servers.append(server)
            self.port = config.port
            log.info("tools are served on port %d of %s", self.port, self.addresses or "all")
        certificates = self.node.tls.of_port(config, "admin")
        if certificates is not None:
            server = await listen(
                self._connection,
                listening_addresses(config.tls_address or config.address),
                config.tls_port,
                certificates,
            )
            self._servers.append(server)
            log.info("tools that speak TLS are served on port %d", config.tls_port)

    def _connection(self, certificate_user: str) -> AdminConnection:
        return AdminConnection(self, certificate_user)

    async def stop(self) -> None:
        """Close the port and its connections."""
        for server in self._servers:
            server.close()
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

    def __init__(self, port: AdminPort, certificate_user: str) -> None:
        """`certificate_user` is whom the tool's certificate names, where it has shown one."""
        self._port = port
        self._frames = FrameReader(MAX_REQUEST)
        self._transport: asyncio.Transport
        self._writable = True
        self._answering: asyncio.Task[None] | None = None
        self.peer = self.local_host = "?"
        self.address = ""
        self.certificate_user = certificate_user
        self.user_agent: str | None = None
        security = port.node.security
        self._session = None if security is None else Session(security, self)
        self.rights = UNRESTRICTED if self._session is None else self._session.rights
        self._deadline: asyncio.TimerHandle | None = None

    def enter(self, rights: Rights) -> None:
        """From now on this may be done on the connection."""
        self.rights = rights

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A tool has connected; one too many is turned away."""
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.peer = f"{peer[0]}:{peer[1]}" if peer else "?"
        self.address = peer[0] if peer else ""
        self.local_host = local[0] if local else "?"
        if not self._port.admit(self):
            self._transport.abort()
        elif self._session is not None:
            within_s = LOGIN_WITHIN_NS / 1e9
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(within_s, self._close_stranger)

    def _close_stranger(self) -> None:
        if not self.rights.authenticated:
            log.info("%s closed: nobody has logged in", self.peer)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The tool is gone."""
        if self._deadline is not None:
            self._deadline.cancel()
        if self._answering is not None:
            self._answering.cancel()
        if self._session is not None:
            self._session.end()
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
            while self._writable and not self._answering and not self._transport.is_closing():
                request = self._frames.next_frame()
                if request is None:
                    return
                reply = self._reply(request)
                if isinstance(reply, bytes):
                    self._transport.write(reply)
                else:
                    self._transport.pause_reading()
                    self._answering = asyncio.get_running_loop().create_task(self._later(reply))
        except FrameError as error:
            log.info("%s: %s: closed", self.peer, error)
            self.close()

    async def _later(self, reply: Coroutine[Any, Any, bytes]) -> None:
        """Send what is slow to come, and go on."""
        self._transport.write(await reply)
        self._answering = None
        if self._writable:
            self._transport.resume_reading()
        self._answer()

    def _reply(self, request: Frame) -> Answer:
        """The answer to a frame. Raises FrameError for a kind that is not served here."""
        if request.type == MessageType.INFO:
            said = respond_when_done(self._port.node, self, request.body)
            return frame(MessageType.INFO, said) if isinstance(said, bytes) else _info(said)
        if request.type == MessageType.ADMIN:
            if self._session is not None:
                return self._session.answer(request.body)
            return without_security(community=self._port.node.community)
        raise FrameError(f"message type {request.type} on the admin port")


async def _info(said: Coroutine[Any, Any, bytes]) -> bytes:
    """The frame of an answer that waits for other nodes."""
    return frame(MessageType.INFO, await said)
