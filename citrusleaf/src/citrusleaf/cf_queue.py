"""A FIFO between threads, and between threads and an event loop.

>>> queue = CfQueue([1, 2, 3])
>>> queue.push(4)
>>> queue.pop()
1
>>> queue.reduce(lambda item: Verdict.DELETE if item % 2 == 0 else None)
2
>>> list(queue)
[3]
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from citrusleaf._waiting import FOREVER, NOWAIT, CfQueueClosed, CfQueueEmpty, WaitableQueue
from citrusleaf.cf_hooks import MutexFactory, new_mutex
from citrusleaf.cf_reduce import Verdict

__all__ = ["FOREVER", "NOWAIT", "CfQueue", "CfQueueClosed", "CfQueueEmpty"]

T = TypeVar("T")


class CfQueue(WaitableQueue[T]):
    """An unbounded FIFO, safe between threads; as a context manager it closes itself.

    One mutex guards it all. Callbacks of `reduce` and `delete` run under it: the queue stands still
    while they look at it, and they must not call it.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[T] = (), *, mutex: MutexFactory = new_mutex) -> None:
        """An open queue of some first items. `mutex` makes its lock (see `cf_hooks`). O(n)."""
        super().__init__(mutex)
        self._items = deque(items)

    def push(self, item: T) -> None:
        """Add at the tail. O(1). CfQueueClosed after `close`, as from every push."""
        with self._mutex:
            if self._closed:
                raise CfQueueClosed
            self._items.append(item)
            if self._waiters:
                self._wake_one()

    def push_head(self, item: T) -> None:
        """Add at the head: the next pop gets it. O(1)."""
        with self._mutex:
            if self._closed:
                raise CfQueueClosed
            self._items.appendleft(item)
            if self._waiters:
                self._wake_one()

    def push_unique(self, item: T) -> bool:
        """Add at the tail unless an equal item is queued; whether it was added. O(n)."""
        with self._mutex:
            if self._closed:
                raise CfQueueClosed
            if item in self._items:
                return False
            self._items.append(item)
            self._wake_one()
            return True

    def push_limit(self, item: T, limit: int) -> bool:
        """Add at the tail if fewer than `limit` items are queued; whether it was added. O(1)."""
        with self._mutex:
            if self._closed:
                raise CfQueueClosed
            if len(self._items) >= limit:
                return False
            self._items.append(item)
            self._wake_one()
            return True

    def pop(self, timeout_ms: int = FOREVER) -> T:
        """Remove and return the head, waiting up to `timeout_ms` for one. O(1).

        `FOREVER` waits without end, `NOWAIT` not at all. CfQueueEmpty after the timeout or a
        `wake`, CfQueueClosed once the queue is closed and drained.
        """
        with self._mutex:
            if self._items:
                return self._items.popleft()
            gate, wakes = self._enlist(timeout_ms)
        return self._wait(gate, wakes, self._take, timeout_ms)

    def reduce(self, visit: Callable[[T], Verdict | None]) -> int:
        """Show every item to `visit`, head first, until it says stop; how many it deleted. O(n).

        If `visit` raises, the deletions it asked for until then stand.
        """
        with self._mutex:
            return self._reduce(visit, range(len(self._items)))

    def reduce_reverse(self, visit: Callable[[T], Verdict | None]) -> int:
        """As `reduce`, tail first. O(n)."""
        with self._mutex:
            return self._reduce(visit, range(len(self._items) - 1, -1, -1))

    def delete(self, match: Callable[[T], bool], *, only_one: bool = False) -> int:
        """Remove the items, or only the first, that `match`; how many. O(n).

        >>> queue = CfQueue("banana")
        >>> queue.delete(lambda letter: letter == "a")
        3
        """
        found = Verdict.DELETE_AND_STOP if only_one else Verdict.DELETE
        return self.reduce(lambda item: found if match(item) else None)

    def __len__(self) -> int:
        """How many items are queued. O(1)."""
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        """The items queued at this moment, head first; later changes do not show. O(n)."""
        with self._mutex:
            return iter(list(self._items))

    def _take(self) -> T:
        return self._items.popleft()

    def _reduce(self, visit: Callable[[T], Verdict | None], order: Iterable[int]) -> int:
        items = list(self._items)
        deleted = set()
        try:
            for index in order:
                verdict = visit(items[index])
                if verdict is None:
                    continue
                if verdict.deletes:
                    deleted.add(index)
                if verdict.stops:
                    break
        finally:
            if deleted:
                self._items = deque(x for i, x in enumerate(items) if i not in deleted)
        return len(deleted)
