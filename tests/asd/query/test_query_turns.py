"""Queries that do much with each record: others have their turn between two of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info2, OpType, ResultCode
from aerospike_common.wire.message import Op
from asd.bins.particle import Particle
from asd.query.pace import Pace
from asd.records.record import find_bin

RECORDS = 60
READ_N = [Op(OpType.READ, 0, b"n", b"")]
BELOW_100 = b"\x93\x05\x93\x51\x02\xa1n\x64"  # bin("n", int) < 100
SET_M = [Op(OpType.WRITE, 1, b"m", (7).to_bytes(8, "big"))]


def digest(number: int) -> bytes:
    return bytes((number % 3, 0)) + number.to_bytes(18, "big")


def number(value: int) -> Particle:
    return Particle(1, value.to_bytes(8, "big"))


@pytest.fixture
def node(kit: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A node with some records, on which every record takes a whole slice of time."""
    node = kit.make_node(background_query_max_rps=1_000_000)
    for at in range(RECORDS):
        kit.store(node.namespaces[b"test"], digest(at), {b"n": number(at)})
    monkeypatch.setattr(Pace, "over", lambda pace: True)
    return node


FILTERED = {"fields": {FieldType.FILTER: BELOW_100}}


@pytest.mark.parametrize("more", [FILTERED, {"ops": READ_N}, {**FILTERED, "ops": READ_N}])
def test_records_that_take_long_are_answered_one_a_turn(
    kit: Any, node: Any, more: dict[str, Any]
) -> None:
    async def run() -> tuple[Any, int]:
        client = kit.Client(node)
        client.begin(kit.query(**more))
        others = 0
        while client.connection.busy:
            await asyncio.sleep(0)
            others += 1
        return client.received(), others

    (*found, last), others = asyncio.run(run())
    assert last.result_code == ResultCode.OK
    assert sorted(m.fields[4] for m in found) == sorted(map(digest, range(RECORDS)))
    assert others >= RECORDS


def test_a_query_can_be_aborted_within_a_batch(kit: Any, node: Any) -> None:
    async def run() -> Any:
        client = kit.Client(node)
        client.begin(kit.query(trid=5, **FILTERED))
        while len(client.received()) < 10:
            await asyncio.sleep(0)
        node.queries.abort(5)
        return await client.finish()

    *found, last = asyncio.run(run())
    assert last.result_code == ResultCode.QUERY_ABORTED
    assert len(found) < 20


def test_a_background_query_looks_at_records_as_they_are_then(kit: Any, node: Any) -> None:
    namespace = node.namespaces[b"test"]

    async def run() -> None:
        body = kit.query(None, info1=0, info2=Info2.WRITE, info3=0, ops=SET_M, **FILTERED)
        await kit.Client(node).ask(body)
        await asyncio.sleep(0)
        last = digest(2)  # the last of the last partition: it is behind all others
        assert b"m" not in namespace.engine.get(last)[5]
        kit.store(namespace, last, {b"n": number(100)})
        namespace.door.remove_unread(digest(5))
        while node.queries.long_active:
            await asyncio.sleep(0)

    asyncio.run(run())
    changed = {at for at in range(RECORDS) if at != 5 and _has_m(namespace, digest(at))}
    assert changed == set(range(RECORDS)) - {2, 5}


def _has_m(namespace: Any, its: bytes) -> bool:
    return find_bin(namespace.engine.get(its)[5], b"m") is not None
