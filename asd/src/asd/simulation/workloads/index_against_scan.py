"""A secondary index against a scan: both find the same records."""

from __future__ import annotations

from typing import Any

from aerospike_client import AsyncClient, IndexKind, QueryPolicy, Where, between
from asd.simulation.workloads.workload import Phase, Workload

RECORDS = 30
VALUES = 12
BIN = "n"


class IndexAgainstScan(Workload):
    """Records whose indexed number changes all the time."""

    name = "index"

    async def prepare(self, client: AsyncClient) -> None:
        """Make the index, and some records."""
        task = await client.create_index(
            "by_n", self.stage.namespace, self.name, BIN, IndexKind.NUMERIC
        )
        for number in range(RECORDS // 2):
            await client.put(self.key(number), {BIN: number % VALUES})
        await task

    async def act(self, client: AsyncClient, who: str) -> None:
        """Give a record another number, or ask for a range."""
        if self.chance.happens(0.15):
            low = self.chance.below(VALUES)
            high = low + self.chance.below(4)
            asked = self._found(client, between(BIN, low, high))
            await self.ask(who, "range", "range", (low, high), asked, lambda found: (found, 0))
            return
        number, value = self.chance.below(RECORDS), self.chance.below(VALUES)
        await self.ask(who, number, "write", value, client.put(self.key(number), {BIN: value}))

    async def read(self, client: AsyncClient) -> None:
        """Ask the index for every value, and scan."""
        whole = between(BIN, 0, VALUES)
        for act, where in (("index", whole), ("scan", None)):
            await self.ask("rest", act, act, None, self._found(client, where), lambda f: (f, 0))

    async def _found(self, client: AsyncClient, where: Where | None) -> list[Any]:
        policy = QueryPolicy(total_timeout=20_000)
        stream = client.query(self.stage.namespace, self.name, where=where, policy=policy)
        return sorted([(r.key.digest.hex(), r.bins[BIN]) async for r in stream])

    def check(self, phase: Phase) -> None:
        """They have found the same, each record once; a range, only what is in it."""
        *_, index, scan = self.clients.operations
        if not index.done or not scan.done:
            self.fail(f"everything is at rest, and\n{index}\n{scan}")
        if index.result != scan.result:
            odd = set(index.result) ^ set(scan.result)
            self.fail(f"index and scan differ in {odd}")
        for each in self.clients.operations:
            if each.act == "range" and each.done:
                low, high = each.value
                if not all(low <= value <= high for _, value in each.result):
                    self.fail(f"not what was asked for: {each}")
                digests = [digest for digest, _ in each.result]
                if len(set(digests)) < len(digests) and phase.firm:
                    self.fail(f"a record is found twice: {each}")
        self.clients.forget()
