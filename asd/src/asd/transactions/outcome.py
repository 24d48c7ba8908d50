"""How transactions end: refusals become replies, and each end is counted."""

from __future__ import annotations

from collections.abc import Callable

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.measures.statistics import OriginStatistics
from asd.transactions.transaction import Refused, Reply, Transaction


def run_write(
    transaction: Transaction,
    command: Callable[[Transaction], Reply],
    count: Callable[[OriginStatistics, int], None],
) -> Reply:
    """A write or delete by `command`, counted by `count`; refusals become replies."""
    reply = guard(command, transaction)
    count(transaction.origin, reply.code)
    if reply.code == ResultCode.GENERATION:
        transaction.namespace.statistics.fail_generation += 1
    return reply


def guard(command: Callable[[Transaction], Reply], transaction: Transaction) -> Reply:
    """Refusals become replies."""
    try:
        return command(transaction)
    except Refused as error:
        return Reply(error.code, error.generation, error.void_time)
    except OperationError as error:
        return Reply(error.code)


def count_read(origin: OriginStatistics, code: int) -> None:
    """Count a read that ended with `code`."""
    if code == ResultCode.OK:
        origin.read_success += 1
    elif code == ResultCode.NOT_FOUND:
        origin.read_not_found += 1
    elif code == ResultCode.FILTERED_OUT:
        origin.read_filtered_out += 1
    else:
        origin.read_error += 1


def count_write(origin: OriginStatistics, code: int) -> None:
    """Count a write that ended with `code`."""
    if code == ResultCode.OK:
        origin.write_success += 1
    elif code == ResultCode.FILTERED_OUT:
        origin.write_filtered_out += 1
    else:
        origin.write_error += 1


def count_udf(origin: OriginStatistics, code: int) -> None:
    """Count a call of a function that ended with `code`."""
    if code == ResultCode.OK:
        origin.udf_complete += 1
    elif code == ResultCode.FILTERED_OUT:
        origin.udf_filtered_out += 1
    else:
        origin.udf_error += 1


def count_delete(origin: OriginStatistics, code: int) -> None:
    """Count a delete that ended with `code`."""
    if code == ResultCode.OK:
        origin.delete_success += 1
    elif code == ResultCode.NOT_FOUND:
        origin.delete_not_found += 1
    elif code == ResultCode.FILTERED_OUT:
        origin.delete_filtered_out += 1
    else:
        origin.delete_error += 1
