"""Deleting one record."""

from __future__ import annotations

from aerospike_common.wire.codes import Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.records.change import Change
from asd.records.record import XDR_TOMBSTONE, next_generation, stored_key
from asd.transactions.bin_times import is_merged, merge_sent, sent_times
from asd.transactions.decision import Decision, Effect
from asd.transactions.transaction import Reply, Transaction
from asd.transactions.write import check_generation, left_by_delete


def delete(transaction: Transaction) -> Decision:
    """Remove the record. Raises OperationError; refusals of a delete echo no metadata."""
    message, namespace = transaction.message, transaction.namespace
    if namespace.community and message.info2 & Info2.DURABLE_DELETE:
        raise OperationError(ResultCode.ENTERPRISE_ONLY, "durable delete")
    transaction.check_origin()
    record = transaction.load()
    rules = namespace.bin_times
    if rules is not None and is_merged(rules, message):
        return _merge(transaction)
    if record is None:
        raise OperationError(ResultCode.NOT_FOUND)
    try:
        check_generation(message, record)
        transaction.check_set(record)
        transaction.weigh(record)
        transaction.check_filter(record)
        transaction.check_key(record)
    except OperationError as error:
        raise OperationError(error.code, str(error)) from error
    new = left_by_delete(transaction, record)
    return Decision(Reply(ResultCode.OK), transaction.change(new), Effect.DELETED)


def _merge(transaction: Transaction) -> Decision:
    """What another data center has deleted goes as far as it is older than that. A trace stays, so
    that nothing older comes back."""
    message, namespace = transaction.message, transaction.namespace
    sent = sent_times(namespace, message)
    merged = merge_sent(namespace, transaction.digest, transaction.found, sent, {})
    if merged is None:
        return Decision(Reply(ResultCode.OK))
    old = transaction.found
    set_name = namespace.set_names[old[3]] if old else transaction.set_name
    key = stored_key(old[5], old[4]) if old and merged.bins else b""
    payload, flags = merged.payload(key)
    if not merged.bins and not message.info2 & Info2.DURABLE_DELETE:
        flags |= XDR_TOMBSTONE
    generation = next_generation(old[0]) if old else 1
    void_time = old[1] if old and merged.bins else 0
    new = namespace.version(generation, void_time, set_name, flags, payload, old)
    change = Change(transaction.digest, old, new)
    return Decision(Reply(ResultCode.OK), change, Effect.DELETED)
