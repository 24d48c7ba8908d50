"""Registers: unique values written over one another, and read."""

from __future__ import annotations

from typing import ClassVar

from aerospike_client import AsyncClient, operations
from asd.simulation.checkers.linearizable import Step
from asd.simulation.checkers.models import register
from asd.simulation.workloads.objects import BIN, Objects


class Registers(Objects):
    """A record with a number that nobody wrote before."""

    name = "register"
    step: ClassVar[Step] = staticmethod(register)

    async def change(self, client: AsyncClient, who: str, place: int) -> None:
        """Write it."""
        value = self.unique()
        asked = client.operate(self.key(place), [operations.write(BIN, value)])
        await self.ask(who, place, "write", value, asked, lambda told: (None, told.generation))
