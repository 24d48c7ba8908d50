"""The plan cache: the unchanging head of a request, parsed once.

A client sends the same bytes before the digest again and again: size, flags, ttl, timeout,
namespace, set, and the digest field's header. Those bytes are looked up here. What is found is a
plan: a function made for just this head, which needs only the digest and the values. A head that is
not found, or a record that a plan does not expect (another set, a stored key, other bins), takes
the general way through `asd.tsvc`, and both ways give the same answer (`tests/asd/test_plans.py`
plays them side by side).

A plan holds what was true when it was made (configuration, sets, ownership); whoever changes one of
those clears the cache.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Message, parse_message, reply_frame
from asd.batch.row_plans import RowPlans
from asd.namespace import TTL_KEEP, Namespace
from asd.sindex.one_bin import one_bin
from asd.transactions.operate import is_bin_name
from storage.engine import Overwrites, Record

if TYPE_CHECKING:
    from asd.node import Node

Plan: TypeAlias = Callable[[bytes, int], bytes | None]
"""(received bytes, offset of the digest) to the framed reply.

None: the general way must be taken.
"""

CAPACITY = 4096
"""Plans kept; a cache that is full starts afresh."""

MAX_FRAME = 4096
"""Bytes of the largest request that has a plan: large ones come in too many sizes."""

HEADS_CAPACITY = 4096
"""Op heads kept by one write plan."""

_GET_ALL: Final = Info1.READ | Info1.GET_ALL
_FIELDS: Final = [FieldType.NAMESPACE, FieldType.SET, FieldType.DIGEST]
_FIXED_SIZE: Final = (ParticleType.INTEGER, ParticleType.DOUBLE)
_PLAIN: Final = (*_FIXED_SIZE, ParticleType.STRING, ParticleType.BLOB)

_NOT_FOUND: Final = reply_frame(ResultCode.NOT_FOUND)
_ONE_BIN: Final = b"\x00\x01"
"""The count that the payload of a record with one bin begins with."""
_START: Final = b"\x02\x03\x00\x00"
_HEADER_OK: Final = b"\x16\x00\x00\x00\x00\x00"
# frame start, body size, message header to the result code, generation, void-time, then the timeout
# and the number of fields (0); the payload begins with the number of ops.
_reply_with_bins: Final = struct.Struct(">4sI6sII6x").pack
_EMPTY_OK: Final = _START + b"\x00\x00\x00\x16" + _HEADER_OK
_reply_without_bins: Final = struct.Struct(">14sII8x").pack
_op_head: Final = struct.Struct(">IBBBB").unpack_from


def head_size(data: bytes, offset: int) -> int:
    """The length of the head of the request at `offset`: all before the digest.

    Assumes that the digest is the field behind namespace and set. If it is not, what comes out is
    not the head of anything, and no plan will be found for it. 0 when the request is too short.
    """
    try:
        field = offset + 34 + data[offset + 33]
        return field + 9 + data[field + 3] - offset
    except IndexError:
        return 0


class Plans:
    """The plans of one node."""

    __slots__ = ("_node", "rows", "table")

    def __init__(self, node: Node) -> None:
        self._node = node
        self.rows = RowPlans(node)
        """The plans for rows of batches."""
        self.table: dict[bytes, tuple[Plan, int]] = {}
        """Head of a request to its plan and the size of its frame."""

    def clear(self) -> None:
        """Forget all plans: something they relied on has changed."""
        self.table.clear()
        self.rows.clear()

    def learn(self, head: bytes, body: bytes) -> None:
        """Make a plan for requests that begin like this one, if it is of a kind that has plans.

        `head` as of `head_size`, `body` the frame's without its header; the request has been
        answered, and with success.
        """
        size = len(body) + 8
        if size > MAX_FRAME:
            return
        message = parse_message(body)
        digest = message.fields.get(FieldType.DIGEST)
        if body[len(head) - 8 : len(head) + 12] != digest:
            return
        plan = self._make(message, size - len(head))
        if plan is not None:
            if len(self.table) >= CAPACITY:
                self.table.clear()
            self.table[head] = plan, size

    def _make(self, message: Message, rest: int) -> Plan | None:
        if list(message.fields) != _FIELDS or message.info3 or message.info4 or message.generation:
            return None
        namespace = self._node.namespaces.get(message.fields[FieldType.NAMESPACE])
        if namespace is None or not namespace.partition_map.owns_everything:
            return None
        set_name = message.fields[FieldType.SET]
        if namespace.find_set(set_name) is None or namespace.truncation.running:
            return None
        if message.info1 == _GET_ALL and not message.info2 and not message.ops:
            return self._get_all(namespace, set_name, message)
        if message.info2 == Info2.WRITE and not message.info1 and len(message.ops) == 1:
            return self._put_one(namespace, set_name, message.record_ttl, rest)
        return None

    def _get_all(self, namespace: Namespace, set_name: bytes, message: Message) -> Plan | None:
        """A read of the whole record."""
        if message.record_ttl or namespace.config.read_touch_ttl_pct_of(set_name):
            return None
        get = namespace.engine.get
        now_s = namespace.clock.epoch_s
        counters = namespace.statistics.client
        latency = namespace.read_latency
        measured = self._node.measured
        any_set = not set_name
        set_id = namespace.intern_set(set_name)

        def plan(data: bytes, digest: int) -> bytes | None:
            record = get(data[digest : digest + 20])
            if record is None:
                counters.read_not_found += 1
                reply = _NOT_FOUND
            else:
                generation, void_time, _, record_set, flags, payload = record
                if flags or (record_set != set_id and not any_set) or 0 < void_time < now_s():
                    return None
                counters.read_success += 1
                size = 20 + len(payload)
                reply = _reply_with_bins(_START, size, _HEADER_OK, generation, void_time) + payload
            if not latency.pending:
                measured.append(latency)
            latency.pending += 1
            return reply

        return plan

    def _put_one(self, namespace: Namespace, set_name: bytes, ttl: int, rest: int) -> Plan | None:
        """A write of one plain bin, over a record that has just this bin, or over none.

        `rest` is the size of digest and op together.
        """
        if ttl == TTL_KEEP or namespace.void_time(ttl, set_name, None, 0):
            return None
        if namespace.engine.acknowledges_sync or namespace.limits_writes(set_name):
            return None
        indexed = one_bin(namespace.engine.index, namespace.indexes, set_name)
        if indexed is None:
            return None
        engine = namespace.engine
        get, put = engine.get, engine.put
        overwrite: _Overwrite = _never_overwrites
        watched = bool(namespace.indexes.watching(set_name))
        if isinstance(engine, Overwrites) and not watched:  # an index needs to know the old value
            overwrite = engine.overwrite
        now_ms = namespace.clock.epoch_ms
        counters = namespace.statistics.client
        latency = namespace.write_latency
        measured = self._node.measured
        set_id = namespace.intern_set(set_name)
        if 0 < namespace.config.max_record_size < 2 * MAX_FRAME:
            return None
        heads: dict[bytes, _OpHead] = {}

        def plan(data: bytes, digest: int) -> bytes | None:
            op = digest + 20
            value = op + 8 + data[op + 7]
            head = heads.get(data[op:value])
            if head is None:
                head = _OpHead.parse(data[op:value], rest - 20)
                if head is None or len(heads) >= HEADS_CAPACITY:
                    return None
                heads[data[op:value]] = head
            key = data[digest:op]
            payload = head.start + data[value : digest + rest]
            generation = overwrite(key, now_ms(), set_id, head.start, payload)
            if not generation:
                record = get(key)
                generation = head.next_generation(record, set_id)
                if not generation:
                    return None
                put(key, generation, 0, now_ms(), set_id, 0, payload)
                if watched:
                    indexed.written(key, record and record[5], payload, len(head.start))
            counters.write_success += 1
            if not latency.pending:
                measured.append(latency)
            latency.pending += 1
            return _reply_without_bins(_EMPTY_OK, generation, 0)

        return plan


_Overwrite: TypeAlias = Callable[[bytes, int, int, bytes, bytes], int]
"""`storage.engine.Overwrites.overwrite`."""


def _never_overwrites(*_: object) -> int:
    """For engines without a short cut."""
    return 0


class _OpHead(NamedTuple):
    """The unchanging part of the write of one plain bin."""

    start: bytes
    """What the payload of a record with just this bin begins with: count, op header, name."""
    name: bytes
    """The bin's name behind its length byte, as `start` ends."""

    def next_generation(self, record: Record | None, set_id: int) -> int:
        """The generation the write makes; 0 when the record has more than just this bin to it."""
        if record is None:
            return 1
        generation, void_time, _, record_set, flags, payload = record
        if flags or void_time or record_set != set_id:
            return 0
        if payload[:2] != _ONE_BIN or payload[9 : len(self.start)] != self.name:
            return 0
        return generation % 65535 + 1

    @classmethod
    def parse(cls, head: bytes, op_size: int) -> _OpHead | None:
        """From the header and name of an op of so many bytes; None for ops that have no plan."""
        size, op_type, kind, flags, name_size = _op_head(head)
        if op_type != OpType.WRITE or flags or kind not in _PLAIN:
            return None
        if len(head) != 8 + name_size or size + 4 != op_size:
            return None
        if kind in _FIXED_SIZE and size != 12 + name_size:
            return None
        if not is_bin_name(head[8:]):
            return None
        start = _ONE_BIN + head[:4] + bytes((OpType.READ,)) + head[5:]
        return cls(start, start[9:])
