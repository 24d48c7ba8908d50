"""Policies as flags of the message header."""

from __future__ import annotations

from typing import Final, SupportsBytes

from aerospike_client.errors import InvalidParameter
from aerospike_client.policies import (
    CommitLevel,
    Exists,
    Generation,
    Policy,
    ReadModeAP,
    ReadModeSC,
)
from aerospike_common.wire import Info1, Info2, Info3

_EXISTS: Final = {
    Exists.IGNORE: (0, 0),
    Exists.CREATE: (int(Info2.CREATE_ONLY), 0),
    Exists.UPDATE: (0, int(Info3.UPDATE_ONLY)),
    Exists.REPLACE: (0, int(Info3.REPLACE_ONLY)),
    Exists.CREATE_OR_REPLACE: (0, int(Info3.CREATE_OR_REPLACE)),
}
_GENERATION: Final = {
    Generation.IGNORE: 0,
    Generation.EQ: int(Info2.GENERATION),
    Generation.GT: int(Info2.GENERATION_GT),
}
_READ_MODES_SC: Final = {
    ReadModeSC.SESSION: 0,
    ReadModeSC.LINEARIZE: int(Info3.SC_READ_TYPE),
    ReadModeSC.ALLOW_REPLICA: int(Info3.SC_READ_RELAX),
    ReadModeSC.ALLOW_UNAVAILABLE: int(Info3.SC_READ_TYPE | Info3.SC_READ_RELAX),
}


def read_info1(mode: ReadModeAP, compress: bool = False) -> int:
    """info1 of a read, without what is read."""
    info1 = int(Info1.READ)
    if mode is ReadModeAP.ALL:
        info1 |= Info1.READ_MODE_AP_ALL
    return info1 | Info1.COMPRESS_RESPONSE if compress else info1


def read_info3(mode: ReadModeSC) -> int:
    """info3 of a read."""
    return _READ_MODES_SC[mode]


def exists_info(exists: Exists) -> tuple[int, int]:
    """What info2 and info3 have of an existence policy."""
    return _EXISTS[exists]


def generation_info2(gen: Generation) -> int:
    """What info2 has of a generation policy."""
    return _GENERATION[gen]


def commit_info3(level: CommitLevel) -> int:
    """What info3 has of a commit level."""
    return int(Info3.COMMIT_MASTER) if level is CommitLevel.MASTER else 0


def server_timeout(policy: Policy) -> int:
    """The milliseconds that a server is told it has: the attempt's, or else the command's."""
    if 0 < policy.socket_timeout < policy.total_timeout:
        return policy.socket_timeout
    return policy.total_timeout


def read_touch(percent: int) -> int:
    """The ttl field of a read. InvalidParameter unless -1 to 100."""
    if not -1 <= percent <= 100:
        raise InvalidParameter(f"read_touch_ttl_percent is -1 to 100: {percent}")
    return percent & 0xFFFFFFFF


def expression_bytes(expression: SupportsBytes) -> bytes:
    """The wire form of a filter expression."""
    return bytes(expression)
