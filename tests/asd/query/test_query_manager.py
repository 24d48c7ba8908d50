"""However many queries run, one begins a slice in a turn of the loop."""

from __future__ import annotations

import asyncio
from collections import Counter

from asd.config import Config
from asd.query.manager import QueryManager
from citrusleaf.cf_clock import VirtualClock


def test_queries_take_turns_one_in_each_of_the_loop_s() -> None:
    began: list[tuple[int, int]] = []
    turn = 0

    async def one(queries: QueryManager, number: int) -> None:
        for _ in range(4):
            await queries.turn()
            began.append((turn, number))

    async def main() -> None:
        nonlocal turn
        queries = QueryManager(Config(), VirtualClock())
        tasks = [asyncio.create_task(one(queries, number)) for number in range(5)]
        tasks[3].cancel()
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            turn += 1

    asyncio.run(main())
    assert max(Counter(at for at, _ in began).values()) == 1
    numbers = [number for _, number in began]
    assert Counter(numbers) == {0: 4, 1: 4, 2: 4, 4: 4}
    assert numbers[5:9] == numbers[1:5]  # in the same order
