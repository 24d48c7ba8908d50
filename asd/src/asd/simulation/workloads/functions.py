"""Functions on records: what one does it does as a whole, and once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

from aerospike_client import AsyncClient
from asd.simulation.history import Operation
from asd.simulation.workloads.counters import Counters

MODULE: Final = "both"
SOURCE: Final = """
function add(record, amount)
  if not aerospike:exists(record) then
    record['value'] = amount
    record['other'] = -amount
    aerospike:create(record)
  else
    record['value'] = record['value'] + amount
    record['other'] = record['other'] - amount
    aerospike:update(record)
  end
  return record['value']
end
"""


class Functions(Counters):
    """Counters with two bins, of which a function makes one the other's opposite."""

    name = "udf"

    async def prepare(self, client: AsyncClient) -> None:
        """Register the function."""
        await (await client.udf_put(f"{MODULE}.lua", SOURCE))

    async def change(self, client: AsyncClient, who: str, place: int) -> None:
        """Call it."""
        asked = client.apply(self.key(place), MODULE, "add", [1])
        await self.ask(who, place, "add", 1, asked, lambda told: (told, 0))

    def value_of(self, bins: dict[str, Any]) -> Any:
        """The number; -1 when the other is not its opposite."""
        number: int = bins["value"]
        return number if bins["other"] == -number else -1

    def check_values(self, place: Hashable, done: Sequence[Operation]) -> None:
        """No more than was added, and both bins alike. Raises Violation."""
        most = len(self._written[place])
        for each in done:
            if each.done and each.result is not None and not 0 < each.result <= most:
                self.fail(f"{most} were added at most: {each}")
