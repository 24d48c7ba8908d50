"""Reading one record: whole, some bins, operations that read, or only its metadata."""

from __future__ import annotations

from collections.abc import Sequence

from aerospike_common.wire.codes import Info1, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.records.record import without_key
from asd.transactions.applied import read_ops
from asd.transactions.decision import Decision
from asd.transactions.touch import renewal
from asd.transactions.transaction import Refused, Reply, Transaction
from storage.engine import Record


def read(transaction: Transaction) -> Decision:
    """Decide a read. Raises OperationError for a refusal, NotResident."""
    transaction.check_consistency()
    record = transaction.load()
    if record is None:
        return Decision(Reply(ResultCode.NOT_FOUND))
    transaction.check_set(record)
    transaction.check_key(record)
    transaction.weigh(record)
    if transaction.given is not None and transaction.given.work.record is not None:
        record = transaction.given.work.record
    transaction.check_filter(record)
    new, effect = renewal(transaction, record)
    change = None if new is None else transaction.change(new)
    shown = transaction.shown(record) if transaction.access else record
    return Decision(_answer(transaction, shown), change, effect)


def _answer(transaction: Transaction, record: Record) -> Reply:
    generation, void_time, _, _, flags, payload = record
    info1 = transaction.message.info1
    if info1 & Info1.GET_NO_BINS:
        return Reply(ResultCode.OK, generation, void_time)
    if info1 & Info1.GET_ALL:
        body = without_key(payload, flags)
        return Reply(
            ResultCode.OK, generation, void_time, int.from_bytes(body[:2], "big"), body[2:]
        )
    try:
        ops = _answers(transaction, record)
    except OperationError as error:
        raise Refused(error.code, record, str(error)) from error
    return Reply(ResultCode.OK, generation, void_time, len(ops), b"".join(ops))


def _answers(transaction: Transaction, record: Record) -> Sequence[bytes]:
    if not transaction.message.ops:
        raise OperationError(ResultCode.PARAMETER, "a read of no bins")
    given = transaction.given
    return read_ops(transaction, record) if given is None else given.worked.taken()
