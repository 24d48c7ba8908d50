"""The port as clients see it: paths, limits, connections that misbehave."""

import socket
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from asd import Server
from asd.http import port as http_port
from asd.thread_host import ThreadHost
from citrusleaf.cf_clock import VirtualClock


def exchange(port: int, data: bytes, *, wait_s: float = 5) -> bytes:
    """Send bytes, read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as client:
        client.sendall(data)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        return received


def test_the_page_and_what_it_needs(web) -> None:
    for path, kind, content in (
        ("/", "text/html; charset=utf-8", "<title>Citrusleaf"),
        ("/page.css", "text/css; charset=utf-8", "prefers-color-scheme: dark"),
        ("/page.js", "text/javascript; charset=utf-8", "status.json"),
        ("/cluster.js", "text/javascript; charset=utf-8", "drawCluster"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "aerospike_node_up"),
    ):
        status, content_type, body = web.get(path)
        assert (status, content_type) == (200, kind)
        assert content in body


def test_the_page_asks_nobody_else(web) -> None:
    for path in ("/", "/page.css", "/page.js", "/cluster.js"):
        body = web.get(path)[2].replace("http://www.w3.org/", "")
        assert "http://" not in body
        assert "https://" not in body


def test_other_paths_and_methods(web) -> None:
    assert web.get("/nosuch")[0] == 404
    assert web.get("/page.html")[0] == 404
    assert web.get("/..%2f..%2fetc/passwd")[0] == 404
    assert web.get("/", "POST")[0] == 405
    assert web.get("/metrics?x=1")[0] == 200
    status, _, body = web.get("/metrics", "HEAD")
    assert (status, body) == (200, "")


def test_requests_on_one_connection(web) -> None:
    request = b"GET /nosuch HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nosuch HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert exchange(web.port, request * 3 + last).count(b"HTTP/1.1 404") == 4


def test_a_request_in_pieces(web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=5) as client:
        for byte in b"GET /nosuch HTTP/1.0\r\n\r\n":
            client.send(bytes([byte]))
        assert client.recv(1000).startswith(b"HTTP/1.1 404 Not Found\r\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000, b"431"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b"431"),
        (b"\x02\x01" + bytes(6) + b"\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405"),
    ],
)
def test_what_is_wrong_is_said_and_the_connection_closed(web, data: bytes, status: bytes) -> None:
    assert exchange(web.port, data).split()[1] == status


def test_too_many_connections_are_refused(web) -> None:
    held = [
        socket.create_connection(("127.0.0.1", web.port)) for _ in range(http_port.MAX_CONNECTIONS)
    ]
    try:
        assert exchange(web.port, b"").split()[1] == b"503"
    finally:
        for client in held:
            client.close()
    deadline = time.monotonic() + 5
    while web.get("/nosuch")[0] == 503 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert web.get("/nosuch")[0] == 404


def test_idle_connections_are_closed(web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_port, "IDLE_S", 0.05)
    started = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", web.port), timeout=5) as client,
        suppress(ConnectionResetError),
    ):
        assert client.recv(1) == b""
    assert time.monotonic() - started < 4


def test_a_bug_costs_one_page(web, caplog: pytest.LogCaptureFixture) -> None:
    web.on_loop(lambda: setattr(web.node, "surveys", {}))
    assert web.get("/metrics")[0] == 500
    assert web.get("/nosuch")[0] == 404
    assert "/metrics cannot be shown" in caplog.text


def test_without_a_port_there_is_none() -> None:
    with Server(in_thread=True) as server:
        assert not server._host.node.http._servers


def test_a_port_that_is_taken_leaves_nothing_behind(config_of: Any) -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = ThreadHost(config_of(taken.getsockname()[1]), VirtualClock.running(), None)
        with pytest.raises(OSError, match="in use"):
            host.start()
    (service,) = host.node._servers
    assert not service.is_serving()
    left = set(threading.enumerate()) - before
    assert not [each for each in left if each.name == "asd"]
