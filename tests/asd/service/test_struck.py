"""Requests that meet an injected fault, over real sockets: what is sent, and what has been done."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aerospike_client import BatchPut, Client, Key, QueryPolicy
from aerospike_client.errors import ClientError
from aerospike_common.wire.codes import Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Op
from asd import Server

ONE = [Op(OpType.INCR, ParticleType.INTEGER, b"n", struct.pack(">q", 1))]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server(in_thread=True) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


def add(client: Any) -> int:
    """Add one to a counter; the result code."""
    return client.ask("test", 1, info2=Info2.WRITE, ops=ONE).result_code


def count(client: Any) -> int:
    _, value = client.get("test", 1)
    return int.from_bytes(value or b"", "big")


def test_fast_paths_are_left_while_there_are_faults(server: Server, wire: Callable) -> None:
    client = wire(server.address[1])
    paths = server._host.node.paths
    for _ in range(5):
        add(client), count(client)
    assert paths.table
    fault = server.inject(code="TIMEOUT", set="another")
    assert not paths.table
    for _ in range(5):
        add(client), count(client)
    assert not paths.table
    fault.remove()
    for _ in range(5):
        add(client), count(client)
    assert paths.table
    assert count(client) == 15


@pytest.mark.parametrize("code", [ResultCode.DEVICE_OVERLOAD, ResultCode.RECORD_TOO_BIG])
def test_what_is_answered_with_a_code_is_not_done(
    server: Server, wire: Callable, code: ResultCode
) -> None:
    client = wire(server.address[1])
    for _ in range(3):
        add(client)
    server.inject(code=int(code), kind="write", times=2)
    assert [add(client) for _ in range(3)] == [code, code, 0]
    assert count(client) == 4


@pytest.mark.parametrize("reply", ["lost", "cut"])
def test_what_is_lost_is_done(server: Server, wire: Callable, reply: str) -> None:
    client = wire(server.address[1])
    add(client)
    server.inject(kind="write", reply=reply)
    with pytest.raises((OSError, struct.error)):
        add(client)
    assert count(wire(server.address[1])) == 2


def test_a_late_reply_is_that_of_its_request(server: Server, wire: Callable) -> None:
    """Several requests in one piece: the order of the replies is that of the requests."""
    client = wire(server.address[1])
    server.inject(kind="write", delay_ms=30, times=2)
    assert [add(client) for _ in range(3)] == [0, 0, 0]
    assert count(client) == 3


def test_a_bin_and_a_record_are_told_apart(server: Server, wire: Callable) -> None:
    client = wire(server.address[1])
    server.inject(code=9, bin="n", set="people", key=1, times=0)
    assert add(client) == 9
    assert client.put("test", 1, b"another bin") == 0
    assert client.ask("test", 2, info2=Info2.WRITE, ops=ONE).result_code == 0


def test_info_when_it_is_said(server: Server, wire: Callable) -> None:
    client = wire(server.address[1])
    server.inject(code=9, times=0)
    assert client.info("build") != ""
    server.inject(kind="info", code=9)
    assert client.info("build").startswith("ERROR:9:")
    server.inject(kind="info", reply="lost")
    with pytest.raises((OSError, IndexError)):
        client.info("build")


def test_connections_are_closed_as_they_are_made(server: Server, wire: Callable) -> None:
    before = wire(server.address[1])
    assert add(before) == 0  # it has been accepted
    server.inject(kind="connect")
    with socket.create_connection(server.address, 20) as refused:
        assert refused.recv(1) == b""
    assert add(before) == 0
    assert add(wire(server.address[1])) == 0
    server._host.node.connections._check()


# ------------------------------------------------------------------- batches, queries


def test_rows_of_a_batch_stand_and_fall_by_themselves(server: Server) -> None:
    with Client([server.address]) as client:
        rows = [BatchPut(Key("test", "people", n), {"n": n}) for n in range(10)]
        server.inject("device-overload", times=3)
        results = client.batch(rows)
        assert [result.ok for result in results] == [False] * 3 + [True] * 7
        server.inject(kind="write", set="people", key=5, code="RECORD_TOO_BIG")
        assert [n for n, result in enumerate(client.batch(rows)) if not result.ok] == [5]


def test_the_reply_to_a_batch_is_lost_as_one(server: Server) -> None:
    with Client([server.address]) as client:
        rows = [BatchPut(Key("test", "people", n), {"n": n}) for n in range(10)]
        fault = server.inject(kind="write", reply="lost", times=0)
        results = client.batch(rows)
        assert not any(result.ok for result in results)
        assert all(result.error.in_doubt for result in results)
        assert fault.hits == 1
        fault.remove()
        assert all(client.exists_many([row.key for row in rows]))


def test_a_query_that_breaks_off(server: Server) -> None:
    with Client([server.address]) as client:
        client.batch([BatchPut(Key("test", "people", n), {"n": n}) for n in range(100)])
        server.inject(kind="query", reply="cut")
        with pytest.raises(ClientError):
            list(client.query("test", "people", policy=QueryPolicy(max_retries=0)))
        assert len(list(client.query("test", "people"))) == 100
        server.inject(kind="query", code="PARTITION_UNAVAILABLE")
        with pytest.raises(ClientError):
            list(client.query("test", "people", policy=QueryPolicy(max_retries=0)))


def test_functions_and_deletes_are_kinds_of_their_own(server: Server) -> None:
    source = "function give(rec) return 1 end"
    with Client([server.address]) as client:
        client.udf_put("kit.lua", source).wait()
        key = Key("test", "people", 1)
        client.put(key, {"n": 1})
        for kind, call in (
            ("udf", lambda: client.apply(key, "kit", "give")),
            ("delete", lambda: client.remove(key)),
        ):
            server.inject(kind=kind, code="KEY_BUSY")
            assert client.get(key)
            with pytest.raises(ClientError):
                call()
            call()


def test_a_reset_takes_faults_back(server: Server, wire: Callable) -> None:
    client = wire(server.address[1])
    server.inject(code=9, times=0)
    server.inject("clock-skew", seconds=5000)
    skewed = server.clock.wall_ns()
    server.reset()
    assert add(client) == 0
    assert server.clock.wall_ns() < skewed - 4000 * 10**9
    assert server.control("faults") == {"faults": []}


def test_faults_are_taken_back_one_by_one(server: Server, wire: Callable) -> None:
    client = wire(server.address[1])
    with server.inject(code=9, times=0) as first:
        second = server.inject("clock-skew", seconds=5000)
        assert add(client) == 9
        second.remove()
    assert add(client) == 0
    for gone in (first, second):
        with pytest.raises(ValueError, match="no fault with the id"):
            gone.remove()
    with pytest.raises(LookupError):
        first.hits  # noqa: B018 - asking is what fails
    server.inject(code=9, times=0)
    server.remove_faults()
    assert add(client) == 0
