"""The fast path of calls of a function on a record (see the contract).

What the head asks for is known, and so, by the bytes behind the digest, is what is called with what
arguments. The record is treated as `asd.transactions.udf` does, refusals included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from aerospike_common.wire.codes import FieldType
from aerospike_common.wire.message import Message, reply_frame
from asd.fastpath.contract import FastPath
from asd.fastpath.known import Known
from asd.measures.statistics import OriginStatistics
from asd.space.namespace import Namespace
from asd.transactions.heavy import Leave
from asd.transactions.outcome import Decide, count_udf, perform
from asd.transactions.transaction import Transaction
from asd.transactions.udf import called
from asd.udf.call import Call
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

_WHERE: Final = (FieldType.NAMESPACE, FieldType.SET)

Asked: TypeAlias = tuple[Message, Decide]
"""A call, and what decides it."""


def function_path(
    node: NodeState,
    namespace: Namespace,
    message: Message,
    rest: int,
    head_size: int,
    forget: Callable[[bytes], None],
    counters: OriginStatistics,
) -> FastPath:
    """The path for calls like one that succeeded: any function, the same fields.

    `rest` is the size of all from the digest on, `head_size` of all before it; `forget` lets
    requests with a head take the general way again.
    """
    expressions = node.expressions
    barred = namespace.ownership.barred
    calls = Known(_maker(node, message), rest, head_size)
    known = calls.made

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


def _maker(node: NodeState, example: Message) -> Callable[[Message], Asked | None]:
    """What makes of a message what it asks for, and what decides it; None when it has other fields
    than `example`, for which the path is made. It raises OperationError for a wrong one."""
    wanted = example.fields

    def make(message: Message) -> Asked | None:
        fields = message.fields
        if fields.keys() != wanted.keys() or any(fields[at] != wanted[at] for at in _WHERE):
            return None
        return message, partial(called, node, Call.of(message))

    return make
