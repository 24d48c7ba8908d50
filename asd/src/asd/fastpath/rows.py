"""The fast paths of the two commonest rows of batches: reading a whole record, writing one plain
bin.

As for single commands: what is the same from row to row is worked out once, and a row that is not
as expected takes the general way, which gives the same answer (`tests/asd/batch/test_batch.py`
plays both). The contract of these paths is that of all (`asd.fastpath.contract`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from aerospike_common.wire.batch import FLAGS_AT, REPEAT, REPEAT_SIZE, row_key
from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import OP_HEAD_SIZE, Message, encode_op
from asd.fastpath.contract import GENERAL_WAY, Kind, bars, fits, unplain
from asd.fastpath.one_bin import HEADS_CAPACITY, ONE_BIN, BinHead, OneBinWrite
from asd.fastpath.replies import HEADER_OK, ROW_NOT_FOUND, row_with_ops, row_without_record
from asd.security.rights import UNRESTRICTED, Rights
from asd.space.namespace import Namespace
from asd.transactions.masked import access_of

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
_repeats: Final = struct.Struct(">4s20sx").iter_unpack


class RowPath(Protocol):
    """Answers the rows of one head as long as they are plain."""

    namespace: Namespace
    """Where the rows are."""

    def answer(self, data: bytes, offset: int, limit: int) -> Answered:
        """Up to `limit` rows from `offset` on; counts them in statistics and histograms."""

    def learn(self, row: bytes, message: Message) -> None:
        """A row was answered the general way, with success; `row` is what is behind the digest."""


class RowPaths:
    """The paths of one node for those who have the same rights."""

    __slots__ = ("_node", "_paths", "_rights", "_without")

    def __init__(self, node: NodeState, rights: Rights = UNRESTRICTED) -> None:
        self._node = node
        self._rights = rights
        self._paths: dict[bytes, RowPath] = {}
        self._without: set[bytes] = set()
        """Heads known to have no path."""

    def clear(self) -> None:
        """Forget all paths: something they relied on has changed."""
        self._paths.clear()
        self._without.clear()

    def find(self, head: bytes) -> RowPath | None:
        """The path for rows with this head, if there is one yet."""
        return self._paths.get(head)

    def learn(self, head: bytes, namespace: Namespace, message: Message) -> RowPath | None:
        """The path for rows with this head, if it is of a kind that has paths.

        `message` is a row of it that was answered with success.
        """
        path = self._paths.get(head)
        if path is not None or head in self._without:
            return path
        if len(self._paths) + len(self._without) >= CAPACITY:
            self.clear()
        path = self._make(head, namespace, message)
        if path is None:
            self._without.add(head)
        else:
            self._paths[head] = path
        return path

    def _make(self, head: bytes, namespace: Namespace, message: Message) -> RowPath | None:
        if list(message.fields) != _FIELDS or self._rights.watched(message):
            return None
        if access_of(namespace, message, self._rights):
            return None
        present = bars(namespace, message)
        set_name = message.fields[FieldType.SET]
        info2 = message.info2 & ~Info2.RESPOND_ALL_OPS
        if message.info1 == _GET_ALL and not info2 and not message.ops:
            if fits(Kind.ROW_GET, present):
                return GetAllRows(self._node, namespace, namespace.intern_set(set_name), head)
            return None
        if info2 == Info2.WRITE and not message.info1 and len(message.ops) == 1:
            if not fits(Kind.ROW_PUT, present):
                return None
            echoes = bool(message.info2 & Info2.RESPOND_ALL_OPS)
            writes = OneBinWrite(namespace, set_name)
            return PutOneRows(self._node, namespace, writes, head, echoes)
        return None


class GetAllRows:
    """Rows that read a whole record: one with the head, then any that repeat."""

    __slots__ = ("_head", "_node", "_set_id", "namespace")

    def __init__(self, node: NodeState, namespace: Namespace, set_id: int, head: bytes) -> None:
        """`set_id` 0: whatever set the record is in."""
        self._node = node
        self.namespace = namespace
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
        namespace, set_id = self.namespace, self._set_id
        get, now_s = namespace.engine.get, namespace.clock.epoch_s
        barred = namespace.ownership.barred
        missing = 0
        for index, digest in rows:
            if barred and digest[0] | (digest[1] & 15) << 8 in barred:
                break
            try:
                record = get(digest)
            except GENERAL_WAY:
                break
            if record is None:
                missing += 1
                replies.append(row_without_record(ROW_NOT_FOUND, index))
                continue
            generation, void_time, _, record_set, record_flags, payload = record
            odd = record_flags or void_time or record_set != set_id
            if (odd and unplain(record, set_id, now_s)) or len(payload) > LONGEST_PAYLOAD:
                break
            replies.append(row_with_ops(HEADER_OK, generation, void_time, index) + payload)
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
        "_node",
        "_op_heads",
        "_writes",
        "namespace",
    )

    def __init__(
        self, node: NodeState, namespace: Namespace, writes: OneBinWrite, head: bytes, echoes: bool
    ) -> None:
        """`echoes`: the reply has an op, without value, for the op of the row."""
        self._node = node
        self.namespace = namespace
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
        wire = row[at : at + OP_HEAD_SIZE + len(op.name)]
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
        head, op_heads = self._head, self._op_heads
        overwrite, put = self._writes.overwrite, self._writes.put
        set_id, now_ms = self._writes.set_id, self.namespace.clock.epoch_ms()
        barred = self.namespace.ownership.barred
        head_size, size = len(head), len(data)
        replies: list[bytes] = []
        row_at = offset
        while len(replies) < limit:
            op = offset + FLAGS_AT + head_size
            if size - op < OP_HEAD_SIZE or not data.startswith(head, offset + FLAGS_AT):
                break
            value = op + OP_HEAD_SIZE + data[op + OP_HEAD_SIZE - 1]
            known = op_heads.get(data[op:value])
            if known is None:
                break
            bin_head, echo = known
            end = value + bin_head.value_size
            if end > size:
                break
            index, digest = row_key(data, offset)
            if barred and digest[0] | (digest[1] & 15) << 8 in barred:
                break
            payload = bin_head.start + data[value:end]
            try:
                generation = overwrite(digest, now_ms, set_id, bin_head.start, payload)
                generation = generation or put(digest, now_ms, bin_head, payload)
            except GENERAL_WAY:
                break
            if not generation:
                break
            replies.append(row_with_ops(HEADER_OK, generation, 0, index) + echo)
            row_at, offset = offset, end
        self.namespace.statistics.batch_sub.write_success += len(replies)
        self._node.turns.count(self.namespace.batch_sub_write_latency, len(replies))
        return replies, offset, row_at
