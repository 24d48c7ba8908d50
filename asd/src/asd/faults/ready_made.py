"""Faults by name, as operators know them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from asd.faults.fault import COMMANDS, DELETE, READ, UDF, WRITE

CLOCK_SKEW: Final = "clock-skew"
"""The one that is no matter of requests: the server's clock shows another time than the
clients'."""

READY_MADE: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "hot-key": {"code": "KEY_BUSY", "kind": [READ, WRITE, DELETE, UDF]},
        "device-overload": {"code": "DEVICE_OVERLOAD", "kind": [WRITE, DELETE, UDF]},
        "stop-writes": {"code": "OUT_OF_SPACE", "kind": [WRITE, UDF], "times": 0},
        "partition-unavailable": {
            "code": "PARTITION_UNAVAILABLE",
            "kind": [READ, WRITE, DELETE, UDF],
        },
        "slow-node": {"delay_ms": 100, "kind": list(COMMANDS), "times": 0},
        "record-too-big": {"code": "RECORD_TOO_BIG", "kind": [WRITE, UDF]},
    }
)
"""For each name the arguments that it stands for; what is given besides goes before them."""
