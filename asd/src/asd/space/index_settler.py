"""Settling records: what a heavy record has in an index is worked out off the loop.

`asd.sindex.indexes` leaves a record unsettled when its values take too long to find out where it
was written. Here they are worked out, one record after the other, those first whose partition a
query waits for. A record holds its digest meanwhile (`asd.space.held_digests`), so that a client
that writes it again and again waits for its index, and a query never waits for that client. What
changes records without a transaction (a replica's rows, expiry) does not wait: what was worked out
is then of a record that is no more, and is thrown away.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from typing import TYPE_CHECKING, Final

from asd.process.heavy_work import Failed, HeavyWork, Overloaded
from asd.sindex.indexes import LIGHT, SecondaryIndex
from asd.sindex.work import IndexWork
from storage.engine import NotResident, Record, StorageError

if TYPE_CHECKING:
    from asd.process.transaction_threads import TransactionThreads
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.sindex")

LIMIT_S: Final = 60.0
"""How long one record may take."""

TRIES: Final = 3
"""How often a record is tried whose worker fails."""

AGAIN_S: Final = 0.1
"""How long nothing is tried when a worker has failed, or too much waits for one."""


class IndexSettler:
    """Settles the records of one namespace."""

    def __init__(self, namespace: Namespace, threads: TransactionThreads, heavy: HeavyWork) -> None:
        self._namespace = namespace
        self._threads = threads
        self._heavy = heavy
        namespace.indexes.most = LIGHT

    async def run(self) -> None:
        """Settle whatever is left unsettled. Ends by cancellation."""
        indexes = self._namespace.indexes
        while True:
            await indexes.left.wait()
            indexes.left.clear()
            for index in list(indexes):
                while (found := index.next_unsettled()) is not None:
                    await self._settle(index, *found)

    async def _settle(self, index: SecondaryIndex, partition: int, slot: int) -> None:
        held = self._namespace.held
        digest = self._namespace.engine.index.entry(slot).digest
        if digest in held.digests:
            await held.wait(digest)
            return
        change = index.unsettled[partition][slot]
        held.hold(digest)
        try:
            run = await self._run_of(index, digest)
            index.settle(partition, slot, change, run)
        finally:
            held.release(digest)

    async def _run_of(self, index: SecondaryIndex, digest: bytes) -> array[int]:
        """The index values of a record; none, and a line in the log, when there is no way."""
        run = array("q")
        record = await self._read(digest)
        if record is None:
            return run
        set_name = self._namespace.set_names[record[3]]
        work = IndexWork(index.definition, digest, record, set_name)
        failures = 0
        while failures < TRIES:
            try:
                run.frombytes(await self._heavy.run(work, len(record[5]), LIMIT_S))
                return run
            except Overloaded:
                pass
            except Failed:
                failures += 1
            await asyncio.sleep(AGAIN_S)
        name = index.definition.name
        log.error("{%s} %s lacks record %s", self._namespace.name, name, digest.hex())
        return run

    async def _read(self, digest: bytes) -> Record | None:
        while True:
            try:
                return self._namespace.engine.get(digest)
            except NotResident as absent:
                await self._threads.run(absent.load)
            except StorageError:  # the engine has said where and why
                return None
