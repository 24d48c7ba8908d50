"""The write of several plain bins, over a record that has just these, or over none.

As `asd.fastpath.one_bin`, for the puts of whole objects. Bins that a secondary index watches take
the general way.
"""

from __future__ import annotations

import struct
from typing import Final

from aerospike_common.wire.message import OP_HEAD_SIZE, op_head
from asd.fastpath.contract import FastPath
from asd.fastpath.one_bin import HEADS_CAPACITY, BinHead
from asd.fastpath.replies import EMPTY_OK, without_ops
from asd.measures.statistics import OriginStatistics
from asd.records.record import next_generation
from asd.space.namespace import Namespace
from citrusleaf.cf_digest import DIGEST_SIZE

MAX_BINS: Final = 64
"""Bins of one write; a write of more is rare, and its cost is in the bins anyway."""

_COUNT: Final = 2
"""Bytes of the count that a payload begins with."""

_u16: Final = struct.Struct(">H").pack


class ManyBinWrite:
    """The write of `count` plain bins, by ops of `size` bytes together, into records of a set that
    no secondary index watches."""

    __slots__ = ("_count", "_get", "_heads", "_prefix", "_put", "_set_id", "_size")

    def __init__(self, namespace: Namespace, set_name: bytes, count: int, size: int) -> None:
        put = namespace.door.doors(set_name).put
        assert put is not None
        self._put = put
        self._get = namespace.engine.get
        self._set_id = namespace.intern_set(set_name)
        self._count = count
        self._size = size
        self._prefix = _u16(count)
        self._heads: dict[bytes, BinHead] = {}

    def put(self, digest: bytes, now_ms: int, data: bytes, start: int) -> int:
        """Write the bins of the ops at `start`; the new generation, 0 for the general way.

        Raises what means the general way.
        """
        parts = [self._prefix]
        names = []
        end = start + self._size
        for _ in range(self._count):
            if end - start < OP_HEAD_SIZE:
                return 0
            value = start + OP_HEAD_SIZE + data[start + OP_HEAD_SIZE - 1]
            head = self._head(data[start:value])
            if head is None:
                return 0
            start = value + head.value_size
            parts.append(head.start[_COUNT:])
            parts.append(data[value:start])
            names.append(head.name)
        if start != end or len(set(names)) != self._count:
            return 0
        record = self._get(digest)
        generation = 1
        if record is not None:
            generation, void_time, updated_ms, set_id, flags, payload = record
            if flags or void_time or set_id != self._set_id or _names(payload) != names:
                return 0
            if updated_ms > now_ms:
                return 0
            generation = next_generation(generation)
        self._put(digest, generation, 0, now_ms, self._set_id, 0, b"".join(parts))
        return generation

    def _head(self, wire: bytes) -> BinHead | None:
        head = self._heads.get(wire)
        if head is None:
            head = BinHead.parse(wire)
            if head is not None:
                if len(self._heads) >= HEADS_CAPACITY:
                    self._heads.clear()
                self._heads[wire] = head
        return head


def _names(payload: bytes) -> list[bytes]:
    """The names of a record's bins in storage order, each with its length byte before it."""
    names = []
    offset = _COUNT
    for _ in range(payload[0] << 8 | payload[1]):
        size, _, _, _, name_size = op_head(payload, offset)
        names.append(payload[offset + OP_HEAD_SIZE - 1 : offset + OP_HEAD_SIZE + name_size])
        offset += 4 + size
    return names


def put_many_path(
    namespace: Namespace,
    set_name: bytes,
    count: int,
    rest: int,
    otherwise: FastPath,
    counters: OriginStatistics,
) -> FastPath | None:
    """A write of several plain bins, over a record that has just these, or over none.

    `rest` is the size of digest and ops; what else there is goes `otherwise`.
    """
    if count > MAX_BINS:
        return None
    put = ManyBinWrite(namespace, set_name, count, rest - DIGEST_SIZE).put
    now_ms, barred = namespace.clock.epoch_ms, namespace.ownership.barred

    def path(data: bytes, digest: int) -> bytes | None:
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        ops = digest + DIGEST_SIZE
        generation = put(data[digest:ops], now_ms(), data, ops)
        if not generation:
            return otherwise(data, digest)
        counters.write_success += 1
        return without_ops(EMPTY_OK, generation, 0)

    return path
