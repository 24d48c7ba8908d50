"""Workloads on a few objects, each a record with one value, that many clients work on at once."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, ClassVar, Final

from attrs import evolve

from aerospike_client import AsyncClient, ReadModeSC, ReadPolicy
from asd.simulation.checkers.linearizable import Step, check_linearizable
from asd.simulation.checkers.models import ABSENT, Versioned
from asd.simulation.checkers.sessions import READS, SESSION, check_sessions
from asd.simulation.history import Operation
from asd.simulation.workloads.workload import Mode, Phase, Stage, Told, Workload, get

BIN = "value"
IN_SESSION: Final = ReadPolicy(read_mode_sc=ReadModeSC.SESSION)
AT_REST = "rest"
"""The client that reads when everything is at rest."""


class Objects(Workload):
    """Reads and changes of a few objects. A kind of object says what a change is."""

    objects: ClassVar[int] = 5
    step: ClassVar[Step]
    """The model of one object."""
    reads: ClassVar[float] = 0.4
    """This part of the operations are reads."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._began: dict[Hashable, Versioned] = {}
        """What each object was when the phase began."""
        self._written: dict[Hashable, set[Any]] = defaultdict(set)
        """All values that may ever have been written."""

    async def act(self, client: AsyncClient, who: str) -> None:
        """Read an object, or change it."""
        place = self.chance.below(self.objects)
        if self.chance.happens(self.reads):
            if self.stage.mode is Mode.CONSISTENT and self.chance.happens(0.5):
                asked = get(client, self.key(place), IN_SESSION)
                await self.ask(who, place, SESSION, None, asked, self._told)
            else:
                await self.look(client, who, place)
        else:
            await self.change(client, who, place)

    @abstractmethod
    async def change(self, client: AsyncClient, who: str, place: int) -> None:
        """Change an object."""

    def value_of(self, bins: dict[str, Any]) -> Any:
        """The value in a record's bins: hashable."""
        return bins[BIN]

    async def look(self, client: AsyncClient, who: str, place: int) -> Operation:
        """Read an object."""
        return await self.ask(who, place, "read", None, get(client, self.key(place)), self._told)

    def _told(self, told: Told) -> Told:
        bins, generation = told
        return (None, 0) if bins is None else (self.value_of(bins), generation)

    async def read(self, client: AsyncClient) -> None:
        """Read all."""
        for place in range(self.objects):
            operation = await self.look(client, AT_REST, place)
            if not operation.done:
                self.fail(f"everything is at rest, and {operation}")

    def check(self, phase: Phase) -> None:
        """Every object by itself."""
        for place, operations in self.clients.by_place().items():
            last = operations[-1]
            assert last.client == AT_REST
            self._written[place].update(self.values(operations))
            self.check_values(place, operations)
            if self.demands_order(phase):
                began = self._began.get(place, ABSENT)
                check_sessions(operations, stays=True)
                placed = [
                    _at_any_time(each) if each.act == SESSION else each for each in operations
                ]
                self.undecided += not check_linearizable(placed, type(self).step, began)
            else:
                self.check_kept(operations, last)
            self._began[place] = last.result, last.generation
        self.clients.forget()

    def values(self, operations: Iterable[Operation]) -> Iterable[Any]:
        """The values that operations may have written."""
        return [each.value for each in operations if each.act == "write" and each.may_have_effect]

    def check_values(self, place: Hashable, operations: Sequence[Operation]) -> None:
        """What was read was written by somebody. Raises Violation."""
        for read in operations:
            found = read.result if read.act in READS and read.done else None
            if found is not None and found not in self._written[place]:
                self.fail(f"nobody wrote this: {read}")

    def check_kept(self, operations: Sequence[Operation], last: Operation) -> None:
        """Nothing acknowledged is lost, as far as the conflict rule promises. Raises Violation."""
        for each in operations:
            if each.done and each.generation > last.generation and each.act != "read":
                self.fail(f"lost: {each}\nat rest: {last}")


def _at_any_time(read: Operation) -> Operation:
    """A read that may be older than what others have read; what its own client has seen is for
    `check_sessions`."""
    return evolve(read, act="read", begun=0)
