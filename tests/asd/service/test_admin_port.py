"""The port for tools, as a tool sees it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aerospike_common.wire.codes import MessageType, ResultCode
from aerospike_common.wire.frame import Frame, FrameReader, frame
from asd import Server
from asd.config import AdminConfig, Config, NamespaceConfig, NetworkConfig, NetworkServiceConfig
from asd.process.node_processes import free_ports
from asd.service import admin_port


class Tool:
    """A blocking connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._frames = FrameReader()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> Frame | None:
        """The next frame; None when the server has closed."""
        while (found := self._frames.next_frame()) is None:
            try:
                data = self._socket.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._frames.feed(data)
        return found

    def info(self, command: str) -> str:
        """The value of a command."""
        self.send(frame(MessageType.INFO, f"{command}\n".encode()))
        reply = self.receive()
        assert reply is not None
        assert reply.type == MessageType.INFO
        return reply.body.decode().partition("\t")[2].rstrip("\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Service port and admin port of a running server."""
    local, (port,) = ("127.0.0.1",), free_ports(1)
    network = NetworkConfig(
        service=NetworkServiceConfig(address=local, port=0),
        admin=AdminConfig(address=local, port=port),
    )
    config = Config(network=network, namespaces={"test": NamespaceConfig("test")})
    with Server(in_thread=True, config=config) as server:
        yield server.address[1], port


@contextmanager
def tool(port: int) -> Iterator[Tool]:
    connection = Tool(port)
    try:
        yield connection
    finally:
        connection.close()


def test_admin_clear_std_gives_the_admin_address(ports: tuple[int, int]) -> None:
    service, admin = ports
    for port in ports:
        with tool(port) as connection:
            assert connection.info("admin-clear-std") == f"127.0.0.1:{admin}"
            assert connection.info("service-clear-std") == f"127.0.0.1:{service}"


def test_a_connection_knows_by_which_port_it_came(ports: tuple[int, int]) -> None:
    service, admin = ports
    with tool(service) as one, tool(admin) as other:
        assert one.info("connection") == "admin=false"
        assert other.info("connection") == "admin=true"
        statistics = dict(row.split("=") for row in one.info("statistics").split(";"))
    assert statistics["admin_connections"] == statistics["admin_connections_opened"] == "1"
    assert statistics["client_connections"] == "1"


def test_frames_are_answered_in_order_however_they_arrive(ports: tuple[int, int]) -> None:
    requests = b"".join(
        frame(MessageType.INFO, text) for text in (b"build\n", b"node\n", b"status\n")
    )
    with tool(ports[1]) as connection:
        for cut in (1, 9, len(requests) - 1):
            connection.send(requests[:cut])
            connection.send(requests[cut:])
            replies = [connection.receive() for _ in range(3)]
            assert [reply and reply.body.split(b"\t")[0] for reply in replies] == [
                b"build",
                b"node",
                b"status",
            ]


def test_a_change_of_metadata_is_answered_when_every_node_has_it(
    ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def when_done() -> bytes:
        await asyncio.sleep(0.01)
        return b"truncate-namespace:namespace=test\tok\n"

    def answer(node: object, connection: object, body: bytes) -> Any:
        return when_done() if body.startswith(b"truncate") else b"build\t8.1.2.0\n"

    monkeypatch.setattr(admin_port, "respond_when_done", answer)
    with tool(ports[1]) as connected:
        both = (b"truncate-namespace:namespace=test\n", b"build\n")
        connected.send(b"".join(frame(MessageType.INFO, each) for each in both))
        replies = [connected.receive() for _ in both]
    assert [reply.body.partition(b"\t")[2] for reply in replies if reply] == [
        b"ok\n",
        b"8.1.2.0\n",
    ]


def test_admin_frames_are_answered_that_there_is_no_security(ports: tuple[int, int]) -> None:
    with tool(ports[1]) as connection:
        for version in (0, 2):
            connection.send(bytes((version, 2)) + (16).to_bytes(6, "big") + bytes(16))
            reply = connection.receive()
            assert reply is not None
            assert (reply.type, len(reply.body)) == (MessageType.ADMIN, 16)
            assert reply.body[1] == ResultCode.SECURITY_NOT_ENABLED


@pytest.mark.parametrize(
    "request_frame",
    [
        frame(MessageType.AS_MSG, bytes(22)),
        frame(MessageType.AS_MSG_COMPRESSED, bytes(22)),
        b"\x03\x01" + bytes(6),
        b"\x02\x01" + (admin_port.MAX_REQUEST + 1).to_bytes(6, "big"),
    ],
)
def test_other_frames_end_the_connection(ports: tuple[int, int], request_frame: bytes) -> None:
    with tool(ports[1]) as connection:
        connection.send(request_frame)
        assert connection.receive() is None
    with tool(ports[1]) as connection:
        assert connection.info("status") == "ok"


def test_one_tool_too_many_is_turned_away(
    ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_port, "MAX_CONNECTIONS", 1)
    with tool(ports[1]) as connection:
        assert connection.info("status") == "ok"
        with tool(ports[1]) as other:
            assert other.receive() is None
        assert connection.info("status") == "ok"
