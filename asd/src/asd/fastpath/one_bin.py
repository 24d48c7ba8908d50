"""The commonest write: one plain bin, over a record that has just this bin, or over none.

The plans of single commands and those of batch rows share it. It does what `asd.transactions.write`
would do, and leaves alone what it cannot do.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Final, Self, TypeAlias

from attrs import frozen

from aerospike_common.wire.codes import OpType, ParticleType
from asd.sindex.one_bin import OneBin, one_bin
from asd.space.namespace import TTL_KEEP, Namespace
from asd.transactions.ops import is_bin_name
from storage.engine import Overwrites
from storage.memory import MemoryEngine

ONE_BIN: Final = b"\x00\x01"
"""The count that the payload of a record with one bin begins with."""

OP_SIZE: Final = 8
"""Bytes of an op before the bin name; the last of them is the name's length."""

HEADS_CAPACITY: Final = 256
"""Op heads that one plan keeps."""

_FIXED_SIZE: Final = (ParticleType.INTEGER, ParticleType.DOUBLE)
_PLAIN: Final = (*_FIXED_SIZE, ParticleType.STRING, ParticleType.BLOB)
_NAME_AT: Final = 9
_op_head: Final = struct.Struct(">IBBBB").unpack_from

Overwrite: TypeAlias = Callable[[bytes, int, int, bytes, bytes], int]
"""`storage.engine.Overwrites.overwrite`."""


def _never_overwrites(*_: object) -> int:
    """For engines without a short cut."""
    return 0


@frozen
class BinHead:
    """The unchanging part of the write of one plain bin: header and name of its op."""

    start: bytes
    """What the payload of a record with just this bin begins with: count, op header, name."""
    value_size: int
    name: bytes
    """The bin's name behind its length byte, as `start` ends."""

    @classmethod
    def parse(cls, head: bytes) -> Self | None:
        """From an op's header and name; None for ops that need the general way."""
        size, op_type, kind, flags, name_size = _op_head(head)
        if op_type != OpType.WRITE or flags or kind not in _PLAIN:
            return None
        value_size = size - 4 - name_size
        if len(head) != OP_SIZE + name_size or value_size < 0:
            return None
        if kind in _FIXED_SIZE and value_size != 8:
            return None
        if not is_bin_name(head[OP_SIZE:]):
            return None
        start = ONE_BIN + head[:4] + bytes((OpType.READ,)) + head[5:]
        return cls(start, value_size, start[_NAME_AT:])


class OneBinWrite:
    """The write of one plain bin into records of a set.

    First `overwrite`, the engine's short cut; where that returns 0, `put`. Both return the record's
    new generation, 0 where the general way is needed. Holds what is true now: see
    `asd.fastpath.cache`.
    """

    __slots__ = ("_indexed", "_namespace", "overwrite", "set_id")

    overwrite: Overwrite

    def __init__(self, namespace: Namespace, set_name: bytes, indexed: OneBin | None) -> None:
        self._namespace = namespace
        self._indexed = indexed
        self.set_id = namespace.intern_set(set_name)
        engine = namespace.engine
        self.overwrite = _never_overwrites
        if indexed is not None:
            if isinstance(engine, MemoryEngine):
                self.overwrite = partial(indexed.overwrite, engine)
        elif isinstance(engine, Overwrites):
            self.overwrite = engine.overwrite

    @classmethod
    def of(cls, namespace: Namespace, set_name: bytes, ttl: int) -> Self | None:
        """None where writes with this ttl into this set need more than is done here."""
        if ttl == TTL_KEEP or namespace.void_time(ttl, set_name, None, 0):
            return None
        if namespace.engine.acknowledges_sync or namespace.limits_writes(set_name):
            return None
        indexed = one_bin(namespace.engine.index, namespace.indexes, set_name)
        if indexed is None:
            return None
        return cls(namespace, set_name, indexed if namespace.indexes.watching(set_name) else None)

    def put(self, digest: bytes, now_ms: int, head: BinHead, payload: bytes) -> int:
        """Write a record that is new or has just this bin. Raises NotResident, OutOfSpace."""
        engine = self._namespace.engine
        record = engine.get(digest)
        generation = 1
        if record is not None:
            generation, void_time, _, set_id, flags, old = record
            if flags or void_time or set_id != self.set_id:
                return 0
            if old[:2] != ONE_BIN or old[_NAME_AT : len(head.start)] != head.name:
                return 0
            generation = generation % 65535 + 1
        engine.put(digest, generation, 0, now_ms, self.set_id, 0, payload)
        if self._indexed is not None:
            self._indexed.written(digest, record and record[5], payload, len(head.start))
        return generation
