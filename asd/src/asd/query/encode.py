"""Records as the messages of a query's reply.

Most records of a batch are alike: no stored key, one set. Their messages differ only in generation,
void-time, digest and bins, so all heads of a batch are one template repeated, into which each byte
of those fields is laid for all records at once by a strided assignment. Other records are encoded
one by one; the bytes are the same.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from aerospike_common.wire.codes import FieldType, Info1
from aerospike_common.wire.message import encode_field
from asd.records.record import stored_key, without_key
from citrusleaf.cf_digest import DIGEST_SIZE
from storage.engine import Record
from storage.index import ENTRY_SIZE

HEADER_SIZE: Final = 22

_GENERATION: Final = 20  # in an index entry
_VOID_TIME: Final = 24
_HEADER: Final = struct.Struct(">BB4xII4xHH")
_BVAL: Final = struct.Struct("<q")
_BVAL_HEAD: Final = encode_field(FieldType.BVALS, bytes(8))[:5]


class Row(NamedTuple):
    """A record on its way out."""

    digest: bytes
    record: Record
    bval: int | None


class Encoder:
    """Makes the messages of one query. `no_bins`: of metadata only."""

    __slots__ = ("_info1", "_namespace", "_sets", "no_bins")

    def __init__(self, namespace: bytes, set_names: Sequence[bytes], no_bins: bool) -> None:
        self._namespace = encode_field(FieldType.NAMESPACE, namespace) + b"\0\0\0\x15\x04"
        self._sets = set_names
        self._info1 = Info1.GET_NO_BINS.value if no_bins else 0
        self.no_bins = no_bins

    def heads(
        self, joined: bytes, set_id: int, bvals: Sequence[int] | None
    ) -> tuple[bytearray, int]:
        """(all heads end to end, size of one) for index entries laid end to end.

        The entries are of one set and have no stored key; the number of ops is left 0.
        """
        set_field = self._set_field(set_id)
        fields = self._namespace + bytes(DIGEST_SIZE) + set_field
        n_fields = 2 + bool(set_field)
        if bvals is not None:
            fields += _BVAL_HEAD + bytes(8)
            n_fields += 1
        template = _HEADER.pack(HEADER_SIZE, self._info1, 0, 0, n_fields, 0) + fields
        size = len(template)
        out = bytearray(template * (len(joined) // ENTRY_SIZE))
        # Little-endian in the index, big-endian on the wire; what is 0 is there already.
        for byte in range(2):
            _lay(out, 9 - byte, size, joined[_GENERATION + byte :: ENTRY_SIZE])
        for byte in range(4):
            _lay(out, 13 - byte, size, joined[_VOID_TIME + byte :: ENTRY_SIZE])
        digest = HEADER_SIZE + len(self._namespace)
        for byte in range(DIGEST_SIZE):
            out[digest + byte :: size] = joined[byte::ENTRY_SIZE]
        if bvals is not None:
            wire = array("q", bvals).tobytes()
            for byte in range(8):
                out[size - 8 + byte :: size] = wire[byte::8]
        return out, size

    def row(self, row: Row, n_ops: int, ops: bytes) -> bytes:
        """The message of one record with these ops."""
        generation, void_time, _, set_id, flags, payload = row.record
        fields = [self._namespace, row.digest, self._set_field(set_id)]
        n_fields = 2 + bool(set_id)
        key = stored_key(payload, flags)
        if key:
            fields.append(encode_field(FieldType.KEY, key))
            n_fields += 1
        if row.bval is not None:
            fields.append(_BVAL_HEAD + _BVAL.pack(row.bval))
            n_fields += 1
        head = _HEADER.pack(HEADER_SIZE, self._info1, generation, void_time, n_fields, n_ops)
        return b"".join((head, *fields, ops))

    def whole_row(self, row: Row) -> bytes:
        """The message of one record with all its bins, or with none if the query wants none."""
        if self.no_bins:
            return self.row(row, 0, b"")
        body = without_key(row.record[5], row.record[4])
        return self.row(row, int.from_bytes(body[:2], "big"), body[2:])

    def _set_field(self, set_id: int) -> bytes:
        return encode_field(FieldType.SET, self._sets[set_id]) if set_id else b""


def _lay(out: bytearray, start: int, step: int, column: bytes) -> None:
    if any(column):
        out[start::step] = column


def interleave(heads: bytearray, size: int, bodies: Sequence[bytes]) -> bytes:
    """Each head followed by its body."""
    pieces = [b""] * (2 * len(bodies))
    pieces[::2] = chain.from_iterable(struct.Struct(f"{size}s").iter_unpack(heads))
    pieces[1::2] = bodies
    return b"".join(pieces)
