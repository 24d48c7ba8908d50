"""Batches: rows for several registers at once; each row is an operation of its own."""

from __future__ import annotations

from typing import Any

from aerospike_client import (
    AsyncClient,
    BatchOperate,
    BatchRead,
    BatchResult,
    BatchRow,
    ClientError,
    RecordNotFound,
    operations,
)
from asd.simulation.history import Operation, Status, outcome_of
from asd.simulation.workloads.objects import BIN
from asd.simulation.workloads.register import Registers


class Batches(Registers):
    """Registers that are read and written by batches."""

    name = "batch"

    async def act(self, client: AsyncClient, who: str) -> None:
        """A batch of one row an object, for some of them."""
        rows: list[BatchRow] = []
        begun: list[Operation] = []
        now_s = self.stage.now_s()
        for place in self.chance.some(list(range(self.objects))):
            if self.chance.happens(self.reads):
                rows.append(BatchRead(self.key(place)))
                begun.append(self.clients.begin(who, place, "read", None, now_s))
            else:
                value = self.unique()
                rows.append(BatchOperate(self.key(place), [operations.write(BIN, value)]))
                begun.append(self.clients.begin(who, place, "write", value, now_s))
        try:
            results = await client.batch(rows)
        except ClientError as error:
            for each in begun:
                self._failed(each, error)
        else:
            for each, result in zip(begun, results, strict=True):
                self._ended(each, result)
        for each in begun:
            self.stage.note(who, f"{self.name}: {each}")

    def _ended(self, operation: Operation, result: BatchResult) -> None:
        told: tuple[Any, int] = None, 0
        if isinstance(result.error, RecordNotFound) and operation.act == "read":
            pass
        elif result.error is not None:
            self._failed(operation, result.error)
            return
        elif result.record is not None:
            bins, generation = result.record.bins, result.record.generation
            told = (bins[BIN] if operation.act == "read" else None), generation
        self.clients.end(operation, Status.DONE, self.stage.now_s(), *told)

    def _failed(self, operation: Operation, error: ClientError) -> None:
        self.clients.end(operation, outcome_of(error), self.stage.now_s(), error=f"{error}")
