"""A node that misbehaves to order: it answers info commands well, and requests as it is told."""

from __future__ import annotations

import base64
import socketserver
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aerospike_common.wire import (
    AdminCommand,
    AdminField,
    AdminMessage,
    MessageType,
    ResultCode,
    encode_admin,
    encode_info_reply,
    encode_reply,
    parse_admin,
    parse_info_request,
    reply_frame,
)
from aerospike_common.wire.frame import HEADER_SIZE, frame

_FIRST = (AdminCommand.LOGIN, AdminCommand.AUTHENTICATE)
FULL = base64.b64encode(b"\xff" * 512).decode()


class Stub:
    """Listens on a port of its own. `script`: what becomes of each request that comes.

    "ok", "not found": an answer; "code N": a result code; "close": the connection is closed;
    "half": the first half of an answer, then closed; "silent": nothing; "late": an answer after
    0.3 s; "garbage": bytes that are no frame; "mangled": a frame that is no message; "gate": an
    answer when all that `gate` waits for are there. When the script is empty: "ok".
    """

    def __init__(
        self, *script: str, name: str = "STUB1", users: dict[str, bytes] | None = None
    ) -> None:
        """`users`: name -> password as it travels; then who has not shown a token hears nothing."""
        self.name = name
        self.script = list(script)
        #: The nodes it names, and how often that has changed.
        self.peers: list[Stub] = []
        self.generation = 1
        #: Bitmaps of its partitions as master, first copy, ... in base64.
        self.columns = [FULL]
        self.rack = 0
        self.users = users
        self.logins = 0
        #: Tokens that are good; empty it, and new connections are not let in by the old ones.
        self.tokens: set[bytes] = set()
        #: How often all sessions have ended.
        self.ends = 0
        #: What is answered to admin commands, one list of encoded messages for each.
        self.admin_answers: list[bytes] = []
        self.admin_requests: list[AdminMessage] = []
        self.requests: list[bytes] = []
        self.gate = threading.Barrier(1)
        self.connections = 0
        stub = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                stub.connections += 1
                stub._serve(self.request.makefile("rb"), self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Listen no more; more than once does no harm."""
        self._server.shutdown()
        self._server.server_close()

    def end_sessions(self) -> None:
        """Know nobody any more, on connections that are open neither."""
        self.tokens.clear()
        self.ends += 1

    def _serve(self, stream: object, sock: object) -> None:
        read, send = stream.read, sock.sendall  # type: ignore[attr-defined]  # socketserver types it as object
        let_in = 0 if self.users is None else -1  # when: as `ends` says
        try:
            while len(head := read(HEADER_SIZE)) == HEADER_SIZE:
                body = read(int.from_bytes(head[2:], "big"))
                if head[1] == MessageType.ADMIN and let_in != self.ends and body[2] not in _FIRST:
                    send(frame(MessageType.ADMIN, encode_admin(result_code=80)))
                elif head[1] == MessageType.ADMIN:
                    let_in = self.ends if self._admin(send, parse_admin(body)[0]) else let_in
                elif let_in != self.ends and head[1] == MessageType.INFO:
                    send(frame(MessageType.INFO, b"ERROR:80:not authenticated\n"))
                elif let_in != self.ends:
                    send(reply_frame(80))
                elif head[1] == MessageType.INFO:
                    send(frame(MessageType.INFO, self._info(body)))
                elif not self._answer(send, head + body):
                    return
        except OSError:
            return

    def _admin(self, send: Callable[[bytes], None], message: AdminMessage) -> bool:
        """Answer an admin command; whether the connection is let in by it."""
        fields, code = message.fields, ResultCode.OK
        answer: dict[int, bytes] = {}
        if message.command == AdminCommand.LOGIN:
            self.logins += 1
            user = fields[AdminField.USER].decode()
            if (self.users or {}).get(user) == fields[AdminField.CREDENTIAL]:
                token = b"token %d" % self.logins
                self.tokens.add(token)
                ttl = (3600).to_bytes(4, "big")
                answer = {AdminField.SESSION_TOKEN: token, AdminField.SESSION_TTL: ttl}
            else:
                code = ResultCode.CREDENTIAL_INVALID
        elif message.command == AdminCommand.AUTHENTICATE:
            if fields[AdminField.SESSION_TOKEN] not in self.tokens:
                code = ResultCode.SESSION_EXPIRED
        else:
            self.admin_requests.append(message)
            if self.admin_answers:
                send(frame(MessageType.ADMIN, self.admin_answers.pop(0)))
                return False
        send(frame(MessageType.ADMIN, encode_admin(0, answer, code)))
        return message.command == AdminCommand.AUTHENTICATE and code == ResultCode.OK

    def _info(self, body: bytes) -> bytes:
        values = {
            "node": self.name,
            "build": "8.1.2.0",
            "partition-generation": str(self.generation),
            "peers-generation": str(self.generation),
            "peers-clear-std": f"{self.generation},3000,[{','.join(map(_peer, self.peers))}]",
            "replicas": f"test:0,{len(self.columns)},{','.join(self.columns)}",
            "rebalance-generation": str(self.generation),
            "rack-ids": f"test:{self.rack}",
        }
        commands = [command.text for command in parse_info_request(body)]
        return encode_info_reply([(text, values.get(text, "ok")) for text in commands])

    def _answer(self, send: object, request: bytes) -> bool:
        """Do as the script says; whether the connection goes on."""
        self.requests.append(request)
        what = self.script.pop(0) if self.script else "ok"
        reply = reply_frame(0, 1)
        if request[9] & 0x08:  # a batch
            body = b"".join(encode_reply(0, 1, row=row) for row in row_numbers(request))
            reply = frame(MessageType.AS_MSG, body + encode_reply(0, info3=1))
        elif request[11] & 0x04 and not what.startswith("code "):  # a query
            reply = frame(MessageType.AS_MSG, encode_reply(0, info3=1))
        elif what == "not found":
            reply = reply_frame(2)
        elif what.startswith("code "):
            reply = reply_frame(int(what[5:]))
        if what == "close":
            return False
        if what == "silent":
            return True
        if what == "gate":
            self.gate.wait(60)
        if what == "late":
            time.sleep(0.3)
        if what == "mangled":
            reply = frame(MessageType.AS_MSG, b"\x16" * 10)
        if what == "garbage":
            reply = b"HTTP/1.1 200 OK\r\n\r\n" * 4
        send(reply[: len(reply) // 2] if what == "half" else reply)  # type: ignore[operator]  # a bound sendall
        return what != "half"


def _peer(stub: Stub) -> str:
    host, port = stub.address
    return f"[{stub.name},,[{host}:{port}]]"


def row_numbers(request: bytes) -> list[int]:
    """The numbers of a batch's rows; all but the first are as the one before, or are alone."""
    count = int.from_bytes(request[35:39], "big")
    first = int.from_bytes(request[40:44], "big")
    repeats = [
        request[at : at + 25] for at in range(len(request) - 25 * (count - 1), len(request), 25)
    ]
    return [first, *(int.from_bytes(row[:4], "big") for row in repeats)]


def cluster(*names: str) -> list[Stub]:
    """Nodes that name each other; node i of n is the master of partitions pid % n == i, and the
    one after it has the copy."""
    stubs = [Stub(name=name) for name in names]
    balance(stubs)
    return stubs


def balance(stubs: list[Stub]) -> None:
    """Divide the partitions anew among these nodes, and let them name each other alone."""
    for place, stub in enumerate(stubs):
        stub.peers = [other for other in stubs if other is not stub]
        stub.columns = [every(len(stubs), (place - k) % len(stubs)) for k in range(2)]
        stub.generation += 1


def every(step: int, rest: int) -> str:
    """The bitmap, in base64, of the partitions whose id divided by `step` leaves `rest`."""
    bits = bytearray(512)
    for pid in range(rest, 4096, step):
        bits[pid >> 3] |= 0x80 >> (pid & 7)
    return base64.b64encode(bits).decode()
