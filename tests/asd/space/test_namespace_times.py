"""Last-update-times never go back from version to version, whatever a node's clock does.

Else an older version of a record would win where two copies meet that are compared by time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aerospike_client import (
    AsyncClient,
    BatchOperate,
    IndexKind,
    Key,
    OperatePolicy,
    WritePolicy,
    operations,
)
from aerospike_client.operations import lists
from asd.simulation import World

KEY = Key("test", "times", 1)
BIN = "n"
SOURCE = """
function add(record)
  record['n'] = (record['n'] or 0) + 1
  aerospike:update(record)
end
"""

Write = Callable[[AsyncClient, int], Awaitable[Any]]


async def batched(client: AsyncClient, number: int) -> None:
    await client.batch([BatchOperate(KEY, [operations.write(BIN, number)])])


WRITES: dict[str, Write] = {
    "a put of a bin": lambda client, number: client.put(KEY, {BIN: number}),
    "a put of another type": lambda client, number: client.put(KEY, {BIN: "x" * number}),
    "a put of some bins": lambda client, number: client.put(KEY, {BIN: number, "m": 2, "o": 3}),
    "operations": lambda client, number: client.operate(
        KEY, [operations.add(BIN, number), operations.read(BIN)]
    ),
    "a list": lambda client, number: client.operate(KEY, [lists.append("l", number)]),
    "a write with a time of life": lambda client, number: client.put(
        KEY, {BIN: number}, WritePolicy(ttl=100)
    ),
    "a touch": lambda client, number: client.operate(
        KEY, [operations.touch()], OperatePolicy(ttl=-1)
    ),
    "a row of a batch": batched,
    "a function": lambda client, number: client.apply(KEY, "times", "add", []),
}


@pytest.fixture(scope="module")
def world() -> Any:
    with World(1, nodes=1) as world:
        yield world


@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize("name", WRITES)
def test_a_clock_that_steps_back_takes_no_time_back(world, name, is_indexed) -> None:
    engine = world.machines["n1"].node.namespaces[b"test"].engine

    def updated_ms() -> int:
        return engine.get(KEY.digest)[2]

    async def application() -> None:
        async with world.client() as client:
            if is_indexed:
                await (await client.create_index("by_n", "test", "times", BIN, IndexKind.NUMERIC))
            await (await client.udf_put("times.lua", SOURCE))
            await client.put(KEY, {BIN: 1})
            for number in range(1, 6):  # the short ways are learned, too
                await WRITES[name](client, number)
            before_ms = updated_ms()
            world.jump_clock("n1", -1000)
            for number in range(6, 10):
                await WRITES[name](client, number)
                assert updated_ms() == before_ms
            world.jump_clock("n1", 1000.5)
            await WRITES[name](client, 1)
            assert updated_ms() > before_ms
            await client.remove(KEY)
            if is_indexed:
                await client.drop_index("test", "by_n")

    world.run(application())
