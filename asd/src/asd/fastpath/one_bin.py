"""The commonest write: one plain bin, over a record that has just this bin, or over none.

The paths of single commands and those of batch rows share it. It does what `asd.transactions.write`
would do, and leaves alone what it cannot do.
"""

from __future__ import annotations

from typing import Final, Self

from attrs import frozen

from aerospike_common.wire.codes import OpType, ParticleType
from aerospike_common.wire.message import OP_HEAD_SIZE, op_head
from asd.fastpath import replies
from asd.fastpath.contract import FastPath
from asd.fastpath.replies import EMPTY_OK
from asd.measures.statistics import OriginStatistics
from asd.records.change import Change
from asd.records.record import next_generation
from asd.space.commit import Overwrite
from asd.space.namespace import Namespace
from asd.transactions.ops import is_bin_name
from citrusleaf.cf_digest import DIGEST_SIZE

ONE_BIN: Final = b"\x00\x01"
"""The count that the payload of a record with one bin begins with."""

HEADS_CAPACITY: Final = 256
"""Op heads that one path keeps."""

_FIXED_SIZE: Final = (ParticleType.INTEGER, ParticleType.DOUBLE)
_PLAIN: Final = (*_FIXED_SIZE, ParticleType.STRING, ParticleType.BLOB)
_NAME_AT: Final = 9


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
        size, op_type, kind, flags, name_size = op_head(head)
        if op_type != OpType.WRITE or flags or kind not in _PLAIN:
            return None
        value_size = size - 4 - name_size
        if len(head) != OP_HEAD_SIZE + name_size or value_size < 0:
            return None
        if kind in _FIXED_SIZE and value_size != 8:
            return None
        if not is_bin_name(head[OP_HEAD_SIZE:]):
            return None
        start = ONE_BIN + head[:4] + bytes((OpType.READ,)) + head[5:]
        return cls(start, value_size, start[_NAME_AT:])


class OneBinWrite:
    """The write of one plain bin into records of a set.

    First `overwrite`, the engine's short cut; where that returns 0, `put`. Both return the record's
    new generation, 0 where the general way is needed. Holds what is true now: see the contract.
    """

    __slots__ = ("_commit", "_get", "_put", "overwrite", "set_id")

    overwrite: Overwrite

    def __init__(self, namespace: Namespace, set_name: bytes) -> None:
        doors = namespace.door.doors(set_name)
        self._get = namespace.engine.get
        self._put = doors.put
        self._commit = namespace.commit
        self.overwrite = doors.overwrite or _never_overwrites
        self.set_id = namespace.intern_set(set_name)

    def put(self, digest: bytes, now_ms: int, head: BinHead, payload: bytes) -> int:
        """Write a record that is new or has just this bin. Raises what means the general way."""
        record = self._get(digest)
        generation = 1
        if record is not None:
            generation, void_time, updated_ms, set_id, flags, old = record
            if flags or void_time or set_id != self.set_id or updated_ms > now_ms:
                return 0
            if old[:2] != ONE_BIN or old[_NAME_AT : len(head.start)] != head.name:
                return 0
            generation = next_generation(generation)
        if self._put is not None:
            self._put(digest, generation, 0, now_ms, self.set_id, 0, payload)
        else:  # the indexes need to know what was there
            new = (generation, 0, now_ms, self.set_id, 0, payload)
            self._commit(Change(digest, record, new))
        return generation


def put_one_path(
    namespace: Namespace,
    set_name: bytes,
    rest: int,
    otherwise: FastPath,
    counters: OriginStatistics,
) -> FastPath:
    """A write of one plain bin, over a record that has just this bin, or over none.

    `rest` is the size of digest and op together; what else there is goes `otherwise`.
    """
    writes = OneBinWrite(namespace, set_name)
    return PutOne(namespace, writes, rest, otherwise, counters).answer


class PutOne:
    """The path of `put_one_path`: a class, as `asd.fastpath.reads.GetAll` is."""

    __slots__ = (
        *("_barred", "_counters", "_heads", "_latency", "_now_ms"),
        *("_otherwise", "_overwrite", "_put", "_rest", "_set_id"),
    )

    def __init__(
        self,
        namespace: Namespace,
        writes: OneBinWrite,
        rest: int,
        otherwise: FastPath,
        counters: OriginStatistics,
    ) -> None:
        self._overwrite, self._put, self._set_id = writes.overwrite, writes.put, writes.set_id
        self._now_ms = namespace.clock.epoch_ms
        self._barred = namespace.ownership.barred
        self._counters = counters
        self._latency = namespace.write_latency
        self._rest = rest
        self._otherwise = otherwise
        self._heads: dict[bytes, BinHead] = {}

    def answer(self, data: bytes, digest: int) -> bytes | None:
        """The `FastPath`."""
        barred = self._barred
        if barred and data[digest] | (data[digest + 1] & 15) << 8 in barred:
            return None
        op = digest + DIGEST_SIZE
        value = op + OP_HEAD_SIZE + data[op + OP_HEAD_SIZE - 1]
        wire = data[op:value]
        head = self._heads.get(wire)
        if head is None:
            head = self._learn(wire, value - digest)
            if head is None:
                return self._otherwise(data, digest)
        key = data[digest:op]
        start = head.start
        payload = start + data[value : digest + self._rest]
        # All writes of one turn happen at one time: the clock is read for the first.
        latency = self._latency
        since = latency.since_ms
        now = since or self._now_ms()
        generation = self._overwrite(key, now, self._set_id, start, payload)
        if not generation:
            generation = self._put(key, now, head, payload)
            if not generation:
                return self._otherwise(data, digest)
        self._counters.write_success += 1
        if not since:
            latency.since_ms = now
        return replies.without_ops(EMPTY_OK, generation, 0)

    def _learn(self, wire: bytes, before: int) -> BinHead | None:
        """Know an op's header and name from now on, if it writes a plain value which ends where
        the requests do; `before` are the bytes from the digest to the value."""
        head = BinHead.parse(wire)
        if head is None or before + head.value_size != self._rest:
            return None
        if len(self._heads) >= HEADS_CAPACITY:
            self._heads.clear()
        self._heads[wire] = head
        return head
