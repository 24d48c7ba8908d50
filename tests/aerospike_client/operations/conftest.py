"""The official client behind a tap: what it sends for an operation."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import aerospike
import pytest

from aerospike_common.wire import MessageType, Op, parse_message
from asd import Server

FRAME_HEADER = 8


class Tap:
    """A proxy before a server, which keeps the messages that clients send."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self.messages: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for source, sink, keep in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, keep), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, keep: bool) -> None:
        pending = b""
        # Either side may close while the other one still talks.
        with source, sink, contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if keep:
                    pending = self._keep(pending + data)
                sink.sendall(data)

    def _keep(self, pending: bytes) -> bytes:
        while len(pending) >= FRAME_HEADER:
            end = FRAME_HEADER + int.from_bytes(pending[2:FRAME_HEADER])
            if len(pending) < end:
                break
            if pending[1] == MessageType.AS_MSG:
                self.messages.append(pending[FRAME_HEADER:end])
            pending = pending[end:]
        return pending


@pytest.fixture(scope="session")
def official_op(aerospike_session_server: Server) -> Iterator[Callable[[Any], Op]]:
    """What the official client sends for one of its operations."""
    tap = Tap(aerospike_session_server.address)
    client = aerospike.client({"hosts": [tap.address]})

    def send(operation: Any) -> Op:
        tap.messages.clear()
        try:
            client.operate(("test", "demo", "key"), [operation])
        except aerospike.exception.AerospikeError:
            assert tap.messages, f"the client did not send {operation}"  # the server refused it
        (op,) = parse_message(tap.messages[-1]).ops
        return op

    yield send
    client.close()
    tap.close()
