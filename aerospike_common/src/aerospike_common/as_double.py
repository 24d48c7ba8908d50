"""`AsDouble`: an IEEE 754 number of 64 bits."""

from __future__ import annotations

import math

import attrs

from aerospike_common.as_val import AsScalar, OrderKey, Rank, exactly


@attrs.frozen(eq=False)
class AsDouble(AsScalar):
    """A floating-point number. Raises TypeError for anything but a float.

    Numeric order, -0.0 equal to 0.0. NaN, which has no place among numbers, is given one: equal to
    itself and below all of them.

    >>> nan = AsDouble(float("nan"))
    >>> nan == nan, nan < AsDouble(float("-inf"))
    (True, True)
    """

    value: float = attrs.field(validator=exactly(float))

    def order_key(self) -> OrderKey:
        """`(rank, is a number, value)`."""
        if math.isnan(self.value):
            return (Rank.DOUBLE, False, 0.0)
        return (Rank.DOUBLE, True, self.value)
