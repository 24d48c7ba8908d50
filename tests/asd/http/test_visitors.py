"""The page where there is access control: behind the same users."""

from __future__ import annotations

import base64
import http.client
import socket
from collections.abc import Iterator

import pytest

from asd import Server
from asd.config import (
    Config,
    HttpConfig,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    SecurityConfig,
)
from asd.http.messages import basic_credentials


@pytest.fixture
def server() -> Iterator[tuple[Server, int]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    network = NetworkConfig(
        service=NetworkServiceConfig(address=("127.0.0.1",), port=0), http=HttpConfig(port=port)
    )
    config = Config(
        network=network, namespaces={"test": NamespaceConfig("test")}, security=SecurityConfig()
    )
    with Server(in_thread=True, config=config) as running:
        yield running, port


def get(port: int, path: str, user: str = "", password: str = "") -> tuple[int, str]:
    """Status, and what is said of how to log in."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    connection.request("GET", path, headers={"Authorization": f"Basic {token}"} if user else {})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, response.headers.get("WWW-Authenticate", "")


@pytest.mark.parametrize(
    "path", ["/", "/cluster.js", "/metrics", "/status.json", "/configuration.json", "/no"]
)
def test_nothing_is_shown_to_strangers(server: tuple[Server, int], path: str) -> None:
    _, port = server
    assert get(port, path) == (401, 'Basic realm="asd", charset="UTF-8"')
    assert get(port, path, "admin", "wrong")[0] == 401


def test_every_user_sees_the_page_as_long_as_there_is_the_user(
    server: tuple[Server, int],
) -> None:
    running, port = server
    running.create_user("ann", "sesame", "read")
    for _ in range(2):
        assert get(port, "/metrics", "ann", "sesame")[0] == 200
    running.create_user("ann", "open", "read")
    assert get(port, "/metrics", "ann", "sesame")[0] == 401
    assert get(port, "/metrics", "ann", "open")[0] == 200


@pytest.mark.parametrize(
    "authorization", ["", "Bearer eDp5", "Basic", "Basic !", "Basic /w==", "Basic eA=="]
)
def test_what_is_no_authorization(authorization: str) -> None:
    assert basic_credentials(authorization) is None


def test_a_password_may_have_colons() -> None:
    assert basic_credentials("basic " + base64.b64encode(b"a:b:c").decode()) == ("a", "b:c")
