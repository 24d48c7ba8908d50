"""Functions on records: one call, as a transaction, as a row of a batch, or of a background job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info2, Info3, OpType, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import scalars
from asd.bins.expressions.record import record_size
from asd.bins.particle import Particle
from asd.measures.statistics import OriginStatistics
from asd.records.record import (
    Bins,
    encode_op,
    pack_payload,
    payload_flags,
    remove_bin,
    stored_key,
    unpack_bins,
)
from asd.transactions.transaction import Refused, Reply, Transaction, check_key_field, is_key
from asd.udf.call import Call, lua_record
from asd.udf.lua_state import LuaFailure
from storage.engine import Record

if TYPE_CHECKING:
    from asd.space.namespace import Namespace
    from asd.state import NodeState

MAX_BINS: Final = 512
"""Bins of a record that a function writes."""

NOT_LOADED: Final = b"UDF: Execution Error 1"
NO_BINS: Final = b"\0\0"

_REFUSED2: Final = Info2.GENERATION | Info2.GENERATION_GT | Info2.CREATE_ONLY
_REFUSED3: Final = Info3.UPDATE_ONLY | Info3.CREATE_OR_REPLACE | Info3.REPLACE_ONLY
_SAFE: Final = frozenset(
    {ParticleType.INTEGER, ParticleType.DOUBLE, ParticleType.STRING, ParticleType.BLOB}
    | {ParticleType.BOOL}
)
"""Types whose bytes, as Lua makes them, are what is stored."""

_KEY_TYPES: Final = frozenset({ParticleType.INTEGER, ParticleType.STRING, ParticleType.BLOB})
"""Of the keys that functions see."""

_FLAGS: Final = b"\xc7\0"


def udf(node: NodeState, transaction: Transaction) -> Reply:
    """Answer a request to call a function on a record. Raises OperationError with a refusal."""
    message = transaction.message
    if message.info2 & _REFUSED2 or message.info3 & _REFUSED3:
        raise OperationError(ResultCode.PARAMETER, "a condition on a function's call")
    call = Call.of(message)
    check_enabled(node)
    record = transaction.load()
    if record is not None:
        transaction.check_filter(record)
        transaction.check_set(record, must_name=True)
        transaction.check_key(record)
        check_key_field(message)
    target = _Target(
        transaction.namespace,
        transaction.digest,
        record,
        transaction.set_name,
        message.fields.get(FieldType.KEY, b""),
        message.record_ttl,
        transaction.now_s,
    )
    timeout_ms = message.transaction_ttl or node.config.service.transaction_max_ms
    return _apply(node, target, call, timeout_ms, transaction.origin)


def apply_to_record(
    node: NodeState, namespace: Namespace, digest: bytes, call: Call, counters: OriginStatistics
) -> Reply:
    """Call a function on a record that is there, for a background job.

    No key is checked, no ttl given; a filter is the caller's to apply. The reply's code is OK,
    NOT_FOUND when the record is gone, UDF_EXECUTION when the function failed (`ops` then holds the
    text), or that of the write that was refused. Raises NotResident like any read.
    """
    now_s = namespace.clock.epoch_s()
    record = namespace.load(digest, now_s)
    if record is None:
        return Reply(ResultCode.NOT_FOUND)
    set_name = namespace.set_names[record[3]]
    target = _Target(namespace, digest, record, set_name, b"", 0, now_s)
    try:
        return _apply(node, target, call, node.config.service.transaction_max_ms, counters)
    except OperationError as error:
        return Reply(error.code)


def check_enabled(node: NodeState) -> None:
    """Raises FORBIDDEN when the configuration does not allow functions."""
    if node.config.service.disable_udf_execution:
        raise OperationError(ResultCode.FORBIDDEN, "functions are disabled")


def _sent_key(key: bytes) -> tuple[int | None, bytes | None]:
    """Particle type and value of a request's key as functions see it where none is stored."""
    if not key or key[0] not in _KEY_TYPES or not is_key(key):
        return None, None
    return key[0], key[1:]


class _Target(NamedTuple):
    """The record that a function is called on."""

    namespace: Namespace
    digest: bytes
    record: Record | None
    set_name: bytes
    key: bytes
    ttl: int
    now_s: int


def _apply(
    node: NodeState, target: _Target, call: Call, timeout_ms: int, counters: OriginStatistics
) -> Reply:
    record = target.record
    state = node.udf.idle_state(call.module)
    if state is None:
        counters.lang_error += 1
        return _failure(record, NOT_LOADED)
    try:
        result = state.apply_record(
            timeout_ms,
            call.function,
            call.arguments,
            *lua_record(target.digest, record, target.set_name, target.now_s),
            *_sent_key(target.key),
        )
    except LuaFailure as error:
        result = (-1, str(error).encode("utf-8", "surrogateescape"))
    if result[0] == -1:
        if state.spoiled:
            node.udf.discard(call.module, state)
        counters.lang_error += 1
        return _failure(record, result[1])
    value = encode_op(OpType.READ, b"SUCCESS", result[:2])
    if len(result) == 2:
        counters.lang_read_success += 1
        generation, void_time = (record[0], record[1]) if record else (0, 0)
        return Reply(ResultCode.OK, generation, void_time, 1, value)
    try:
        generation, void_time = _write(target, result[2:], counters)
    except Refused:
        raise
    except OperationError as error:
        if record is None:
            raise
        raise Refused(ResultCode(error.code), record, str(error)) from error
    return Reply(ResultCode.OK, generation, void_time, 1, value)


def _failure(record: Record | None, text: bytes) -> Reply:
    generation, void_time = (record[0], record[1]) if record else (0, 0)
    op = encode_op(OpType.READ, b"FAILURE", Particle(ParticleType.STRING, text))
    return Reply(ResultCode.UDF_EXECUTION, generation, void_time, 1, op)


# ---------------------------------------------------------------------- writing


def _write(
    target: _Target, effects: tuple[Any, ...], counters: OriginStatistics
) -> tuple[int, int]:
    """Write what the function left behind: once, whatever it did. Generation and void-time."""
    namespace, digest, record, set_name, key, ttl, now_s = target
    removed, exists, new_ttl, drop_key, excessive, *changes = effects
    if excessive:
        raise OperationError(ResultCode.BIN_NAME, "too many writes")
    if not exists:
        return _remove(target, counters)
    bins = unpack_bins(record[5]) if record and not removed else {}
    _change(bins, changes)
    if not bins:
        if record is None:
            raise OperationError(ResultCode.NOT_FOUND, "the function leaves no bin")
        namespace.statistics.deleted_last_bin += 1
        return _remove(target, counters)
    old_void_time = record[1] if record and not removed else None
    void_time = namespace.void_time(ttl if new_ttl < 0 else new_ttl, set_name, old_void_time, now_s)
    if record and not removed:
        key = stored_key(record[5], record[4]) or key
    if drop_key:
        key = b""
    elif key and not is_key(key):
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "no key to store")
    _check_size(namespace, void_time, set_name, key, bins)
    generation = record[0] % 65535 + 1 if record else 1
    payload = pack_payload(bins, key)
    namespace.store(digest, generation, void_time, set_name, payload_flags(bins, key), payload)
    counters.lang_write_success += 1
    return generation, void_time


def _remove(target: _Target, counters: OriginStatistics) -> tuple[int, int]:
    counters.lang_delete_success += 1
    if target.record is None:
        return 0, 0
    target.namespace.remove(target.digest)
    return target.record[0] % 65535 + 1, 0


def _change(bins: Bins, changes: list[Any]) -> None:
    """Apply name, particle type and data of each change, in order."""
    for name, kind, data in zip(changes[::3], changes[1::3], changes[2::3], strict=True):
        if kind:
            bins[name] = _stored(kind, data)
        elif name in bins:
            remove_bin(bins, name)


def _stored(kind: int, data: bytes) -> Particle:
    """What is stored of a value that Lua made. Raises what a WRITE of it would."""
    if kind in _SAFE:
        return Particle(kind, data)
    if kind == ParticleType.LIST and _FLAGS in data:
        # Lua keeps a list's flags but not its order.
        data = as_msgpack.pack(_ordered(as_msgpack.unpack(data)))
    return scalars.stored_form(kind, data)


def _ordered(value: as_msgpack.Value) -> as_msgpack.Value:
    if isinstance(value, dict):
        return {key: _ordered(inner) for key, inner in value.items()}
    if not isinstance(value, list):
        return value
    items = [_ordered(item) for item in as_msgpack.list_items(value)]
    flags = as_msgpack.list_flags(value)
    if not flags & as_msgpack.ORDERED:
        return items
    return [value[0], *as_msgpack.sort_values(items)]


def _check_size(
    namespace: Namespace, void_time: int, set_name: bytes, key: bytes, bins: Bins
) -> None:
    if len(bins) > MAX_BINS:
        raise OperationError(ResultCode.BIN_NAME, f"more than {MAX_BINS} bins")
    limit = namespace.config.max_record_size
    stored = Particle(key[0], key[1:]) if key else None
    if limit and record_size(void_time, set_name, stored, bins.items()) > limit:
        namespace.statistics.fail_record_too_big += 1
        raise OperationError(ResultCode.RECORD_TOO_BIG, f"the record is over {limit} bytes")
