"""The connector: changes end in an HTTP service or in files, whatever fails between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aerospike_client import AsyncClient, Key, WritePolicy
from aerospike_client.changes import Receiver
from aerospike_client.changes.connector import Sink, pass_on
from aerospike_client.changes.file_sink import FileSink
from aerospike_client.changes.http_sink import HttpSink
from aerospike_client.changes.json_records import as_flat_json, as_json
from aerospike_client.policies import ClientPolicy
from asd import Server

PATIENCE_S = 60
LONG = WritePolicy(total_timeout=60_000, socket_timeout=60_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(in_thread=True) as running:
        yield running


async def shipped(server: Server, sink: Sink, done: Callable[[], bool], keys: int) -> None:
    """Write records while a connector passes changes on, until they have come."""
    receiver = Receiver()
    port = await receiver.listen("127.0.0.1", 0)
    passing = asyncio.create_task(pass_on(receiver, sink))
    host, service = server.address
    async with AsyncClient(f"{host}:{service}", ClientPolicy(write=LONG)) as client:
        for change in (
            *("action=create", "connector=true"),
            f"node-address-port=127.0.0.1:{port};action=add",
            "namespace=test;action=add",
        ):
            assert await client.info(f"set-config:context=xdr;dc=out;{change}") == "ok"
        for number in range(keys):
            await client.put(Key("test", "s", number), {"n": number, "b": b"\0\1", "l": [1, "x"]})
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                await asyncio.sleep(0.05)
        await client.info("set-config:context=xdr;dc=out;action=delete")
    passing.cancel()
    await asyncio.gather(passing, return_exceptions=True)
    await receiver.close()
    await sink.close()


def lines(directory: Path) -> list[dict[str, Any]]:
    texts = [path.read_text() for path in sorted(directory.glob("*.jsonl"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_files_are_rotated_and_hold_everything(server: Server, tmp_path: Path) -> None:
    sink = FileSink(tmp_path, as_json, rotate_bytes=2000)
    asyncio.run(shipped(server, sink, lambda: len(lines(tmp_path)) >= 100, 100))
    told = lines(tmp_path)
    values = [{each["name"]: each["value"] for each in record["bins"]} for record in told]
    assert {value["n"] for value in values} == set(range(100))
    assert values[0]["b"] == "AAE="
    assert values[0]["l"] == [1, "x"]
    assert told[0]["msg"] == "write"
    assert told[0]["key"][:2] == ["test", "s"]
    assert {each["type"] for each in told[0]["bins"]} == {"int", "blob", "list"}
    assert list(tmp_path.glob("changes-0*.jsonl"))


def test_a_service_that_refuses_is_given_it_again(server: Server) -> None:
    told: list[dict[str, Any]] = []
    refusals = [500, 0, 503]
    """Statuses to begin with; 0: the connection is closed without any."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                size = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
                body = await reader.readexactly(size)
                status = refusals.pop(0) if refusals else 200
                if not status:
                    break
                if status == 200:
                    told.extend(json.loads(line) for line in body.splitlines())
                writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\nok".encode())
                await writer.drain()
        except asyncio.IncompleteReadError:
            """The other side has closed."""
        finally:
            writer.close()

    async def run() -> None:
        service = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = service.sockets[0].getsockname()[1]
        sink = HttpSink(f"http://127.0.0.1:{port}/in", as_flat_json)
        await shipped(server, sink, lambda: len({each["n"] for each in told}) == 20, 20)
        service.close()

    asyncio.run(run())
    assert not refusals
    assert told[0]["metadata"]["namespace"] == "test"
    assert told[0]["metadata"]["msg"] == "write"


@pytest.mark.parametrize("url", ["https://host/", "host:80", "http:///path"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="not http://"):
        HttpSink(url, as_json)
