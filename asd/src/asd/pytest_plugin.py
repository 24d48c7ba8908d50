"""pytest fixtures: a real server for your tests, empty at the start of each.

`aerospike_server`  a running `asd.Server`, shared by the session and emptied before each test
`aerospike_client`  the official client, connected to it (skips where the client is not installed)

The ini option `asd_namespaces` names the namespaces (default `test`), `asd_edition` the edition.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from asd.server import Server
from citrusleaf.cf_clock import SystemClock


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini options."""
    parser.addini("asd_namespaces", "namespaces of the aerospike_server fixture", "args", ["test"])
    parser.addini("asd_edition", "edition of the aerospike_server fixture", default="enterprise")


@pytest.fixture(scope="session")
def aerospike_session_server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """One server for the whole session, never emptied: for data that many tests read."""
    namespaces = pytestconfig.getini("asd_namespaces")
    with Server(namespaces=namespaces, edition=pytestconfig.getini("asd_edition")) as server:
        yield server


@pytest.fixture
def aerospike_server(aerospike_session_server: Server) -> Server:
    """The session's server, emptied, its clock showing the system's time."""
    server = aerospike_session_server
    server.clock.resume()
    server.clock.set_wall_s(SystemClock().wall_ns() / 1e9)
    server.reset()
    return server


@pytest.fixture
def aerospike_client(aerospike_server: Server) -> Iterator[Any]:
    """The official client, connected to `aerospike_server` and closed after the test."""
    aerospike = pytest.importorskip("aerospike", reason="the official client is not installed")
    client = aerospike.client({"hosts": [aerospike_server.address]}).connect()
    yield client
    client.close()
