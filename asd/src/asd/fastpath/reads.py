"""The plans of reads: a whole record, its metadata, some of its bins (see `asd.fastpath.cache`)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from aerospike_common.wire.codes import FieldType, Info1, OpType, ResultCode
from aerospike_common.wire.message import Message, Op, reply_frame
from asd.bins.expressions import Expression
from asd.records.record_view import RecordView
from asd.space.namespace import Namespace
from asd.transactions.ops import is_bin_name
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

Plan: TypeAlias = Callable[[bytes, int], bytes | None]
"""(received bytes, offset of the digest) to the framed reply.

None: the general way must be taken.
"""

FILTERS: Final = 8
"""Filters that one plan knows: each may be as long as a request, and there are many plans."""

SELECTIONS: Final = 1024
"""Lists of bins that one plan for reading some bins knows."""

_GET_ALL: Final = Info1.READ | Info1.GET_ALL
_EXISTS: Final = Info1.READ | Info1.GET_NO_BINS
_NOT_FOUND: Final = reply_frame(ResultCode.NOT_FOUND)
_START: Final = b"\x02\x03\x00\x00"
_HEADER_OK: Final = b"\x16\x00\x00\x00\x00\x00"
_NO_OPS: Final = b"\0\0"
# Frame start, body size, message header to the result code, generation, void-time, then the timeout
# and the number of fields (0); what follows begins with the number of ops.
_with_bins: Final = struct.Struct(">4sI6sII6x").pack
_op_head: Final = struct.Struct(">IBBBB").unpack_from
_u16: Final = struct.Struct(">H").pack


Answer: TypeAlias = Callable[[bytes, int, bytes], bytes | None]
"""(received bytes, offset behind the digest, payload) to the number of ops and the ops.

None: the general way must be taken.
"""


def read_plan(namespace: Namespace, message: Message, rest: int) -> Plan | None:
    """The plan for reads like this one, if there is one; `rest` is the size of digest and ops."""
    if message.info2 or message.record_ttl:
        return None
    set_name = message.fields[FieldType.SET]
    if namespace.config.read_touch_ttl_pct_of(set_name):
        return None
    if message.info1 == _GET_ALL and not message.ops:
        return _get_all(namespace, set_name)
    if message.info1 == _EXISTS and not message.ops:
        return _answering(namespace, set_name, lambda data, ops, payload: _NO_OPS)
    if message.info1 == Info1.READ and message.ops and _only_reads(message.ops):
        return _answering(namespace, set_name, Selection(len(message.ops), rest - 20).answer)
    return None


def filtered_plan(
    node: NodeState, namespace: Namespace, message: Message, rest: int
) -> Plan | None:
    """The plan for reads of whole records through a filter, which is all behind the digest."""
    if message.info1 != _GET_ALL or message.info2 or message.record_ttl or message.ops:
        return None
    set_name = message.fields[FieldType.SET]
    if namespace.config.read_touch_ttl_pct_of(set_name):
        return None
    get, now_s, now_ms = namespace.engine.get, namespace.clock.epoch_s, namespace.clock.epoch_ms
    counters = namespace.statistics.client
    compiled, set_id = node.expressions.filter, namespace.intern_set(set_name)
    view = RecordView(b"", None, set_name, 0)
    known: dict[bytes, Expression] = {}
    header = (rest - DIGEST_SIZE - 4).to_bytes(4) + bytes((FieldType.FILTER,))

    def plan(data: bytes, digest: int) -> bytes | None:
        key = data[digest : digest + DIGEST_SIZE]
        record = get(key)
        if record is None:
            return None
        generation, void_time, _, record_set, flags, payload = record
        if flags or record_set != set_id or 0 < void_time < now_s():
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
        if expression.run(view, [None] * expression.slots) is True:
            counters.read_success += 1
            size = 20 + len(payload)
            reply = _with_bins(_START, size, _HEADER_OK, generation, void_time) + payload
        else:
            counters.read_filtered_out += 1
            reply = reply_frame(ResultCode.FILTERED_OUT, generation, void_time)
        return reply

    return plan


def _only_reads(ops: list[Op]) -> bool:
    return all(op.type == OpType.READ for op in ops)


def framed(generation: int, void_time: int, ops: bytes) -> bytes:
    """A successful reply; `ops` begins with their number."""
    return _with_bins(_START, 20 + len(ops), _HEADER_OK, generation, void_time) + ops


def _get_all(namespace: Namespace, set_name: bytes) -> Plan:
    """A read of the whole record: a header and the stored bytes."""
    get, now_s = namespace.engine.get, namespace.clock.epoch_s
    counters = namespace.statistics.client
    any_set, set_id = not set_name, namespace.intern_set(set_name)

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
            reply = _with_bins(_START, size, _HEADER_OK, generation, void_time) + payload
        return reply

    return plan


def _answering(namespace: Namespace, set_name: bytes, answer: Answer) -> Plan:
    """A read that answers with less than the whole record."""
    get, now_s = namespace.engine.get, namespace.clock.epoch_s
    counters = namespace.statistics.client
    any_set, set_id = not set_name, namespace.intern_set(set_name)

    def plan(data: bytes, digest: int) -> bytes | None:
        record = get(data[digest : digest + 20])
        if record is None:
            counters.read_not_found += 1
            return _NOT_FOUND
        generation, void_time, _, record_set, flags, payload = record
        if flags or (record_set != set_id and not any_set) or 0 < void_time < now_s():
            return None
        ops = answer(data, digest + 20, payload)
        if ops is None:
            return None
        counters.read_success += 1
        return framed(generation, void_time, ops)

    return plan


class Selection:
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
            if len(ops) - offset < 8:
                return None
            size, op_type, _, flags, name_size = _op_head(ops, offset)
            name = ops[offset + 8 : offset + 4 + size]
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
        size, _, _, _, name_size = _op_head(payload, offset)
        end = offset + 4 + size
        bins[payload[offset + 8 : offset + 8 + name_size]] = payload[offset:end]
        offset = end
    return bins
