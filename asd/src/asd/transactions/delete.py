"""Deleting one record."""

from __future__ import annotations

from aerospike_common.wire.codes import Info2, ResultCode
from aerospike_common.wire.errors import OperationError
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
