"""The fast path of writes that no closer one fits: increments, touches, several ops on one record.

What the head asks for is known, and what the ops are is remembered by their bytes; the record is
treated as in `asd.transactions.write`, refusals included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aerospike_common.wire.message import Message, parse_message, reply_frame
from asd.fastpath.contract import FastPath
from asd.space.namespace import Namespace
from asd.transactions.outcome import count_write, perform
from asd.transactions.transaction import Transaction
from asd.transactions.write import check_ops, write_checked
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

OPS_KNOWN: Final = 64
"""Lists of ops that one path keeps."""

MAX_OPS_SIZE: Final = 256
"""Bytes of the longest list of ops that is kept: long ones hold values, which seldom come again."""

_FRAME_HEADER: Final = 8


def operate_path(
    node: NodeState,
    namespace: Namespace,
    rest: int,
    head_size: int,
    forget: Callable[[bytes], None],
) -> FastPath:
    """The path for writes like one that succeeded: any ops, its other fields only set and digest.

    `rest` is the size of all from the digest on, `head_size` of all before it; `forget` lets
    requests with a head take the general way again.
    """
    expressions, counters = node.expressions, namespace.statistics.client
    barred = namespace.ownership.barred
    before, keeps = head_size - _FRAME_HEADER, rest - DIGEST_SIZE <= MAX_OPS_SIZE
    known: dict[bytes, Message] = {}

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        start = digest + DIGEST_SIZE
        wire = data[start : digest + rest]
        message = known.get(wire)
        if message is None:
            message = parse_message(data[digest - before : digest + rest])
            check_ops(message)
            if keeps:
                if len(known) >= OPS_KNOWN:
                    known.clear()
                known[wire] = message
        transaction = Transaction(namespace, message, data[digest:start], expressions, counters)
        reply = perform(transaction, write_checked, count_write)
        if transaction.is_heavy:  # the general way looks at the clock behind each request
            forget(data[digest - head_size : digest])
        return reply_frame(reply.code, reply.generation, reply.void_time, reply.n_ops, reply.ops)

    return path
