"""The order in which faults end."""

from __future__ import annotations

import pytest

from chaos.faults import in_order_of_end
from chaos.plan import Fault, Kind


@pytest.mark.parametrize(
    ("begun", "ended"),
    [
        ([Kind.KILL, Kind.SPLIT, Kind.JOIN], [Kind.KILL, Kind.SPLIT, Kind.JOIN]),
        ([Kind.JOIN, Kind.SPLIT, Kind.HANG], [Kind.HANG, Kind.SPLIT, Kind.JOIN]),
    ],
)
def test_who_has_joined_leaves_when_the_split_is_healed(
    begun: list[Kind], ended: list[Kind]
) -> None:
    """A run waited in vain for a cluster at rest, which it had split itself and not healed yet."""
    faults = tuple([Fault(kind, node, 1.0) for node, kind in enumerate(begun)])

    assert [fault.kind for fault in in_order_of_end(faults)] == ended
