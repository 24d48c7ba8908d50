"""A query as it is asked for: the fields of its message, checked and taken apart.

Which faults are refused with which code is what the real server does, as recorded.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from attrs import field, frozen

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, OpType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message, Op
from asd.bins.expressions import Expression, ExpressionCache
from asd.transactions.ops import READ_OPS, check_bin_name
from citrusleaf.cf_digest import DIGEST_SIZE, partition_id
from cluster import PARTITIONS

AGGREGATE: Final = 1
BACKGROUND_UDF: Final = 2
"""Values of the UDF-op field."""

TRID_SIZE: Final = 8
MAX_SET_NAME: Final = 63

Resume: TypeAlias = tuple[bytes, int | None]
"""Where a partition was left: the last digest seen, and its index value in an index query."""


@frozen
class QueryRequest:
    """What every query has, whatever it does with its records."""

    trid: int
    """What the client calls it; 0 = nothing, and the node makes up an id."""
    set_name: bytes
    short: bool
    no_bins: bool
    respond_all: bool
    ops: tuple[Op, ...]
    expression: Expression | None
    records_per_second: int
    """0 = as fast as it goes."""
    socket_timeout_ms: int
    """How long the client may leave what it was sent unread; 0 = for ever."""
    total_timeout_ms: int
    max_records: int
    """0 = all."""
    partitions: Mapping[int, Resume | None] = field(factory=lambda: MappingProxyType({}))
    """Partition to where to go on in it; None = from its beginning."""
    resumed: int = 0
    """How many of the partitions are gone on with."""


def parse_basic(message: Message, expressions: ExpressionCache) -> QueryRequest:
    """The request of a query that reads. Raises OperationError."""
    fields = message.fields
    if not message.info3 & Info3.PARTITION_DONE:
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "a query of an older kind")
    if FieldType.PARTITION_IDS not in fields and FieldType.DIGESTS not in fields:
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "a query of no partitions")
    for op in message.ops:
        if op.type not in READ_OPS:
            raise OperationError(ResultCode.PARAMETER, f"op {op.type} in a query")
        check_parameter_name(op)
    partitions = _partitions(fields)
    if not partitions:
        raise OperationError(ResultCode.PARAMETER, "an empty list of partitions")
    return _request(message, expressions, partitions)


def parse_whole(message: Message, expressions: ExpressionCache) -> QueryRequest:
    """The request of a query over all partitions of this node. Raises OperationError."""
    return _request(message, expressions, dict.fromkeys(range(PARTITIONS)))


def check_parameter_name(op: Op) -> None:
    """A bin name that is none is a wrong parameter here. Raises OperationError."""
    try:
        check_bin_name(op.name)
    except OperationError as error:
        raise OperationError(ResultCode.PARAMETER, str(error)) from None


def _request(
    message: Message, expressions: ExpressionCache, partitions: Mapping[int, Resume | None]
) -> QueryRequest:
    fields = message.fields
    set_name = fields.get(FieldType.SET, b"")
    if len(set_name) > MAX_SET_NAME:
        raise OperationError(ResultCode.PARAMETER, f"a set name of {len(set_name)} bytes")
    trid = fields.get(FieldType.TRID, b"")
    wire = fields.get(FieldType.FILTER)
    return QueryRequest(
        trid=int.from_bytes(trid, "big") if len(trid) == TRID_SIZE else 0,
        set_name=set_name,
        short=bool(message.info1 & Info1.SHORT_QUERY),
        no_bins=bool(message.info1 & Info1.GET_NO_BINS),
        respond_all=bool(message.info2 & Info2.RESPOND_ALL_OPS),
        ops=() if message.info1 & Info1.GET_ALL else tuple(message.ops),
        expression=None if wire is None else expressions.filter(wire),
        records_per_second=_number(fields, FieldType.RECORDS_PER_SECOND, 4),
        socket_timeout_ms=_number(fields, FieldType.SOCKET_TIMEOUT, 4),
        total_timeout_ms=message.transaction_ttl,
        max_records=_number(fields, FieldType.MAX_RECORDS, 8),
        partitions=partitions,
        resumed=sum(1 for resume in partitions.values() if resume is not None),
    )


def _number(fields: Mapping[int, bytes], name: FieldType, size: int) -> int:
    """A number that is 0 when it is not given."""
    data = fields.get(name)
    if data is None:
        return 0
    if len(data) != size:
        raise OperationError(ResultCode.PARAMETER, f"a {name.name} field of {len(data)} bytes")
    return int.from_bytes(data, "big")


def _partitions(fields: Mapping[int, bytes]) -> dict[int, Resume | None]:
    ids = _partition_ids(fields.get(FieldType.PARTITION_IDS, b""))
    partitions: dict[int, Resume | None] = dict.fromkeys(ids)
    if len(partitions) < len(ids) or max(ids, default=0) >= PARTITIONS:
        raise OperationError(ResultCode.PARAMETER, "a partition twice, or one there is not")
    for digest, bval in _resumes(fields):
        partition = partition_id(digest)
        if partition in partitions:
            raise OperationError(ResultCode.PARAMETER, f"partition {partition} twice")
        partitions[partition] = (digest, bval)
    return partitions


def _partition_ids(data: bytes) -> tuple[int, ...]:
    """The ids; half a one at the end is left out."""
    return struct.unpack_from(f"<{len(data) // 2}H", data)


def _resumes(fields: Mapping[int, bytes]) -> list[Resume]:
    data = fields.get(FieldType.DIGESTS, b"")
    if len(data) % DIGEST_SIZE:
        raise OperationError(ResultCode.PARAMETER, "part of a digest")
    digests = [data[at : at + DIGEST_SIZE] for at in range(0, len(data), DIGEST_SIZE)]
    wire = fields.get(FieldType.BVALS)
    if wire is None:
        return [(digest, None) for digest in digests]
    if FieldType.INDEX_RANGE not in fields or len(wire) != 8 * len(digests):
        raise OperationError(ResultCode.PARAMETER, "index values without an index or digests")
    bvals = struct.unpack(f"<{len(digests)}q", wire)
    return list(zip(digests, bvals, strict=True))


def check_write_op(op: Op) -> None:
    """What a background query may do to records. Raises OperationError."""
    if op.type in READ_OPS or op.type not in frozenset(OpType):
        raise OperationError(ResultCode.PARAMETER, f"op {op.type} in a background query")
