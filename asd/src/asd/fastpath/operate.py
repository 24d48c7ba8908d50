"""The fast paths of operations that no closer one fits: increments, touches, expressions, several
ops on one record.

What the head asks for is known, and what the ops are is remembered by their bytes. `operate_path`
treats the record of a write as `asd.transactions.write` does, refusals included.
`plain_operate_path` stands before it: a record that is there, has no key and never expires leaves
nothing to ask about it, so the ops are applied and what they make is written. `read_ops_path` is
the same for ops that only read; what may be heavy it leaves to the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.message import Message, reply_frame
from asd.fastpath.contract import FastPath, unplain
from asd.fastpath.known import Known
from asd.measures.statistics import OriginStatistics
from asd.records.record import MAX_BINS, next_generation, pack_bins, payload_flags, unpack_bins
from asd.space.namespace import Namespace
from asd.transactions.applied import apply_ops, read_ops
from asd.transactions.effort import may_be_heavy
from asd.transactions.outcome import count_write, perform
from asd.transactions.transaction import Transaction
from asd.transactions.write import check_ops, longest_payload, write_checked
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

BIG_RECORD: Final = 1 << 17
"""Bytes of a record from which on what is done to it is left to those who mind the time."""

OK: Final = int(ResultCode.OK)


def operate_path(
    node: NodeState,
    namespace: Namespace,
    rest: int,
    head_size: int,
    forget: Callable[[bytes], None],
    counters: OriginStatistics,
) -> FastPath:
    """The path for writes like one that succeeded: any ops, its other fields only set and digest.

    `rest` is the size of all from the digest on, `head_size` of all before it; `forget` lets
    requests with a head take the general way again.
    """
    expressions = node.expressions
    barred = namespace.ownership.barred
    known = Known(_checked, rest, head_size)
    messages = known.made

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        start = digest + DIGEST_SIZE
        wire = data[start : digest + rest]
        message = messages.get(wire) or known.add(data, digest, wire)
        transaction = Transaction(namespace, message, data[digest:start], expressions, counters)
        reply = perform(transaction, write_checked, count_write)
        if transaction.is_heavy:  # the general way looks at the clock behind each request
            forget(data[digest - head_size : digest])
        return reply_frame(reply.code, reply.generation, reply.void_time, reply.n_ops, reply.ops)

    return path


def plain_operate_path(
    node: NodeState,
    namespace: Namespace,
    set_name: bytes,
    rest: int,
    head_size: int,
    otherwise: FastPath,
    counters: OriginStatistics,
) -> FastPath:
    """The same for a record of the set that is there, without key, and never expires; what else
    there is goes `otherwise`."""
    expressions = node.expressions
    get, now_ms = namespace.engine.get, namespace.clock.epoch_ms
    put, barred = namespace.door.doors(set_name).put, namespace.ownership.barred
    assert put is not None
    set_id = namespace.intern_set(set_name)
    longest = longest_payload(namespace, set_name)
    known = Known(_checked, rest, head_size)
    messages = known.made

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        start = digest + DIGEST_SIZE
        key = data[digest:start]
        record = get(key)
        if record is None:
            return otherwise(data, digest)
        generation, void_time, before_ms, record_set, flags, payload = record
        updated_ms = now_ms()
        if flags or void_time or record_set != set_id or before_ms > updated_ms:
            return otherwise(data, digest)
        if len(payload) > BIG_RECORD:
            return otherwise(data, digest)
        wire = data[start : digest + rest]
        message = messages.get(wire) or known.add(data, digest, wire)
        bins = unpack_bins(payload)
        transaction = Transaction(namespace, message, key, expressions, counters)
        answers = apply_ops(transaction, record, bins)
        payload = pack_bins(bins)
        if transaction.is_heavy or not 0 < len(bins) <= MAX_BINS or len(payload) > longest:
            return otherwise(data, digest)
        generation = next_generation(generation)
        put(key, generation, 0, updated_ms, set_id, payload_flags(bins, b""), payload)
        counters.write_success += 1
        return reply_frame(OK, generation, 0, len(answers), b"".join(answers))

    return path


def read_ops_path(
    node: NodeState,
    namespace: Namespace,
    set_name: bytes,
    rest: int,
    head_size: int,
    counters: OriginStatistics,
) -> FastPath:
    """The path for operations that read records of the set; `rest` and `head_size` as above."""
    expressions = node.expressions
    get, now_s = namespace.engine.get, namespace.clock.epoch_s
    set_id, barred = namespace.intern_set(set_name), namespace.ownership.barred
    known = Known(_as_it_is, rest, head_size)
    messages = known.made

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        start = digest + DIGEST_SIZE
        key = data[digest:start]
        record = get(key)
        if record is None:
            return None
        generation, void_time, _, record_set, flags, _ = record
        if (flags or void_time or record_set != set_id) and unplain(record, set_id, now_s):
            return None
        wire = data[start : digest + rest]
        message = messages.get(wire) or known.add(data, digest, wire)
        if may_be_heavy(message, record):
            return None
        answers = read_ops(Transaction(namespace, message, key, expressions, counters), record)
        counters.read_success += 1
        return reply_frame(OK, generation, void_time, len(answers), b"".join(answers))

    return path


def _as_it_is(message: Message) -> Message:
    return message


def _checked(message: Message) -> Message:
    """A message whose ops may be applied. Raises OperationError."""
    check_ops(message)
    return message
