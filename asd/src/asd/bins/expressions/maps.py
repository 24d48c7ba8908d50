"""What expressions do with whole maps; everything else on collections is a call."""

from __future__ import annotations

from typing import Any

from aerospike_common import as_msgpack
from asd.bins.expressions.values import UNKNOWN


def map_keys(value: Any) -> Any:
    """The keys as a list, in key order; unknown when `value` is not a map. O(n)."""
    if type(value) is not dict:
        return UNKNOWN
    return [key for key, _ in as_msgpack.map_items(value)]


def map_values(value: Any) -> Any:
    """The values as a list, in key order; unknown when `value` is not a map. O(n)."""
    if type(value) is not dict:
        return UNKNOWN
    return [item for _, item in as_msgpack.map_items(value)]
