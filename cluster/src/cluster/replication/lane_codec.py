"""The messages of the fast lane as bytes, spelled out: each replicated write comes through here.

They are `ReplicaGroup` and `ReplicaAck` as `cluster.wire` writes them, but that integers always
take eight bytes; so the general codec reads them too, and it does read the first of every lane. All
before the sequence number is the same in all messages of a lane. So a message whose beginning, its
*head*, is known is of the right kind, cluster and namespace, and nothing of that is looked at again
(the general way costs five times as much).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct, error
from typing import Any, Final

import msgpack

from cluster.messages import RecordRow, ReplicaAck, ReplicaGroup
from cluster.wire import Message, WireError, record_rows

_ARRAY_OF_3: Final = 0x93
_MAP: Final = 0x80
_BYTES_8: Final = 0xCF
_FIELDS: Final = {ReplicaGroup: 4, ReplicaAck: 3}

_HEAD: Final = Struct(">BBBBBBQB")
_ACK: Final = Struct(">BBQ")
_GROUP: Final = Struct(">BBQB")
_SEQUENCE: Final = Struct(">Q")

ACK_END: Final = _ACK.size
"""Bytes of an acknowledgement behind its head."""


def head(kind: type[Message], cluster_key: int, namespace: str) -> bytes:
    """What all messages of a kind begin with, in one lane."""
    start = (_ARRAY_OF_3, kind.TYPE, kind.VERSION, _MAP | _FIELDS[kind], 1, _BYTES_8)
    packed: bytes = msgpack.packb(namespace)
    return _HEAD.pack(*start, cluster_key, 2) + packed


def packer() -> Callable[[Sequence[RecordRow]], bytes]:
    """Brings rows into their form in a group. One thread's."""
    pack: Callable[[Any], bytes] = msgpack.Packer().pack
    return pack


def group(start: bytes, sequence: int, rows: bytes) -> bytes:
    """A group: its head, its number, its packed rows."""
    return start + _GROUP.pack(3, _BYTES_8, sequence, 4) + rows


def ack(start: bytes, sequence: int) -> bytes:
    """An acknowledgement of all groups up to a number."""
    return start + _ACK.pack(3, _BYTES_8, sequence)


def sequence_of(payload: bytes) -> int:
    """The number in an acknowledgement whose head is known."""
    sequence: int = _SEQUENCE.unpack_from(payload, len(payload) - 8)[0]
    return sequence


def opened(payload: bytes, start: bytes) -> tuple[int, tuple[RecordRow, ...]]:
    """Number and rows of a group with this head. Raises WireError."""
    try:
        _, _, sequence, _ = _GROUP.unpack_from(payload, len(start))
        rows = msgpack.unpackb(payload[len(start) + _GROUP.size :], use_list=False)
    except (error, ValueError, TypeError, msgpack.UnpackException) as why:
        raise WireError(f"not a group: {why}") from why
    return sequence, record_rows(rows)
