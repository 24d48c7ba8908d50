"""Following changes: at least once, in order for each record, resumable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from aerospike_client import (
    AsyncClient,
    ClientPolicy,
    InfoPolicy,
    InvalidParameter,
    Key,
    SendKey,
    WritePolicy,
)
from aerospike_client.changes import ALL, Change, ChangeStream
from aerospike_client.changes.json_records import as_json
from asd import Server
from asd.process.node_processes import ask

PATIENCE_S = 60
LONG = WritePolicy(total_timeout=60_000, socket_timeout=60_000)
PATIENT = ClientPolicy(write=LONG, remove=LONG, info=InfoPolicy(timeout=60_000))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(in_thread=True) as running:
        yield running


def address(server: Server) -> str:
    host, port = server.address
    return f"{host}:{port}"


async def take(stream: ChangeStream, count: int) -> list[Change]:
    async with asyncio.timeout(PATIENCE_S):
        return [await anext(stream) for _ in range(count)]


def test_writes_and_deletes_are_told(server: Server) -> None:
    async def follow() -> None:
        async with (
            AsyncClient(address(server), PATIENT) as client,
            client.changes("test", set_name="users") as changes,
        ):
            await client.put(Key("test", "other", 1), {"x": 1})
            stored = WritePolicy(key=SendKey.SEND, ttl=1000, total_timeout=60_000)
            await client.put(Key("test", "users", "ada"), {"x": 1, "l": [1]}, stored)
            (written,) = await take(changes, 1)
            assert (written.set_name, written.user_key, written.deleted) == ("users", "ada", False)
            assert written.bins == {"x": 1, "l": [1]}
            assert written.key == Key("test", "users", "ada")
            assert written.ttl is not None
            assert 990 <= written.ttl <= 1000
            assert written.updated_ms > 1_700_000_000_000
            await client.remove(Key("test", "users", "ada"))
            (gone,) = await take(changes, 1)
            assert (gone.deleted, gone.durable, gone.bins) == (True, False, {})
            assert gone.digest == written.digest

    asyncio.run(follow())


def test_only_bins_that_have_changed_are_told_where_that_is_asked_for(server: Server) -> None:
    async def follow() -> None:
        async with (
            AsyncClient(address(server), PATIENT) as client,
            client.changes("test", name="mine") as changes,
        ):
            name = ask(server.address[1], "get-config:context=xdr").partition(";")[0][4:]
            policy = f"set-config:context=xdr;dc={name};namespace=test;bin-policy=only-changed"
            assert ask(server.address[1], policy) == "ok"
            await client.put(Key("test", "users", 1), {"x": 1, "y": 1, "z": 1})
            (first,) = await take(changes, 1)
            await client.put(Key("test", "users", 1), {"y": 2, "z": None})
            (second,) = await take(changes, 1)
            assert first.bins == {"x": 1, "y": 1, "z": 1}
            assert second.bins == {"y": 2, "z": None}
            assert json.loads(as_json(second))["bins"] == [
                {"name": "y", "type": "int", "value": 2},
                {"name": "z", "type": "null", "value": None},
            ]

    asyncio.run(follow())


def test_since_all_tells_of_every_record(server: Server) -> None:
    async def follow() -> None:
        async with AsyncClient(address(server), PATIENT) as client:
            for number in range(300):
                await client.put(Key("test", "users", number), {"x": number})
            async with client.changes("test", since=ALL) as changes:
                told = await take(changes, 300)
            assert {change.bins["x"] for change in told} == set(range(300))

    asyncio.run(follow())


def test_the_newest_version_comes_last(server: Server) -> None:
    async def follow() -> None:
        async with (
            AsyncClient(address(server), PATIENT) as client,
            client.changes("test") as changes,
        ):
            for value in range(200):
                await client.put(Key("test", "users", 1), {"x": value})
            told = [-1]
            while told[-1] != 199:
                told += [change.bins["x"] for change in await take(changes, 1)]
            assert told == sorted(told)

    asyncio.run(follow())


@pytest.mark.parametrize("handled", [0, 1, 7, 49])
def test_who_dies_and_comes_back_misses_nothing(server: Server, handled: int) -> None:
    async def follow() -> None:
        async with AsyncClient(address(server), PATIENT) as client:
            seen: set[int] = set()
            stream = client.changes("test")
            async with stream:
                position = await stream.position()
                for number in range(50):
                    await client.put(Key("test", "users", number), {"x": number})
                for change in (await take(stream, handled + 1))[:handled]:
                    seen.add(change.bins["x"])
            for number in range(50, 60):  # while nobody follows
                await client.put(Key("test", "users", number), {"x": number})
            async with client.changes("test", since=position) as again, asyncio.timeout(PATIENCE_S):
                async for change in again:
                    seen.add(change.bins["x"])
                    if len(seen) == 60:
                        break

    asyncio.run(follow())


def test_a_change_that_is_not_done_comes_again(server: Server) -> None:
    async def follow() -> None:
        async with AsyncClient(address(server), PATIENT) as client:
            async with client.changes("test") as first:
                await client.put(Key("test", "users", 1), {"x": 1})
                (one,) = await take(first, 1)
            async with client.changes("test", since=one.updated_ms / 1000 - 1) as second:
                (again,) = await take(second, 1)
                assert again.bins == one.bins

    asyncio.run(follow())


def test_when_the_stream_has_ended_nothing_is_shipped(server: Server) -> None:
    async def follow() -> None:
        async with AsyncClient(address(server), PATIENT) as client:
            async with client.changes("test"):
                assert "dcs=changes" in await client.info("get-config:context=xdr")
            assert "dcs=;" in await client.info("get-config:context=xdr")

    asyncio.run(follow())


@pytest.mark.parametrize("given", [{"name": "a b"}, {"since": "yesterday"}])
def test_what_is_no_stream(server: Server, given: dict[str, str]) -> None:
    async def follow() -> None:
        async with AsyncClient(address(server), PATIENT) as client:
            with pytest.raises(InvalidParameter):
                async with client.changes("test", **given):
                    """Not reached."""

    asyncio.run(follow())
