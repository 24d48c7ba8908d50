"""The control port: a listener on the loopback interface or on a socket in the file system, and its
connections. Requests of a connection are answered in order, each as it comes."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, cast

from aerospike_common.wire.errors import OperationError
from asd.control.commands import COMMANDS, BadRequest, Control, no_command
from asd.control.place import Place, listen
from asd.control.requests import Request, json_response, parse_body, parse_head, refusal
from asd.http.messages import END_OF_HEAD, MAX_HEAD, HttpError, Response, encode

log = logging.getLogger("asd.control")

MAX_CONNECTIONS: Final = 64
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class ControlPort:
    """Where a node is controlled from outside its process."""

    def __init__(self, control: Control, place: Place) -> None:
        self._control = control
        self._place = place
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    @property
    def name(self) -> str:
        """Where it listens, as people write it: HOST:PORT, or a path."""
        return str(self._place)

    async def start(self) -> None:
        """Listen. Raises OSError when the place cannot be had."""
        self._server, self._place = await listen(lambda: _Connection(self), self._place)
        log.info("controlled at %s", self._place)

    async def stop(self) -> None:
        """Close the listener and its connections, when what was answered has been sent."""
        if self._server is not None:
            self._server.close()
            self._place.remove()
        for connection in list(self._open):
            connection.close()

    def admit(self, connection: _Connection) -> bool:
        """Take a connection in; False when there are too many."""
        if len(self._open) >= MAX_CONNECTIONS:
            return False
        self._open.add(connection)
        return True

    def discard(self, connection: _Connection) -> None:
        """A connection has closed."""
        self._open.discard(connection)

    async def answer(self, request: Request, body: bytes) -> Response:
        """Carry out what a request asks for."""
        name = request.path.removeprefix("/")
        command = COMMANDS.get(name)
        if command is None:
            return refusal(no_command(name), HTTPStatus.NOT_FOUND)
        if request.method != "POST" and not (command.reads and request.method == "GET"):
            return refusal(f"/{name} takes POST")
        try:
            return json_response(await self._control.call(name, parse_body(body)))
        except OperationError as error:
            return json_response({"error": str(error), "code": int(error.code)}, _REFUSED)
        except (BadRequest, ValueError) as error:
            return refusal(str(error))
        except Exception:  # our own bug: it costs one command, not the server
            log.exception("/%s failed", name)
            return refusal("it failed inside the server", HTTPStatus.INTERNAL_SERVER_ERROR)


_REFUSED: Final = HTTPStatus.CONFLICT
"""The server itself refuses what the command would do."""

_WHY: Final = MappingProxyType(
    {
        HTTPStatus.FORBIDDEN: "ask for the host localhost, and from no web page",
        HTTPStatus.LENGTH_REQUIRED: "send the body with a Content-Length",
        HTTPStatus.SERVICE_UNAVAILABLE: f"{MAX_CONNECTIONS} connections are open already",
    }
)
"""What would be right, where the name of the status does not tell."""


class _Connection(asyncio.Protocol):
    """One connection of whoever controls the node."""

    def __init__(self, port: ControlPort) -> None:
        self._port = port
        self._received = bytearray()
        self._request: Request | None = None
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if not self._port.admit(self):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._go_on()

    def _go_on(self) -> None:
        """Take up what has come, unless a request is being answered."""
        try:
            while self._answering is None and not self._transport.is_closing() and self._take():
                pass
        except HttpError as error:
            self._refuse(error.status)

    def _take(self) -> bool:
        """Go one step on with what has come; False when there is too little for one."""
        request = self._request
        if request is None:
            return self._take_head()
        if len(self._received) < request.size:
            return False
        body = bytes(self._received[: request.size])
        del self._received[: request.size]
        self._request = None
        self._answering = asyncio.get_running_loop().create_task(self._answer(request, body))
        return True

    async def _answer(self, request: Request, body: bytes) -> None:
        """Answer, also if the client has gone meanwhile: what is begun is carried out."""
        response = await self._port.answer(request, body)
        self._answering = None
        if not self._transport.is_closing():
            self._respond(response, keep_alive=request.keep_alive)
            self._go_on()

    def _take_head(self) -> bool:
        """Raises HttpError."""
        end = self._received.find(END_OF_HEAD)
        if end > MAX_HEAD or (end < 0 and len(self._received) > MAX_HEAD):
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if end < 0:
            return False
        self._request = parse_head(bytes(self._received[:end]))
        del self._received[: end + len(END_OF_HEAD)]
        if self._request.waits:
            self._transport.write(_GO_ON)
        return True

    def _respond(self, response: Response, *, keep_alive: bool) -> None:
        self._transport.write(encode(response, keep_alive=keep_alive))
        if not keep_alive:
            self.close()

    def _refuse(self, status: HTTPStatus) -> None:
        message = _WHY.get(status, status.phrase)
        self._respond(refusal(message, status), keep_alive=False)

    def close(self) -> None:
        """Close after what was answered has been sent."""
        self._received.clear()
        self._transport.close()
