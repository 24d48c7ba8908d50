"""Unique ids: a sequence gives out numbers, some at a time; nobody may be given another's."""

from __future__ import annotations

from aerospike_client import AsyncClient, operations
from asd.simulation.history import Operation
from asd.simulation.workloads.workload import Phase, Stage, Workload, get

BIN = "last"


class UniqueIds(Workload):
    """Clients draw ids from one record."""

    name = "ids"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._last: Operation | None = None

    async def act(self, client: AsyncClient, who: str) -> None:
        """Draw one to three."""
        count = 1 + self.chance.below(3)
        ops = [operations.add(BIN, count), operations.read(BIN)]
        asked = client.operate(self.key("sequence"), ops)
        await self.ask(who, "ids", "draw", count, asked, lambda told: (told.bins[BIN], 0))

    async def read(self, client: AsyncClient) -> None:
        """Look how far the sequence is."""
        asked = get(client, self.key("sequence"))
        await self.ask("rest", "ids", "read", None, asked, lambda t: ((t[0] or {}).get(BIN, 0), 0))

    def check(self, phase: Phase) -> None:
        """No id was given out twice in a phase in which nodes were together, nor one that was given
        out before it."""
        *drawn, last = self.clients.operations
        if not last.done:
            self.fail(f"everything is at rest, and {last}")
        first = self._last.result if self._last is not None else 0
        given: dict[int, Operation] = {}
        for draw in drawn if self.demands_order(phase) else ():
            for number in range(draw.result - draw.value + 1, draw.result + 1) if draw.done else ():
                if number in given or number <= first or number > last.result:
                    self.fail(
                        f"{number} is not new: {draw}\n{given.get(number, self._last)}\n{last}"
                    )
                given[number] = draw
        self._last = last
        self.clients.forget()
