"""Expiring records: they live as long as they were to, and not longer."""

from __future__ import annotations

from aerospike_client import AsyncClient, WritePolicy
from asd.simulation.history import Operation
from asd.simulation.workloads.workload import Mode, Phase, Stage, Workload, get

LIVES_S = (1, 2, 4)
LATE_S = 2.0
"""Times of life are whole seconds, and the last of them counts."""
READS_AGAIN = 6


class Expiring(Workload):
    """Written once with a time of life, then looked at."""

    name = "expiring"
    modes = frozenset({Mode.AVAILABLE})

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._mine: list[Operation] = []

    async def act(self, client: AsyncClient, who: str) -> None:
        """Write a record, or look at one of those written last."""
        if self._mine and self.chance.happens(0.6):
            write = self.chance.choose(self._mine[-READS_AGAIN:])
            await self._look(client, who, write)
            return
        number, life_s = self.unique(), self.chance.choose(LIVES_S)
        asked = client.put(self.key(number), {"n": number}, WritePolicy(ttl=life_s))
        write = await self.ask(who, number, "write", life_s, asked)
        if write.done:
            self._mine.append(write)

    async def _look(self, client: AsyncClient, who: str, write: Operation) -> None:
        assert isinstance(write.place, int)
        asked = get(client, self.key(write.place))
        await self.ask(who, write.place, "read", None, asked, lambda told: (bool(told[0]), told[1]))

    async def read(self, client: AsyncClient) -> None:
        """Look at those written last."""
        for write in self._mine[-READS_AGAIN:]:
            await self._look(client, "rest", write)

    def check(self, phase: Phase) -> None:
        """None was seen after its end; and all before, while nodes were together."""
        skew_s, ordered = self.stage.skew_s(), self.demands_order(phase)
        written = {each.place: each for each in self._mine}
        here = set(self.clients.operations)
        for read in self.clients.operations:
            write = written.get(read.place)
            if write is None or read.act != "read" or not read.done:
                continue
            if read.result and read.begun_s > write.ended_s + write.value + LATE_S + skew_s:
                self.fail(f"it has expired, and is read:\n{write}\n{read}")
            lives = read.ended_s < write.begun_s + write.value - 1 - skew_s
            if lives and ordered and write in here and write.before(read) and not read.result:
                self.fail(f"it lives, and is not there:\n{write}\n{read}")
        self.clients.forget()
