"""`AsGeojson`: a place or a region, as GeoJSON text."""

from __future__ import annotations

import attrs

from aerospike_common.as_string import AsText, encoded
from aerospike_common.as_val import OrderKey, Rank


@attrs.frozen(eq=False)
class AsGeojson(AsText):
    """GeoJSON text, ordered by its bytes. The text is kept as it is and not looked into.

    >>> place = AsGeojson('{"type": "Point", "coordinates": [0.0, 0.0]}')
    >>> place == AsGeojson(place.value)
    True
    """

    def order_key(self) -> OrderKey:
        """`(rank, bytes)`."""
        return (Rank.GEOJSON, encoded(self.value))
