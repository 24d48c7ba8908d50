"""The ops of a command, applied: on the loop, or in a worker that knows of no namespace.

So nothing is imported here but what ops need: a worker is started when somebody waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from aerospike_common.wire.codes import Info1, Info2, Info3, OpType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message, Op
from asd.bins.particle import NULL, Particle
from asd.records.record import Bins, encode_op
from asd.transactions.heavy import Bench
from asd.transactions.ops import READ_OPS, SMALL_ANSWER, WRITE_OPS, Operands, check_bin_name
from storage.engine import Record

# Members of enumerations cost a look-up of a tenth of a microsecond; these are asked for in every
# command.
_REPLACE: Final = int(Info3.CREATE_OR_REPLACE | Info3.REPLACE_ONLY)
_RESPOND_ALL: Final = int(Info2.RESPOND_ALL_OPS)
_GET_ALL: Final = int(Info1.GET_ALL)
_READ: Final = int(OpType.READ)
_TOUCH: Final = int(OpType.TOUCH)
_EXP_READ: Final = int(OpType.EXP_READ)


def replaces(message: Message) -> bool:
    """Does the write leave nothing of the record that is there?"""
    return bool(message.info3 & _REPLACE)


def apply_ops(bench: Bench, record: Record | None, bins: Bins) -> Sequence[bytes]:
    """What the command's ops answer; `bins` are then as they have made them. Raises
    OperationError."""
    message = bench.message
    look = partial(bench.view, record, bins)
    mask = bench.mask
    operands = Operands(look, bench.expressions, bins, bench, bench.most_bytes, mask)
    respond_all = message.info2 & _RESPOND_ALL != 0
    get_all = message.info1 & _GET_ALL
    answers: list[bytes] = []
    for op in message.ops:
        handler = WRITE_OPS.get(op.type)
        if handler is not None:
            result = handler(operands, op)
            answers_null = respond_all and op.type != _TOUCH
        elif op.type == _READ and not op.name and get_all:
            operands.settle()
            shown = bins if mask is None else mask.bins(bins)
            answers.extend(encode_op(_READ, name, value) for name, value in shown.items())
            continue
        else:
            handler = READ_OPS.get(op.type)
            if handler is None:
                raise OperationError(ResultCode.PARAMETER, f"unknown op {op.type}")
            result = handler(operands, op)
            answers_null = respond_all or op.type == _EXP_READ or op.name in bins
        if result is not None or answers_null:
            answer = encode_op(op.type, op.name, result or NULL)
            answers.append(answer)
            if len(answer) > SMALL_ANSWER:
                operands.answered(len(answer))
    operands.settle()
    return answers


def read_ops(bench: Bench, record: Record) -> list[bytes]:
    """What the ops of a command answer on a record. Raises OperationError."""
    message = bench.message
    look = partial(bench.view, record)
    operands = Operands(look, bench.expressions, None, bench)
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
