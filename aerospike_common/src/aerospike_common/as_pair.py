"""`AsPair`: two values that travel as one."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from aerospike_common.as_val import AsVal, OrderKey, Rank, checked


@attrs.frozen(eq=False)
class AsPair(AsVal):
    """Two values, in order. It has no type of its own outside: it is sent, ordered and equal as a
    list of two. Hashable when both members are.

    >>> from aerospike_common.as_integer import AsInteger
    >>> first, second = AsPair(AsInteger(1), AsInteger(2))
    >>> second
    AsInteger(value=2)
    """

    first: AsVal = attrs.field(converter=checked)
    second: AsVal = attrs.field(converter=checked)

    def __iter__(self) -> Iterator[AsVal]:
        yield self.first
        yield self.second

    def __hash__(self) -> int:
        return hash((self.first, self.second))

    def order_key(self) -> OrderKey:
        """`(rank of a list, (key of the first, key of the second))`."""
        return (Rank.LIST, (self.first.order_key(), self.second.order_key()))
