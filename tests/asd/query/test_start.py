"""Queries of partitions that are locked wait until it is known who serves them."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from aerospike_common.wire.codes import Info3, ResultCode
from aerospike_common.wire.message import encode_message
from asd.bins.particle import Particle
from asd.query import start
from asd.space.ownership import ALONE, ELSEWHERE, LOCKED

BODY = encode_message(
    info1=3,
    info3=int(Info3.PARTITION_DONE),
    fields={0: b"test", 1: b"s", 11: struct.pack("<2H", 0, 1)},
)


@pytest.fixture
def node(kit: Any) -> Any:
    node = kit.make_node()
    kit.store(node.namespaces[b"test"], bytes(20), {b"n": Particle(1, bytes(8))})
    return node


async def ask_while_locked(kit: Any, node: Any, then: int) -> list[Any]:
    """The messages of a query that finds partition 0 locked, and later in another state."""
    ownership = node.namespaces[b"test"].ownership
    ownership.set(0, LOCKED)
    asked = asyncio.ensure_future(kit.Client(node).ask(BODY))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not asked.done()
    ownership.set(0, then)
    return await asyncio.wait_for(asked, 10)


def test_a_query_waits_while_nobody_knows_who_serves(kit: Any, node: Any) -> None:
    record, done = asyncio.run(ask_while_locked(kit, node, ALONE))
    assert record.fields[4] == bytes(20)
    assert done.info3 & Info3.LAST


def test_a_query_does_not_answer_from_the_plan_before(kit: Any, node: Any) -> None:
    """It gave the records that it had, also where another node had newer ones."""
    undone, *_, last = asyncio.run(ask_while_locked(kit, node, ELSEWHERE))
    assert undone.info3 & Info3.PARTITION_DONE
    assert undone.result_code == ResultCode.PARTITION_UNAVAILABLE
    assert last.info3 & Info3.LAST


def test_a_query_does_not_wait_for_ever(
    kit: Any, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "LOCKED_S", start.POLL_S)
    node.namespaces[b"test"].ownership.set(0, LOCKED)
    assert asyncio.run(kit.Client(node).ask(BODY))[-1].info3 & Info3.LAST
