"""What applications see when nodes and networks misbehave: both faces, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from faces import Face, patient
from stub import Stub

from aerospike_client import (
    AsyncClient,
    BackedOff,
    BatchPolicy,
    BatchPut,
    BatchRead,
    Client,
    ClientError,
    ClientPolicy,
    ConnectionFailed,
    GenerationMismatch,
    InvalidParameter,
    Key,
    NoMoreConnections,
    NotConnected,
    QueryPolicy,
    ReadPolicy,
    TimedOut,
    WritePolicy,
)
from aerospike_client.core.tend_events import NodeAdded, PartitionsChanged
from asd import Server

KEY = Key("test", "s", 1)
ONCE = WritePolicy(max_retries=0)
SHORT = WritePolicy(max_retries=0, total_timeout=100)


def error_of(call: Callable[[], object]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("what", "kind", "in_doubt"),
    [
        ("close", ConnectionFailed, True),
        ("half", ConnectionFailed, True),
        ("garbage", ConnectionFailed, True),
        ("code 3", GenerationMismatch, False),
        ("code 9", TimedOut, True),
    ],
)
def test_a_write_fails(face: Face, what: str, kind: type[ClientError], in_doubt: bool) -> None:
    with Stub("ok", what) as stub:
        client = face([stub.address])
        client.put(KEY, {"a": 1}, ONCE)
        error = error_of(lambda: client.put(KEY, {"a": 1}, ONCE))
        assert type(error) is kind
        assert error.in_doubt is in_doubt
        assert error.attempts == 1
        client.put(KEY, {"a": 1}, ONCE)  # the client goes on, over another connection if need be


def test_a_write_runs_out_of_time(face: Face) -> None:
    with Stub("silent") as stub:
        client = face([stub.address])
        error = error_of(lambda: client.put(KEY, {"a": 1}, SHORT))
        assert isinstance(error, TimedOut)
        assert error.in_doubt
        assert f"127.0.0.1:{stub.address[1]} did not answer within 1" in str(error)


def test_a_read_is_tried_again(face: Face) -> None:
    with Stub("close", "half", "ok") as stub:
        client = face([stub.address])
        client.head(KEY)
        assert len(stub.requests) == 3
        (node,) = client.nodes
        assert node.metrics.connection_errors == 2
        assert node.metrics.retries == 2


def test_a_late_reply_is_not_taken_for_the_next_one(face: Face) -> None:
    with Stub("late", "not found") as stub:
        client = face([stub.address])
        policy = ReadPolicy(max_retries=0, total_timeout=100)
        assert isinstance(error_of(lambda: client.exists(KEY, policy)), TimedOut)
        assert client.exists(KEY, ReadPolicy(total_timeout=5000)) is False


def test_a_node_that_is_gone(face: Face) -> None:
    with Stub() as stub:
        client = face([stub.address], ClientPolicy(tend_interval=60_000))
        stub.stop()
        error = error_of(lambda: client.get(KEY))
        assert isinstance(error, ConnectionFailed)
        assert "refused the connection 3 times" in str(error)
        assert error.attempts == 3
        assert not error_of(lambda: client.put(KEY, {"a": 1})).in_doubt


def test_rows_of_a_batch_that_broke_off(face: Face) -> None:
    with Stub("half", "half", "half") as stub:
        client = face([stub.address])
        results = client.batch([BatchPut(KEY, {"a": 1}), BatchRead(KEY)])
        assert all(isinstance(result.error, ConnectionFailed) for result in results)
        assert [result.error.in_doubt for result in results] == [True, False]
        assert client.get_many([KEY])[0].generation == 1  # the third is the retry's


def test_the_breaker_opens_and_the_tend_closes_it(face: Face) -> None:
    with Stub(*["close"] * 3) as stub:
        client = face([stub.address], ClientPolicy(max_error_rate=3, tend_interval=300))
        for _ in range(3):
            error_of(lambda: client.put(KEY, {"a": 1}, ONCE))
        assert isinstance(error_of(lambda: client.put(KEY, {"a": 1}, ONCE)), BackedOff)
        patient = WritePolicy(max_retries=50, sleep_between_retries=50, total_timeout=10_000)
        client.put(KEY, {"a": 1}, patient)


def test_nobody_to_connect_to(face: Face) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(NotConnected, match=f"127.0.0.1:{port} refused the connection"):
        face([("127.0.0.1", port)])
    client = face([("127.0.0.1", port)], ClientPolicy(fail_if_not_connected=False))
    assert client.nodes == []
    assert "no node has the namespace 'test'; known are: none" in str(
        error_of(lambda: client.get(KEY))
    )


def test_listeners_hear_of_nodes(server: Server) -> None:
    news: list[object] = []
    client = Client([server.address], patient(ClientPolicy()))
    client.add_listener(news.append)
    with client:
        assert [type(event) for event in news] == [NodeAdded] + [PartitionsChanged] * 2
        client.remove_listener(news.append)


def test_a_listener_that_fails_stops_nothing(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_event: object) -> None:
        raise RuntimeError("on purpose")

    client = Client([server.address], patient(ClientPolicy(tend_interval=20)))
    client.add_listener(fail)
    with client:
        client.put(KEY, {"a": 1})
        assert client._engine.tend_round() == ()
    assert "on purpose" in caplog.text


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 100])
def test_a_host_that_nobody_has(face: Face, host: str) -> None:
    with pytest.raises(NotConnected, match="cannot be reached"):
        face([(host, 3000)])


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        (ReadPolicy, "total_timeout", -1),
        (WritePolicy, "max_retries", -1),
        (WritePolicy, "ttl", -3),
        (WritePolicy, "generation", 1 << 40),
        (QueryPolicy, "max_records", -1),
        (ClientPolicy, "tend_interval", 0),
        (ClientPolicy, "max_conns_per_node", 0),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind: Any, setting: str, value: int) -> None:
    with pytest.raises(InvalidParameter, match=f"{kind.__name__}: {setting} is at least"):
        kind(**{setting: value})


def test_blocking_pools_have_an_end() -> None:
    policy = patient(ClientPolicy(max_conns_per_node=1))
    with Stub() as stub, Client([stub.address], policy) as client:
        (node,) = client.nodes
        taken = client._engine.borrow(node)
        error = error_of(lambda: client.put(KEY, {"a": 1}, ONCE))
        assert isinstance(error, NoMoreConnections)
        assert not error.in_doubt
        client._engine.pools.put_back(node, taken, 0)


def test_the_minimum_of_connections_is_there_from_the_start(face: Face) -> None:
    with Stub() as stub:
        client = face([stub.address], ClientPolicy(min_conns_per_node=3))
        (node,) = client.nodes
        assert client._engine.pools.open_connections(node) == 3


def run(main: Callable[[AsyncClient], Any], *script: str, **policy: Any) -> Stub:
    """Run a coroutine with an asyncio client of a stub."""

    async def wrapped(stub: Stub) -> None:
        async with AsyncClient([stub.address], patient(ClientPolicy(**policy))) as client:
            await main(client)

    with Stub(*script) as stub:
        asyncio.run(wrapped(stub))
    return stub


def test_a_thousand_commands_at_once_share_a_few_connections() -> None:
    async def main(client: AsyncClient) -> None:
        found = await asyncio.gather(*(client.exists(KEY) for _ in range(1000)))
        assert all(found)

    stub = run(main, max_conns_per_node=4)
    assert len(stub.requests) == 1000
    assert stub.connections <= 5  # and the tend's


def test_one_that_runs_out_of_time_does_not_take_others_with_it() -> None:
    async def main(client: AsyncClient) -> None:
        await client.exists(KEY)
        policy = ReadPolicy(max_retries=0, total_timeout=100)
        slow = asyncio.ensure_future(client.exists(KEY, policy))
        await asyncio.sleep(0)
        others = [asyncio.ensure_future(client.exists(KEY)) for _ in range(5)]
        with pytest.raises(TimedOut):
            await slow
        assert await asyncio.gather(*others) == [True] * 5

    assert run(main, "ok", "late").connections == 2


def test_a_cancelled_command_costs_no_connection() -> None:
    async def main(client: AsyncClient) -> None:
        await client.exists(KEY)
        task = asyncio.ensure_future(client.put(KEY, {"a": 1}))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await client.exists(KEY) is False

    assert run(main, "ok", "late", "not found").connections == 2


def test_when_a_connection_breaks_all_in_its_line_are_told() -> None:
    async def main(client: AsyncClient) -> None:
        await client.exists(KEY)
        writes = [client.put(KEY, {"a": 1}, ONCE) for _ in range(4)]
        ended = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(error) for error in ended] == [ConnectionFailed] * 4
        assert all(isinstance(error, ClientError) and error.in_doubt for error in ended)

    run(main, "ok", "close")


def test_a_server_that_comes_back_is_found_again(face: Face) -> None:
    with Server() as server:
        host, port = server.address
        client = face([(host, port)], ClientPolicy(tend_interval=50))
        client.put(KEY, {"a": 1})
    with Server(port=port):
        patient = WritePolicy(max_retries=100, sleep_between_retries=50, total_timeout=20_000)
        client.put(KEY, {"a": 2}, patient)
        assert client.get(KEY).bins == {"a": 2}


def test_threads_share_a_client(server: Server) -> None:
    server.reset()

    def work(number: int) -> int:
        key = Key("test", "threads", number)
        for _ in range(50):
            client.increment(key, {"n": 1})
        return int(client.get(key).bins["n"])

    policy = patient(ClientPolicy())
    with Client([server.address], policy) as client, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == [50] * 8
        assert client._engine.pools.open_connections(client.nodes[0]) <= 8


def test_compressed_requests_and_replies(face: Face, server: Server) -> None:
    server.reset()
    client = face([server.address])
    text = "x" * 10_000
    client.put(KEY, {"text": text}, WritePolicy(compress=True))
    assert client.get(KEY, ReadPolicy(compress=True)).bins == {"text": text}
    policy = BatchPolicy(compress=True)
    assert client.get_many([KEY] * 20, policy=policy)[19].bins == {"text": text}
    found = client.query("test", "s", policy=QueryPolicy(compress=True))
    assert [record.bins for record in found] == [{"text": text}]


def test_a_closed_client_serves_nobody(face: Face, server: Server) -> None:
    client = face([server.address])
    client.exists(KEY)
    client.close()
    with pytest.raises(ClientError):
        client.exists(KEY)
    client.close()


def test_whoever_waits_for_a_connection_gets_it_once() -> None:
    """Also in a task that was cancelled before and went on all the same."""

    async def main(client: AsyncClient) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1)
        assert task.cancelling() == 1
        found = await asyncio.gather(*(client.get_many([KEY]) for _ in range(20)))
        assert len(found) == 20
        await client.get_many([KEY])

    assert run(main, max_conns_per_node=2).connections <= 3
