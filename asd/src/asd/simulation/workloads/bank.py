"""A bank: accounts are bins of a record, and a transfer changes two of them in one operation."""

from __future__ import annotations

from typing import Any, Final

from aerospike_client import AsyncClient, Exists, OperatePolicy, operations
from asd.simulation.workloads.workload import Mode, Phase, Told, Workload, get

ACCOUNTS: Final = ("a", "b", "c", "d", "e")
OPENED: Final = 100
BANKS: Final = 2
_OPENED_ALREADY: Final = OperatePolicy(exists=Exists.UPDATE)
"""A part of a split cluster that has no copy does not begin with accounts that have nothing."""


class Bank(Workload):
    """Money is neither made nor lost, whatever happens: a record changes as a whole."""

    name = "bank"

    async def prepare(self, client: AsyncClient) -> None:
        """Open the accounts."""
        for bank in range(BANKS):
            await client.put(self.key(bank), dict.fromkeys(ACCOUNTS, OPENED))

    async def act(self, client: AsyncClient, who: str) -> None:
        """Look at all accounts, or move money from one to another."""
        bank = self.chance.below(BANKS)
        if self.chance.happens(0.4):
            await self._look(client, who, bank)
            return
        source, target = self.chance.shuffled(list(ACCOUNTS))[:2]
        amount = 1 + self.chance.below(20)
        ops = [operations.add(source, -amount), operations.add(target, amount)]
        asked = client.operate(self.key(bank), [*ops, operations.read_all()], _OPENED_ALREADY)
        moved = f"{amount} from {source} to {target}"
        await self.ask(who, bank, "move", moved, asked, lambda told: (_accounts(told.bins), 0))

    async def _look(self, client: AsyncClient, who: str, bank: int) -> None:
        await self.ask(who, bank, "read", None, get(client, self.key(bank)), _told)

    async def read(self, client: AsyncClient) -> None:
        """Look at all banks."""
        for bank in range(BANKS):
            await self._look(client, "rest", bank)

    def check(self, phase: Phase) -> None:
        """Every sum that was seen is the sum of the beginning."""
        for each in self.clients.operations:
            if each.done and each.result is None and self.stage.mode is Mode.CONSISTENT:
                self.fail(f"accounts are not there: {each}")
            if each.done and each.result is not None and sum(each.result) != OPENED * len(ACCOUNTS):
                self.fail(f"the accounts have {sum(each.result)} together: {each}")
        for last in self.clients.operations[-BANKS:]:
            if not last.done or last.result is None:
                self.fail(f"everything is at rest, and {last}")
        self.clients.forget()


def _told(told: Told) -> Told:
    bins, generation = told
    return (None if bins is None else _accounts(bins)), generation


def _accounts(bins: dict[str, Any]) -> tuple[int, ...]:
    """All of them."""
    return tuple(bins[name] for name in ACCOUNTS)
