"""Connections between nodes by TLS, as the cluster's runtime wants them.

A connection is handed on when both certificates have been looked at, not before: so no stranger's
byte is read, and none is sent to a stranger. Whoever is refused is told of in the log, and nodes
that go on trying are told of now and then (`Certificates.complain`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

from asd.config.kinds import host_port
from asd.tls.certificates import NodeCertificates
from asd.tls.door import HANDSHAKE_WITHIN_S, Door, peer_of
from cluster import Carrier, Endpoint

Make = Callable[[], asyncio.BaseProtocol]


class TlsCarrier(Carrier):
    """Makes the connections of one plane."""

    def __init__(self, certificates: NodeCertificates) -> None:
        self._certificates = certificates

    async def listen(
        self, loop: asyncio.AbstractEventLoop, make: Make, host: str | None, port: int
    ) -> asyncio.AbstractServer:
        """Await other nodes. Raises OSError."""
        return await loop.create_server(
            lambda: Door(self._certificates, lambda _: make()), host, port
        )

    async def dial(self, loop: asyncio.AbstractEventLoop, make: Make, endpoint: Endpoint) -> None:
        """Call a node. Raises OSError where it is not there, or is refused in the handshake."""
        try:
            _, guarded = await loop.create_connection(
                lambda: _Guarded(make(), self._certificates),
                *endpoint,
                ssl=self._certificates.dialing,
                ssl_handshake_timeout=HANDSHAKE_WITHIN_S,
            )
        except ssl.SSLError as error:
            self._certificates.complain(host_port(*endpoint), error)
            raise
        if not guarded.admitted:
            raise ConnectionRefusedError("the other side's certificate is not a node's")


class _Guarded(asyncio.Protocol):
    """Stands before a protocol until the certificate of the node that was called has been looked
    at."""

    def __init__(self, behind: asyncio.BaseProtocol, certificates: NodeCertificates) -> None:
        self._behind = cast(asyncio.Protocol, behind)
        self._certificates = certificates
        self.admitted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over."""
        # uvloop's transports are not subclasses of asyncio's
        made: Any = transport
        connection = made.get_extra_info("ssl_object")
        self.admitted = self._certificates.let_in(connection, peer_of(transport)) is not None
        if self.admitted:
            made.set_protocol(self._behind)
            self._behind.connection_made(transport)
        else:
            made.abort()
