"""`asd.Server`: a server on a thread of this process, as tests and notebooks use it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import aerospike
import pytest
from aerospike import exception as ex

from asd import Server
from asd.config import read_config
from citrusleaf.cf_clock import VirtualClock

KEY = ("test", "people", "ada")


@pytest.fixture
def connect() -> Iterator[Any]:
    """A function that connects a client to a server; the clients are closed after the test."""
    with ExitStack() as clients:

        def connect(server: Server) -> Any:
            client = aerospike.client({"hosts": [server.address]}).connect()
            clients.callback(client.close)
            return client

        yield connect


def is_listening(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


# -------------------------------------------------------------------- start and stop


def test_it_serves_while_the_block_runs() -> None:
    with Server() as server:
        address = server.address
        assert is_listening(address)

    assert not is_listening(address)


def test_the_port_may_be_chosen() -> None:
    with Server() as server:
        _, port = server.address

    with Server(port=port) as server:
        assert server.address == ("127.0.0.1", port)


def test_a_port_that_is_taken() -> None:
    with Server() as first:
        second = Server(port=first.address[1])
        with pytest.raises(OSError, match="in use"):
            second.start()
        with pytest.raises(RuntimeError, match="not running"):
            _ = second.address


def test_start_and_stop_by_hand() -> None:
    server = Server()
    server.stop()

    assert server.start() is server
    with pytest.raises(RuntimeError, match="is running"):
        server.start()
    server.stop()
    server.stop()

    with pytest.raises(RuntimeError, match="not running"):
        server.reset()


def test_a_server_that_is_started_again_is_empty(connect: Any) -> None:
    server = Server()
    with server:
        connect(server).put(KEY, {"a": 1})
    with server:
        assert connect(server).exists(KEY)[1] is None


def test_it_starts_and_stops_at_once(connect: Any) -> None:
    started = time.perf_counter()
    for _ in range(10):
        with Server() as server:
            connect(server).put(KEY, {"a": 1})
    assert time.perf_counter() - started < 10 * 0.5


def test_stopping_leaves_no_thread_behind(connect: Any) -> None:
    before = threading.active_count()
    with Server() as server:
        connect(server)
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_an_error_in_the_block_stops_it() -> None:
    addresses = []

    def fail() -> None:
        with Server() as server:
            addresses.append(server.address)
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert not is_listening(*addresses)


def test_a_program_may_end_without_stopping_it() -> None:
    program = "import asd; print(asd.Server().start().address[0])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "127.0.0.1\n", "")


# ------------------------------------------------------------------- what it is told


def test_namespaces_are_named(connect: Any) -> None:
    with Server(namespaces=["users", "cache"]) as server:
        client = connect(server)
        client.put(("users", None, 1), {"a": 1})
        client.put(("cache", None, 1), {"a": 2})

        assert client.get(("users", None, 1))[2] == {"a": 1}
        with pytest.raises(ex.AerospikeError):
            client.put(("test", None, 1), {"a": 3})


def test_a_single_name_is_a_mistake() -> None:
    with pytest.raises(TypeError, match=r"\['test'\]"):
        Server(namespaces="test")


def test_an_edition_that_is_none() -> None:
    with pytest.raises(ValueError, match="professional"):
        Server(edition="professional")


def test_a_configuration_file_s_text(connect: Any) -> None:
    config = read_config(
        """
        network { service { address 127.0.0.1
                            port 0 } }
        namespace cache {
            default-ttl 1h
            nsup-period 10
            replication-factor 1
            storage-engine memory { data-size 64M }
        }
        """,
        "aerospike.conf",
    )
    with Server(config=config) as server:
        client = connect(server)
        client.put(("cache", None, 1), {"a": 1})

        assert client.exists(("cache", None, 1))[1]["ttl"] in range(3590, 3601)


@pytest.mark.parametrize(("edition", "code"), [("community", 25), ("enterprise", None)])
def test_editions(connect: Any, edition: str, code: int | None) -> None:
    with Server(edition=edition) as server:
        client = connect(server)
        (_, answer), *_ = client.info_all("edition").values()
        assert edition.capitalize() in answer
        client.put(KEY, {"a": 1})
        if code is None:
            client.remove(KEY, policy={"durable_delete": True})
        else:
            with pytest.raises(ex.AerospikeError) as refusal:
                client.remove(KEY, policy={"durable_delete": True})
            assert refusal.value.code == code


# ------------------------------------------------------------------ several servers


def test_servers_do_not_see_each_other(connect: Any) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(Server()) for _ in range(5)]
        clients = [connect(server) for server in servers]
        for number, client in enumerate(clients):
            client.put(KEY, {"number": number})
        servers[0].reset()
        servers[1].clock.advance(1000)

        assert len({server.address for server in servers}) == 5
        assert clients[0].exists(KEY)[1] is None
        assert [client.get(KEY)[2]["number"] for client in clients[1:]] == [1, 2, 3, 4]
        assert servers[2].clock.wall_ns() < servers[1].clock.wall_ns()


# ------------------------------------------------------------------------- reset


def test_reset_empties_and_keeps_the_connections(connect: Any) -> None:
    with Server(namespaces=["test", "bar"]) as server:
        client = connect(server)
        for number in range(100):
            client.put(("test", "people", number), {"n": number})
            client.put(("bar", "ships", number), {"n": number})

        server.reset()

        assert client.exists(("test", "people", 1))[1] is None
        assert client.exists(("bar", "ships", 1))[1] is None
        (_, sets), *_ = client.info_all("sets").values()
        assert "people" not in sets
        client.put(("test", "people", 1), {"n": 1})
        assert client.get(("test", "people", 1))[1]["gen"] == 1


def test_reset_takes_milliseconds(connect: Any) -> None:
    with Server() as server:
        client = connect(server)
        for number in range(5000):
            client.put(("test", "people", number), {"n": number})

        started = time.perf_counter()
        server.reset()

        assert time.perf_counter() - started < 0.1


# -------------------------------------------------------------------------- time


def test_time_passes_by_itself() -> None:
    with Server() as server:
        assert not server.clock.frozen
        before = server.clock.monotonic_ns()
        time.sleep(0.01)
        assert server.clock.monotonic_ns() - before >= 10_000_000


def test_a_frozen_clock_stands_still(connect: Any) -> None:
    with Server() as server:
        client = connect(server)
        server.clock.freeze()
        before = server.clock.wall_ns()
        client.put(KEY, {"a": 1}, policy={"ttl": 60})
        time.sleep(0.01)
        assert server.clock.wall_ns() == before

        server.clock.advance(59)
        assert client.exists(KEY)[1] is not None
        server.clock.advance(2)
        assert client.exists(KEY)[1] is None


def test_a_clock_of_one_s_own(connect: Any) -> None:
    clock = VirtualClock(wall_s=2_000_000_000)
    with Server(clock=clock) as server:
        client = connect(server)
        client.put(KEY, {"a": 1}, policy={"ttl": 3600})

        assert server.clock is clock
        clock.advance(3599)
        assert client.exists(KEY)[1] is not None
        clock.advance(2)
        assert client.exists(KEY)[1] is None
