"""The pipelines to a destination: which of them takes a partition's records."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aerospike_client.core.addresses import Address
from aerospike_client.transport import Broken
from asd.shipping.destination import MOST_UNDER_WAY, Pipelines, has_room
from citrusleaf.cf_clock import VirtualClock


class FullPipeline:
    """Has as much under way as it may."""

    open, writable, load = True, True, MOST_UNDER_WAY

    def begin(self, replied: Any, lost: Any) -> None:
        self.replied, self.lost = replied, lost

    def close(self) -> None:
        self.open = False


class Pools:
    def __init__(self) -> None:
        self.renewed: list[bool] = []

    async def dial(self, *_: object, renew: bool) -> Any:
        self.renewed.append(renew)
        return FullPipeline()


def test_what_is_full_is_not_gone() -> None:
    """Records that were read when it became full were counted as failed, and waited."""
    asyncio.run(fill_up())


async def fill_up() -> None:
    pools: Any = Pools()
    pipelines = Pipelines(pools, VirtualClock(), lambda *_: None, lambda *_: None)
    place = "node", 0, Address("127.0.0.1", 1), "node"
    while pipelines.get(*place) is None:
        await asyncio.sleep(0)
    pipeline: Any = pipelines.get(*place)
    assert not has_room(pipeline)
    pipeline.load -= 1
    assert has_room(pipeline)
    pipeline.close()
    assert pipelines.get(*place) is not pipeline
    await pipelines.stop()


def test_a_session_that_is_over_is_begun_anew() -> None:
    """The connection answered every record with 80, and was kept."""
    asyncio.run(end_session())


async def end_session() -> None:
    pools, heard = Pools(), list[Any]()
    known: Any = pools
    pipelines = Pipelines(known, VirtualClock(), lambda *told: heard.append(told), lambda *_: None)
    place = "node", 0, Address("127.0.0.1", 1), "node"
    while (pipeline := pipelines.get(*place)) is None:
        await asyncio.sleep(0)
    made: Any = pipeline
    made.replied([("record", 0)], 1)
    assert pipelines.get(*place) is pipeline
    made.replied([("record", 0), ("another", 80)], 1)
    while (again := pipelines.get(*place)) is None:
        await asyncio.sleep(0)
    assert again is not pipeline
    assert pools.renewed == [False, True]
    assert [answers[-1] for answers, _ in heard] == [("record", 0), ("another", 80)]
    await pipelines.stop()


class Asked(FullPipeline):
    """Answers the question what it takes once it is told to; until then it breaks."""

    def __init__(self, reply: bytes | None) -> None:
        self.reply = reply

    async def exchange(self, question: bytes, deadline_us: int) -> bytes:
        assert question.endswith(b"xdr-compression\n")
        if self.reply is None:
            raise Broken("closed the connection")
        return self.reply


class AskedPools:
    def __init__(self, *replies: bytes | None) -> None:
        self.replies = list(replies)
        self.dialled: list[Asked] = []

    async def dial(self, *_: object, renew: bool) -> Any:
        self.dialled.append(Asked(self.replies.pop(0)))
        return self.dialled[-1]


def test_a_node_is_asked_what_it_takes(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(ask_for_compression())
    assert caplog.text.count("does not take zstd") == 1


async def ask_for_compression() -> None:
    """The first connection breaks over the question and is made anew; one node knows more than the
    others, and of those the log is told once."""
    pools: Any = AskedPools(None, b"xdr-compression\tzlib,zstd\n", *[b"xdr-compression\t\n"] * 2)
    wanted = frozenset({"zstd"})
    pipelines = Pipelines(pools, VirtualClock(), lambda *_: None, lambda *_: None, wanted)
    takes = []
    for number in range(3):
        place = f"node {number}", 0, Address("127.0.0.1", 1), "node"
        while (pipeline := pipelines.get(*place)) is None:
            await asyncio.sleep(0)
        takes.append(pipeline.takes)
    assert takes == [{"zlib", "zstd"}, {"zlib"}, {"zlib"}]
    assert [pipeline.open for pipeline in pools.dialled] == [False, True, True, True]
    await pipelines.stop()
