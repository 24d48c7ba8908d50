"""A node that misbehaves to order: it answers info commands well, and requests as it is told."""

from __future__ import annotations

import base64
import socketserver
import threading
import time
from types import TracebackType
from typing import Self

from aerospike_common.wire import (
    MessageType,
    encode_info_reply,
    encode_reply,
    parse_info_request,
    reply_frame,
)
from aerospike_common.wire.frame import HEADER_SIZE, frame

FULL = base64.b64encode(b"\xff" * 512).decode()


class Stub:
    """Listens on a port of its own. `script`: what becomes of each request that comes.

    "ok", "not found": an answer; "code N": a result code; "close": the connection is closed;
    "half": the first half of an answer, then closed; "silent": nothing; "late": an answer after
    0.3 s; "garbage": bytes that are no frame. When the script is empty: "ok".
    """

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
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

    def _serve(self, stream: object, sock: object) -> None:
        read, send = stream.read, sock.sendall  # type: ignore[attr-defined]  # socketserver types it as object
        try:
            while len(head := read(HEADER_SIZE)) == HEADER_SIZE:
                body = read(int.from_bytes(head[2:], "big"))
                if head[1] == MessageType.INFO:
                    send(frame(MessageType.INFO, self._info(body)))
                elif not self._answer(send, head + body):
                    return
        except OSError:
            return

    def _info(self, body: bytes) -> bytes:
        values = {
            "node": "STUB1",
            "build": "8.1.2.0",
            "partition-generation": "1",
            "peers-generation": "1",
            "peers-clear-std": "1,3000,[]",
            "replicas": f"test:0,1,{FULL}",
        }
        commands = [command.text for command in parse_info_request(body)]
        return encode_info_reply([(text, values.get(text, "ok")) for text in commands])

    def _answer(self, send: object, request: bytes) -> bool:
        """Do as the script says; whether the connection goes on."""
        self.requests.append(request)
        what = self.script.pop(0) if self.script else "ok"
        reply = reply_frame(0, 1)
        if request[9] & 0x08:  # a batch
            rows = int.from_bytes(request[35:39], "big")
            body = b"".join(encode_reply(0, 1, row=row) for row in range(rows))
            reply = frame(MessageType.AS_MSG, body + encode_reply(0, info3=1))
        elif what == "not found":
            reply = reply_frame(2)
        elif what.startswith("code "):
            reply = reply_frame(int(what[5:]))
        if what == "close":
            return False
        if what == "silent":
            return True
        if what == "late":
            time.sleep(0.3)
        if what == "garbage":
            reply = b"HTTP/1.1 200 OK\r\n\r\n" * 4
        send(reply[: len(reply) // 2] if what == "half" else reply)  # type: ignore[operator]  # a bound sendall
        return what != "half"
