"""A queue with three levels: whatever is HIGH goes before what is MEDIUM, and that before LOW.

>>> queue = CfQueuePriority()
>>> for job, priority in [("tidy", Priority.LOW), ("serve", Priority.HIGH), ("log", Priority.LOW)]:
...     queue.push(job, priority)
>>> queue.change_priority(lambda job: job == "log", Priority.HIGH)
1
>>> [queue.pop() for _ in range(3)]
['serve', 'log', 'tidy']
"""

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum, IntEnum
from typing import TypeVar

from citrusleaf._waiting import FOREVER, CfQueueClosed, CfQueueEmpty, WaitableQueue
from citrusleaf.cf_hooks import MutexFactory, new_mutex

T = TypeVar("T")


class Priority(IntEnum):
    """The levels of a `CfQueuePriority`."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Choice(Enum):
    """What a `reduce_pop` callback says of the item it was shown. None says `SKIP`."""

    SKIP = "skip"
    """Not this one."""
    CANDIDATE = "candidate"
    """This one, unless a later one is better: it replaces the candidate before it."""
    TAKE = "take"
    """This one; look no further."""


class CfQueuePriority(WaitableQueue[T]):
    """Three unbounded FIFOs under one mutex, safe between threads; a context manager that closes.

    Callbacks run under the mutex: the queue stands still while they look, and they must not
    call it.
    """

    __slots__ = ("_by_priority", "_levels")

    def __init__(self, *, mutex: MutexFactory = new_mutex) -> None:
        """An empty, open queue. `mutex` makes its lock (see `cf_hooks`)."""
        super().__init__(mutex)
        self._levels: tuple[deque[T], ...] = (deque(), deque(), deque())  # high to low
        self._by_priority = dict(zip(sorted(Priority, reverse=True), self._levels, strict=True))

    def push(self, item: T, priority: Priority = Priority.MEDIUM) -> None:
        """Add at the tail of a level. O(1). CfQueueClosed after `close`."""
        level = self._by_priority[priority]
        with self._mutex:
            if self._closed:
                raise CfQueueClosed
            level.append(item)
            if self._waiters:
                self._wake_one()

    def reduce_pop(self, choose: Callable[[T], Choice | None], timeout_ms: int = FOREVER) -> T:
        """Remove and return the item that `choose` picks, shown high to low, head first. O(n).

        Waits up to `timeout_ms` for the queue to have any item, then looks once: CfQueueEmpty if
        nothing is chosen, else errors as `pop`.

        >>> queue = CfQueuePriority()
        >>> for number in (5, 8, 6):
        ...     queue.push(number)
        >>> queue.reduce_pop(lambda number: Choice.TAKE if number % 2 == 0 else Choice.SKIP)
        8
        """
        return self._pop(lambda: self._take_chosen(choose), timeout_ms)

    def change_priority(self, match: Callable[[T], bool], priority: Priority) -> int:
        """Move what `match`es in other levels to the tail of `priority`'s; how many moved. O(n).

        If `match` raises, nothing has moved.
        """
        target = self._by_priority[priority]
        with self._mutex:
            others = [level for level in self._levels if level is not target]
            moving = [[bool(match(item)) for item in level] for level in others]
            for level, moves in zip(others, moving, strict=True):
                both = list(zip(level, moves, strict=True))
                target.extend(item for item, moves_on in both if moves_on)
                level.clear()
                level.extend(item for item, moves_on in both if not moves_on)
            return sum(map(sum, moving))

    def __len__(self) -> int:
        """How many items are queued on all levels. O(1)."""
        high, medium, low = self._levels
        return len(high) + len(medium) + len(low)

    def __iter__(self) -> Iterator[T]:
        """The items queued at this moment, in the order pops would give them. O(n)."""
        with self._mutex:
            return iter([item for level in self._levels for item in level])

    def _walk(self) -> Iterator[tuple[Priority, int, T]]:
        for priority, level in self._by_priority.items():
            for index, item in enumerate(level):
                yield priority, index, item

    def _take(self) -> T:
        high, medium, low = self._levels
        return (high or medium or low).popleft()

    def _take_chosen(self, choose: Callable[[T], Choice | None]) -> T:
        candidate: tuple[Priority, int, T] | None = None
        try:
            for place in self._walk():
                choice = choose(place[2])
                if choice is Choice.TAKE or choice is Choice.CANDIDATE:
                    candidate = place
                if choice is Choice.TAKE:
                    break
            if candidate is None:
                raise CfQueueEmpty
        except BaseException:
            self._wake_one()  # an item stays behind that another waiter may want
            raise
        priority, index, item = candidate
        del self._by_priority[priority][index]
        return item
