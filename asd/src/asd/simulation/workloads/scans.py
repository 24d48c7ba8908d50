"""Scans: a query finds every record that nobody touches, once."""

from __future__ import annotations

from collections import Counter

from aerospike_client import AsyncClient, QueryPolicy
from asd.simulation.workloads.workload import Phase, Workload

BIN = "n"
RECORDS = 60


class Scans(Workload):
    """Records are written in the beginning, then only queried."""

    name = "scan"

    async def prepare(self, client: AsyncClient) -> None:
        """Write the records."""
        for number in range(RECORDS):
            await client.put(self.key(number), {BIN: number})

    async def act(self, client: AsyncClient, who: str) -> None:
        """Query them all."""
        await self.ask(who, "all", "query", None, self._found(client), lambda f: (f, 0))

    async def read(self, client: AsyncClient) -> None:
        """Once more, at rest."""
        await self.act(client, "rest")

    async def _found(self, client: AsyncClient) -> list[int]:
        policy = QueryPolicy(total_timeout=20_000)
        stream = client.query(self.stage.namespace, self.name, policy=policy)
        return sorted([record.bins[BIN] async for record in stream])

    def check(self, phase: Phase) -> None:
        """At rest, and while nodes were together, none is missing, none there twice."""
        if not self.clients.operations[-1].done:
            self.fail(f"everything is at rest, and {self.clients.operations[-1]}")
        for query in self.clients.operations:
            if not query.done or not (query.client == "rest" or phase.firm):
                continue
            found = Counter(query.result)
            wrong = [number for number in range(RECORDS) if found[number] != 1]
            if wrong:
                self.fail(f"{wrong} are not found just once: {query}")
        self.clients.forget()
