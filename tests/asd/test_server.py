"""`asd.Server`, in a process of its own and on a thread of this one, as tests use it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aerospike
import pytest
from aerospike import exception as ex

from aerospike_client import AsyncClient, Key
from aerospike_common.wire.errors import OperationError
from asd import Server
from asd.config import read_config
from citrusleaf.cf_clock import VirtualClock

KEY = ("test", "people", "ada")


@pytest.fixture(params=["process", "thread"])
def serve(request: pytest.FixtureRequest) -> Any:
    """Makes servers, of each of the two kinds."""
    return partial(Server, in_thread=request.param == "thread")


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


def test_it_serves_while_the_block_runs(serve: Any) -> None:
    with serve() as server:
        address = server.address
        assert is_listening(address)

    assert not is_listening(address)


def test_the_port_may_be_chosen(serve: Any) -> None:
    with serve() as server:
        _, port = server.address

    with serve(port=port) as server:
        assert server.address == ("127.0.0.1", port)


def test_a_port_that_is_taken(serve: Any) -> None:
    with serve() as first:
        second = serve(port=first.address[1])
        with pytest.raises(OSError, match="in use"):
            second.start()
        with pytest.raises(RuntimeError, match="not running"):
            _ = second.address


def test_start_and_stop_by_hand(serve: Any) -> None:
    server = serve()
    server.stop()

    assert server.start() is server
    with pytest.raises(RuntimeError, match="is running"):
        server.start()
    server.stop()
    server.stop()

    with pytest.raises(RuntimeError, match="not running"):
        server.reset()


def test_a_server_that_is_started_again_is_empty(serve: Any, connect: Any) -> None:
    server = serve()
    with server:
        connect(server).put(KEY, {"a": 1})
    with server:
        assert connect(server).exists(KEY)[1] is None


def test_it_starts_and_stops_again_and_again(serve: Any, connect: Any) -> None:
    for _ in range(3):
        with serve() as server:
            connect(server).put(KEY, {"a": 1})


def test_stopping_leaves_no_thread_behind(connect: Any) -> None:
    before = threading.active_count()
    with Server(in_thread=True) as server:
        connect(server)
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_an_error_in_the_block_stops_it(serve: Any) -> None:
    addresses = []

    def fail() -> None:
        with serve() as server:
            addresses.append(server.address)
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert not is_listening(*addresses)


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_program_may_end_without_stopping_it(in_thread: bool) -> None:
    program = f"import asd; print(asd.Server(in_thread={in_thread}).start().address[0])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "127.0.0.1\n", "")


# ------------------------------------------------------------------- what it is told


def test_namespaces_are_named(serve: Any, connect: Any) -> None:
    with serve(namespaces=["users", "cache"]) as server:
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


def test_a_configuration_file_s_text(serve: Any, connect: Any) -> None:
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
    with serve(config=config) as server:
        client = connect(server)
        client.put(("cache", None, 1), {"a": 1})

        assert client.exists(("cache", None, 1))[1]["ttl"] in range(3590, 3601)


@pytest.mark.parametrize(("edition", "code"), [("community", 25), ("enterprise", None)])
def test_editions(serve: Any, connect: Any, edition: str, code: int | None) -> None:
    with serve(edition=edition) as server:
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


def test_servers_do_not_see_each_other(serve: Any, connect: Any) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(serve()) for _ in range(3)]
        clients = [connect(server) for server in servers]
        for number, client in enumerate(clients):
            client.put(KEY, {"number": number})
        servers[0].reset()
        servers[1].clock.advance(1000)

        assert len({server.address for server in servers}) == 3
        assert clients[0].exists(KEY)[1] is None
        assert [client.get(KEY)[2]["number"] for client in clients[1:]] == [1, 2]
        assert servers[2].clock.wall_ns() < servers[1].clock.wall_ns()


# ------------------------------------------------------------------------- reset


def test_reset_empties_and_keeps_the_connections(serve: Any, connect: Any) -> None:
    with serve(namespaces=["test", "bar"]) as server:
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


# -------------------------------------------------------------------------- time


def test_time_passes_by_itself(serve: Any) -> None:
    with serve() as server:
        assert not server.clock.frozen
        before = server.clock.monotonic_ns()
        time.sleep(0.01)
        assert server.clock.monotonic_ns() - before >= 10_000_000


def test_a_frozen_clock_stands_still(serve: Any, connect: Any) -> None:
    with serve() as server:
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
    with Server(in_thread=True, clock=clock) as server:
        client = connect(server)
        client.put(KEY, {"a": 1}, policy={"ttl": 3600})

        assert server.clock is clock
        clock.advance(3599)
        assert client.exists(KEY)[1] is not None
        clock.advance(2)
        assert client.exists(KEY)[1] is None


@pytest.mark.parametrize("of_one_s_own", ["clock", "disk"])
def test_a_clock_or_disk_of_one_s_own_is_for_a_thread(of_one_s_own: str) -> None:
    with pytest.raises(TypeError, match=f"in_thread=True, {of_one_s_own}="):
        Server(**{of_one_s_own: object()})  # type: ignore[arg-type]  # the name alone matters


def test_time_does_not_run_backwards(serve: Any) -> None:
    with serve() as server, pytest.raises(ValueError, match="backwards"):
        server.clock.advance(-1)


def test_it_is_another_date(serve: Any) -> None:
    with serve() as server:
        server.clock.freeze()
        before = server.clock.monotonic_ns()
        server.clock.set_wall_s(2_000_000_000)
        assert server.clock.wall_ns() == 2_000_000_000 * 10**9
        assert server.clock.monotonic_ns() == before
        server.clock.resume()
        assert not server.clock.frozen


# ----------------------------------------------------------------------- control


def test_a_command_that_is_none_names_those_there_are(serve: Any) -> None:
    with (
        serve() as server,
        pytest.raises(ValueError, match="no command 'resset'; there are: status"),
    ):
        server.control("resset")


def test_users_are_made(serve: Any) -> None:
    with serve(security=True) as server:
        server.create_role("clerk", "read.test.people", "write.test")
        server.create_user("ada", "secret", "read-write", "clerk")
        server.create_user("ada", "secret", "no-such-role")  # it counts when somebody makes it
        with pytest.raises(OperationError, match="role"):
            server.create_role("clerk", "read")
    with serve() as server, pytest.raises(RuntimeError, match="security=True"):
        server.create_user("ada", "secret", "read-write")


# -------------------------------------------------------------- a process of its own


def test_calls_that_keep_the_interpreter_s_lock_are_answered(connect: Any, tmp_path: Path) -> None:
    module = tmp_path / "math2.lua"
    module.write_text("function double(record, bin) return record[bin] * 2 end")
    with Server() as server:
        client = connect(server)
        client.put(KEY, {"n": 21})
        client.udf_put(str(module))
        assert client.apply(KEY, "math2", "double", ["n"]) == 42
        client.udf_remove("math2.lua")
        client.truncate("test", "people", 0)
        assert client.exists(KEY)[1] is None


def test_it_ends_with_the_process_that_wanted_it() -> None:
    program = "import asd, time; print(*asd.Server().start().address, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        host, port = process.stdout.readline().decode().split()
        assert is_listening((host, int(port)))
        process.kill()
    until = time.monotonic() + 30
    while is_listening((host, int(port))):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_process_that_has_died_is_named() -> None:
    server = Server().start()
    os.kill(server._host.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="ended with status -9"):
        server.reset()
    server.stop()
    with server:
        server.reset()


def test_an_interrupt_at_the_terminal_is_for_the_tests() -> None:
    with Server() as server:
        os.kill(server._host.pid, signal.SIGINT)
        server.reset()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for temporary files with a name short enough for sockets, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="asd-test-", dir="/tmp") as name:
        yield Path(name)


def test_one_that_is_told_to_end_tidies_up(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(short_path))
    server = Server().start()
    os.kill(server._host.pid, signal.SIGTERM)
    server._host._process.wait(30)
    assert not list(short_path.iterdir())
    with pytest.raises(RuntimeError, match="ended with status 0"):
        server.reset()
    server.stop()


def test_nothing_is_left_of_it(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(short_path))
    with Server() as server:
        (place,) = short_path.iterdir()
        assert place.is_socket()
        assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0
        pid = server._host.pid
    assert not list(short_path.iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_nobody_holds_any_more_ends() -> None:
    server = Server().start()
    pid = server._host.pid
    del server
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_folder_for_temporary_files_may_be_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("deep" * 30)))
    with Server() as server:
        server.reset()


def test_many_threads_may_ask_it() -> None:
    with Server() as server, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: server.control("status")["port"], range(200)))
        assert set(answers) == {server.address[1]}


def test_a_fork_leaves_it_running() -> None:
    """A fork that ends by itself, with all that a program does at its end, is not its owner."""
    program = """if True:
        import asd, os, sys
        server = asd.Server().start()
        child = os.fork()
        if not child:
            sys.exit(0)
        os.waitpid(child, 0)
        server.reset()
        server.stop()
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_unittest(tmp_path: Path) -> None:
    suite = tmp_path / "test_visits.py"
    suite.write_text(
        """
import unittest
import aerospike
from aerospike_client import AsyncClient, Key
from aerospike_common.wire.errors import OperationError
from asd import Server

class Visits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())

    def setUp(self):
        self.server.reset()

    def test_it(self):
        client = aerospike.client({"hosts": [self.server.address]}).connect()
        self.addCleanup(client.close)
        client.put(("test", None, 1), {"a": 1})
        client.truncate("test", None, 0)
        self.assertIsNone(client.exists(("test", None, 1))[1])
"""
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", "-q", suite.name],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_asyncio() -> None:
    """The loop of the tests is not the server's: both run while either waits."""

    async def visit(server: Server) -> None:
        async with AsyncClient([server.address]) as client:
            key = Key(*KEY)
            await asyncio.gather(*(client.increment(key, {"visits": 1}) for _ in range(100)))
            assert (await client.get(key)).bins == {"visits": 100}
            server.reset()
            assert not await client.exists(key)

    with Server() as server:
        asyncio.run(visit(server))
