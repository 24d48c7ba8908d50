"""Deleting one record."""

from __future__ import annotations

from aerospike_common.wire.codes import Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.transactions.transaction import Reply, Transaction
from asd.transactions.write import check_generation


def delete(transaction: Transaction) -> Reply:
    """Remove the record. Raises OperationError; refusals of a delete echo no metadata."""
    message, namespace = transaction.message, transaction.namespace
    if namespace.community and message.info2 & Info2.DURABLE_DELETE:
        raise OperationError(ResultCode.ENTERPRISE_ONLY, "durable delete")
    record = transaction.load()
    if record is None:
        raise OperationError(ResultCode.NOT_FOUND)
    try:
        check_generation(message, record)
        transaction.check_set(record)
        transaction.check_filter(record)
        transaction.check_key(record)
    except OperationError as error:
        raise OperationError(error.code, str(error)) from error
    if message.info2 & Info2.DURABLE_DELETE:
        namespace.entomb(transaction.digest, record)
    else:
        namespace.remove(transaction.digest)
    return Reply(ResultCode.OK)
