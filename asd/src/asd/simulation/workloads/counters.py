"""Counters: one is added, and the sum read, in one operation."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, ClassVar

from aerospike_client import AsyncClient, operations
from asd.simulation.checkers.linearizable import Step
from asd.simulation.checkers.models import counter
from asd.simulation.history import Operation
from asd.simulation.workloads.objects import BIN, Objects


class Counters(Objects):
    """Additions are not retried: one in doubt counts once, or not at all."""

    name = "counter"
    step: ClassVar[Step] = staticmethod(counter)
    objects = 3

    async def change(self, client: AsyncClient, who: str, place: int) -> None:
        """Add one."""
        asked = client.operate(self.key(place), [operations.add(BIN, 1), operations.read(BIN)])
        await self.ask(who, place, "add", 1, asked, lambda told: (told.bins[BIN], told.generation))

    def values(self, done: Iterable[Operation]) -> Iterable[Any]:
        """Each addition that may have had an effect, once."""
        return [each.begun for each in done if each.act == "add" and each.may_have_effect]

    def check_values(self, place: Hashable, done: Sequence[Operation]) -> None:
        """No more than was added; and each write has added one. Raises Violation."""
        most = len(self._written[place])
        for each in done:
            if each.done and each.result is not None:
                if each.result > most:
                    self.fail(f"{most} were added at most: {each}")
                if each.result != each.generation:
                    self.fail(f"each write adds one: {each}")
