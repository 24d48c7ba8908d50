"""The plan cache: the unchanging head of a request, parsed once.

A client sends the same bytes before the digest again and again: size, flags, ttl, timeout,
namespace, set, and the digest field's header. Those bytes are looked up here. What is found is a
plan: a function made for just this head, which needs only the digest and the values. A head that is
not found, or a record that a plan does not expect (another set, a stored key, other bins), takes
the general way through `asd.service.tsvc`, and both ways give the same answer
(`tests/asd/core/test_plans.py` plays them side by side).

A plan holds what was true when it was made (configuration, sets, ownership); whoever changes one of
those clears the cache.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType
from aerospike_common.wire.message import Message, is_batch, parse_message
from asd.fastpath import collections
from asd.fastpath.many_bins import ManyBinWrite
from asd.fastpath.one_bin import HEADS_CAPACITY, OP_SIZE, BinHead, OneBinWrite
from asd.fastpath.operate import operate_plan
from asd.fastpath.reads import Plan, filtered_plan, read_plan
from asd.fastpath.rows import RowPlans
from asd.measures.histogram import Histogram
from asd.space.namespace import Namespace
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

CAPACITY = 4096
"""Plans kept; a cache that is full starts afresh."""

MAX_FRAME = 4096
"""Bytes of the largest request that has a plan: large ones come in too many sizes."""


Planned: TypeAlias = tuple[Plan, int, Histogram]
"""A plan, the size of the frames it answers, and where the time it takes is counted."""

_FIELDS: Final = [FieldType.NAMESPACE, FieldType.SET, FieldType.DIGEST]

_START: Final = b"\x02\x03\x00\x00"
_HEADER_OK: Final = b"\x16\x00\x00\x00\x00\x00"
_EMPTY_OK: Final = _START + b"\x00\x00\x00\x16" + _HEADER_OK
_reply_without_bins: Final = struct.Struct(">14sII8x").pack


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

    __slots__ = ("_node", "_unplanned", "rows", "table")

    def __init__(self, node: NodeState) -> None:
        self._node = node
        self.rows = RowPlans(node)
        """The plans for rows of batches."""
        self.table: dict[bytes, Planned] = {}
        """Plans by the head of a request."""
        self._unplanned: set[bytes] = set()
        """Heads known to have no plan."""

    def clear(self) -> None:
        """Forget all plans: something they relied on has changed."""
        self.table.clear()
        self._unplanned.clear()
        self.rows.clear()

    def learn(self, head: bytes, body: bytes) -> None:
        """Make a plan for requests that begin like this one, if it is of a kind that has plans.

        `head` as of `head_size`, `body` the frame's without its header; the request has been
        answered, and with success.
        """
        size = len(body) + 8
        if size > MAX_FRAME or head in self._unplanned or is_batch(body):
            return
        message = parse_message(body)
        digest = message.fields.get(FieldType.DIGEST)
        if body[len(head) - 8 : len(head) + 12] != digest:
            return
        plan = self._make(message, size - len(head), len(head))
        if len(self.table) + len(self._unplanned) >= CAPACITY:
            self.table.clear()
            self._unplanned.clear()
        if plan is None:
            self._unplanned.add(head)
        else:
            namespace = self._node.namespaces[message.fields[FieldType.NAMESPACE]]
            writes = message.info2 & Info2.WRITE
            latency = namespace.write_latency if writes else namespace.read_latency
            self.table[head] = plan, size, latency

    def _make(self, message: Message, rest: int, head_size: int) -> Plan | None:
        """`rest` is the size of all from the digest on."""
        fields = list(message.fields)
        if fields[:3] != _FIELDS or message.info4 or message.generation:
            return None
        namespace = self._node.namespaces.get(message.fields[FieldType.NAMESPACE])
        if namespace is None or not namespace.partition_map.owns_everything:
            return None
        set_name = message.fields[FieldType.SET]
        if namespace.find_set(set_name) is None or namespace.truncation.running:
            return None
        if fields[3:] == [FieldType.FILTER] and not message.info3:
            return filtered_plan(self._node, namespace, message, rest)
        if fields[3:] or message.info2 & Info2.DELETE:
            return None
        if message.info2 & Info2.WRITE:
            otherwise = operate_plan(self._node, namespace, rest, head_size)
            return otherwise and self._make_write(namespace, set_name, message, rest, otherwise)
        if message.info3:
            return None
        return self._make_read(namespace, set_name, message, rest)

    def _make_read(
        self, namespace: Namespace, set_name: bytes, message: Message, rest: int
    ) -> Plan | None:
        ops = message.ops
        if len(ops) != 1 or ops[0].type != OpType.CDT_READ:
            return read_plan(namespace, message, rest)
        if message.info1 != Info1.READ or message.info2 & ~Info2.RESPOND_ALL_OPS:
            return None
        if message.record_ttl or namespace.config.read_touch_ttl_pct_of(set_name):
            return None
        return collections.read_plan(self._node, namespace, message, rest)

    def _make_write(
        self, namespace: Namespace, set_name: bytes, message: Message, rest: int, otherwise: Plan
    ) -> Plan:
        """The closest plan that fits, which leaves to `otherwise` what it does not expect."""
        ops, ttl = message.ops, message.record_ttl
        closest = None
        if message.info1 or message.info3:
            return otherwise
        if len(ops) == 1 and ops[0].type == OpType.CDT_MODIFY:
            if message.info2 & ~Info2.RESPOND_ALL_OPS == Info2.WRITE:
                closest = collections.modify_plan(self._node, namespace, message, rest)
        elif message.info2 == Info2.WRITE and len(ops) > 1:
            closest = self._put_many(namespace, set_name, message, rest, otherwise)
        elif message.info2 == Info2.WRITE and ops[0].type == OpType.WRITE:
            closest = self._put_one(namespace, set_name, ttl, rest, otherwise)
        return closest or otherwise

    def _put_one(
        self, namespace: Namespace, set_name: bytes, ttl: int, rest: int, otherwise: Plan
    ) -> Plan | None:
        """A write of one plain bin, over a record that has just this bin, or over none.

        `rest` is the size of digest and op together.
        """
        writes = OneBinWrite.of(namespace, set_name, ttl)
        if writes is None or 0 < namespace.config.max_record_size < 2 * MAX_FRAME:
            return None
        overwrite, put, set_id = writes.overwrite, writes.put, writes.set_id
        now_ms = namespace.clock.epoch_ms
        counters = namespace.statistics.client
        latency = namespace.write_latency
        heads: dict[bytes, BinHead] = {}

        def plan(data: bytes, digest: int) -> bytes | None:
            op = digest + 20
            value = op + OP_SIZE + data[op + OP_SIZE - 1]
            head = heads.get(data[op:value])
            if head is None:
                head = BinHead.parse(data[op:value])
                if head is None or value - digest + head.value_size != rest:
                    return otherwise(data, digest)
                if len(heads) >= HEADS_CAPACITY:
                    heads.clear()
                heads[data[op:value]] = head
            key = data[digest:op]
            start = head.start
            payload = start + data[value : digest + rest]
            # All writes of one turn happen at one time: the clock is read for the first.
            now = latency.since_ms or now_ms()
            generation = overwrite(key, now, set_id, start, payload)
            if not generation:
                generation = put(key, now, head, payload)
                if not generation:
                    return otherwise(data, digest)
            counters.write_success += 1
            latency.since_ms = now
            return _reply_without_bins(_EMPTY_OK, generation, 0)

        return plan

    def _put_many(
        self, namespace: Namespace, set_name: bytes, message: Message, rest: int, otherwise: Plan
    ) -> Plan | None:
        """A write of several plain bins, over a record that has just these, or over none."""
        if 0 < namespace.config.max_record_size < 2 * MAX_FRAME:
            return None
        ttl, count = message.record_ttl, len(message.ops)
        writes = ManyBinWrite.of(namespace, set_name, ttl, count, rest - DIGEST_SIZE)
        if writes is None:
            return None
        put, now_ms = writes.put, namespace.clock.epoch_ms
        counters = namespace.statistics.client

        def plan(data: bytes, digest: int) -> bytes | None:
            ops = digest + DIGEST_SIZE
            generation = put(data[digest:ops], now_ms(), data, ops)
            if not generation:
                return otherwise(data, digest)
            counters.write_success += 1
            return _reply_without_bins(_EMPTY_OK, generation, 0)

        return plan
