"""Hooks: where the structures of this package get their mutexes from.

Every structure that locks takes a `mutex` factory. The default is `threading.Lock`: in C, and when
nobody contends for it cheaper than any do-nothing stand-in written in Python, so there is no
lock-free mode to hook in. What a hook is good for is looking: `CheckedMutex` turns the two mistakes
that silently hang or corrupt a program (taking a mutex twice, releasing another thread's) into
errors, and counts.

>>> from citrusleaf.cf_queue import CfQueue
>>> queue = CfQueue[str](mutex=CheckedMutex)
>>> queue.push("a")
>>> queue.reduce(lambda item: queue.push(item))
Traceback (most recent call last):
...
citrusleaf.cf_hooks.DeadlockError: mutex taken twice by one thread
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol, cast


class Mutex(Protocol):
    """What the structures ask of a mutex: to be a context manager that excludes other threads."""

    def __enter__(self) -> object:
        """Take the mutex, waiting for it."""

    def __exit__(self, *exc_info: object) -> object:
        """Give it back."""


MutexFactory = Callable[[], Mutex]
"""Makes one new, free mutex per call."""

new_mutex: Final[MutexFactory] = cast("MutexFactory", threading.Lock)
"""The default factory: `threading.Lock` itself."""


class DeadlockError(RuntimeError):
    """A thread took a `CheckedMutex` it already held: with a plain one it would wait forever."""


class CheckedMutex:
    """A mutex that knows its owner, refuses misuse, and counts. O(1) per operation.

    `acquired` counts how often it was taken, `contended` how often somebody had to wait for it.

    >>> mutex = CheckedMutex()
    >>> with mutex:
    ...     mutex.held
    True
    >>> mutex.acquired, mutex.contended, mutex.held
    (1, 0, False)
    """

    __slots__ = ("_lock", "_owner", "acquired", "contended")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self.acquired = 0
        self.contended = 0

    @property
    def held(self) -> bool:
        """Whether the calling thread holds it."""
        return self._owner == threading.get_ident()

    def __enter__(self) -> None:
        """Take the mutex, waiting for it; DeadlockError if the calling thread holds it."""
        if self.held:
            raise DeadlockError("mutex taken twice by one thread")
        waited = not self._lock.acquire(blocking=False)
        if waited:
            self._lock.acquire()
        self._owner = threading.get_ident()
        self.acquired += 1
        self.contended += waited
        self._check()

    def __exit__(self, *exc_info: object) -> None:
        """Give it back; RuntimeError if the calling thread does not hold it."""
        if not self.held:
            raise RuntimeError("mutex released by a thread that does not hold it")
        self._owner = None
        self._lock.release()

    def _check(self) -> None:
        """Assert that owner and lock agree; to be called by the owner."""
        assert self._lock.locked()
        assert self.held
        assert 0 <= self.contended <= self.acquired
