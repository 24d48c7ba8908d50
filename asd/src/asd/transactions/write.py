"""Writing one record: put, operate, touch. Either every op is applied or none.

A record whose last bin goes is deleted, by the same rules as by a delete.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aerospike_common.wire.codes import (
    FieldType,
    Info1,
    Info2,
    Info3,
    OpType,
    ResultCode,
)
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message, Op
from asd.bins.expressions.record import record_size
from asd.bins.particle import Particle
from asd.records.change import Change
from asd.records.record import (
    MAX_BINS,
    Bins,
    next_generation,
    pack_payload,
    payload_flags,
    stored_key,
    unpack_bins,
)
from asd.space.namespace import Namespace
from asd.transactions.applied import apply_ops, replaces
from asd.transactions.bin_times import check_room, is_merged, merge_sent, sent_times
from asd.transactions.decision import Decision, Effect
from asd.transactions.ops import READ_OPS, WRITE_OPS, check_bin_name
from asd.transactions.transaction import Refused, Reply, Transaction, check_key_field
from storage.engine import Record

MAX_OPS = 32768
SIZE_MARGIN = 80
"""What a record may take over its payload and the name of its set, by the rules of the real server:
no record this far under the limit needs to be measured."""

# A NamedTuple's own constructor is Python code; the tuple's is not, and costs half.
_new: Final = tuple.__new__

# Members of enumerations cost a look-up of a tenth of a microsecond; these are asked for in every
# write.
_CREATE_ONLY: Final = int(Info2.CREATE_ONLY)
_GENERATION: Final = int(Info2.GENERATION)
_GENERATIONS: Final = int(Info2.GENERATION | Info2.GENERATION_GT)
_GET_ALL: Final = int(Info1.GET_ALL)
_KEY: Final = int(FieldType.KEY)
_OK: Final = int(ResultCode.OK)
_READ: Final = int(OpType.READ)
_WRITTEN: Final = Effect.WRITTEN
_NEEDS_OLD_BINS = frozenset(
    {
        OpType.TOUCH,
        OpType.INCR,
        OpType.APPEND,
        OpType.PREPEND,
        OpType.DELETE_ALL,
        OpType.CDT_MODIFY,
        OpType.BIT_MODIFY,
        OpType.HLL_MODIFY,
    }
)
"""Ops that make no sense in a command that replaces the record."""

_ANSWERING: Final = frozenset({OpType.CDT_MODIFY, OpType.HLL_MODIFY, OpType.BIT_MODIFY})
"""Ops that change a bin and answer."""


def write(transaction: Transaction) -> Decision:
    """Decide a write. Raises OperationError for a refusal, NotResident."""
    check_ops(transaction.message)
    return write_checked(transaction)


def write_checked(transaction: Transaction) -> Decision:
    """Decide a write whose ops have passed `check_ops`."""
    message = transaction.message
    transaction.check_origin()
    if transaction.access:
        transaction.check_masked(op.name for op in message.ops if op.type in WRITE_OPS)
    record = transaction.load()
    rules = transaction.namespace.bin_times
    if rules is not None:
        if is_merged(rules, message):
            return _merge(transaction, record)
        if rules.refuses and replaces(message):
            raise OperationError(ResultCode.FORBIDDEN, "a replace while conflicts are resolved")
    _check_existence(message, record)
    if record is None:
        transaction.weigh(None)
        return _apply(transaction, None)
    _check_record(transaction, record)
    try:
        return _apply(transaction, record)
    except OperationError as error:
        raise Refused(error.code, record, str(error)) from error


# ------------------------------------------------------- checks before the record


def check_ops(message: Message) -> None:
    """Raises OperationError for ops that are wrong whatever the record is."""
    ops = message.ops
    if not ops:
        raise OperationError(ResultCode.PARAMETER, "a write without ops")
    if len(ops) > MAX_OPS:
        raise OperationError(ResultCode.PARAMETER, f"more than {MAX_OPS} ops")
    replaced = replaces(message)
    get_all = bool(message.info1 & _GET_ALL)
    reads_all = answering = 0
    for op in ops:
        if replaced and _needs_old_bins(op):
            raise OperationError(ResultCode.PARAMETER, f"op {op.type} in a replace")
        check_bin_name(op.name)
        if op.type in READ_OPS:
            if not message.info1 & Info1.READ:
                raise OperationError(ResultCode.PARAMETER, "a read op without the read flag")
            if op.type == _READ and not op.name and get_all:
                reads_all += 1
            else:
                answering += 1
        elif op.type in _ANSWERING:
            answering += 1
    _check_read_all(message, reads_all, answering)


def _needs_old_bins(op: Op) -> bool:
    return op.type in _NEEDS_OLD_BINS or (op.type == OpType.WRITE and op.particle_type == 0)


def _check_read_all(message: Message, reads_all: int, answering: int) -> None:
    if reads_all:
        if reads_all > 1 or answering or message.info2 & Info2.RESPOND_ALL_OPS:
            raise OperationError(ResultCode.PARAMETER, "read-all beside other answers")
    elif message.info1 & _GET_ALL:
        raise OperationError(ResultCode.PARAMETER, "the get-all flag without a read-all op")


def _check_existence(message: Message, record: Record | None) -> None:
    if record is None:
        if message.info3 & (Info3.UPDATE_ONLY | Info3.REPLACE_ONLY) or any(
            op.type == OpType.TOUCH for op in message.ops
        ):
            raise OperationError(ResultCode.NOT_FOUND)
        if not _generation_fits(message, 0):
            raise OperationError(ResultCode.GENERATION)
    elif message.info2 & _CREATE_ONLY:
        raise Refused(ResultCode.RECORD_EXISTS, record)


# ------------------------------------------------------- checks on the record


def check_generation(message: Message, record: Record) -> None:
    """Raises GENERATION when the record's generation is not the one the command asks for."""
    if not _generation_fits(message, record[0]):
        raise Refused(ResultCode.GENERATION, record)


def _generation_fits(message: Message, generation: int) -> bool:
    if not message.info2 & _GENERATIONS:
        return True
    if message.info2 & _GENERATION:
        return message.generation == generation
    return message.generation > generation


def _check_record(transaction: Transaction, record: Record) -> None:
    check_generation(transaction.message, record)
    transaction.check_set(record, must_name=True)
    transaction.weigh(record)
    transaction.check_filter(record)
    transaction.check_key(record)


# ---------------------------------------------------------------------- apply


def _apply(transaction: Transaction, record: Record | None) -> Decision:
    message, namespace = transaction.message, transaction.namespace
    set_name = namespace.set_names[record[3]] if record else transaction.set_name
    void_time = namespace.void_time(
        message.record_ttl, set_name, record[1] if record else None, transaction.now_s
    )
    key = _key_to_store(message, record)
    if transaction.given is not None:
        worked = transaction.given.worked
        answers: Sequence[bytes]
        answers, payload, flags = worked.taken(), worked.payload, worked.flags
        bins = unpack_bins(payload) if worked.bins else {}
    else:
        bins = {} if record is None or replaces(message) else unpack_bins(record[5])
        answers = apply_ops(transaction, record, bins)
        payload, flags = pack_payload(bins, key), payload_flags(bins, key)
    if not bins:
        return _delete_empty(transaction, record, answers)
    check_size_if_near(namespace, void_time, set_name, key, bins, len(payload))
    generation = next_generation(record[0]) if record else 1
    flags |= transaction.mark
    new = namespace.version(generation, void_time, set_name, flags, payload, transaction.found)
    reply = _new(Reply, (_OK, generation, void_time, len(answers), b"".join(answers)))
    return _new(Decision, (reply, transaction.change(new), _WRITTEN, record))


def _merge(transaction: Transaction, record: Record | None) -> Decision:
    """Take over what is newer of a record that another data center ships."""
    message, namespace = transaction.message, transaction.namespace
    if record is not None:
        transaction.check_set(record, must_name=True)
        transaction.check_key(record)
    bins: Bins = {}
    apply_ops(transaction, None, bins)
    sent = sent_times(namespace, message)
    merged = merge_sent(namespace, transaction.digest, transaction.found, sent, bins)
    if merged is None:
        namespace.statistics.fail_xdr_lost_conflict += 1
        generation, void_time = (record[0], record[1]) if record else (0, 0)
        return Decision(Reply(_OK, generation, void_time))
    void_time = record[1] if record else 0
    set_name = namespace.set_names[record[3]] if record else transaction.set_name
    if merged.newest:
        ttl = message.record_ttl
        void_time = namespace.void_time(ttl, set_name, void_time or None, transaction.now_s)
    key = _key_to_store(message, record)
    payload, flags = merged.payload(key)
    check_size_if_near(namespace, void_time, set_name, key, merged.bins, len(payload))
    check_room(namespace, payload)
    generation = next_generation(record[0]) if record else 1
    if not merged.bins:
        void_time = 0
    new = namespace.version(generation, void_time, set_name, flags, payload, transaction.found)
    change = Change(transaction.digest, transaction.found, new)
    return Decision(Reply(_OK, generation, void_time), change, _WRITTEN, record)


def _key_to_store(message: Message, record: Record | None) -> bytes:
    """The command's key, else the one stored. Raises UNSUPPORTED_FEATURE for a broken key."""
    key = message.fields.get(_KEY)
    if key is None:
        return stored_key(record[5], record[4]) if record and record[4] else b""
    check_key_field(message)
    return key


def _delete_empty(
    transaction: Transaction, record: Record | None, answers: Sequence[bytes]
) -> Decision:
    """No bin is left: a record goes away, a missing one is not made."""
    if record is None:
        raise OperationError(ResultCode.NOT_FOUND, "the ops create no bin")
    new = left_by_delete(transaction, record)
    reply = Reply(ResultCode.OK, 0, 0, len(answers), b"".join(answers))
    return Decision(reply, transaction.change(new), Effect.EMPTIED, record)


def left_by_delete(transaction: Transaction, record: Record) -> Record | None:
    """What the end of a record leaves: a tombstone if it is durable, or must be shipped.

    Raises ENTERPRISE_ONLY; FORBIDDEN for one that must be durable and is not.
    """
    namespace = transaction.namespace
    if not transaction.message.info2 & Info2.DURABLE_DELETE:
        if namespace.is_forever:
            raise OperationError(ResultCode.FORBIDDEN, "a delete must be durable")
        return namespace.left_to_ship(record, transaction.mark)
    if transaction.namespace.community:
        raise OperationError(ResultCode.ENTERPRISE_ONLY, "durable delete")
    return transaction.namespace.tombstone(record, transaction.mark)


def longest_payload(namespace: Namespace, set_name: bytes) -> int:
    """Bytes of a payload that surely makes no record of the set that is too large."""
    return (namespace.config.max_record_size or 1 << 30) - SIZE_MARGIN - len(set_name)


def check_size_if_near(
    namespace: Namespace,
    void_time: int,
    set_name: bytes,
    key: bytes,
    bins: Bins,
    payload_size: int,
    most_bins: int = MAX_BINS,
) -> None:
    """`check_size` where its payload says that a record may be too large."""
    limit = namespace.config.max_record_size
    if len(bins) > most_bins or 0 < limit < payload_size + SIZE_MARGIN + len(set_name):
        check_size(namespace, void_time, set_name, key, bins, most_bins)


def check_size(
    namespace: Namespace,
    void_time: int,
    set_name: bytes,
    key: bytes,
    bins: Bins,
    most_bins: int = MAX_BINS,
) -> None:
    """Raises BIN_NAME for too many bins, RECORD_TOO_BIG for a record over `max-record-size`."""
    if len(bins) > most_bins:
        raise OperationError(ResultCode.BIN_NAME, f"more than {most_bins} bins")
    limit = namespace.config.max_record_size
    stored = Particle(key[0], key[1:]) if key else None
    if limit and record_size(void_time, set_name, stored, bins.items()) > limit:
        namespace.statistics.fail_record_too_big += 1
        raise OperationError(ResultCode.RECORD_TOO_BIG, f"the record is over {limit} bytes")
