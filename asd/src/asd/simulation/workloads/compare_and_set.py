"""Compare and set: what was read is written anew if the generation is still the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from aerospike_client import AsyncClient, Exists, Generation, OperatePolicy, operations
from asd.simulation.checkers.linearizable import Step
from asd.simulation.checkers.models import register
from asd.simulation.history import Operation
from asd.simulation.workloads.objects import BIN, Objects


class CompareAndSet(Objects):
    """Of two clients that have read the same generation only one may write."""

    name = "cas"
    step: ClassVar[Step] = staticmethod(register)
    objects = 3

    async def change(self, client: AsyncClient, who: str, place: int) -> None:
        """Read, then write by the generation that was read."""
        before = await self.look(client, who, place)
        if not before.done:
            return
        value = self.unique()
        if before.generation:
            policy = OperatePolicy(gen=Generation.EQ, generation=before.generation)
        else:
            policy = OperatePolicy(exists=Exists.CREATE)
        asked = client.operate(self.key(place), [operations.write(BIN, value)], policy)
        given = (before.generation, value)
        await self.ask(who, place, "cas", given, asked, lambda told: (None, told.generation))

    def values(self, done: Iterable[Operation]) -> Iterable[Any]:
        """The values of those that were not refused."""
        return [each.value[1] for each in done if each.act == "cas" and each.may_have_effect]
