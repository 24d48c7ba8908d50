"""The fast paths of one operation on a list or map (see the contract).

The operation itself is the same function that every command calls; what the path leaves out is the
way there. Whatever is not plain (a missing record, a ttl, an error) takes the general way, which
finds the record as it was: the operations are pure.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from aerospike_common.wire.codes import FieldType, Info2, OpType
from aerospike_common.wire.message import OP_HEAD_SIZE, Message, op_head
from asd.bins import cdt
from asd.bins.effort import TimeLimit
from asd.bins.expressions import RecordPaths
from asd.bins.particle import NULL, IndexedMap
from asd.fastpath.contract import FastPath, unplain
from asd.fastpath.replies import NO_OPS, framed
from asd.measures.statistics import OriginStatistics
from asd.records.record import encode_op, find_bin, next_generation, replace_bin
from asd.records.record_view import RecordView
from asd.space.namespace import Namespace
from asd.transactions.ops import is_bin_name
from citrusleaf.cf_digest import DIGEST_SIZE
from storage.engine import Record

if TYPE_CHECKING:
    from asd.state import NodeState

BIG_VALUE: Final = 1 << 17
"""Bytes of a list or map from which on the general way, which minds the time, works on it."""

_ROOM: Final = 512
"""Bytes by which the rules of record sizes may count more than the payload has."""


class _Request(NamedTuple):
    digest: bytes
    name: bytes
    argument: bytes


class _Collections:
    """What the two paths share: the request's parts, and how its answer is framed."""

    def __init__(self, node: NodeState, namespace: Namespace, message: Message, rest: int) -> None:
        self.node = node
        self.namespace = namespace
        self.op_type = message.ops[0].type
        self.rest = rest
        self.limit_ms = namespace.time_limit_ms(message.transaction_ttl)
        self.respond_all = bool(message.info2 & Info2.RESPOND_ALL_OPS)
        set_name = message.fields[FieldType.SET]
        self.set_id = namespace.intern_set(set_name)

    def parse(self, data: bytes, digest: int) -> _Request | None:
        """The request's parts; None when its op is not of the path's kind."""
        op = digest + DIGEST_SIZE
        size, op_type, _, flags, name_size = op_head(data, op)
        name = data[op + OP_HEAD_SIZE : op + OP_HEAD_SIZE + name_size]
        if op_type != self.op_type or flags or not is_bin_name(name):
            return None
        if size + 4 + DIGEST_SIZE != self.rest:
            return None
        argument = data[op + OP_HEAD_SIZE + name_size : digest + self.rest]
        return _Request(data[digest:op], name, argument)

    def paths(self, digest: bytes, record: Record) -> RecordPaths:
        """For expressions inside path operations."""
        set_name = self.namespace.set_names[record[3]]
        view = RecordView(digest, record, set_name, self.namespace.clock.epoch_ms())
        view.time = TimeLimit(self.namespace.clock.monotonic_ns, self.limit_ms)
        return RecordPaths(view, self.node.expressions.path)


def collection_read_path(
    node: NodeState,
    namespace: Namespace,
    message: Message,
    rest: int,
    counters: OriginStatistics,
) -> FastPath:
    """One operation that reads."""
    kind = _Collections(node, namespace, message, rest)
    get, now_s = namespace.engine.get, namespace.clock.epoch_s
    barred = namespace.ownership.barred

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        request = kind.parse(data, digest)
        record = get(request.digest) if request is not None else None
        if request is None or record is None or record[3] != kind.set_id:
            return None
        if unplain(record, kind.set_id, now_s):
            return None
        value = find_bin(record[5], request.name)
        if value is not None and len(value.data) > BIG_VALUE:
            return None
        result = cdt.read(value, request.argument, partial(kind.paths, request.digest, record))
        counters.read_success += 1
        if result is None and not kind.respond_all:
            return framed(record[0], record[1], NO_OPS)
        op = encode_op(kind.op_type, request.name, result or NULL)
        return framed(record[0], record[1], b"\0\1" + op)

    return path


def collection_write_path(
    node: NodeState,
    namespace: Namespace,
    message: Message,
    rest: int,
    counters: OriginStatistics,
) -> FastPath:
    """One operation that changes a record which is there and never expires."""
    kind = _Collections(node, namespace, message, rest)
    get, now_ms = namespace.engine.get, namespace.clock.epoch_ms
    put = namespace.door.doors(message.fields[FieldType.SET]).put
    assert put is not None
    barred = namespace.ownership.barred
    longest = (namespace.config.max_record_size or 1 << 30) - _ROOM

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        request = kind.parse(data, digest)
        record = get(request.digest) if request is not None else None
        if request is None or record is None:
            return None
        generation, void_time, before_ms, set_id, flags, payload = record
        updated_ms = now_ms()
        if flags or void_time or set_id != kind.set_id or before_ms > updated_ms:
            return None
        old = find_bin(payload, request.name)
        if old is not None and len(old.data) > BIG_VALUE:
            return None
        paths = partial(kind.paths, request.digest, record)
        value, result = cdt.modify(old, request.argument, paths)
        if value is None or type(value) is IndexedMap:
            return None
        if value is not old:
            payload = replace_bin(payload, request.name, value)
        if len(payload) > longest:
            return None
        generation = next_generation(generation)
        put(request.digest, generation, 0, updated_ms, set_id, 0, payload)
        counters.write_success += 1
        if result is None and not kind.respond_all:
            return framed(generation, 0, NO_OPS)
        op = encode_op(OpType.CDT_MODIFY, request.name, result or NULL)
        return framed(generation, 0, b"\0\1" + op)

    return path
