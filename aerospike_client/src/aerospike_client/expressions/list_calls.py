"""What a list does inside an expression."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeAlias

from aerospike_client.expressions import containers
from aerospike_client.expressions.expression import E, Expression
from aerospike_client.expressions.receiver import C, Receiver
from aerospike_client.expressions.scalars import Bool, Int
from aerospike_client.expressions.selections import ListElement, ListElements, optional
from aerospike_client.operations.codes import ListCode, ListSortFlags
from aerospike_client.operations.policies import ListPolicy

IntLike: TypeAlias = Int | int


class ListCalls(ABC, Generic[C]):
    """The operations of lists. `C` is the type of the value that modifying calls give: the list
    itself or, in a context, what it lies in.

    Values and integers may be literals or expressions. Negative indexes and ranks count from the
    end; a count left out means to the end.
    """

    __slots__ = ()

    @abstractmethod
    def _receiver(self) -> Receiver[C]:
        """What the calls work on."""

    def size(self) -> Int:
        """How many elements the list has."""
        return self._receiver().read(Int, ListCode.SIZE)

    def contains(self, value: object) -> Bool:
        """Whether an element equals `value`; an integer never equals a double."""
        return self.by_value(value).exists()

    def get(self, index: IntLike, type_: type[E]) -> E:
        """The element at `index`; unknown when there is none or it is of another type."""
        return self.by_index(index).value(type_)

    # -- selecting

    def by_index(self, index: IntLike) -> ListElement[C]:
        """The element at `index`."""
        codes = ListCode.GET_BY_INDEX, ListCode.REMOVE_BY_INDEX
        return ListElement(self._receiver(), *codes, (index,))

    def by_rank(self, rank: IntLike) -> ListElement[C]:
        """The element that is `rank`-th by value."""
        codes = ListCode.GET_BY_RANK, ListCode.REMOVE_BY_RANK
        return ListElement(self._receiver(), *codes, (rank,))

    def by_value(self, value: object) -> ListElements[C]:
        """All elements that equal `value`."""
        codes = ListCode.GET_BY_VALUE, ListCode.REMOVE_BY_VALUE
        return ListElements(self._receiver(), *codes, (value,))

    def by_value_list(self, values: Expression | Sequence[object]) -> ListElements[C]:
        """All elements that equal one of `values`."""
        codes = ListCode.GET_BY_VALUE_LIST, ListCode.REMOVE_BY_VALUE_LIST
        return ListElements(self._receiver(), *codes, (containers.List.of(values),))

    def by_index_range(self, index: IntLike, count: IntLike | None = None) -> ListElements[C]:
        """`count` elements from `index` on."""
        codes = ListCode.GET_BY_INDEX_RANGE, ListCode.REMOVE_BY_INDEX_RANGE
        return ListElements(self._receiver(), *codes, (index, *optional(count)))

    def by_rank_range(self, rank: IntLike, count: IntLike | None = None) -> ListElements[C]:
        """`count` elements by value, from `rank` on."""
        codes = ListCode.GET_BY_RANK_RANGE, ListCode.REMOVE_BY_RANK_RANGE
        return ListElements(self._receiver(), *codes, (rank, *optional(count)))

    def by_value_range(self, begin: object = None, end: object = None) -> ListElements[C]:
        """All elements from `begin` on and before `end`; either may be left out."""
        codes = ListCode.GET_BY_VALUE_RANGE, ListCode.REMOVE_BY_VALUE_RANGE
        return ListElements(self._receiver(), *codes, (begin, *optional(end)))

    def by_value_rel_rank_range(
        self, value: object, rank: IntLike, count: IntLike | None = None
    ) -> ListElements[C]:
        """`count` elements by value, from the one `rank` places behind `value` on."""
        codes = ListCode.GET_BY_VALUE_REL_RANK_RANGE, ListCode.REMOVE_BY_VALUE_REL_RANK_RANGE
        return ListElements(self._receiver(), *codes, (value, rank, *optional(count)))

    # -- the list, changed

    def append(self, value: object, policy: ListPolicy | None = None) -> C:
        """With `value` at the end or, if the list is ordered, in its place."""
        return self._receiver().modify(ListCode.APPEND, value, *created(policy))

    def append_items(
        self, values: Expression | Sequence[object], policy: ListPolicy | None = None
    ) -> C:
        """With several values more."""
        items = containers.List.of(values)
        return self._receiver().modify(ListCode.APPEND_ITEMS, items, *created(policy))

    def insert(self, index: IntLike, value: object, policy: ListPolicy | None = None) -> C:
        """With `value` before the element at `index`."""
        return self._receiver().modify(ListCode.INSERT, index, value, *changed(policy))

    def insert_items(
        self,
        index: IntLike,
        values: Expression | Sequence[object],
        policy: ListPolicy | None = None,
    ) -> C:
        """With several values before the element at `index`."""
        items = containers.List.of(values)
        return self._receiver().modify(ListCode.INSERT_ITEMS, index, items, *changed(policy))

    def increment(self, index: IntLike, delta: object = 1, policy: ListPolicy | None = None) -> C:
        """With `delta` added to the element at `index`."""
        return self._receiver().modify(ListCode.INCREMENT, index, delta, *created(policy))

    def set(self, index: IntLike, value: object, policy: ListPolicy | None = None) -> C:
        """With `value` in place of the element at `index`."""
        return self._receiver().modify(ListCode.SET, index, value, *changed(policy))

    def clear(self) -> C:
        """Without elements."""
        return self._receiver().modify(ListCode.CLEAR)

    def sort(self, flags: ListSortFlags = ListSortFlags.DEFAULT) -> C:
        """In order."""
        return self._receiver().modify(ListCode.SORT, int(flags))


def created(policy: ListPolicy | None) -> tuple[int, ...]:
    """The policy of an operation that may create the list."""
    return () if policy is None else (int(policy.order), int(policy.flags))


def changed(policy: ListPolicy | None) -> tuple[int, ...]:
    """The policy of an operation that does not."""
    return () if policy is None else (int(policy.flags),)
