"""The transaction queues: where work that blocks leaves the loop, and from where it comes back.

An adapter: the threads of a node are made here. Nothing they run touches the node's state: they run
what an engine hands out for this (`storage.NotResident.load`, `Engine.sync`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeAlias

from citrusleaf.cf_queue import CfQueue, CfQueueClosed

_Work: TypeAlias = tuple[Callable[[], None], asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class TransactionThreads:
    """`transaction-queues` queues with `transaction-threads-per-queue` threads each.

    The threads start with the first work: a node whose namespaces are in memory has none.
    """

    def __init__(self, queues: int, threads_per_queue: int) -> None:
        self._queues: list[CfQueue[_Work]] = [CfQueue() for _ in range(queues)]
        self._threads_per_queue = threads_per_queue
        self._threads: list[threading.Thread] = []
        self._next = 0

    async def run(self, work: Callable[[], None]) -> None:
        """Run `work` on a transaction thread and wait for it; raises what it raises."""
        if not self._threads:
            self._start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._next = (self._next + 1) % len(self._queues)
        self._queues[self._next].push((work, loop, done))
        await done

    def stop(self) -> None:
        """Finish what is queued and end the threads."""
        for queue in self._queues:
            queue.close()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _start(self) -> None:
        for number, queue in enumerate(self._queues):
            for _ in range(self._threads_per_queue):
                thread = threading.Thread(target=_serve, args=(queue,), name=f"tran-{number}")
                thread.start()
                self._threads.append(thread)


def _serve(queue: CfQueue[_Work]) -> None:
    while True:
        try:
            work, loop, done = queue.pop()
        except CfQueueClosed:
            return
        try:
            work()
        except BaseException as error:  # whatever it was, the waiting transaction gets it
            loop.call_soon_threadsafe(_fail, done, error)
        else:
            loop.call_soon_threadsafe(_finish, done)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _fail(done: asyncio.Future[None], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
