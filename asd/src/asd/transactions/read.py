"""Reading one record: whole, some bins, operations that read, or only its metadata."""

from __future__ import annotations

from functools import partial

from aerospike_common.wire.codes import Info1, Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Op
from asd.bins.particle import NULL, Particle
from asd.records.record import encode_op, without_key
from asd.transactions.decision import Decision
from asd.transactions.ops import READ_OPS, SMALL_ANSWER, WRITE_OPS, Operands, check_bin_name
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
    transaction.check_filter(record)
    new, effect = renewal(transaction, record)
    change = None if new is None else transaction.change(new)
    return Decision(_answer(transaction, record), change, effect)


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
        ops = _read_ops(transaction, record)
    except OperationError as error:
        raise Refused(error.code, record, str(error)) from error
    return Reply(ResultCode.OK, generation, void_time, len(ops), b"".join(ops))


def _read_ops(transaction: Transaction, record: Record) -> list[bytes]:
    message = transaction.message
    if not message.ops:
        raise OperationError(ResultCode.PARAMETER, "a read of no bins")
    look = partial(transaction.view, record)
    operands = Operands(look, transaction.expressions, None, transaction)
    respond_all = message.info2 & Info2.RESPOND_ALL_OPS
    answers: list[bytes] = []
    for op in message.ops:
        result = _read_op(operands, op)
        if result is not None:
            answers.append(encode_op(op.type, op.name, result))
            if len(result.data) > SMALL_ANSWER:
                operands.answered(len(result.data))
        elif respond_all:
            answers.append(encode_op(op.type, op.name, NULL))
    return answers


def _read_op(operands: Operands, op: Op) -> Particle | None:
    handler = READ_OPS.get(op.type)
    if handler is None:
        reason = "a write op in a read" if op.type in WRITE_OPS else f"unknown op {op.type}"
        raise OperationError(ResultCode.PARAMETER, reason)
    check_bin_name(op.name)
    return handler(operands, op)
