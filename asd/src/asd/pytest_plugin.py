"""pytest fixtures: a real server for your tests, empty at the start of each.

`aerospike_server`          a running `asd.Server`: emptied, and its clock set right, for each test
`aerospike_client`          the official client, connected to it; skips where it is not installed
`aerospike_session_server`  the server behind both, for fixtures that outlive a test
`aerospike_secure_server`   a server of its own for each test, with access control: the user admin
                            has the password admin, `create_user` makes others; `server.clock` steps
                            end sessions
`aerospike_cluster`         an `asd.Cluster` of three nodes, whole again at the start of each test

The ini option `asd_namespaces` names the namespaces (default: `test`), `asd_edition` the edition
(default: `enterprise`). With `asd_in_thread = true` servers are on threads of the tests' process
instead of in processes of their own.

A test orders the users of its `aerospike_secure_server`, and TLS with certificates made on the fly:

    @pytest.mark.aerospike_secure(users={"ann": ("secret", "read")}, tls=True)
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from asd.cluster import Cluster
    from asd.server import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini options."""
    parser.addini(
        "asd_namespaces", "namespaces of the aerospike_server fixture", "args", default=["test"]
    )
    parser.addini(
        "asd_edition",
        "edition of the aerospike_server fixture: enterprise or community",
        default="enterprise",
    )
    parser.addini(
        "asd_in_thread",
        "servers on threads of the tests' process, not in processes of their own",
        "bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "aerospike_secure(users={NAME: (PASSWORD, ROLE, ...)}, roles={NAME: (PRIVILEGE, ...)}, "
        "tls=False, client_certificates=False): what aerospike_secure_server is to be",
    )


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """What differs, when an assertion that the records of a server are others' fails."""
    records = sys.modules.get("asd.fixtures.records")  # if it is not loaded, neither is one of them
    if op != "==" or records is None:
        return None
    if not (isinstance(left, records.Records) and isinstance(right, Mapping)):
        return None
    return [
        "records differ: - expected on the right, + there on the left",
        *left.differences(right),
    ]


@pytest.fixture(scope="session")
def aerospike_session_server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """The one server of the session (of each worker, under pytest-xdist).

    For session fixtures that need its address, such as an application under test: every test that
    asks for `aerospike_server` empties it.
    """
    from asd.server import Server  # not before it is needed: see `asd/__init__.py`

    options = _options(pytestconfig)
    edition = pytestconfig.getini("asd_edition")
    try:
        server = Server(edition=edition, **options)
    except ValueError as error:
        raise pytest.UsageError(f"asd_namespaces or asd_edition: {error}") from None
    with server:
        yield server


def _options(pytestconfig: pytest.Config) -> dict[str, Any]:
    """What the ini options say of all servers."""
    return {
        "namespaces": pytestconfig.getini("asd_namespaces"),
        "in_thread": pytestconfig.getini("asd_in_thread"),
    }


@pytest.fixture
def aerospike_server(aerospike_session_server: Server) -> Server:
    """The session's server, emptied, without faults, its clock showing the system's time."""
    from citrusleaf.cf_clock import SystemClock

    server = aerospike_session_server
    server.reset()
    server.clock.resume()
    server.clock.set_wall_s(SystemClock().wall_ns() / 1e9)
    return server


@pytest.fixture(scope="session")
def aerospike_session_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """The one cluster of the session, as three processes."""
    from asd.cluster import Cluster

    with Cluster(nodes=3, namespaces=pytestconfig.getini("asd_namespaces")) as cluster:
        yield cluster


@pytest.fixture
def aerospike_cluster(aerospike_session_cluster: Cluster) -> Cluster:
    """The session's cluster: healed, all nodes running, empty, nothing left to migrate."""
    aerospike_session_cluster.restore()
    return aerospike_session_cluster


@pytest.fixture
def aerospike_secure_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with access control, with the user admin and those that the test has ordered."""
    from asd.server import Server

    order: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("aerospike_secure"))):
        order |= mark.kwargs  # the closest one counts
    users, roles = order.pop("users", {}), order.pop("roles", {})
    try:
        server = Server(security=True, **order, **_options(request.config))
    except TypeError as error:
        raise pytest.UsageError(f"aerospike_secure: {error}") from None
    with server:
        for name, privileges in roles.items():
            server.create_role(name, *privileges)
        for name, (password, *names) in users.items():
            server.create_user(name, password, *names)
        yield server


@pytest.fixture
def aerospike_client(aerospike_server: Server) -> Iterator[Any]:
    """The official client, connected to `aerospike_server` and closed after the test."""
    aerospike = pytest.importorskip("aerospike", reason="the official client is not installed")
    client = aerospike.client({"hosts": [aerospike_server.address]}).connect()
    yield client
    client.close()
