"""Records as requests of the protocol that ships them: what a destination, or a connector, gets.

    header   info1 XDR, info2 WRITE (with DELETE and DURABLE_DELETE for deletes), info3
             CREATE_OR_REPLACE where the record there is replaced; generation and remaining seconds
             of life of the record here
    fields   namespace, digest, set, key where it is stored, last-update-time; the times of the
             bins, where they are asked for (`asd.records.bin_times`)
    ops      a WRITE for each bin; one of nothing for a bin that was deleted

It is an ordinary write but for its first flag, which any server of the protocol understands. The
field of the times is this project's own; others skip it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, MessageType, OpType
from asd.records.record import (
    CEMETERY,
    KEY_STORED,
    XDR_TOMBSTONE,
    XDR_WRITE,
    encode_op,
    stored_key,
)
from asd.shipping.changed import Chosen
from asd.space.namespace import TTL_NEVER
from citrusleaf.cf_digest import DIGEST_SIZE
from cluster.consistency.stamp import time_of
from storage.engine import Record

_HEAD: Final = struct.Struct(">QBBBBBBIIIHH")
_FIELD: Final = struct.Struct(">IB")
_LUT: Final = struct.Struct(">IBQ")
_OP: Final = struct.Struct(">I")
_U16: Final = struct.Struct(">H")
_PROTO: Final = 2 << 56 | int(MessageType.AS_MSG) << 48
_HEADER_SIZE: Final = 22
_XDR: Final = int(Info1.XDR)
_WRITE: Final = int(Info2.WRITE)
_DELETE: Final = int(Info2.WRITE | Info2.DELETE)
_DURABLE: Final = int(Info2.WRITE | Info2.DELETE | Info2.DURABLE_DELETE)
_REPLACE: Final = int(Info3.CREATE_OR_REPLACE)
_WRITE_OP: Final = int(OpType.WRITE)
_WRITES: Final = bytes((_WRITE_OP,))
_ONE: Final = b"\0\1"
"""The count that the payload of a record with one bin begins with."""
_TYPE_AT: Final = 4
_MARK_AT: Final = 6
_NAME_SIZE_AT: Final = 7
_DIGEST_HEAD: Final = _FIELD.pack(1 + DIGEST_SIZE, int(FieldType.DIGEST))


class Encoder:
    """Makes the requests for one namespace at its destination."""

    __slots__ = ("_bins", "_fixed_size", "_namespace", "_replaces", "_sets", "_without_bins")

    def __init__(
        self,
        namespace: bytes,
        *,
        replaces: bool,
        bins: Callable[[bytes], bool] | None,
        without_bins: bool = False,
    ) -> None:
        """`namespace`: its name there. The others as in `asd.shipping.selection.Selection`."""
        self._namespace = field(FieldType.NAMESPACE, namespace) + _DIGEST_HEAD
        self._fixed_size = _HEADER_SIZE + len(self._namespace) + DIGEST_SIZE + _LUT.size
        self._replaces = _REPLACE if replaces else 0
        self._bins = bins
        self._without_bins = without_bins
        self._sets: dict[bytes, bytes] = {}

    def write(self, digest: bytes, record: Record, set_name: bytes, now_s: int) -> bytes | None:
        """The request that writes a record; None when none of its bins goes."""
        generation, void_time, updated_ms, _, flags, payload = record
        if flags & ~XDR_WRITE or self._bins is not None or self._without_bins:
            count, ops = self._chosen(payload, flags)
            if not count and not self._without_bins:
                return None
        elif payload.startswith(_ONE):
            count, ops = 1, payload[2:6] + _WRITES + payload[7:]
        else:
            count, ops = _write_ops(payload)
        set_field = self._sets.get(set_name)
        if set_field is None:
            set_field = self._set(set_name)
        key, fields = b"", 4 if set_name else 3
        if flags & KEY_STORED:
            key = field(FieldType.KEY, stored_key(payload, flags))
            fields += 1
        ttl = max(1, void_time - now_s) if void_time else TTL_NEVER
        size = self._fixed_size + len(set_field) + len(key) + len(ops)
        head = (_PROTO | size, _HEADER_SIZE, _XDR, _WRITE, self._replaces, 0, 0)
        return b"".join(
            (
                _HEAD.pack(*head, generation, ttl, 0, fields, count),
                self._namespace,
                digest,
                set_field,
                key,
                _LUT.pack(9, 14, time_of(updated_ms)),
                ops,
            )
        )

    def write_bins(
        self, digest: bytes, record: Record, set_name: bytes, now_s: int, chosen: Chosen
    ) -> bytes:
        """The request that writes these bins of a record."""
        generation, void_time, updated_ms, _, flags, payload = record
        key = stored_key(payload, flags)
        extra = field(FieldType.KEY, key) if key else b""
        extra += _LUT.pack(9, 14, time_of(updated_ms))
        if chosen.times:
            extra += field(FieldType.BIN_TIMES, chosen.times)
        ops = b"".join(encode_op(_WRITE_OP, name, value) for name, value in chosen.bins)
        ttl = max(1, void_time - now_s) if void_time else TTL_NEVER
        body = self._namespace + digest + self._set(set_name) + extra + ops
        fields = 3 + bool(set_name) + bool(key) + bool(chosen.times)
        head = (_PROTO | _HEADER_SIZE + len(body), _HEADER_SIZE, _XDR, _WRITE, self._replaces, 0, 0)
        return _HEAD.pack(*head, generation, ttl, 0, fields, len(chosen.bins)) + body

    def delete(
        self,
        digest: bytes,
        generation: int,
        updated_ms: int,
        flags: int,
        set_name: bytes,
        times: bytes = b"",
    ) -> bytes:
        """The request that deletes a record; `times` as in `Chosen`."""
        assert flags >= CEMETERY
        body = (
            self._namespace + digest + self._set(set_name) + _LUT.pack(9, 14, time_of(updated_ms))
        )
        if times:
            body += field(FieldType.BIN_TIMES, times)
        info2 = _DELETE if flags & XDR_TOMBSTONE else _DURABLE
        head = (_PROTO | _HEADER_SIZE + len(body), _HEADER_SIZE, _XDR, info2, 0, 0, 0)
        return _HEAD.pack(*head, generation, 0, 0, 3 + bool(set_name) + bool(times), 0) + body

    def _set(self, name: bytes) -> bytes:
        if not name:
            return b""
        known = self._sets.get(name)
        if known is None:
            known = self._sets[name] = field(FieldType.SET, name)
        return known

    def _chosen(self, payload: bytes, flags: int) -> tuple[int, bytes]:
        """The ops of the bins that go, and how many there are."""
        if self._without_bins:
            return 0, b""
        wanted, count, parts, offset = self._bins, 0, [], 2
        for _ in range(_U16.unpack_from(payload)[0]):
            end = offset + 4 + _OP.unpack_from(payload, offset)[0]
            name = offset + 8
            if wanted is None or wanted(payload[name : name + payload[offset + _NAME_SIZE_AT]]):
                op = bytearray(payload[offset:end])
                op[_TYPE_AT], op[_MARK_AT] = _WRITE_OP, 0
                parts.append(op)
                count += 1
            offset = end
        return count, b"".join(parts)


def _write_ops(payload: bytes) -> tuple[int, bytes]:
    """All bins of a record without flags, as ops that write them."""
    count = payload[0] << 8 | payload[1]
    ops = bytearray(payload)
    offset = 2
    for _ in range(count):
        ops[offset + _TYPE_AT] = _WRITE_OP
        offset += 4 + _OP.unpack_from(ops, offset)[0]
    return count, bytes(ops[2:])


def field(kind: FieldType, value: bytes) -> bytes:
    """A field of a request."""
    return _FIELD.pack(len(value) + 1, int(kind)) + value
