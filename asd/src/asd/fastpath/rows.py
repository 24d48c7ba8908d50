"""Fast ways for the two commonest rows: reading a whole record, writing one plain bin.

As `asd.fastpath.cache` does for single commands: what is the same from row to row is worked out
once, and a record that is not as expected (another set, a stored key, other bins) takes the general
way, which gives the same answer (`tests/asd/core/test_batch.py` plays both). Like the plans of
single commands they hold what was true when they were made, and are forgotten together with those.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from aerospike_common.wire.batch import FLAGS_AT, REPEAT, REPEAT_SIZE, row_key
from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Message, encode_op
from asd.fastpath.one_bin import HEADS_CAPACITY, ONE_BIN, OP_SIZE, BinHead, OneBinWrite
from asd.space.namespace import Namespace
from storage.engine import DeviceOverload, NotResident, OutOfSpace, StorageError

if TYPE_CHECKING:
    from asd.state import NodeState

Answered: TypeAlias = tuple[list[bytes], int, int | None]
"""Replies to the rows that were plain, the offset of the first row that was not, and that of the
last of them that did not repeat."""

_GET_ALL: Final = Info1.READ | Info1.GET_ALL
_FIELDS: Final = [FieldType.NAMESPACE, FieldType.SET]
CAPACITY: Final = 1024
"""Plans kept; a cache that is full starts afresh."""

LONGEST_PAYLOAD: Final = 16 << 10
"""Bytes; longer records take the general way: many at once would be too much for a slice."""

_REPEATS: Final = bytes((REPEAT,))
_HEADER_OK: Final = bytes((22, 0, 0, 0, 0, ResultCode.OK))
_HEADER_NOT_FOUND: Final = bytes((22, 0, 0, 0, 0, ResultCode.NOT_FOUND))
# Header to the result code, generation, void-time, row index, no fields; then the count of ops.
_reply: Final = struct.Struct(">6sII4s2x").pack
_reply_not_found: Final = struct.Struct(">6s8x4s4x").pack
_repeats: Final = struct.Struct(">4s20sx").iter_unpack


class RowPlan(Protocol):
    """Answers the rows of one head as long as they are plain."""

    def answer(self, data: bytes, offset: int, limit: int) -> Answered:
        """Up to `limit` rows from `offset` on; counts them in statistics and histograms."""

    def learn(self, row: bytes, message: Message) -> None:
        """A row was answered the general way, with success; `row` is what is behind the digest."""


class RowPlans:
    """The plans of one node."""

    __slots__ = ("_node", "_plans")

    def __init__(self, node: NodeState) -> None:
        self._node = node
        self._plans: dict[bytes, RowPlan] = {}

    def clear(self) -> None:
        """Forget all plans: something they relied on has changed."""
        self._plans.clear()

    def find(self, head: bytes) -> RowPlan | None:
        """The plan for rows with this head, if there is one yet."""
        return self._plans.get(head)

    def learn(self, head: bytes, namespace: Namespace, message: Message) -> RowPlan | None:
        """The plan for rows with this head, if it is of a kind that has plans.

        `message` is a row of it that was answered with success.
        """
        plan = self._plans.get(head)
        if plan is None:
            plan = self._make(head, namespace, message)
            if plan is not None:
                if len(self._plans) >= CAPACITY:
                    self._plans.clear()
                self._plans[head] = plan
        return plan

    def _make(self, head: bytes, namespace: Namespace, message: Message) -> RowPlan | None:
        if list(message.fields) != _FIELDS or message.info3 or message.info4:
            return None
        if not namespace.partition_map.owns_everything:
            return None
        set_id = namespace.find_set(message.fields[FieldType.SET])
        if set_id is None or namespace.truncation.running:
            return None
        info2 = message.info2 & ~Info2.RESPOND_ALL_OPS
        if message.info1 == _GET_ALL and not info2 and not message.ops:
            return self._get_all(head, namespace, set_id, message)
        if info2 == Info2.WRITE and not message.info1 and len(message.ops) == 1:
            return self._put_one(head, namespace, message)
        return None

    def _get_all(
        self, head: bytes, namespace: Namespace, set_id: int, message: Message
    ) -> RowPlan | None:
        set_name = message.fields[FieldType.SET]
        if message.record_ttl or namespace.config.read_touch_ttl_pct_of(set_name):
            return None
        return GetAllRows(self._node, namespace, set_id if set_name else None, head)

    def _put_one(self, head: bytes, namespace: Namespace, message: Message) -> RowPlan | None:
        set_name = message.fields[FieldType.SET]
        writes = OneBinWrite.of(namespace, set_name, message.record_ttl)
        if writes is None:
            return None
        echoes = bool(message.info2 & Info2.RESPOND_ALL_OPS)
        return PutOneRows(self._node, namespace, writes, head, echoes)


class GetAllRows:
    """Rows that read a whole record: one with the head, then any that repeat."""

    __slots__ = ("_head", "_namespace", "_node", "_set_id")

    def __init__(
        self, node: NodeState, namespace: Namespace, set_id: int | None, head: bytes
    ) -> None:
        """`set_id` None: whatever set the record is in."""
        self._node = node
        self._namespace = namespace
        self._set_id = set_id
        self._head = head

    def learn(self, row: bytes, message: Message) -> None:
        """There is nothing more to know."""

    def answer(self, data: bytes, offset: int, limit: int) -> Answered:
        """Reads of records in the set, without a stored key, not expired."""
        start, first = offset, data.startswith(self._head, offset + FLAGS_AT)
        if first:
            start += FLAGS_AT + len(self._head)
            limit -= 1
        flags = data[start + FLAGS_AT : start + REPEAT_SIZE * limit : REPEAT_SIZE]
        end = start + REPEAT_SIZE * (len(flags) - len(flags.lstrip(_REPEATS)))
        rows = _repeats(memoryview(data)[start:end])
        replies = self._read(chain((row_key(data, offset),), rows) if first else rows)
        repeats = len(replies) - first
        if repeats < 0:
            return replies, offset, None
        return replies, start + REPEAT_SIZE * repeats, offset if first else None

    def _read(self, rows: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Replies to (index, digest) as long as the records are plain."""
        replies: list[bytes] = []
        namespace, set_id = self._namespace, self._set_id
        get, now_s = namespace.engine.get, namespace.clock.epoch_s()
        missing = 0
        for index, digest in rows:
            try:
                record = get(digest)
            except NotResident:
                break
            if record is None:
                missing += 1
                replies.append(_reply_not_found(_HEADER_NOT_FOUND, index))
                continue
            generation, void_time, _, record_set, record_flags, payload = record
            if (
                record_flags
                or (record_set != set_id and set_id is not None)
                or 0 < void_time < now_s
                or len(payload) > LONGEST_PAYLOAD
            ):
                break
            replies.append(_reply(_HEADER_OK, generation, void_time, index) + payload)
        counters = namespace.statistics.batch_sub
        counters.read_success += len(replies) - missing
        counters.read_not_found += missing
        self._node.turns.count(namespace.batch_sub_read_latency, len(replies))
        return replies


class PutOneRows:
    """Rows that write one plain bin over a record that has just this bin, or over none."""

    __slots__ = (
        "_echoes",
        "_head",
        "_longest",
        "_namespace",
        "_node",
        "_op_heads",
        "_writes",
    )

    def __init__(
        self, node: NodeState, namespace: Namespace, writes: OneBinWrite, head: bytes, echoes: bool
    ) -> None:
        """`echoes`: the reply has an op, without value, for the op of the row."""
        self._node = node
        self._namespace = namespace
        self._writes = writes
        self._head = head
        self._echoes = echoes
        self._longest = min(LONGEST_PAYLOAD, namespace.config.max_record_size or 1 << 30) - 256
        self._op_heads: dict[bytes, tuple[BinHead, bytes]] = {}
        """Op header and name to what they mean, and to what the reply echoes."""

    def learn(self, row: bytes, message: Message) -> None:
        """Know the row's op (its header and bin name) from now on, if it writes a plain value."""
        op = message.ops[0]
        at = len(self._head)
        wire = row[at : at + OP_SIZE + len(op.name)]
        head = BinHead.parse(wire)
        if head is None or head.value_size > self._longest:
            return
        echo = b"\0\0"
        if self._echoes:
            echo = ONE_BIN + encode_op(OpType.WRITE, ParticleType.NULL, op.name)
        if len(self._op_heads) >= HEADS_CAPACITY:
            self._op_heads.clear()
        self._op_heads[wire] = head, echo

    def answer(self, data: bytes, offset: int, limit: int) -> Answered:
        """Rows with this head and a known op, over records of one bin in the set that never
        expire."""
        head, op_heads, overwrite = self._head, self._op_heads, self._writes.overwrite
        set_id, now_ms = self._writes.set_id, self._namespace.clock.epoch_ms()
        head_size, size = len(head), len(data)
        replies: list[bytes] = []
        row_at = offset
        while len(replies) < limit:
            op = offset + FLAGS_AT + head_size
            if size - op < OP_SIZE or not data.startswith(head, offset + FLAGS_AT):
                break
            value = op + OP_SIZE + data[op + OP_SIZE - 1]
            known = op_heads.get(data[op:value])
            if known is None:
                break
            bin_head, echo = known
            end = value + bin_head.value_size
            if end > size:
                break
            index, digest = row_key(data, offset)
            payload = bin_head.start + data[value:end]
            generation = overwrite(digest, now_ms, set_id, bin_head.start, payload)
            if not generation:
                generation = self._put(digest, now_ms, bin_head, payload)
                if not generation:
                    break
            replies.append(_reply(_HEADER_OK, generation, 0, index) + echo)
            row_at, offset = offset, end
        self._namespace.statistics.batch_sub.write_success += len(replies)
        self._node.turns.count(self._namespace.batch_sub_write_latency, len(replies))
        return replies, offset, row_at

    def _put(self, digest: bytes, now_ms: int, head: BinHead, payload: bytes) -> int:
        try:
            return self._writes.put(digest, now_ms, head, payload)
        except (NotResident, OutOfSpace, DeviceOverload, StorageError):
            return 0  # the general way waits, or says what is wrong
