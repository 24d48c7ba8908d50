"""Policies of operations on collections: how they are kept and what they accept."""

from __future__ import annotations

import attrs

from aerospike_client.operations.codes import (
    ListOrder,
    ListWriteFlags,
    MapOrder,
    MapWriteFlags,
)


@attrs.frozen
class ListPolicy:
    """How a list that an operation creates is kept, and what lists accept."""

    order: ListOrder = ListOrder.UNORDERED
    flags: ListWriteFlags = ListWriteFlags.DEFAULT


@attrs.frozen
class MapPolicy:
    """How a map that an operation creates is kept, and what maps accept."""

    order: MapOrder = MapOrder.UNORDERED
    flags: MapWriteFlags = MapWriteFlags.DEFAULT
    #: Keep the map's index with it; only for maps that are a bin's whole value.
    persist_index: bool = False

    @property
    def attributes(self) -> int:
        """Order and persistence as one number of the wire."""
        return self.order | (0x10 if self.persist_index else 0)
