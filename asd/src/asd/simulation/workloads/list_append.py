"""Lists: unique elements appended, whole lists read (as Elle's workload of that name)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, ClassVar

from aerospike_client import AsyncClient
from aerospike_client.operations import lists
from asd.simulation.checkers.linearizable import Step
from asd.simulation.checkers.models import appended
from asd.simulation.checkers.sessions import READS
from asd.simulation.history import Operation
from asd.simulation.workloads.objects import BIN, Objects


class ListAppend(Objects):
    """A read shows all appends before it, in their order."""

    name = "list-append"
    step: ClassVar[Step] = staticmethod(appended)
    objects = 3

    async def change(self, client: AsyncClient, who: str, place: int) -> None:
        """Append an element."""
        value = self.unique()
        asked = client.operate(self.key(place), [lists.append(BIN, value)])
        await self.ask(
            who, place, "append", value, asked, lambda told: (told.bins[BIN], told.generation)
        )

    def value_of(self, bins: dict[str, Any]) -> Any:
        """The elements."""
        return tuple(bins[BIN])

    def values(self, done: Iterable[Operation]) -> Iterable[Any]:
        """The elements that may be there."""
        return [each.value for each in done if each.act == "append" and each.may_have_effect]

    def check_values(self, place: Hashable, done: Sequence[Operation]) -> None:
        """Elements that somebody appended, each once, as many as there were writes. Raises
        Violation."""
        for read in done:
            if read.act not in READS or not read.done or read.result is None:
                continue
            if len(set(read.result)) != len(read.result):
                self.fail(f"an element is there twice: {read}")
            if not self._written[place].issuperset(read.result):
                self.fail(f"nobody appended this: {read}")
            if len(read.result) != read.generation:
                self.fail(f"each write appends one: {read}")
