"""The fast paths of reads: a whole record, its metadata, some of its bins (see the contract)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from aerospike_common.wire.codes import FieldType, Info1, OpType, ResultCode
from aerospike_common.wire.message import OP_HEAD_SIZE, Message, Op, op_head, reply_frame
from asd.bins.effort import OutOfTime, TimeLimit
from asd.bins.expressions import Expression
from asd.fastpath import replies
from asd.fastpath.contract import Bar, FastPath, Kind, fits, unplain
from asd.fastpath.replies import HEADER_OK, NO_OPS, NOT_FOUND, START, framed
from asd.measures.statistics import OriginStatistics
from asd.records.record_view import RecordView
from asd.space.namespace import Namespace
from asd.transactions.ops import is_bin_name
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

FILTERS: Final = 8
"""Filters that one path knows: each may be as long as a request, and there are many paths."""

SELECTIONS: Final = 1024
"""Lists of bins that one path for reading some bins knows."""

_GET_ALL: Final = Info1.READ | Info1.GET_ALL
_EXISTS: Final = Info1.READ | Info1.GET_NO_BINS
_u16: Final = struct.Struct(">H").pack

Answer: TypeAlias = Callable[[bytes, int, bytes], bytes | None]
"""(received bytes, offset behind the digest, payload) to the number of ops and the ops.

None: the general way must be taken.
"""


def read_path(
    namespace: Namespace,
    message: Message,
    rest: int,
    present: frozenset[Bar],
    counters: OriginStatistics,
) -> FastPath | None:
    """The path for reads like this one, if there is one; `rest` is the size of digest and ops."""
    set_name = message.fields[FieldType.SET]
    if message.info2:
        return None
    if message.info1 == _GET_ALL and not message.ops and fits(Kind.GET, present):
        return GetAll(namespace, set_name, counters).answer
    if message.info1 == _EXISTS and not message.ops and fits(Kind.EXISTS, present):
        return _answering(namespace, set_name, counters, lambda data, ops, payload: NO_OPS)
    if message.info1 == Info1.READ and _only_reads(message.ops) and fits(Kind.SELECT, present):
        bins = ChosenBins(len(message.ops), rest - 20)
        return _answering(namespace, set_name, counters, bins.answer)
    return None


def filtered_path(
    node: NodeState,
    namespace: Namespace,
    message: Message,
    rest: int,
    present: frozenset[Bar],
    counters: OriginStatistics,
) -> FastPath | None:
    """The path for reads of whole records through a filter, which is all behind the digest."""
    if message.info1 != _GET_ALL or message.info2 or message.ops:
        return None
    if not fits(Kind.FILTERED_GET, present):
        return None
    set_name = message.fields[FieldType.SET]
    get, now_s, now_ms = namespace.engine.get, namespace.clock.epoch_s, namespace.clock.epoch_ms
    barred = namespace.ownership.barred
    compiled, set_id = node.expressions.filter, namespace.intern_set(set_name)
    view = RecordView(b"", None, set_name, 0)
    limit_ms = namespace.time_limit_ms(message.transaction_ttl)
    view.time = TimeLimit(namespace.clock.monotonic_ns, limit_ms)
    known: dict[bytes, Expression] = {}
    header = (rest - DIGEST_SIZE - 4).to_bytes(4) + bytes((FieldType.FILTER,))

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        key = data[digest : digest + DIGEST_SIZE]
        record = get(key)
        if record is None or record[3] != set_id or unplain(record, set_id, now_s):
            return None
        field = data[digest + DIGEST_SIZE : digest + rest]
        expression = known.get(field)
        if expression is None:
            if not field.startswith(header):
                return None
            if len(known) >= FILTERS:
                known.clear()
            expression = known[field] = compiled(field[len(header) :])
        view.digest, view.record, view.now_ms = key, record, now_ms()
        generation, void_time, _, _, _, payload = record
        try:
            matches = expression.run(view, [None] * expression.slots) is True
        except OutOfTime as error:
            counters.read_error += 1
            return reply_frame(error.code, generation, void_time)
        if matches:
            counters.read_success += 1
            size = 20 + len(payload)
            reply = replies.with_ops(START, size, HEADER_OK, generation, void_time) + payload
        else:
            counters.read_filtered_out += 1
            reply = reply_frame(ResultCode.FILTERED_OUT, generation, void_time)
        return reply

    return path


def _only_reads(ops: list[Op]) -> bool:
    return bool(ops) and all(op.type == OpType.READ for op in ops)


class GetAll:
    """A read of the whole record: a header and the stored bytes.

    The hottest paths are classes where others are closures: a `.pxd` can give these their types.
    """

    __slots__ = ("_barred", "_counters", "_get", "_now_s", "_set_id")

    def __init__(self, namespace: Namespace, set_name: bytes, counters: OriginStatistics) -> None:
        self._get = namespace.engine.get
        self._now_s = namespace.clock.epoch_s
        self._counters = counters
        self._barred = namespace.ownership.barred
        self._set_id = namespace.intern_set(set_name)

    def answer(self, data: bytes, digest: int) -> bytes | None:
        """The `FastPath`."""
        barred = self._barred
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        record = self._get(data[digest : digest + 20])
        if record is None:
            self._counters.read_not_found += 1
            return NOT_FOUND
        generation, void_time, _, record_set, flags, payload = record
        set_id = self._set_id
        odd = flags or void_time or record_set != set_id
        if odd and unplain(record, set_id, self._now_s):
            return None
        self._counters.read_success += 1
        size = 20 + len(payload)
        return replies.with_ops(START, size, HEADER_OK, generation, void_time) + payload


def _answering(
    namespace: Namespace, set_name: bytes, counters: OriginStatistics, answer: Answer
) -> FastPath:
    """A read that answers with less than the whole record."""
    get, now_s = namespace.engine.get, namespace.clock.epoch_s
    barred = namespace.ownership.barred
    set_id = namespace.intern_set(set_name)

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        record = get(data[digest : digest + 20])
        if record is None:
            counters.read_not_found += 1
            return NOT_FOUND
        odd = record[4] or record[1] or record[3] != set_id
        if odd and unplain(record, set_id, now_s):
            return None
        ops = answer(data, digest + 20, record[5])
        if ops is None:
            return None
        counters.read_success += 1
        return framed(record[0], record[1], ops)

    return path


class ChosenBins:
    """Some bins of a record, by the READ ops of a request.

    The ops of a request are `count` ops of `size` bytes together; which they are is remembered by
    their bytes.
    """

    __slots__ = ("_count", "_known", "_size")

    def __init__(self, count: int, size: int) -> None:
        self._count = count
        self._size = size
        self._known: dict[bytes, tuple[bytes, ...]] = {}

    def answer(self, data: bytes, start: int, payload: bytes) -> bytes | None:
        """Count and ops of the bins that are there, in the order they were asked for."""
        ops = data[start : start + self._size]
        names = self._known.get(ops)
        if names is None:
            names = self._names(ops)
            if names is None:
                return None
            if len(self._known) >= SELECTIONS:
                self._known.clear()
            self._known[ops] = names
        bins = _bins_by_name(payload)
        found = [bins[name] for name in names if name in bins]
        return _u16(len(found)) + b"".join(found)

    def _names(self, ops: bytes) -> tuple[bytes, ...] | None:
        """The bins that READ ops name, each with its length byte; None if there are other ops."""
        names = []
        offset = 0
        for _ in range(self._count):
            if len(ops) - offset < OP_HEAD_SIZE:
                return None
            size, op_type, _, flags, name_size = op_head(ops, offset)
            name = ops[offset + OP_HEAD_SIZE : offset + 4 + size]
            if op_type != OpType.READ or flags or len(name) != name_size or not is_bin_name(name):
                return None
            names.append(name)
            offset += 4 + size
        return tuple(names) if offset == len(ops) else None


def _bins_by_name(payload: bytes) -> dict[bytes, bytes]:
    """Each bin's op, as stored, by the bin's name."""
    bins = {}
    offset = 2
    for _ in range(payload[0] << 8 | payload[1]):
        size, _, _, _, name_size = op_head(payload, offset)
        end = offset + 4 + size
        bins[payload[offset + 8 : offset + 8 + name_size]] = payload[offset:end]
        offset = end
    return bins
