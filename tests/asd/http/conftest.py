"""A server with an HTTP port, and what it answers there."""

from __future__ import annotations

import errno
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from asd import Server
from asd.config import (
    Config,
    Edition,
    HttpConfig,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class HttpServer:
    """A running server; `get` asks its HTTP port, `put` stores a record behind its back."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port

    @property
    def node(self) -> Any:
        """The node in the server; to be touched only by `on_loop`."""
        return self.server._host.node

    def on_loop(self, function: Any) -> Any:
        """Call something on the node's thread."""
        return self.server._host.run(function)

    def get(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """(status, content type, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.headers["Content-Type"], response.read().decode()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        """The object under a path."""
        status, kind, body = self.get(path)
        assert (status, kind) == (200, "application/json")
        return json.loads(body)

    def put(self, number: int, set_name: bytes = b"s", namespace: bytes = b"test") -> None:
        """Store a record."""
        digest = number.to_bytes(20, "little")
        space = self.node.namespaces[namespace]
        self.on_loop(lambda: space.store(digest, 1, 0, set_name, False, b"\0\0"))


def make_config(port: int) -> Config:
    """A community server with the namespaces test and bar, HTTP on `port`."""
    network = NetworkConfig(
        service=NetworkServiceConfig(address=("127.0.0.1",), port=0), http=HttpConfig(port=port)
    )
    namespaces = {
        name: NamespaceConfig(name, nsup_period=120, replication_factor=1)
        for name in ("test", "bar")
    }
    return Config(network=network, namespaces=namespaces, edition=Edition.COMMUNITY)


def started() -> tuple[Server, int]:
    """A running server and its HTTP port: another one when somebody was quicker to take it."""
    for _ in range(9):
        port = free_port()
        try:
            return Server(in_thread=True, config=make_config(port)).start(), port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise AssertionError("no port is free")


@pytest.fixture
def config_of() -> Any:
    """`make_config`."""
    return make_config


@pytest.fixture
def web() -> Iterator[HttpServer]:
    """A server of `make_config`."""
    server, port = started()
    try:
        yield HttpServer(server, port)
    finally:
        server.stop()
