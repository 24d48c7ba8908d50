"""Group commit: many writes, one sync."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asd.process.transaction_threads import TransactionThreads


class GroupCommit:
    """Lets writes wait until the medium has them.

    A sync that is under way may have begun before a write; so a write waits for the next one to
    begin, together with all others that came meanwhile.
    """

    def __init__(self, sync: Callable[[], None], threads: TransactionThreads) -> None:
        self._sync = sync
        self._threads = threads
        self._next: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Return when all that was put before this call is on the medium.

        Raises what the sync raised.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        waited = self._next
        if self._task is None:
            self._task = asyncio.create_task(self._commit())
        await asyncio.shield(waited)

    async def _commit(self) -> None:
        while self._next is not None:
            waiting, self._next = self._next, None
            try:
                await self._threads.run(self._sync)
            except Exception as error:  # whatever it was, those who wait must hear of it
                waiting.set_exception(error)
            else:
                waiting.set_result(None)
        self._task = None
