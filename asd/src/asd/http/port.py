"""The port: connections, and which path is answered with what."""

from __future__ import annotations

import asyncio
import json
import logging
import pkgutil
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from asd.http.history import History
from asd.http.messages import (
    END_OF_HEAD,
    MAX_HEAD,
    HttpError,
    Request,
    Response,
    encode,
    error_response,
    parse_head,
)
from asd.http.metrics import CONTENT_TYPE, exposition
from asd.http.status import configuration, status
from asd.http.visitors import HttpNode, Visitors
from asd.service.listening import listen, listening_addresses

if TYPE_CHECKING:
    from asd.tls.certificates import Certificates

log = logging.getLogger("asd.http")

MAX_CONNECTIONS: Final = 64
IDLE_S: Final = 30.0
"""How long a connection may stay without a whole request."""

MAX_UNSENT: Final = 4 << 20
"""Bytes of answers that a client may leave unread before it is cut off."""

SAMPLE_PERIOD_S: Final = 1.0

_FILES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "/": ("page.html", "text/html; charset=utf-8"),
        "/page.css": ("page.css", "text/css; charset=utf-8"),
        "/cluster.js": ("cluster.js", "text/javascript; charset=utf-8"),
        "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    }
)


class HttpPort:
    """The HTTP port of one node, in the clear, by TLS, or both. Without a port in the configuration
    it does nothing."""

    def __init__(self, node: HttpNode) -> None:
        self._node = node
        self.visitors = Visitors(node)
        self._history = History()
        self._servers: list[asyncio.Server] = []
        self._sampling: asyncio.Task[None] | None = None
        self._open: set[_Connection] = set()
        self._routes: dict[str, Callable[[], Response]] = {}

    async def start(self) -> None:
        """Listen. Raises OSError when a port cannot be had."""
        config = self._node.config.network.http
        certificates = self._node.tls.of_port(config, "http")
        if not config.port and certificates is None:
            return
        self._routes = {path: partial(_file, *file) for path, file in _FILES.items()}
        self._routes["/status.json"] = lambda: _json(status(self._node, self._history))
        self._routes["/configuration.json"] = lambda: _json(configuration(self._node))
        self._routes["/metrics"] = self._metrics
        if config.port:
            await self._listen(config.address, config.port)
        if certificates is not None:
            await self._listen(config.tls_address or config.address, config.tls_port, certificates)
        self._sampling = asyncio.get_running_loop().create_task(self._sample())

    async def _listen(
        self, addresses: tuple[str, ...], port: int, certificates: Certificates | None = None
    ) -> None:
        hosts = listening_addresses(addresses)
        server = await listen(lambda _: _Connection(self), hosts, port, certificates)
        self._servers.append(server)
        scheme = "http" if certificates is None else "https"
        log.info("page and metrics on %s://%s:%d/", scheme, hosts[0] if hosts else "*", port)

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)
        for server in self._servers:
            server.close()
        for connection in list(self._open):
            connection.close()

    async def _sample(self) -> None:
        while True:
            self._history.sample(self._node)
            await asyncio.sleep(SAMPLE_PERIOD_S)

    # ----------------------------------------------------------------- connections

    def admit(self, connection: _Connection) -> bool:
        """Take a connection in; False when there are too many."""
        if len(self._open) >= MAX_CONNECTIONS:
            return False
        self._open.add(connection)
        return True

    def discard(self, connection: _Connection) -> None:
        """A connection has closed."""
        self._open.discard(connection)

    # --------------------------------------------------------------------- answers

    def answer(self, path: str) -> Response:
        """What is found under a path."""
        route = self._routes.get(path)
        if route is None:
            return error_response(HTTPStatus.NOT_FOUND)
        try:
            return route()
        except Exception:  # our own bug: it costs one page, not the node
            log.exception("%s cannot be shown", path)
            return error_response(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _metrics(self) -> Response:
        return Response(exposition(self._node).encode(), CONTENT_TYPE)


def _json(value: object) -> Response:
    return Response(json.dumps(value, separators=(",", ":")).encode(), "application/json")


def _file(name: str, content_type: str) -> Response:
    data = pkgutil.get_data(__package__, name)
    assert data is not None, f"{name} belongs to the package"
    return Response(data, content_type)


class _Connection(asyncio.Protocol):
    """One connection of a browser or a scraper. Requests are answered in order."""

    def __init__(self, port: HttpPort) -> None:
        self._port = port
        self._received = bytearray()
        self._transport: asyncio.Transport
        self._deadline: asyncio.TimerHandle | None = None
        self._admitting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if not self._port.admit(self):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._admitting is not None:
            self._admitting.cancel()
        self._port.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._take()

    def _take(self) -> None:
        """Answer the whole requests, in order, unless one waits to be let in."""
        while self._admitting is None and not self._transport.is_closing():
            if (end := self._received.find(END_OF_HEAD)) < 0:
                break
            head = bytes(self._received[:end])
            del self._received[: end + len(END_OF_HEAD)]
            self._answer(head)
        if len(self._received) > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _answer(self, head: bytes) -> None:
        try:
            if len(head) > MAX_HEAD:
                raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            request = parse_head(head)
        except HttpError as error:
            self._refuse(error.status)
            return
        if self._port.visitors.knows(request.authorization):
            self._respond(request, self._port.answer(request.path))
        else:
            loop = asyncio.get_running_loop()
            self._admitting = loop.create_task(self._admit(request))

    async def _admit(self, request: Request) -> None:
        """Answer when it is known whether the visitor may see it."""
        peer = self._transport.get_extra_info("peername")
        name = f"{peer[0]}:{peer[1]}" if peer else "?"
        admitted = await self._port.visitors.admit(
            request.authorization, name, peer[0] if peer else ""
        )
        self._admitting = None
        if admitted:
            self._respond(request, self._port.answer(request.path))
        else:
            self._respond(request, error_response(HTTPStatus.UNAUTHORIZED))
        self._take()

    def _respond(self, request: Request, response: Response) -> None:
        head_only = request.method == "HEAD"
        self._transport.write(encode(response, keep_alive=request.keep_alive, head_only=head_only))
        if not request.keep_alive or self._transport.get_write_buffer_size() > MAX_UNSENT:
            self.close()
        else:
            self._wait()

    def _refuse(self, status: HTTPStatus) -> None:
        self._transport.write(encode(error_response(status), keep_alive=False))
        self.close()

    def _wait(self) -> None:
        """From now on the next request must come in time."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(IDLE_S, self._transport.abort)

    def close(self) -> None:
        """Close after what was answered has been sent; what is not read in time is dropped."""
        self._received.clear()
        self._transport.close()
