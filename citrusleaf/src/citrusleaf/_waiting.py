"""Waiting for a queue to have something: the part `CfQueue` and `CfQueuePriority` share.

A waiter is a callable that wakes whoever sleeps behind it: the release of a lock for a thread, a
call into the loop for a coroutine. So one deque of waiters serves both, and a push that finds it
empty, the common case, pays a truth test for it.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Generic, Self, TypeVar

from citrusleaf.cf_clock import SystemClock
from citrusleaf.cf_hooks import MutexFactory, new_mutex

T = TypeVar("T")

FOREVER: Final = -1
"""Timeout of a pop that waits until there is something."""

NOWAIT: Final = 0
"""Timeout of a pop that does not wait."""


class CfQueueEmpty(Exception):
    """Nothing to pop within the time allowed, or the wait was called off by `wake`."""


class CfQueueClosed(Exception):
    """A push after `close`, or a pop after `close` with nothing left."""


class WaitableQueue(ABC, Generic[T]):
    """Pops that wait, wake, close: everything about a queue but the order of its items."""

    __slots__ = ("_clock", "_closed", "_mutex", "_waiters", "_wakes")

    def __init__(self, mutex: MutexFactory = new_mutex) -> None:
        """An empty, open queue. `mutex` makes its lock (see `cf_hooks`)."""
        self._mutex = mutex()
        self._clock = SystemClock()
        self._closed = False
        self._waiters: deque[Callable[[], object]] = deque()
        self._wakes = 0  # calls of wake() so far: a waiter compares it with what it saw

    @abstractmethod
    def _take(self) -> T:
        """Remove and return the next item; there is one, and the mutex is held."""

    @abstractmethod
    def __len__(self) -> int:
        """How many items are queued. O(1)."""

    def size(self) -> int:
        """How many items are queued. O(1)."""
        return len(self)

    def pop(self, timeout_ms: int = FOREVER) -> T:
        """Remove and return the next item, waiting up to `timeout_ms` for one. O(1).

        `FOREVER` waits without end, `NOWAIT` not at all. CfQueueEmpty after the timeout or a
        `wake`, CfQueueClosed once the queue is closed and drained.
        """
        return self._pop(self._take, timeout_ms)

    async def pop_async(self, timeout_ms: int = FOREVER) -> T:
        """As `pop`, for a coroutine: the loop goes on while it waits. O(1).

        Any number of loops and threads may wait on one queue. Cancelling is safe: no item is lost.
        """
        try:
            async with asyncio.timeout(None if timeout_ms < 0 else timeout_ms / 1000):
                return await self._pop_async(timeout_ms)
        except TimeoutError:
            raise CfQueueEmpty from None

    def consume(self) -> Iterator[T]:
        """Pop items as they come, until the queue is closed and drained.

        A worker's whole loop is `for job in queue.consume(): ...`.
        """
        while True:
            try:
                yield self.pop()
            except CfQueueEmpty:
                continue
            except CfQueueClosed:
                return

    def wake(self) -> None:
        """Send everybody who waits now away empty-handed (CfQueueEmpty). O(waiters)."""
        with self._mutex:
            self._wakes += 1
            self._wake_all()

    def close(self) -> None:
        """Refuse further pushes; pops drain what is left, then raise CfQueueClosed. O(waiters).

        Closing twice is harmless.
        """
        with self._mutex:
            self._closed = True
            self._wake_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def __enter__(self) -> Self:
        """The queue; leaving the block closes it."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _pop(self, take: Callable[[], T], timeout_ms: int) -> T:
        """What `take` takes, called with the mutex held when there is something to take."""
        with self._mutex:
            if len(self):
                return take()
            gate, wakes = self._enlist(timeout_ms)
        return self._wait(gate, wakes, take, timeout_ms)

    def _enlist(self, timeout_ms: int) -> tuple[threading.Lock, int]:
        """Put the calling thread among the waiters. The mutex is held and the queue empty.

        Returns what `_wait` wants: the locked gate behind which to wait, and the wakes so far.
        """
        self._raise_if_over(self._wakes, timeout_ms)
        gate = threading.Lock()
        gate.acquire()
        self._waiters.append(gate.release)
        return gate, self._wakes

    def _wait(self, gate: threading.Lock, wakes: int, take: Callable[[], T], timeout_ms: int) -> T:
        deadline_us = self._clock.monotonic_us() + timeout_ms * 1000 if timeout_ms > 0 else 0
        while True:
            if not self._pass_gate(gate, timeout_ms, deadline_us):
                timeout_ms = NOWAIT  # one last look: a push may have come with the timeout
            with self._mutex:
                if len(self):
                    return take()
                self._raise_if_over(wakes, timeout_ms)
                self._waiters.append(gate.release)  # somebody was faster: once more

    def _pass_gate(self, gate: threading.Lock, timeout_ms: int, deadline_us: int) -> bool:
        """Wait to be woken; whether that came before the deadline."""
        try:
            if timeout_ms < 0:
                return gate.acquire()
            left_us = max(0, deadline_us - self._clock.monotonic_us())
            woken = gate.acquire(timeout=left_us / 1_000_000)
        except BaseException:  # a signal's: whoever waits next must not be kept from its wake
            self._forget(gate.release)
            raise
        if not woken:
            self._forget(gate.release)
        return woken

    async def _pop_async(self, timeout_ms: int) -> T:
        loop = asyncio.get_running_loop()
        wakes = self._wakes
        while True:
            future: asyncio.Future[None] = loop.create_future()

            def waiter(future: asyncio.Future[None] = future) -> None:
                loop.call_soon_threadsafe(_complete, future)

            with self._mutex:
                if len(self):
                    return self._take()
                self._raise_if_over(wakes, timeout_ms)
                self._waiters.append(waiter)
            try:
                await future
            except BaseException:
                self._forget(waiter)
                raise

    def _raise_if_over(self, wakes: int, timeout_ms: int) -> None:
        """Whether an empty-handed pop that began after `wakes` wakes gives up. Mutex held."""
        if self._closed:
            raise CfQueueClosed
        if timeout_ms == NOWAIT or self._wakes != wakes:
            raise CfQueueEmpty

    def _wake_one(self) -> None:
        """Wake the longest waiting. The mutex is held."""
        while self._waiters:
            try:
                self._waiters.popleft()()
            except RuntimeError:  # a coroutine whose loop has been closed under it
                continue
            return

    def _wake_all(self) -> None:
        while self._waiters:
            self._wake_one()

    def _forget(self, waiter: Callable[[], object]) -> None:
        """Take back a waiter that gives up; if it was woken already, pass that on."""
        with self._mutex:
            try:
                self._waiters.remove(waiter)
            except ValueError:
                if len(self):
                    self._wake_one()

    def _check(self) -> None:
        """Assert what must hold whenever the mutex is free."""
        with self._mutex:
            assert not (self._closed and self._waiters), "a closed queue keeps nobody waiting"
            assert self._wakes >= 0


def _complete(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
