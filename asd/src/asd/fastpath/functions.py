"""The fast path of calls of a function on a record (see the contract).

What the head asks for is known, and so, by the bytes behind the digest, is what is called with what
arguments. The record is treated as `asd.transactions.udf` does, refusals included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from aerospike_common.wire.codes import FieldType
from aerospike_common.wire.message import Message, parse_message, reply_frame
from asd.fastpath.contract import FastPath
from asd.space.namespace import Namespace
from asd.transactions.heavy import Leave
from asd.transactions.outcome import Decide, count_udf, perform
from asd.transactions.transaction import Transaction
from asd.transactions.udf import called
from asd.udf.call import Call
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

CALLS_KNOWN: Final = 64
"""Calls that one path keeps."""

MAX_CALL_SIZE: Final = 256
"""Bytes of the longest call that is kept: long ones hold values, which seldom come again."""

_FRAME_HEADER: Final = 8
_WHERE: Final = (FieldType.NAMESPACE, FieldType.SET)

Known: TypeAlias = tuple[Message, Decide]


def function_path(
    node: NodeState,
    namespace: Namespace,
    message: Message,
    rest: int,
    head_size: int,
    forget: Callable[[bytes], None],
) -> FastPath:
    """The path for calls like one that succeeded: any function, the same fields.

    `rest` is the size of all from the digest on, `head_size` of all before it; `forget` lets
    requests with a head take the general way again.
    """
    expressions, counters = node.expressions, namespace.statistics.client
    barred = namespace.ownership.barred
    calls = _Calls(node, message, rest, head_size)
    known = calls.known

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        start = digest + DIGEST_SIZE
        wire = data[start : digest + rest]
        call = known.get(wire) or calls.add(data, digest, wire)
        if call is None:
            return None
        asked, decide = call
        transaction = Transaction(namespace, asked, data[digest:start], expressions, counters)
        try:
            reply = perform(transaction, decide, count_udf)
        except Leave:  # the general way, which has it done elsewhere, is not to begin here again
            forget(data[digest - head_size : digest])
            raise
        return reply_frame(reply.code, reply.generation, reply.void_time, reply.n_ops, reply.ops)

    return path


class _Calls:
    """What is called, by the bytes behind the digest."""

    __slots__ = ("_before", "_example", "_keeps", "_node", "_rest", "known")

    def __init__(self, node: NodeState, example: Message, rest: int, head_size: int) -> None:
        self._node = node
        self._example = example.fields
        self._rest = rest
        self._before = head_size - _FRAME_HEADER
        self._keeps = rest - DIGEST_SIZE <= MAX_CALL_SIZE
        self.known: dict[bytes, Known] = {}

    def add(self, data: bytes, digest: int, wire: bytes) -> Known | None:
        """The message around a digest, and what decides it; None when it has other fields than
        those that the path was made for. Raises MessageError, OperationError for a wrong one."""
        message = parse_message(data[digest - self._before : digest + self._rest])
        fields, example = message.fields, self._example
        if fields.keys() != example.keys() or any(fields[at] != example[at] for at in _WHERE):
            return None
        found = message, partial(called, self._node, Call.of(message))
        if self._keeps:
            if len(self.known) >= CALLS_KNOWN:
                self.known.clear()
            self.known[wire] = found
        return found
