"""Batches that take longer than a slice: jobs that share the loop with everybody else."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Coroutine, Iterable
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info3, ParticleType, ResultCode
from aerospike_common.wire.message import (
    Message,
    encode_field,
    encode_message,
    parse_message,
    split_messages,
)
from asd.batch.replies import FRAME_SIZE
from asd.measures.turns import Turns
from asd.space.namespace import Namespace
from citrusleaf.cf_clock import VirtualClock
from storage.engine import NotResident
from storage.memory import MemoryEngine

RECORDS = 10
BIG = 77
"""The number of a record of 5 KB."""

FIELDS = encode_field(FieldType.NAMESPACE, b"test") + encode_field(FieldType.SET, b"demo")
GET_ALL = struct.pack(">BBBBIHH", 0x0A, 3, 0, 0, 0, 2, 0) + FIELDS
REPEAT = b"\x01"
WRITE_TEN = (
    struct.pack(">BBBBHIHH", 0x0E, 0, 0x81, 0, 0, 0, 2, 1)
    + FIELDS
    + struct.pack(">IBBBBsq", 13, 2, ParticleType.INTEGER, 0, 1, b"a", 10)
)


def request(kit: Any, numbers: Iterable[int], heads: Iterable[bytes], timeout_ms: int = 0) -> bytes:
    """A batch with a row for each record number, the first head for the first, and so on."""
    pairs = list(zip(numbers, heads, strict=False))
    rows = [
        struct.pack(">I20s", index, kit.digest(number)) + head
        for index, (number, head) in enumerate(pairs)
    ]
    data = struct.pack(">IB", len(rows), 0x0D) + b"".join(rows)
    fields = {FieldType.BATCH: data}
    body = encode_message(Info1.BATCH, fields=fields, transaction_ttl=timeout_ms)
    return b"\x02\x03" + len(body).to_bytes(6, "big") + body


def reads(kit: Any, count: int, timeout_ms: int = 0) -> bytes:
    numbers = (index % RECORDS for index in range(count))
    return request(kit, numbers, [GET_ALL] + [REPEAT] * (count - 1), timeout_ms)


def unpack(data: bytes) -> tuple[list[Message], int]:
    """The rows' replies and the code of the whole."""
    messages: list[Message] = []
    while data:
        end = 8 + int.from_bytes(data[2:8], "big")
        messages += map(parse_message, split_messages(data[8:end]))
        data = data[end:]
    last = messages.pop()
    assert last.info3 == Info3.LAST
    return messages, last.result_code


@pytest.fixture
def wire(kit: Any) -> Any:
    """A client of a node whose clock runs, and which has eleven records."""
    wire = kit.Wire(kit.make_node(VirtualClock.running()))
    for number in range(RECORDS):
        wire.call(kit.put(number, (b"a", ParticleType.INTEGER, struct.pack(">q", number))))
    wire.call(kit.put(BIG, (b"s", ParticleType.STRING, b"x" * 5000)))
    return wire


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every slice is over after its first step."""
    monkeypatch.setattr("asd.batch.batch.SLICE_NS", 1)


def play(script: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(script, 20))


async def finished(wire: Any) -> None:
    while wire.connection.busy:
        await asyncio.sleep(0)


# --------------------------------------------------------------------- tests


def test_others_are_answered_while_a_batch_runs(kit: Any, wire: Any) -> None:
    async def script() -> None:
        other, turns = kit.Wire(wire.node), 0
        assert wire.send(reads(kit, 1000)) == b""
        while wire.connection.busy:
            assert other.call(kit.get(1)).result_code == ResultCode.OK
            turns += 1
            await asyncio.sleep(0)
        assert turns > 100
        messages, last = unpack(wire.transport.written)
        assert last == ResultCode.OK
        assert [m.transaction_ttl for m in messages] == list(range(1000))
        for m in messages:
            assert m.ops[0].value == struct.pack(">q", m.transaction_ttl % RECORDS)
        assert wire.transport.reading
        assert sum(wire.node.namespaces[b"test"].batch_sub_read_latency.counts) == 1000
        assert sum(wire.node.batch_index_latency.counts) == 1
        assert wire.node.turns.answered == []

    play(script())


def test_requests_behind_a_batch_wait_for_it(kit: Any, wire: Any) -> None:
    async def script() -> None:
        wire.send(reads(kit, 100) + kit.get(1))
        await finished(wire)
        batch, single = wire.transport.written[:-47], wire.transport.written[-47:]
        assert len(unpack(batch)[0]) == 100
        assert parse_message(single[8:]).ops[0].value == struct.pack(">q", 1)

    play(script())


def test_plans_that_are_forgotten_between_slices(kit: Any, wire: Any) -> None:
    async def script() -> None:
        wire.send(reads(kit, 300))
        while wire.connection.busy:
            wire.node.paths.clear()
            await asyncio.sleep(0)
        messages, last = unpack(wire.transport.written)
        assert (len(messages), last) == (300, ResultCode.OK)

    play(script())


def test_a_client_that_does_not_read_is_waited_for(kit: Any, wire: Any) -> None:
    async def script() -> None:
        wire.connection.pause_writing()
        wire.send(reads(kit, 10_000))
        for _ in range(5000):
            await asyncio.sleep(0)
        assert wire.connection.busy
        assert 0 < len(wire.transport.written) < 2 * FRAME_SIZE
        wire.connection.resume_writing()
        await finished(wire)
        assert len(unpack(wire.transport.written)[0]) == 10_000

    play(script())


def test_a_client_that_never_reads_is_given_up(kit: Any, wire: Any) -> None:
    async def script() -> None:
        wire.connection.pause_writing()
        wire.node.clock.freeze()  # the rows are quick enough, it is the client that is not
        heads = [GET_ALL] + [REPEAT] * 999
        wire.send(request(kit, [BIG] * 1000, heads, timeout_ms=20))
        while wire.connection.busy:
            await asyncio.sleep(0.01)
        assert wire.transport.closed
        assert len(wire.transport.written) < (1 << 20) + 2 * FRAME_SIZE
        assert wire.node.statistics.batch_index_timeout == 1

    play(script())


def test_a_batch_that_takes_too_long_ends(kit: Any, wire: Any) -> None:
    async def script() -> None:
        wire.send(reads(kit, 1000))
        wire.node.clock.advance(31)
        await finished(wire)
        messages, last = unpack(wire.transport.written)
        assert last == ResultCode.TIMEOUT
        assert 0 < len(messages) < 1000
        assert wire.node.statistics.batch_index_timeout == 1

    play(script())


def test_a_client_that_goes_away(kit: Any, wire: Any) -> None:
    async def script() -> None:
        wire.send(reads(kit, 1000))
        await asyncio.sleep(0)
        wire.connection.connection_lost(None)
        await finished(wire)
        assert wire.node.statistics.batch_index_error == 1
        assert kit.Wire(wire.node).call(kit.get(1)).result_code == ResultCode.OK

    play(script())


# -------------------------------------------------------------- records on a medium


class ColdEngine(MemoryEngine):
    """Each record must be loaded on another thread before it can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.warm: set[bytes] = set()
        self.threads: set[int] = set()

    def get(self, digest: bytes) -> Any:
        if digest not in self.warm:
            raise NotResident(lambda: self._load(digest))
        return super().get(digest)

    def _load(self, digest: bytes) -> None:
        self.threads.add(threading.get_ident())
        self.warm.add(digest)


class SyncingEngine(MemoryEngine):
    """Writes may be acknowledged only after a sync, which the test lets go."""

    def __init__(self, *, broken: bool) -> None:
        super().__init__()
        self.acknowledges_sync = True
        self.go = threading.Semaphore(0)
        self.broken = broken

    def sync(self) -> None:
        self.go.acquire()
        if self.broken:
            raise OSError("the medium is gone")


def use(node: Any, engine: MemoryEngine) -> None:
    config = node.namespaces[b"test"].config
    turns = Turns(node.clock.monotonic_ns, asyncio.get_running_loop().call_soon)
    node.namespaces[b"test"] = Namespace(
        config, engine, node.clock, node.transaction_threads, turns, community=True
    )
    node.paths.clear()


def test_rows_whose_records_must_be_loaded(kit: Any, wire: Any) -> None:
    async def script() -> None:
        engine = ColdEngine()
        use(wire.node, engine)
        wire.send(request(kit, range(20), [WRITE_TEN] * 20))
        await finished(wire)
        assert all(m.result_code == ResultCode.OK for m in unpack(wire.transport.written)[0])
        engine.warm.clear()
        wire.send(request(kit, range(21), [GET_ALL] + [REPEAT] * 20))
        await finished(wire)
        messages, last = unpack(wire.transport.written)
        assert [m.result_code for m in messages] == [0] * 20 + [ResultCode.NOT_FOUND]
        assert last == ResultCode.OK
        assert threading.get_ident() not in engine.threads
        wire.node.transaction_threads.stop()

    play(script())


@pytest.mark.parametrize("broken", [False, True])
def test_writes_are_answered_when_the_medium_has_them(kit: Any, wire: Any, broken: bool) -> None:
    async def script() -> None:
        engine = SyncingEngine(broken=broken)
        use(wire.node, engine)
        wire.send(request(kit, range(3), [WRITE_TEN] * 3))
        await asyncio.sleep(0.02)
        assert wire.transport.written == b""
        engine.go.release(3)  # a sync for each turn of the loop that the batch took
        await finished(wire)
        messages, last = unpack(wire.transport.written)
        expected = (0, ResultCode.TIMEOUT) if broken else (3, ResultCode.OK)
        assert (len(messages), last) == expected
        wire.node.transaction_threads.stop()

    play(script())
