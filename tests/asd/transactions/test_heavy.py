"""Heavy commands leave the loop and come to the same; others wait for no more than the record."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, OpType, ParticleType
from aerospike_common.wire.codes import ResultCode as Code
from aerospike_common.wire.message import Message, Op, encode_message, parse_message, split_messages
from asd.config import Config, NamespaceConfig
from asd.node import Node
from asd.process.heavy_work import Died, Inline, Overloaded, Overrun
from asd.service.connection import Connection
from asd.transactions import transaction
from asd.transactions.worker import Worker
from citrusleaf.cf_clock import VirtualClock

BIG = list(range(70_000, 90_000))
COUNT = 5
LIST, INT, BIN, CALL, EQ, GT = 4, 2, 81, 127, 1, 3


class Gate(Inline):
    """Does work inline, but not before it is let through."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(Worker(clock))
        self.open = asyncio.Event()
        self.open.set()
        self.jobs = 0
        self.failure: Exception | None = None

    async def run(self, job: Any, size: int, limit_s: float) -> Any:
        self.jobs += 1
        assert size > 0
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return await super().run(job, size, limit_s)


class World:
    """A node on the running loop, and its clients."""

    def __init__(self, kit: Any, *, leaves: bool, step_s: float) -> None:
        self.kit = kit
        self.clock = VirtualClock(auto_advance_s=step_s)
        self.gate = Gate(self.clock)
        spaces = {name: NamespaceConfig(name, nsup_period=120) for name in ("test",)}
        heavy = self.gate if leaves else None
        self.node = Node(Config(namespaces=spaces), self.clock, machine_id=1, heavy=heavy)
        for namespace in self.node.namespaces.values():
            namespace.engine.open()
        self.space = self.node.namespaces[b"test"]
        self.first = self.client()

    def client(self) -> Client:
        return Client(self)


class Client:
    """One connection."""

    def __init__(self, world: World) -> None:
        self.transport = world.kit.FakeTransport()
        self.connection = Connection(world.node)
        self.connection.connection_made(self.transport)

    def begin(self, data: bytes) -> None:
        self.connection.data_received(data)

    async def finish(self) -> list[Message]:
        while self.connection.busy or self.connection._chunks:
            await asyncio.sleep(0)
        return self.taken()

    def taken(self) -> list[Message]:
        """The replies that have come."""
        data, found = self.transport.written, []
        self.transport.written = b""
        while data:
            size = 8 + int.from_bytes(data[2:8], "big")
            found.append(parse_message(data[8:size]))
            data = data[size:]
        return found

    async def call(self, data: bytes) -> Message:
        self.begin(data)
        (reply,) = await self.finish()
        return reply


def play(
    kit: Any,
    scene: Callable[[World], Awaitable[Any]],
    *,
    leaves: bool = True,
    step_s: float = 0,
) -> Any:
    async def main() -> Any:
        world = World(kit, leaves=leaves, step_s=step_s)
        result = await scene(world)
        for namespace in world.node.namespaces.values():
            namespace._check()
            assert not namespace.held.digests
            assert namespace.given is None
        return result

    return asyncio.run(main())


def modify(name: bytes, *op: Any) -> Op:
    return Op(OpType.CDT_MODIFY, 0, name, as_msgpack.pack(list(op)))


def look(name: bytes, *op: Any) -> Op:
    return Op(OpType.CDT_READ, 0, name, as_msgpack.pack(list(op)))


def filtered(expression: Any) -> dict[int, bytes]:
    return {int(FieldType.FILTER): as_msgpack.pack(expression)}


def big(kit: Any, number: int, **more: Any) -> bytes:
    data: bytes = kit.put(number, (b"a", ParticleType.LIST, as_msgpack.pack(BIG)), **more)
    return data


def operate(kit: Any, number: int, *ops: Op, **more: Any) -> bytes:
    data: bytes = kit.request(
        number, info1=Info1.READ, info2=Info2.WRITE | more.pop("info2", 0), ops=ops, **more
    )
    return data


SIZE = [CALL, INT, 0, [16], [BIN, LIST, "a"]]
YES = [EQ, SIZE, len(BIG)]
NO = [GT, SIZE, 10**9]
INTEGER = (b"n", ParticleType.INTEGER, struct.pack(">q", 7))


def requests(kit: Any) -> Iterable[bytes]:
    """All kinds of commands on a record with a big list, one after the other."""
    read = kit.request
    yield big(kit, 1)
    yield kit.put(1, INTEGER)
    yield read(1, info1=Info1.READ, ops=[look(b"a", 25, COUNT, 1, 80_000), look(b"a", 16)])
    yield read(1, info1=Info1.READ, ops=[look(b"a", 25, COUNT)])
    yield read(1, info1=Info1.READ, ops=[look(b"none", 16), Op(OpType.READ, 0, b"n", b"")])
    yield kit.get(1, fields=filtered(YES))
    yield kit.get(1, fields=filtered(NO))
    yield kit.get(1, fields=filtered([1, 2, 3]))
    yield kit.get(9, fields=filtered(YES))
    yield operate(kit, 1, modify(b"a", 1, 5), Op(OpType.READ, 0, b"n", b""))
    yield operate(kit, 1, modify(b"a", 13, 0), info2=Info2.RESPOND_ALL_OPS)
    yield operate(kit, 1, modify(b"a", 1, 6), modify(b"n", 1, 6))
    yield operate(kit, 1, modify(b"a", 1, 6), info2=Info2.GENERATION, generation=77)
    yield operate(kit, 1, modify(b"a", 1, 6), fields=filtered(NO))
    yield operate(kit, 1, modify(b"a", 1, 6), fields=filtered([GT, SIZE, 1]))
    yield operate(kit, 1, modify(b"a", 1, 6), set_name=b"other")
    yield operate(kit, 1, modify(b"a", 1, 7), fields={int(FieldType.KEY): b"\x03key"})
    yield operate(kit, 1, modify(b"a", 1, 8), record_ttl=1000)
    yield operate(kit, 1, modify(b"a", 1, 8), record_ttl=2**31)
    yield operate(kit, 1, *[modify(b"a", 2, list(range(100_000)))] * 4)
    yield kit.get(1)
    yield read(1, info2=Info2.WRITE | Info2.DELETE, fields=filtered(NO))
    yield big(kit, 1, info3=Info3.CREATE_OR_REPLACE)
    yield kit.get(1)
    yield operate(kit, 1, modify(b"a", 1, 5), Op(OpType.WRITE, 0, b"a", b""))
    yield kit.get(1)
    yield big(kit, 2)
    yield read(2, info2=Info2.WRITE | Info2.DELETE, fields=filtered(YES))
    yield kit.get(2)


def test_every_command_comes_to_the_same(kit: Any) -> None:
    async def scene(world: World) -> tuple[list[Message], list[tuple[int, ...]], int]:
        replies = [await world.first.call(data) for data in requests(kit)]
        origin = world.space.statistics.client
        counted = [(origin.read_success, origin.read_filtered_out, origin.read_error)]
        counted += [(origin.write_success, origin.write_filtered_out, origin.write_error)]
        counted += [(origin.delete_success, origin.delete_filtered_out)]
        return replies, counted, world.gate.jobs

    here, counted_here, none = play(kit, scene, leaves=False)
    elsewhere, counted_elsewhere, jobs = play(kit, scene)
    assert none == 0
    assert jobs > 10
    for number, (one, other) in enumerate(zip(here, elsewhere, strict=True)):
        assert one == other, number
    assert counted_here == counted_elsewhere


def test_answers_come_in_order(kit: Any) -> None:
    async def scene(world: World) -> list[int]:
        await world.first.call(big(kit, 1))
        world.gate.open.clear()
        client = world.client()
        count = look(b"a", 25, COUNT, 1, 80_000)
        client.begin(
            kit.get(5) + kit.request(1, info1=Info1.READ, ops=[count]) + kit.get(6) + kit.get(1)
        )
        for _ in range(5):
            await asyncio.sleep(0)
        assert [reply.result_code for reply in client.taken()] == [Code.NOT_FOUND]
        assert (await world.first.call(kit.put(3, INTEGER))).result_code == 0
        world.gate.open.set()
        return [reply.result_code for reply in await client.finish()]

    assert play(kit, scene) == [0, Code.NOT_FOUND, 0]


def test_writes_of_a_record_that_is_worked_on_wait_in_order_and_reads_do_not(kit: Any) -> None:
    async def scene(world: World) -> list[int]:
        await world.first.call(big(kit, 1))
        await world.first.call(kit.put(1, INTEGER))
        for _ in range(3):  # from now on there are fast paths
            await world.first.call(kit.get(1))
            await world.first.call(kit.put(2, INTEGER))
        world.gate.open.clear()
        heavy, *light = (world.client() for _ in range(6))
        heavy.begin(operate(kit, 1, modify(b"a", 13, 0), modify(b"a", 1, 1)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert kit.digest(1) in world.space.held.digests
        for number, client in enumerate(light):
            bin_ = (b"n", ParticleType.INTEGER, struct.pack(">q", number))
            client.begin(kit.put(1, bin_))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not any(client.taken() for client in light)
        reader = world.client()
        found = {op.name: op.value for op in (await reader.call(kit.get(1))).ops}
        assert found[b"a"] == as_msgpack.pack(BIG)
        assert found[b"n"] == INTEGER[2]
        world.gate.open.set()
        done = [(await client.finish())[0] for client in (heavy, *light)]
        assert [reply.result_code for reply in done] == [0] * 6
        found = {op.name: op.value for op in (await reader.call(kit.get(1))).ops}
        assert found[b"n"] == struct.pack(">q", 4)
        assert len(as_msgpack.unpack(found[b"a"])) == len(BIG) + 1
        return [reply.generation for reply in done]

    assert play(kit, scene) == [3, 4, 5, 6, 7, 8]


def test_heavy_writes_of_one_record_are_done_one_after_the_other(kit: Any) -> None:
    async def scene(world: World) -> list[int]:
        await world.first.call(big(kit, 1))
        clients = [world.client() for _ in range(8)]
        for number, client in enumerate(clients):
            client.begin(operate(kit, 1, look(b"a", 22, COUNT, 5), modify(b"a", 1, number)))
        replies = [(await client.finish())[0] for client in clients]
        assert sorted(reply.generation for reply in replies) == list(range(2, 10))
        stored = as_msgpack.unpack((await world.first.call(kit.get(1))).ops[0].value)
        return list(stored[len(BIG) :])

    assert sorted(play(kit, scene)) == list(range(8))


def test_a_record_that_changes_without_a_transaction_is_worked_on_again(kit: Any) -> None:
    async def scene(world: World) -> Message:
        await world.first.call(big(kit, 1))
        world.gate.open.clear()
        client = world.client()
        client.begin(operate(kit, 1, look(b"a", 22, COUNT, 5), modify(b"a", 1, 1)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        record = world.space.find(kit.digest(1))
        assert record is not None
        world.space.store(kit.digest(1), 40, 0, b"demo", record[4], record[5])
        world.gate.open.set()
        (reply,) = await client.finish()
        assert world.gate.jobs == 3  # of the list that was put, too
        return reply

    reply = play(kit, scene)
    assert (reply.result_code, reply.generation) == (0, 41)


@pytest.mark.parametrize(
    ("failure", "code"),
    [(Died(), Code.SERVER_ERROR), (Overrun(), Code.TIMEOUT), (Overloaded(), Code.DEVICE_OVERLOAD)],
)
def test_a_worker_that_fails_costs_its_request_a_result_code(
    kit: Any, failure: Exception, code: Code
) -> None:
    async def scene(world: World) -> None:
        await world.first.call(big(kit, 1))
        world.gate.failure = failure
        count = look(b"a", 25, COUNT, 1, 80_000)
        for request in (
            operate(kit, 1, modify(b"a", 13, 0)),
            kit.request(1, info1=Info1.READ, ops=[count]),
            kit.get(1, fields=filtered(YES)),
            kit.request(1, info2=Info2.WRITE | Info2.DELETE, fields=filtered(YES)),
        ):
            assert (await world.first.call(request)).result_code == code
        assert (await world.first.call(kit.put(1, INTEGER))).generation == 2

    play(kit, scene)


def test_what_was_taken_for_light_leaves_when_it_takes_long(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "MOST", 1 << 40)

    async def scene(world: World) -> None:
        await world.first.call(big(kit, 1))
        before = world.gate.jobs
        counts = [look(b"a", 25, COUNT, 1, 80_000)] * 5
        reply = await world.first.call(kit.request(1, info1=Info1.READ, ops=counts))
        assert [int.from_bytes(op.value, "big") for op in reply.ops] == [10_000] * 5
        assert world.gate.jobs == before + 1

    play(kit, scene, step_s=0.002)


SOURCE = b"""
function slow(rec, n)
  local sum = 0
  for at = 1, n do sum = sum + at end
  warn("summed %d", sum)
  rec['n'] = sum
  if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end
  return sum
end
function spin(rec) while true do end end
"""


def call(kit: Any, number: int, name: bytes, *arguments: Any, **more: Any) -> bytes:
    fields = {30: b"m", 31: name, 32: as_msgpack.pack(list(arguments)), 33: b"\x03"}
    data: bytes = kit.request(
        number, info2=Info2.WRITE, fields={**fields, **more.pop("fields", {})}, **more
    )
    return data


def test_a_function_that_takes_long_begins_again_elsewhere(kit: Any, caplog: Any) -> None:
    async def scene(world: World) -> tuple[list[Message], int]:
        world.node.udf.put("m.lua", SOURCE)
        requests = [
            call(kit, 1, b"slow", 10),
            call(kit, 1, b"slow", 30_000),
            call(kit, 2, b"slow", 30_000),
            call(kit, 2, b"slow", 30_000, fields=filtered([EQ, [BIN, INT, "n"], 1])),
            call(kit, 2, b"spin"),
            call(kit, 2, b"none"),
            kit.get(1),
            kit.get(2),
        ]
        return [await world.first.call(data) for data in requests], world.gate.jobs

    here, none = play(kit, scene, leaves=False, step_s=0.0005)
    lines_here = [record.getMessage() for record in caplog.records]
    caplog.clear()
    elsewhere, jobs = play(kit, scene, step_s=0.0005)
    assert [reply.result_code for reply in here[:6]] == [0, 0, 0, 27, 100, 100]
    assert (none, jobs) == (0, 3)
    assert here == elsewhere
    assert [record.getMessage() for record in caplog.records] == lines_here
    assert len(lines_here) == 3


def batch(kit: Any, numbers: Iterable[int], ops: list[Op]) -> bytes:
    wire = encode_message(fields={}, ops=ops)[22:]
    rows = []
    for at, number in enumerate(numbers):
        fields = b"".join(
            (len(value) + 1).to_bytes(4, "big") + bytes((kind,)) + value
            for kind, value in ((FieldType.NAMESPACE, b"test"), (FieldType.SET, b"demo"))
        )
        head = at.to_bytes(4, "big") + kit.digest(number) + bytes((0, Info1.READ))
        rows.append(head + (2).to_bytes(2, "big") + len(ops).to_bytes(2, "big") + fields + wire)
    field = len(rows).to_bytes(4, "big") + b"\1" + b"".join(rows)
    body = encode_message(Info1.READ | Info1.BATCH, 0, fields={FieldType.BATCH: field})
    return b"\x02\x03" + len(body).to_bytes(6, "big") + body


def test_rows_of_a_batch_leave_one_by_one(kit: Any) -> None:
    async def scene(world: World) -> list[tuple[int, int]]:
        for number in (1, 2, 3):
            await world.first.call(big(kit, number))
        before = world.gate.jobs
        client = world.client()
        client.begin(batch(kit, [1, 7, 2, 1, 3], [look(b"a", 25, COUNT, 1, 80_000)]))
        while client.connection.busy:
            await asyncio.sleep(0)
        messages, data = [], client.transport.written
        while data:
            end = 8 + int.from_bytes(data[2:8], "big")
            messages += map(parse_message, split_messages(data[8:end]))
            data = data[end:]
        assert world.gate.jobs == before + 4
        return [(each.transaction_ttl, each.result_code) for each in messages]

    rows = play(kit, scene)
    assert rows[:5] == [(0, 0), (1, Code.NOT_FOUND), (2, 0), (3, 0), (4, 0)]
