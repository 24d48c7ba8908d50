"""`AsBoolean`: true or false."""

from __future__ import annotations

import attrs

from aerospike_common.as_val import AsScalar, OrderKey, Rank, exactly


@attrs.frozen(eq=False)
class AsBoolean(AsScalar):
    """True or false; false comes first. Raises TypeError for anything but a bool.

    >>> AsBoolean(False) < AsBoolean(True)
    True
    """

    value: bool = attrs.field(validator=exactly(bool))

    def order_key(self) -> OrderKey:
        """`(rank, value)`."""
        return (Rank.BOOLEAN, self.value)
