"""Group commit: many writes, one sync. The stage that waits for a medium."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

from aerospike_common.wire.codes import ResultCode
from asd.process.transaction_threads import TransactionThreads
from asd.space.commitment import Commitment

log = logging.getLogger("asd.drv_ssd")

Synced: TypeAlias = Callable[[Exception | None], None]
"""Called when a sync has ended, with what it raised."""


class GroupCommit:
    """Lets writes wait until the medium has them.

    A sync that is under way may have begun before a write; so a write waits for the next one to
    begin, together with all others that came meanwhile.
    """

    def __init__(self, name: str, sync: Callable[[], None], threads: TransactionThreads) -> None:
        """`name` is the namespace's, for the log; `sync` is `storage.engine.Engine.sync`."""
        self._name = name
        self._sync = sync
        self._threads = threads
        self._next: list[Synced] = []
        self._task: asyncio.Task[None] | None = None

    def stage(self, settle: Callable[[], None]) -> Callable[[Commitment], None]:
        """A stage of the namespace's commitments; `settle` is theirs."""

        def begin(commitment: Commitment) -> None:
            def synced(error: Exception | None) -> None:
                if error is not None:
                    log.critical("{%s} cannot sync: %s", self._name, error)
                # The writes are made, and may last: to clients TIMEOUT alone means that.
                commitment.arrive(ResultCode.OK if error is None else ResultCode.TIMEOUT)
                settle()

            commitment.expect()
            self._join(synced)

        return begin

    async def wait(self) -> None:
        """Return when all that was put before this call is on the medium.

        Raises what the sync raised.
        """
        waited: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def synced(error: Exception | None) -> None:
            if waited.done():
                return
            if error is None:
                waited.set_result(None)
            else:
                waited.set_exception(error)

        self._join(synced)
        await waited

    def _join(self, synced: Synced) -> None:
        """Be told of the next sync."""
        self._next.append(synced)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._commit())

    async def _commit(self) -> None:
        while self._next:
            waiting, self._next = self._next, []
            failure: Exception | None = None
            try:
                await self._threads.run(self._sync)
            except Exception as error:  # whatever it was, those who wait must hear of it
                failure = error
            for synced in waiting:
                synced(failure)
        self._task = None
