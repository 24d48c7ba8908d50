"""What a transaction is between two nodes: a request and its outcome, as bytes.

    request   node that asks (u64), 1 for a row of a batch, what of masked bins its client may not
              see or change (`asd.transactions.masked`) | the body of a single-record message
    outcome   node that did it (u64), result code, generation, void-time, number of ops | the ops

The library carries both without looking inside. They name the nodes so that each side counts under
the right heading: a client's transaction, or one from another node.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_REQUEST: Final = struct.Struct(">QBB")
_OUTCOME: Final = struct.Struct(">QBHIH")


class Malformed(Exception):
    """A peer sent what is no request, or no outcome."""


class Request(NamedTuple):
    """A transaction to be carried out."""

    node: int
    in_batch: bool
    access: int
    body: bytes

    def pack(self) -> bytes:
        """The bytes."""
        return _REQUEST.pack(self.node, self.in_batch, self.access) + self.body


class Outcome(NamedTuple):
    """What came of it; `ops` are `n_ops` in wire form."""

    node: int
    code: int
    generation: int = 0
    void_time: int = 0
    n_ops: int = 0
    ops: bytes = b""

    def pack(self) -> bytes:
        """The bytes."""
        return _OUTCOME.pack(*self[:5]) + self.ops


def unpack_request(data: bytes) -> Request:
    """The request in a peer's bytes. Raises Malformed."""
    try:
        node, in_batch, access = _REQUEST.unpack_from(data)
    except struct.error as error:
        raise Malformed(str(error)) from error
    return Request(node, bool(in_batch), access, data[_REQUEST.size :])


def unpack_outcome(data: bytes) -> Outcome:
    """The outcome in a peer's bytes. Raises Malformed."""
    try:
        node, code, generation, void_time, n_ops = _OUTCOME.unpack_from(data)
    except struct.error as error:
        raise Malformed(str(error)) from error
    return Outcome(node, code, generation, void_time, n_ops, data[_OUTCOME.size :])
