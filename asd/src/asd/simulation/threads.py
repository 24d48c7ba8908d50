"""Work that blocks, and heavy work, done by the simulated loop: a simulated node's threads and
workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from asd.process.heavy_work import Inline
from asd.process.transaction_threads import TransactionThreads
from asd.transactions.worker import Worker
from citrusleaf.cf_clock import Clock
from cluster.simulation import Chance

_Waiting: TypeAlias = tuple[Callable[[], None], "asyncio.Future[None]"]


class SimulatedThreads(TransactionThreads):
    """Does each piece of work at one moment of a time that is drawn, and tells of it later.

    What a thread would do meanwhile, others of the node's callbacks do: so what was true when the
    work was asked for may not be when it is done, nor when its end is heard of.
    """

    def __init__(self, chance: Chance, slowest_s: float) -> None:
        """`slowest_s`: a piece of work takes from 0 to twice that."""
        super().__init__(1, 1)
        self._chance = chance
        self.slowest_s = slowest_s
        self._waiting: list[_Waiting] = []

    async def run(self, work: Callable[[], None]) -> None:
        """Have it done and wait for it; raises what it raises."""
        loop = asyncio.get_running_loop()
        waiting = work, loop.create_future()
        self._waiting.append(waiting)
        loop.call_later(self._draw_s(), self._do, waiting)
        await waiting[1]

    def _draw_s(self) -> float:
        return self._chance.between(0, self.slowest_s)

    def _do(self, waiting: _Waiting) -> None:
        if waiting not in self._waiting:
            return  # it was done when the node stopped
        self._waiting.remove(waiting)
        work, done = waiting
        failure: BaseException | None = None
        try:
            work()
        except BaseException as error:  # whatever it was, who waits gets it
            failure = error
        asyncio.get_running_loop().call_later(self._draw_s(), _tell, done, failure)

    @property
    def busy(self) -> int:
        """Pieces of work that wait to be done."""
        return len(self._waiting)

    def stop(self) -> None:
        """Do what waits."""
        for waiting in list(self._waiting):
            self._do(waiting)


class SimulatedWorkers(Inline):
    """Does heavy work at one moment of a time that is drawn."""

    def __init__(self, clock: Clock, chance: Chance, slowest_s: float) -> None:
        """`slowest_s`: a piece of work takes from 0 to twice that."""
        super().__init__(Worker(clock))
        self._chance = chance
        self._slowest_s = slowest_s

    async def run(self, job: Any, size: int, limit_s: float) -> Any:
        """Have it done and wait for it."""
        await asyncio.sleep(self._chance.between(0, self._slowest_s))
        worked = await super().run(job, size, limit_s)
        await asyncio.sleep(self._chance.between(0, self._slowest_s))
        return worked


def _tell(done: asyncio.Future[None], failure: BaseException | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
