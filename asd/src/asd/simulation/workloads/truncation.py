"""Truncation: what was written before it is gone for good, what is written after it stays."""

from __future__ import annotations

from aerospike_client import AsyncClient, QueryPolicy
from asd.simulation.history import Operation
from asd.simulation.workloads.workload import Phase, Stage, Workload

BIN = "n"
TIMES_S = 0.002
"""Times of records are milliseconds."""


class Truncation(Workload):
    """New records all the time, and now and then the set is truncated."""

    name = "truncation"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._writes: list[Operation] = []
        self._truncations: list[Operation] = []

    async def act(self, client: AsyncClient, who: str) -> None:
        """Write a record, or truncate."""
        if self.chance.happens(0.04):
            asked = client.truncate(self.stage.namespace, self.name)
            self._truncations.append(await self.ask(who, "set", "truncate", None, asked))
            return
        number = self.unique()
        asked = client.put(self.key(number), {BIN: number})
        self._writes.append(await self.ask(who, number, "write", number, asked))

    async def read(self, client: AsyncClient) -> None:
        """Query the set."""
        await self.ask("rest", "set", "query", None, self._found(client), lambda f: (f, 0))

    async def _found(self, client: AsyncClient) -> list[int]:
        policy = QueryPolicy(total_timeout=20_000)
        stream = client.query(self.stage.namespace, self.name, policy=policy)
        return sorted([record.bins[BIN] async for record in stream])

    def check(self, phase: Phase) -> None:
        """Of each write it is known that it is gone, or that it is there, or neither."""
        query = self.clients.operations[-1]
        if not query.done:
            self.fail(f"everything is at rest, and {query}")
        found = set(query.result)
        if len(found) < len(query.result):
            self.fail(f"a record is found twice: {query}")
        acknowledged = [each for each in self._truncations if each.done]
        last = max(acknowledged, key=lambda each: each.begun, default=None)
        # Nobody knows when one was done that was not acknowledged. It may have been, whatever its
        # error says: a node that does not answer a command is no node that refuses it.
        tried = self._truncations
        margin_s = TIMES_S + self.stage.skew_s()
        for write in self._writes:
            there = write.value in found
            gone = last is not None and write.ended_s + margin_s < last.begun_s
            if there and gone and write.done:
                self.fail(f"truncated, and there:\n{write}\n{last}")
            stays = all(each.done and each.ended_s + margin_s < write.begun_s for each in tried)
            if not there and stays and write.done:
                self.fail(f"lost: {write}")
        self._writes = [each for each in self._writes if each.value in found]
        self._truncations = [last] if last is not None else []
        self.clients.forget()
