"""`AsNil`: the value that is no value."""

from __future__ import annotations

from typing import Final

import attrs

from aerospike_common.as_val import AsScalar, OrderKey, Rank


@attrs.frozen(eq=False)
class AsNil(AsScalar):
    """Nothing; below every other value. All are equal, `NIL` is at hand.

    >>> AsNil() == NIL
    True
    """

    def order_key(self) -> OrderKey:
        """`(rank,)`."""
        return (Rank.NIL,)


NIL: Final = AsNil()
"""The nil value."""
