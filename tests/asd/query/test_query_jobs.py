"""Queries as jobs: listed, limited, aborted, abandoned; and those that write."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, OpType, ResultCode
from aerospike_common.wire.message import Op
from asd.bins.particle import Particle
from asd.records.record import unpack_bins
from storage.index import PARTITIONS

RECORDS = 3000
SLOWLY = {FieldType.RECORDS_PER_SECOND: struct.pack(">I", 20_000)}
SET_N = [Op(OpType.WRITE, 1, b"n", (7).to_bytes(8, "big"))]


def digest(number: int) -> bytes:
    return (number % PARTITIONS).to_bytes(2, "little") + number.to_bytes(18, "big")


@pytest.fixture
def node(kit: Any) -> Any:
    """A node with some thousand records, each with its number in the bin "i"."""
    node = kit.make_node(background_query_max_rps=1_000_000)
    for at in range(RECORDS):
        value = Particle(1, at.to_bytes(8, "big"))
        kit.store(node.namespaces[b"test"], digest(at), {b"i": value})
    return node


def row(node: Any, trid: int) -> dict[str, str]:
    (shown,) = node.queries.show(trid)
    return dict(pair.split("=", 1) for pair in shown.split(":"))


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_finished_query_is_remembered(kit: Any, node: Any) -> None:
    messages = asyncio.run(_ask(kit, node, kit.query(trid=5)))
    assert len(messages) == RECORDS + 1
    shown = row(node, 5)
    assert shown["status"] == "done(ok)"
    assert (shown["job-type"], shown["job-progress"]) == ("basic", "100.00")
    assert (shown["recs-succeeded"], shown["n-pids-requested"]) == (str(RECORDS), "4096")
    assert shown["from"] == "127.0.0.1+4000"
    assert int(shown["net-io-bytes"]) > RECORDS * 60
    names = list(shown)
    assert names.index("net-io-time") == names.index("net-io-bytes") + 1
    assert names.index("socket-timeout") == names.index("net-io-time") + 1
    assert node.namespaces[b"test"].statistics.pi_query.long_basic_complete == 1
    (refused,) = asyncio.run(_ask(kit, node, kit.query(trid=5)))
    assert refused.result_code == ResultCode.PARAMETER


async def _ask(kit: Any, node: Any, body: bytes) -> Any:
    return await kit.Client(node).ask(body)


def test_what_a_finished_query_needed_is_forgotten(kit: Any, node: Any) -> None:
    """A hundred finished queries are listed: their filters and partitions would take memory."""
    below = b"\x93\x05\x93\x51\x02\xa1i\x64"  # bin("i", int) < 100
    ops = [Op(OpType.READ, 0, b"i", b"")]
    body = kit.query(ops=ops, trid=5, fields={FieldType.FILTER: below})
    found = asyncio.run(_ask(kit, node, body))
    assert len(found) == 100 + 1
    request = node.queries._done[5].request
    assert (request.expression, request.ops, request.partitions) == (None, (), {})
    shown = row(node, 5)
    assert (shown["n-pids-requested"], shown["job-progress"]) == ("4096", "100.00")


def test_only_the_last_ones_are_remembered(kit: Any, node: Any) -> None:
    node.config.service.set("query-max-done", "2")
    for trid in (1, 2, 3):
        asyncio.run(_ask(kit, node, kit.query([0], trid=trid)))
    assert [shown.split(":")[0] for shown in node.queries.show()] == ["trid=3", "trid=2"]
    assert asyncio.run(_ask(kit, node, kit.query([0], trid=1)))[-1].result_code == 0


def test_a_short_query_is_not_listed(kit: Any, node: Any) -> None:
    body = kit.query([0, 1], info1=Info1.READ | Info1.SHORT_QUERY, trid=5)
    messages = asyncio.run(_ask(kit, node, body))
    assert messages[-1].info3 == Info3.LAST
    assert node.queries.show() == []
    assert node.namespaces[b"test"].statistics.pi_query.short_basic_complete == 1


def test_abort(kit: Any, node: Any) -> None:
    async def run() -> Any:
        client = kit.Client(node)
        client.begin(kit.query(trid=5, fields=SLOWLY))
        await turns(3)
        assert row(node, 5)["status"] == "active(ok)"
        assert node.queries.abort(5)
        return await client.finish()

    messages = asyncio.run(run())
    assert messages[-1].result_code == ResultCode.QUERY_ABORTED
    assert len(messages) < RECORDS
    assert row(node, 5)["status"] == "done(user-aborted)"
    assert not node.queries.abort(5)
    assert node.namespaces[b"test"].statistics.pi_query.long_basic_abort == 1


def test_a_closed_connection_ends_the_query(kit: Any, node: Any) -> None:
    async def run() -> None:
        client = kit.Client(node)
        client.begin(kit.query(trid=5, fields=SLOWLY))
        await turns(3)
        client.connection.connection_lost(None)
        await turns(3)

    asyncio.run(run())
    assert row(node, 5)["status"] == "done(abandoned-response-error)"
    assert node.queries.long_active == 0


def test_a_client_that_does_not_read_is_given_up(kit: Any, node: Any) -> None:
    async def run() -> Any:
        client = kit.Client(node)
        client.transport.stuck = client.connection
        fields = {FieldType.SOCKET_TIMEOUT: struct.pack(">I", 150)}
        client.begin(kit.query(trid=5, fields=fields))
        await client.finish()
        return client

    client = asyncio.run(run())
    assert client.transport.closed
    assert row(node, 5)["status"] == "done(abandoned-response-timeout)"


def test_so_many_and_no_more(kit: Any, node: Any) -> None:
    node.config.service.set("query-threads-limit", "1")

    async def run() -> Any:
        first, second = kit.Client(node), kit.Client(node)
        first.begin(kit.query(fields=SLOWLY))
        await turns(2)
        refused = await second.ask(kit.query())
        node.queries.abort_all()
        await first.finish()
        return refused

    (refused,) = asyncio.run(run())
    assert refused.result_code == ResultCode.FORBIDDEN


def test_records_per_second(kit: Any, node: Any) -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        fields = {FieldType.RECORDS_PER_SECOND: struct.pack(">I", 10_000)}
        await kit.Client(node).ask(kit.query(trid=5, fields=fields))
        return loop.time() - started

    assert asyncio.run(run()) > 0.8 * RECORDS / 10_000
    assert row(node, 5)["recs-throttled"] == str(RECORDS)


def test_others_are_served_meanwhile(kit: Any, node: Any) -> None:
    async def run() -> int:
        client = kit.Client(node)
        client.begin(kit.query(fields=SLOWLY))
        others = 0
        while client.connection.busy:
            await asyncio.sleep(0)
            others += 1
        return others

    assert asyncio.run(run()) > 5


# --------------------------------------------------------------- in the background


def test_ops_on_every_record(kit: Any, node: Any) -> None:
    async def run() -> Any:
        body = kit.query(None, info1=0, info2=Info2.WRITE, info3=0, ops=SET_N, trid=5)
        reply = await kit.Client(node).ask(body)
        while node.queries.long_active:
            await asyncio.sleep(0)
        return reply

    (accepted,) = asyncio.run(run())
    assert (accepted.result_code, accepted.info3) == (0, Info3.LAST)
    engine = node.namespaces[b"test"].engine
    for at in range(RECORDS):
        generation, *_, payload = engine.get(digest(at))
        assert generation == 2
        assert list(unpack_bins(payload)) == [b"i", b"n"]
    shown = row(node, 5)
    assert (shown["status"], shown["recs-succeeded"]) == ("done(ok)", str(RECORDS))
    assert shown["job-type"] == "background-ops"
    statistics = node.namespaces[b"test"].statistics
    assert statistics.ops_sub.write_success == RECORDS
    assert statistics.pi_query.ops_bg_complete == 1
    assert statistics.client.write_success == 0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"ops": ()}, ResultCode.PARAMETER),
        ({"ops": [Op(OpType.READ, 0, b"i", b"")]}, ResultCode.PARAMETER),
        ({"set_name": b"unknown"}, ResultCode.NOT_FOUND),
        ({"fields": {FieldType.RECORDS_PER_SECOND: b"\xff" * 4}}, ResultCode.PARAMETER),
        ({"fields": {FieldType.FILTER: b"\xc1"}}, ResultCode.PARAMETER),
    ],
)
def test_background_refusals(kit: Any, node: Any, more: dict[str, Any], code: int) -> None:
    given = {"ops": SET_N, **more}
    body = kit.query(None, info1=0, info2=Info2.WRITE, info3=0, **given)
    (message,) = asyncio.run(_ask(kit, node, body))
    assert (message.result_code, message.info3) == (code, 0)
    assert node.queries.show() == []


def test_stopping_the_node_ends_what_runs(kit: Any, node: Any) -> None:
    async def run() -> None:
        body = kit.query(
            None, info1=0, info2=Info2.WRITE, info3=0, ops=SET_N, trid=5, fields=SLOWLY
        )
        await kit.Client(node).ask(body)
        await turns(2)
        await node.queries.stop()

    asyncio.run(run())
    assert row(node, 5)["status"] == "done(abandoned-unknown)"
