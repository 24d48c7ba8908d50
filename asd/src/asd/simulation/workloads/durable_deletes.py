"""Durable deletes: what is deleted so does not come back, whoever was away meanwhile."""

from __future__ import annotations

from aerospike_client import AsyncClient, WritePolicy
from asd.simulation.history import Operation
from asd.simulation.workloads.workload import Phase, Stage, Workload, get

BIN = "n"
READS_AGAIN = 20


class DurableDeletes(Workload):
    """Records are written once, then deleted durably, or left."""

    name = "durable"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._kept: dict[int, Operation] = {}
        self._deleted: dict[int, Operation] = {}

    async def act(self, client: AsyncClient, who: str) -> None:
        """Write a new one, delete one, or look at one."""
        if self._kept and self.chance.happens(0.3):
            number = self.chance.choose(list(self._kept))
            del self._kept[number]
            asked = client.remove(self.key(number), WritePolicy(durable_delete=True))
            delete = await self.ask(who, number, "delete", None, asked, lambda told: (told, 0))
            if delete.done and delete.result:
                self._deleted[number] = delete
            return
        if self._deleted and self.chance.happens(0.4):
            number = self.chance.choose(list(self._deleted)[-READS_AGAIN:])
            await self._look(client, who, number)
            return
        number = self.unique()
        write = await self.ask(
            who, number, "write", number, client.put(self.key(number), {BIN: number})
        )
        if write.done:
            self._kept[number] = write

    async def _look(self, client: AsyncClient, who: str, number: int) -> None:
        asked = get(client, self.key(number))
        await self.ask(who, number, "read", None, asked, lambda told: (bool(told[0]), told[1]))

    async def read(self, client: AsyncClient) -> None:
        """Look at all that should be there, and at those deleted last."""
        for number in [*list(self._kept)[-READS_AGAIN:], *list(self._deleted)[-READS_AGAIN:]]:
            await self._look(client, "rest", number)

    def check(self, phase: Phase) -> None:
        """What is deleted is not there; while nodes are together nobody reads it either."""
        for read in self.clients.operations:
            if read.act != "read":
                continue
            at_rest = read.client == "rest"
            if not read.done:
                if at_rest:
                    self.fail(f"everything is at rest, and {read}")
                continue
            delete = self._deleted.get(_number(read))
            looks = at_rest or self.demands_order(phase)
            if looks and read.result and delete is not None and delete.before(read):
                self.fail(f"deleted durably, and there:\n{delete}\n{read}")
            if at_rest and _number(read) in self._kept and not read.result:
                self.fail(f"lost: {self._kept[_number(read)]}")
        self.clients.forget()


def _number(read: Operation) -> int:
    assert isinstance(read.place, int)
    return read.place
