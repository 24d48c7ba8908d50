"""How transactions end: a decision is committed, refusals become replies, each end is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from aerospike_common.wire.codes import Info1, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.measures.statistics import OriginStatistics
from asd.records.change import Change
from asd.space.namespace import Namespace
from asd.transactions.decision import Decision, Effect
from asd.transactions.transaction import Refused, Reply, Transaction
from storage.engine import Record

# Members of enumerations cost a look-up of a tenth of a microsecond; these are asked for in every
# transaction.
_OK: Final = int(ResultCode.OK)
_GENERATION: Final = int(ResultCode.GENERATION)
_XDR: Final = int(Info1.XDR)
_NOTHING: Final = Effect.NONE
_WRITTEN: Final = Effect.WRITTEN

Decide: TypeAlias = Callable[[Transaction], Decision]
"""Decides, and changes nothing. Raises OperationError for a refusal, NotResident."""

Count: TypeAlias = Callable[[OriginStatistics, int, Effect], None]
"""Counts a transaction that ended with a result code, and what it came to."""


def perform(transaction: Transaction, decide: Decide, count: Count) -> Reply:
    """Decide, commit, count. Raises NotResident when the record must be waited for; nothing has
    happened then."""
    namespace, effect = transaction.namespace, _NOTHING
    try:
        decision = decide(transaction)
        reply, change, effect, echo = decision
        if change is not None:
            _commit(namespace, change, echo)
    except Refused as error:
        reply, effect = Reply(error.code, error.generation, error.void_time), _NOTHING
    except OperationError as error:
        reply, effect = Reply(error.code), _NOTHING
    count(transaction.origin, reply.code, effect)
    if transaction.message.info1 & _XDR:
        _count_shipped(transaction, reply.code, effect, count)
    if reply.code == _GENERATION:
        namespace.statistics.fail_generation += 1
    if effect is not _NOTHING and effect is not _WRITTEN:
        _count_effect(namespace, effect)
    return reply


def _commit(namespace: Namespace, change: Change, echo: Record | None) -> None:
    try:
        namespace.commit(change)
    except OperationError as error:
        if echo is None:
            raise
        raise Refused(ResultCode(error.code), echo, str(error)) from error


def _count_shipped(transaction: Transaction, code: int, effect: Effect, count: Count) -> None:
    """Count what another data center has shipped here once more, under its own heading."""
    statistics = transaction.namespace.statistics
    if transaction.origin is statistics.client:
        count(statistics.xdr_client, code, effect)
    elif transaction.origin is statistics.from_proxy:
        count(statistics.xdr_from_proxy, code, effect)


def _count_effect(namespace: Namespace, effect: Effect) -> None:
    """Count what a transaction came to, in the figures of its namespace."""
    statistics = namespace.statistics
    if effect is Effect.EMPTIED:
        statistics.deleted_last_bin += 1
    elif effect is Effect.RENEWED:
        statistics.read_touch_success += 1
    elif effect is Effect.NOT_RENEWED:
        statistics.read_touch_skip += 1


def count_read(origin: OriginStatistics, code: int, effect: Effect) -> None:
    """Count a read that ended with `code`."""
    if code == _OK:
        origin.read_success += 1
    elif code == ResultCode.NOT_FOUND:
        origin.read_not_found += 1
    elif code == ResultCode.FILTERED_OUT:
        origin.read_filtered_out += 1
    else:
        origin.read_error += 1


def count_write(origin: OriginStatistics, code: int, effect: Effect) -> None:
    """Count a write that ended with `code`."""
    if code == _OK:
        origin.write_success += 1
    elif code == ResultCode.FILTERED_OUT:
        origin.write_filtered_out += 1
    else:
        origin.write_error += 1


def count_udf(origin: OriginStatistics, code: int, effect: Effect) -> None:
    """Count a call of a function that ended with `code`."""
    if code == ResultCode.OK:
        origin.udf_complete += 1
        if effect is Effect.NONE:
            origin.lang_read_success += 1
        elif effect is Effect.WRITTEN:
            origin.lang_write_success += 1
        else:
            origin.lang_delete_success += 1
    elif code == ResultCode.FILTERED_OUT:
        origin.udf_filtered_out += 1
    else:
        origin.udf_error += 1
        origin.lang_error += effect is Effect.FAILED


def count_delete(origin: OriginStatistics, code: int, effect: Effect) -> None:
    """Count a delete that ended with `code`."""
    if code == ResultCode.OK:
        origin.delete_success += 1
    elif code == ResultCode.NOT_FOUND:
        origin.delete_not_found += 1
    elif code == ResultCode.FILTERED_OUT:
        origin.delete_filtered_out += 1
    else:
        origin.delete_error += 1
