"""The queries of a node: which run, which ran, and how they share the loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import Config
from asd.query.job import QueryJob, Status
from citrusleaf.cf_clock import Clock

log = logging.getLogger("asd.query")


_COUNT_BITS: Final = 20
"""Of an id made up here, behind the milliseconds."""


class QueryManager:
    """The queries of one node."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._active: dict[int, QueryJob] = {}
        self._done: dict[int, QueryJob] = {}  # oldest first
        self._short = 0
        self._made_up = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._had = False  # one query has had this turn of the loop

    # ------------------------------------------------------------ registering

    def check(self, trid: int) -> None:
        """Raises PARAMETER for an id in use or remembered, FORBIDDEN when too many queries run.

        0 is no id: nobody has it.
        """
        if trid in self._active or trid in self._done:
            raise OperationError(ResultCode.PARAMETER, f"query {trid} exists")
        if len(self._active) >= self._config.service.query_threads_limit:
            raise OperationError(ResultCode.FORBIDDEN, "too many queries run")

    def add(self, job: QueryJob) -> None:
        """A query begins, and gets an id if its client gave it none. Raises as `check`.

        A short one is counted, but not listed.
        """
        if job.request.short:
            self._short += 1
        else:
            self.check(job.trid)
            job.trid = job.trid or self._make_up_id()
            self._active[job.trid] = job
        job.load.begin()

    def _make_up_id(self) -> int:
        """An id that no query has, nor is likely to get: clients draw theirs from 64 bits."""
        while True:
            self._made_up += 1
            trid = self._clock.epoch_ms() << _COUNT_BITS | self._made_up % (1 << _COUNT_BITS)
            if trid not in self._active and trid not in self._done:
                return trid

    def finish(self, job: QueryJob, status: Status) -> None:
        """A query that was added has ended."""
        job.finish(status, self._clock.monotonic_ms())
        job.load.end()
        if job.request.short:
            self._short -= 1
            return
        del self._active[job.trid]
        self._done[job.trid] = job
        while len(self._done) > self._config.service.query_max_done:
            del self._done[next(iter(self._done))]

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until it ends or the node stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End what runs in the background."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _check(self) -> None:
        """Assert every invariant."""
        assert self._short >= 0
        assert not self._active.keys() & self._done.keys()
        assert 0 not in self._active
        assert all(trid == job.trid for trid, job in self._active.items())
        assert all(job.finished_ms is not None for job in self._done.values())
        assert len(self._done) <= max(1, self._config.service.query_max_done)

    # --------------------------------------------------------------- fairness

    async def turn(self) -> None:
        """Return when the query that asks may begin a slice: one may in a turn of the loop, and
        they take turns. However many run, others wait for one slice, or one record, at a time.
        """
        loop = asyncio.get_running_loop()
        if self._had:
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.append(future)
            await future
        else:
            self._had = True
            loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():  # the query was not cancelled meanwhile
                future.set_result(None)
                asyncio.get_running_loop().call_soon(self._next_turn)
                return
        self._had = False

    # ------------------------------------------------------------------- info

    @property
    def long_active(self) -> int:
        """Queries that run, short ones apart."""
        return len(self._active)

    def show(self, trid: int | None = None) -> list[str]:
        """The rows of all queries, or of the one with this id: those running first."""
        now_ms = self._clock.monotonic_ms()
        jobs = [*self._active.values(), *reversed(self._done.values())]
        return [job.show(now_ms) for job in jobs if trid is None or job.trid == trid]

    def abort(self, trid: int) -> bool:
        """Make a running query end; False when there is none of this id."""
        job = self._active.get(trid)
        if job is None:
            return False
        job.abort_wanted = True
        return True

    def abort_all(self) -> int:
        """Make all running queries end; how many there were."""
        for job in self._active.values():
            job.abort_wanted = True
        return len(self._active)
