"""The write of several plain bins, over a record that has just these, or over none.

As `asd.fastpath.one_bin`, for the puts of whole objects. Bins that a secondary index watches take
the general way.
"""

from __future__ import annotations

import struct
from typing import Final, Self

from asd.fastpath.one_bin import HEADS_CAPACITY, OP_SIZE, BinHead, OneBinWrite
from asd.space.namespace import Namespace

MAX_BINS: Final = 64
"""Bins of one write; a write of more is rare, and its cost is in the bins anyway."""

_COUNT: Final = 2
"""Bytes of the count that a payload begins with."""

_op_head: Final = struct.Struct(">IBBBB").unpack_from
_u16: Final = struct.Struct(">H").pack


class ManyBinWrite:
    """The write of `count` plain bins, by ops of `size` bytes together, into records of a set."""

    __slots__ = ("_count", "_heads", "_namespace", "_prefix", "_set_id", "_size")

    def __init__(self, namespace: Namespace, set_id: int, count: int, size: int) -> None:
        self._namespace = namespace
        self._set_id = set_id
        self._count = count
        self._size = size
        self._prefix = _u16(count)
        self._heads: dict[bytes, BinHead] = {}

    @classmethod
    def of(
        cls, namespace: Namespace, set_name: bytes, ttl: int, count: int, size: int
    ) -> Self | None:
        """None where such writes need more than is done here."""
        one = OneBinWrite.of(namespace, set_name, ttl)
        if one is None or count > MAX_BINS or namespace.indexes.watching(set_name):
            return None
        return cls(namespace, one.set_id, count, size)

    def put(self, digest: bytes, now_ms: int, data: bytes, start: int) -> int:
        """Write the bins of the ops at `start`; the new generation, 0 for the general way.

        Raises NotResident, OutOfSpace.
        """
        parts = [self._prefix]
        names = []
        end = start + self._size
        for _ in range(self._count):
            if end - start < OP_SIZE:
                return 0
            value = start + OP_SIZE + data[start + OP_SIZE - 1]
            head = self._head(data[start:value])
            if head is None:
                return 0
            start = value + head.value_size
            parts.append(head.start[_COUNT:])
            parts.append(data[value:start])
            names.append(head.name)
        if start != end or len(set(names)) != self._count:
            return 0
        engine = self._namespace.engine
        record = engine.get(digest)
        generation = 1
        if record is not None:
            generation, void_time, _, set_id, flags, payload = record
            if flags or void_time or set_id != self._set_id or _names(payload) != names:
                return 0
            generation = generation % 65535 + 1
        engine.put(digest, generation, 0, now_ms, self._set_id, 0, b"".join(parts))
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
        size, _, _, _, name_size = _op_head(payload, offset)
        names.append(payload[offset + OP_SIZE - 1 : offset + OP_SIZE + name_size])
        offset += 4 + size
    return names
