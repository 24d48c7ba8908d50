"""`AsIterator`: an iterator that can be asked whether there is more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Generic, Self, TypeVar, cast

T = TypeVar("T")

_END: Final = object()


class AsIterator(Generic[T], Iterator[T]):
    """Iteration with a look ahead of one element.

    Python iterates over lists, maps and streams directly; this is for callers that must know of
    an element before they take it. An element is fetched when first asked about. O(1) each.

    >>> letters = AsIterator("ab")
    >>> letters.has_next(), next(letters), next(letters), letters.has_next()
    (True, 'a', 'b', False)
    """

    def __init__(self, elements: Iterable[T]) -> None:
        self._elements = iter(elements)
        self._ahead: list[object] = []

    def has_next(self) -> bool:
        """Whether `next` would give an element."""
        if not self._ahead:
            self._ahead.append(next(self._elements, _END))
        return self._ahead[0] is not _END

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self.has_next():
            raise StopIteration
        return cast(T, self._ahead.pop())

    def _check(self) -> None:
        assert len(self._ahead) <= 1
