"""Read-touch: a record that is read near the end of its life lives on."""

from __future__ import annotations

from aerospike_common.wire.codes import ResultCode
from asd.space.namespace import TTL_NEVER
from asd.transactions.decision import Effect
from asd.transactions.transaction import Refused, Transaction
from cluster.consistency.stamp import time_of
from storage.engine import Record


def renewal(transaction: Transaction, record: Record) -> tuple[Record | None, Effect]:
    """The record with new time, if set, namespace or command ask for that; None if it stays.

    The record keeps its generation and gets the whole time again that its last write gave it.
    Raises PARAMETER for a percentage over 100.
    """
    namespace, void_time = transaction.namespace, record[1]
    percent = transaction.message.record_ttl
    if not void_time or percent == TTL_NEVER:
        return None, Effect.NONE
    set_name = namespace.set_names[record[3]]
    percent = percent or namespace.config.read_touch_ttl_pct_of(set_name)
    if not percent:
        return None, Effect.NONE
    if percent > 100:
        raise Refused(ResultCode.PARAMETER, record, f"read-touch ttl percentage {percent}")
    ttl = void_time - time_of(record[2]) // 1000
    if transaction.now_s < void_time - ttl * percent // 100:
        return None, Effect.NOT_RENEWED
    return namespace.renewed(record, transaction.now_s + ttl), Effect.RENEWED
