"""A doubly linked list whose elements carry their own links, so a held one is removed in O(1).

>>> class Job(CfLlElement):
...     def __init__(self, name):
...         self.name = name
>>> jobs = CfLl()
>>> a, b, c = (jobs.append(Job(name)) for name in "abc")
>>> jobs.delete(b)
>>> [job.name for job in jobs]
['a', 'c']
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from citrusleaf.cf_reduce import Verdict


class CfLlElement:
    """Base of what a `CfLl` links: gives an object its two links. In one list at a time."""

    # The links are another element, or the list itself at either end; None when in no list.
    _ll_next: Any = None
    _ll_prev: Any = None
    _ll_list: Any = None

    @property
    def in_list(self) -> bool:
        """Whether it is linked in some list."""
        return self._ll_list is not None


E = TypeVar("E", bound=CfLlElement)


class CfLl(Generic[E]):
    """A doubly linked list of elements derived from `CfLlElement`. Not locked.

    An element may be in one list at a time: ValueError from adding one that is linked already, and
    from deleting one that is linked elsewhere or nowhere.
    """

    __slots__ = ("_ll_next", "_ll_prev", "_size")

    def __init__(self) -> None:
        """An empty list."""
        # The list is its own sentinel: the first's predecessor and the last's successor.
        self._ll_next: Any = self
        self._ll_prev: Any = self
        self._size = 0

    @property
    def head(self) -> E | None:
        """The first element. O(1)."""
        return None if self._ll_next is self else self._ll_next

    @property
    def tail(self) -> E | None:
        """The last element. O(1)."""
        return None if self._ll_prev is self else self._ll_prev

    def append(self, element: E) -> E:
        """Add at the end; returns the element. O(1)."""
        return self._link(element, before=self)

    def prepend(self, element: E) -> E:
        """Add at the beginning; returns the element. O(1)."""
        return self._link(element, before=self._ll_next)

    def insert_before(self, element: E, successor: E) -> E:
        """Add just before one that is in this list; returns the element. O(1)."""
        self._own(successor)
        return self._link(element, before=successor)

    def insert_after(self, element: E, predecessor: E) -> E:
        """Add just after one that is in this list; returns the element. O(1)."""
        self._own(predecessor)
        return self._link(element, before=predecessor._ll_next)

    def insert_sorted(self, element: E, key: Callable[[E], Any]) -> E:
        """Add to a list that is ascending by `key`, after its equals; returns the element.

        O(n), but O(1) where it belongs near the end: the search begins there.

        >>> class Timer(CfLlElement):
        ...     def __init__(self, due_ms):
        ...         self.due_ms = due_ms
        >>> timers = CfLl()
        >>> for due_ms in (30, 10, 20):
        ...     _ = timers.insert_sorted(Timer(due_ms), key=lambda timer: timer.due_ms)
        >>> [timer.due_ms for timer in timers]
        [10, 20, 30]
        """
        rank = key(element)
        predecessor = self._ll_prev
        while predecessor is not self and rank < key(predecessor):
            predecessor = predecessor._ll_prev
        return self._link(element, before=predecessor._ll_next)

    def delete(self, element: E) -> None:
        """Remove an element of this list. O(1)."""
        self._own(element)
        element._ll_prev._ll_next = element._ll_next
        element._ll_next._ll_prev = element._ll_prev
        element._ll_next = element._ll_prev = element._ll_list = None
        self._size -= 1

    def pop_head(self) -> E:
        """Remove and return the first element. O(1). IndexError if there is none."""
        head = self.head
        if head is None:
            raise IndexError("pop from an empty list")
        self.delete(head)
        return head

    def reduce(self, visit: Callable[[E], Verdict | None], *, reverse: bool = False) -> int:
        """Show every element to `visit`, in order or reversed, until it says stop. O(n).

        Returns how many it deleted by verdict. `visit` may itself delete the element it is shown.
        """
        deleted = 0
        for element in reversed(self) if reverse else self:
            verdict = visit(element)
            if verdict is None:
                continue
            if verdict.deletes:
                self.delete(element)
                deleted += 1
            if verdict.stops:
                break
        return deleted

    def clear(self) -> None:
        """Remove everything. O(n)."""
        for element in self:
            self.delete(element)

    def __len__(self) -> int:
        """How many elements there are. O(1)."""
        return self._size

    def __contains__(self, element: CfLlElement) -> bool:
        """Whether this very element is in this list. O(1)."""
        return element._ll_list is self

    def __iter__(self) -> Iterator[E]:
        """The elements first to last; the one just given may be deleted meanwhile. O(n)."""
        element = self._ll_next
        while element is not self:
            following = element._ll_next
            yield element
            element = following

    def __reversed__(self) -> Iterator[E]:
        """The elements last to first; the one just given may be deleted meanwhile. O(n)."""
        element = self._ll_prev
        while element is not self:
            following = element._ll_prev
            yield element
            element = following

    def _own(self, element: E) -> None:
        if element._ll_list is not self:
            raise ValueError("element is not in this list")

    def _link(self, element: E, before: Any) -> E:
        if element._ll_list is not None:
            raise ValueError("element is in a list already")
        predecessor = before._ll_prev
        element._ll_prev, element._ll_next, element._ll_list = predecessor, before, self
        predecessor._ll_next = before._ll_prev = element
        self._size += 1
        return element

    def _check(self) -> None:
        """Assert that the links agree in both directions, with the size, and with this list."""
        forward = list(self)
        assert forward == list(reversed(self))[::-1]
        assert len(forward) == self._size
        assert all(element._ll_list is self for element in forward)
