"""`AsInteger`: a signed 64-bit integer."""

from __future__ import annotations

from typing import Final

import attrs

from aerospike_common.as_val import AsScalar, OrderKey, Rank, exactly

INTEGER_MIN: Final = -(1 << 63)
"""The smallest value an integer takes."""

INTEGER_MAX: Final = (1 << 63) - 1
"""The largest value an integer takes."""


@attrs.frozen(eq=False)
class AsInteger(AsScalar):
    """An integer of 64 bits with sign.

    Raises TypeError for what is no int (a bool is none), OverflowError for more than 64 bits.

    >>> AsInteger(-1) < AsInteger(7)
    True
    >>> AsInteger(1 << 63)
    Traceback (most recent call last):
      ...
    OverflowError: 9223372036854775808 does not fit 64 bits
    """

    value: int = attrs.field(validator=exactly(int))

    @value.validator
    def _validate(self, _attribute: attrs.Attribute[int], value: int) -> None:
        if not INTEGER_MIN <= value <= INTEGER_MAX:
            raise OverflowError(f"{value} does not fit 64 bits")

    def order_key(self) -> OrderKey:
        """`(rank, value)`."""
        return (Rank.INTEGER, self.value)
