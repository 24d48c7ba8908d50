"""Sets: each element is a record of its own, put once; queries read them all.

What is inserted is kept, whatever happens: where nodes served apart, both sides' records stay.
"""

from __future__ import annotations

from collections import Counter

from aerospike_client import AsyncClient, QueryPolicy
from asd.simulation.history import Operation, Status
from asd.simulation.workloads.workload import Phase, Stage, Workload

BIN = "n"


class GrowOnlySet(Workload):
    """Elements come, and stay."""

    name = "set"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._acknowledged: dict[int, Operation] = {}
        self._tried: set[int] = set()

    async def act(self, client: AsyncClient, who: str) -> None:
        """Insert an element."""
        value = self.unique()
        self._tried.add(value)
        done = await self.ask(
            who, "all", "insert", value, client.put(self.key(value), {BIN: value})
        )
        if done.done:
            self._acknowledged[value] = done
        elif done.status is Status.REFUSED:
            self._tried.discard(value)

    async def read(self, client: AsyncClient) -> None:
        """Query them all."""
        await self.ask("rest", "all", "query", None, _elements(client, self), lambda e: (e, 0))

    def check(self, phase: Phase) -> None:
        """All that were acknowledged are there, once, and none that nobody inserted."""
        query = self.clients.operations[-1]
        if not query.done:
            self.fail(f"everything is at rest, and {query}")
        found = Counter(query.result)
        for value, insert in self._acknowledged.items():
            if not found[value]:
                self.fail(f"lost: {insert}")
        for value, times in found.items():
            if times > 1:
                self.fail(f"{value} is found {times} times")
            if value not in self._tried:
                self.fail(f"nobody inserted {value}")
        self.clients.forget()


async def _elements(client: AsyncClient, workload: GrowOnlySet) -> list[int]:
    stage = workload.stage
    policy = QueryPolicy(total_timeout=20_000)
    stream = client.query(stage.namespace, workload.name, policy=policy)
    return [record.bins[BIN] async for record in stream]
