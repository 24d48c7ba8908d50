"""Large records: what is read is all of what one client wrote."""

from __future__ import annotations

from typing import Any

from aerospike_client import AsyncClient, operations
from asd.simulation.workloads.objects import BIN
from asd.simulation.workloads.register import Registers

LEAST_BYTES = 1_000
MOST_BYTES = 200_000


class LargeRecords(Registers):
    """Registers whose value is a number, said again and again in up to 200 kB."""

    name = "large"
    objects = 2

    async def change(self, client: AsyncClient, who: str, place: int) -> None:
        """Write one."""
        value = self.unique()
        size = self.chance.choose((LEAST_BYTES, 70_000, MOST_BYTES))
        body = value.to_bytes(8, "big") * (size // 8)
        asked = client.operate(self.key(place), [operations.write(BIN, body)])
        await self.ask(who, place, "write", value, asked, lambda told: (None, told.generation))

    def value_of(self, bins: dict[str, Any]) -> Any:
        """The number; -1 when it is not the same everywhere."""
        body: bytes = bins[BIN]
        first = body[:8]
        return int.from_bytes(first, "big") if body == first * (len(body) // 8) else -1
