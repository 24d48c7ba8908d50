"""Requests that are passed on, and their replies, as bytes, spelled out: see `lane_codec`.

They are `Forward` and `Forwarded` as `cluster.wire` writes them, but that integers always take
eight bytes and lengths four. What a node's requests begin with is the same as long as its cluster
is; so a request whose *head* is known is of the right kind, life and cluster.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final

from cluster.replication.forward_messages import Forward, Forwarded
from cluster.wire import WireError

_HEAD: Final = Struct(">BBBBHQHQ")
_REQUEST: Final = Struct(">HQHQHHBBI")
_REPLY: Final = Struct(">HQHBBI")

_ARRAY_OF_3: Final = 0x93
_MAP_OF_7: Final = 0x87
_INT: Final = 0xCF
"""How an integer of eight bytes begins; a field's number stands before it, `1 << 8 | _INT`."""
_FALSE: Final = 0xC2
"""`_FALSE + 1` is true."""
_BYTES: Final = 0xC6

_LIFE, _KEY, _NUMBER, _OLDEST = (field << 8 | _INT for field in (1, 2, 3, 4))
_ONCE, _IN_BATCH, _IN_DOUBT = (field << 8 | _FALSE for field in (5, 6, 2))
_REPLY_NUMBER: Final = 1 << 8 | _INT

REPLY_HEAD: Final = bytes((_ARRAY_OF_3, Forwarded.TYPE, Forwarded.VERSION, 0x83))
"""What replies begin with."""


def head(life: int, cluster_key: int) -> bytes:
    """What all requests of a node's life in a cluster begin with."""
    start = _ARRAY_OF_3, Forward.TYPE, Forward.VERSION, _MAP_OF_7
    return _HEAD.pack(*start, _LIFE, life, _KEY, cluster_key)


def request(
    start: bytes, number: int, oldest: int, body: bytes, *, once: bool, in_batch: bool
) -> bytes:
    """A request: its head, and what `Forward` has besides."""
    flags = _ONCE + once, _IN_BATCH + in_batch
    more = _REQUEST.pack(_NUMBER, number, _OLDEST, oldest, *flags, 7, _BYTES, len(body))
    return start + more + body


def opened(payload: bytes, start: bytes) -> tuple[int, int, bool, bool, bytes]:
    """Number, oldest, once, in_batch, body of a request with this head. Raises WireError."""
    try:
        fields = _REQUEST.unpack_from(payload, len(start))
    except error as why:
        raise WireError(f"not a request: {why}") from why
    _, number, _, oldest, once, in_batch, _, _, size = fields
    body = payload[len(start) + _REQUEST.size :]
    if len(body) != size:
        raise WireError("a request cut off")
    return number, oldest, once != _ONCE, in_batch != _IN_BATCH, body


def reply(number: int, in_doubt: bool, body: bytes) -> bytes:
    """A reply."""
    more = _REPLY.pack(_REPLY_NUMBER, number, _IN_DOUBT + in_doubt, 3, _BYTES, len(body))
    return REPLY_HEAD + more + body


def opened_reply(payload: bytes) -> tuple[int, bool, bytes]:
    """Number, in_doubt and body of a reply, by its head. Raises WireError."""
    try:
        _, number, in_doubt, _, _, size = _REPLY.unpack_from(payload, len(REPLY_HEAD))
    except error as why:
        raise WireError(f"not a reply: {why}") from why
    body = payload[len(REPLY_HEAD) + _REPLY.size :]
    if len(body) != size:
        raise WireError("a reply cut off")
    return number, in_doubt != _IN_DOUBT, body
