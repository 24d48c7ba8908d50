"""Functions on records: one call, as a transaction, as a row of a batch, or of a background job."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info2, Info3, OpType, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import scalars
from asd.bins.particle import Particle
from asd.records.record import (
    Bins,
    count_bins,
    encode_op,
    next_generation,
    pack_payload,
    payload_flags,
    remove_bin,
    replace_bin,
    stored_key,
    unpack_bins,
)
from asd.records.work import Function
from asd.transactions.decision import Decision, Effect
from asd.transactions.heavy import LONGEST_NS, Leave
from asd.transactions.transaction import Refused, Reply, Transaction, check_key_field, is_key
from asd.transactions.write import check_size_if_near, left_by_delete, longest_payload
from asd.udf.call import Call, lua_record
from asd.udf.lua_state import LuaFailure
from storage.engine import Record

if TYPE_CHECKING:
    from asd.state import NodeState

udf_log = logging.getLogger("asd.udf")

MAX_BINS: Final = 512
"""Bins of a record that a function writes."""

LONGEST_MS: Final = LONGEST_NS // 1_000_000
"""How long a function may take on the loop."""

NOT_LOADED: Final = b"UDF: Execution Error 1"

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

# Members of enumerations cost a look-up of a tenth of a microsecond; these are asked for in every
# call.
_KEY: Final = int(FieldType.KEY)
_READ: Final = int(OpType.READ)
_OK: Final = int(ResultCode.OK)
_WRITTEN: Final = Effect.WRITTEN


def udf(node: NodeState, transaction: Transaction) -> Decision:
    """Decide what a request to call a function on a record comes to. Raises OperationError with a
    refusal, NotResident."""
    message = transaction.message
    if message.info2 & _REFUSED2 or message.info3 & _REFUSED3:
        raise OperationError(ResultCode.PARAMETER, "a condition on a function's call")
    return called(node, Call.of(message), transaction)


def called(node: NodeState, call: Call, transaction: Transaction) -> Decision:
    """`udf` for a request without conditions, of which it is known what it calls."""
    message = transaction.message
    check_enabled(node)
    record = transaction.load()
    transaction.weigh(record)
    if record is not None:
        transaction.check_filter(record)
        transaction.check_set(record, must_name=True)
        transaction.check_key(record)
        check_key_field(message)
    timeout_ms = transaction.namespace.time_limit_ms(message.transaction_ttl)
    return _call(node, transaction, record, call, timeout_ms)


def udf_on_found(node: NodeState, call: Call, transaction: Transaction) -> Decision:
    """The same for a record that a background job has found; its filter is the job's to apply.

    Raises OperationError: NOT_FOUND when the record is gone, or that of a write that is refused;
    NotResident.
    """
    record = transaction.load()
    if record is None:
        raise OperationError(ResultCode.NOT_FOUND)
    transaction.weigh(record)
    return _call(node, transaction, record, call, transaction.namespace.transaction_max_ms)


def check_enabled(node: NodeState) -> None:
    """Raises FORBIDDEN when the configuration does not allow functions."""
    if node.config.service.disable_udf_execution:
        raise OperationError(ResultCode.FORBIDDEN, "functions are disabled")


def _sent_key(key: bytes) -> tuple[int | None, bytes | None]:
    """Particle type and value of a request's key as functions see it where none is stored."""
    if not key or key[0] not in _KEY_TYPES or not is_key(key):
        return None, None
    return key[0], key[1:]


def _call(
    node: NodeState, transaction: Transaction, record: Record | None, call: Call, timeout_ms: int
) -> Decision:
    given = transaction.given
    if given is not None and given.worked.refusal is not None:
        raise OperationError(*given.worked.refusal)
    if given is not None and given.worked.result is not None:
        result: Any = given.worked.result
        for level, text in given.worked.lines:
            udf_log.log(level, "%s", text)
    else:
        result = _result(node, transaction, record, call, timeout_ms)
    if result is None:
        return _failure(record, NOT_LOADED)
    if result[0] == -1:
        return _failure(record, result[1])
    value = encode_op(_READ, b"SUCCESS", result[:2])
    if len(result) == 2:
        generation, void_time = (record[0], record[1]) if record else (0, 0)
        return Decision(Reply(_OK, generation, void_time, 1, value))
    try:
        new, effect = _left_behind(transaction, record, result[2:])
    except Refused:
        raise
    except OperationError as error:
        if record is None:
            raise
        raise Refused(ResultCode(error.code), record, str(error)) from error
    return _done(transaction, record, new, effect, value)


def _result(
    node: NodeState, transaction: Transaction, record: Record | None, call: Call, timeout_ms: int
) -> Any:
    """What the function gives; None: there is no such module. Raises Leave for one that takes
    long: it has had no effect, and begins again elsewhere."""
    state = node.udf.idle_state(call.module)
    if state is None:
        return None
    shown = transaction.shown(record) if record is not None else None
    seen = lua_record(transaction.digest, shown, transaction.set_name, transaction.now_s)
    sent = _sent_key(transaction.message.fields.get(_KEY, b""))
    leaves = transaction.namespace.leaves and timeout_ms > LONGEST_MS
    here_ms = LONGEST_MS if leaves else timeout_ms
    try:
        result = state.apply_record(here_ms, call.function, call.arguments, *seen, *sent)
    except LuaFailure as error:
        result = (-1, str(error).encode("utf-8", "surrogateescape"))
    if result[0] == -1 and state.spoiled:
        node.udf.discard(call.module, state)
        if leaves:
            sources = node.udf.sources
            transaction.function = Function(*call, (*seen, *sent), sources)
            raise Leave(transaction, 1)
    return result


def _done(
    transaction: Transaction,
    record: Record | None,
    new: Record | None,
    effect: Effect,
    value: bytes,
) -> Decision:
    """The function's value, and its effect on the record."""
    if new is not None:
        reply = Reply(_OK, new[0], new[1], 1, value)
    elif record is not None:
        reply = Reply(_OK, next_generation(record[0]), 0, 1, value)
    else:
        return Decision(Reply(_OK, 0, 0, 1, value), None, effect)
    return Decision(reply, transaction.change(new), effect, record)


def _failure(record: Record | None, text: bytes) -> Decision:
    generation, void_time = (record[0], record[1]) if record else (0, 0)
    op = encode_op(OpType.READ, b"FAILURE", Particle(ParticleType.STRING, text))
    reply = Reply(ResultCode.UDF_EXECUTION, generation, void_time, 1, op)
    return Decision(reply, effect=Effect.FAILED)


# ---------------------------------------------------------------------- writing


def _left_behind(
    transaction: Transaction, record: Record | None, effects: tuple[Any, ...]
) -> tuple[Record | None, Effect]:
    """The version that the function leaves, a tombstone, or None when it leaves nothing; whatever
    it did, it is one write. Raises OperationError."""
    namespace, set_name = transaction.namespace, transaction.set_name
    removed, exists, new_ttl, drop_key, excessive, *changes = effects
    if excessive:
        raise OperationError(ResultCode.BIN_NAME, "too many writes")
    transaction.check_origin()
    transaction.check_masked(changes[::3])
    if not exists:
        return _left_by_removal(transaction, record), Effect.DELETED
    kept = record if record and not removed else None
    if kept and len(changes) == 3:
        payload = _spliced(transaction, kept, *changes)
        if payload is not None:
            void_time = _void_time(transaction, kept, new_ttl)
            generation = next_generation(kept[0])
            found = transaction.found
            new = namespace.version(generation, void_time, set_name, 0, payload, found)
            return new, _WRITTEN
    bins = unpack_bins(kept[5]) if kept else {}
    _change(bins, changes)
    if not bins:
        if record is None:
            raise OperationError(ResultCode.NOT_FOUND, "the function leaves no bin")
        return _left_by_removal(transaction, record), Effect.EMPTIED
    void_time = _void_time(transaction, kept, new_ttl)
    key = transaction.message.fields.get(_KEY, b"")
    if kept:
        key = stored_key(kept[5], kept[4]) or key
    if drop_key:
        key = b""
    elif key and not is_key(key):
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "no key to store")
    payload = pack_payload(bins, key)
    check_size_if_near(namespace, void_time, set_name, key, bins, len(payload), MAX_BINS)
    generation = next_generation(record[0]) if record else 1
    flags = payload_flags(bins, key)
    new = namespace.version(generation, void_time, set_name, flags, payload, transaction.found)
    return new, _WRITTEN


def _void_time(transaction: Transaction, kept: Record | None, new_ttl: int) -> int:
    ttl = transaction.message.record_ttl if new_ttl < 0 else new_ttl
    old = kept[1] if kept else None
    return transaction.namespace.void_time(ttl, transaction.set_name, old, transaction.now_s)


def _spliced(
    transaction: Transaction, kept: Record, name: bytes, kind: int, data: bytes
) -> bytes | None:
    """The payload of a record after the commonest change, one bin of a plain type, made where it
    stands; None where more is to be seen to: a key, an indexed map, a limit that is near."""
    payload = kept[5]
    if kind not in _SAFE or kept[4] or _KEY in transaction.message.fields:
        return None
    payload = replace_bin(payload, name, Particle(kind, data))
    near = len(payload) > longest_payload(transaction.namespace, transaction.set_name)
    return None if near or count_bins(payload) > MAX_BINS else payload


def _left_by_removal(transaction: Transaction, record: Record | None) -> Record | None:
    """What is left of a record that a function removes: nothing, where that is allowed and nobody
    is to be told. Raises FORBIDDEN."""
    if record is None:
        return None
    if transaction.namespace.is_forever:
        return left_by_delete(transaction, record)
    return transaction.namespace.left_to_ship(record, transaction.mark)


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
