"""A server with an HTTP port, what it answers there, and a browser that shows it."""

from __future__ import annotations

import errno
import http.client
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
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
from asd.membership.state import Addresses, Joining, PeerRow, Progress, Standing
from cluster import PARTITIONS, Lag, PartitionMap, Role, Sketch

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--timeout=15000",
    "--virtual-time-budget=4500",  # two refreshes, without waiting for them
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


class FakeCluster(Joining):
    """What a node shows that is the second of several: of each node in turn it says that this one
    is the master, it has a copy itself of every second partition, and every tenth is moving."""

    integrity = True
    key = "C0FFEE"
    proxied = 2
    skew_ms = 19

    def __init__(self, node_id: str, others: Sequence[str], address: str = "10.0.0.1:3000") -> None:
        super().__init__(0)
        self.nodes = (others[0], node_id, *others[1:])
        self.principal = others[0]
        self.peers = tuple(PeerRow(each, Addresses((address,))) for each in others)
        self.standings = {
            each: Standing(0, 0 if each == node_id else 12 - 19 * place)
            for place, each in enumerate(self.nodes)
        }

    def racks(self, namespace: str) -> dict[str, int]:
        return {each: place % 2 + 1 for place, each in enumerate(self.nodes)}

    def lag(self, namespace: str) -> dict[str, Lag]:
        return {self.nodes[0]: Lag(5, 500)}

    def partition_map(self, namespace: str) -> PartitionMap:
        return PartitionMap(2, (bytes(512),) * 2)

    def progress(self, namespace: str) -> Progress:
        return Progress(to_come=4, coming=1, planned_to_come=9, records_come=70)

    def sketch(self, namespace: str) -> Sketch:
        masters = [self.nodes[each % len(self.nodes)] for each in range(PARTITIONS)]
        roles = [
            Role.MASTER if master == self.nodes[1] else Role.REPLICA if each % 2 else Role.NONE
            for each, master in enumerate(masters)
        ]
        moving = frozenset(range(0, PARTITIONS, 10))
        return Sketch(tuple(int(each, 16) for each in masters), bytes(roles), moving)


@pytest.fixture
def fake_cluster() -> type[FakeCluster]:
    """`FakeCluster`."""
    return FakeCluster


class Browser:
    """A browser without a window that shows the page on a port. Each look is a fresh start."""

    def __init__(self, program: str, profile: Path) -> None:
        self._start = (program, *FLAGS, f"--user-data-dir={profile}")

    def _look(self, port: int, *flags: str) -> str:
        command = [*self._start, *flags, f"http://127.0.0.1:{port}/"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    def dom(self, port: int) -> str:
        """What the page has become after two refreshes, as HTML."""
        return self._look(port, "--dump-dom")

    def picture(self, port: int, file: Path, *, width: int = 1240, dark: bool = False) -> None:
        """A PNG of its top."""
        flags = ["--blink-settings=preferredColorScheme=0"] if dark else []
        self._look(port, f"--screenshot={file}", f"--window-size={width},1500", *flags)

    def counts(self, dom: str) -> list[list[int]]:
        """The figures of each list under a picture of partitions."""
        lists = re.findall(r'<ul class="census">(.*?)</ul>', dom)
        figures = [re.findall(r"<b>([\d,]+)</b>", each) for each in lists]
        return [[int(text.replace(",", "")) for text in each] for each in figures]


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    """A browser, where there is one."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here to show the page")
    return Browser(CHROMIUM, tmp_path / "profile")
