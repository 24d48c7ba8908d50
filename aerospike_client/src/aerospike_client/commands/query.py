"""Queries as they travel: in the foreground, in the background, and aggregations."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import attrs

from aerospike_client.commands import flags, single
from aerospike_client.errors import InvalidParameter
from aerospike_client.policies import QueryPolicy, WritePolicy
from aerospike_client.queries import IndexType, QueryCursor, Where
from aerospike_client.values import BinValue
from aerospike_common.wire import (
    FieldType,
    Info1,
    Info2,
    Info3,
    Op,
    OpType,
    encode_field,
    encode_op,
)
from aerospike_common.wire import request as wire

_U32: Final = struct.Struct(">I").pack
_U64: Final = struct.Struct(">Q").pack

_AGGREGATE: Final = b"\1"
_BACKGROUND: Final = b"\2"
_NO_TTL: Final = -1


@attrs.frozen
class Query:
    """What is asked for, whatever node and whatever part."""

    namespace: str
    set_name: str = ""
    where: Where | None = None
    #: None = all; () = metadata alone.
    bins: tuple[str, ...] | None = None
    #: Operations that read, in the place of bins.
    ops: Sequence[Op] = ()


def _head(query: Query, policy: QueryPolicy, task_id: int, socket_timeout: int) -> list[bytes]:
    """The fields that all kinds of queries begin with, in the official clients' order."""
    fields = [encode_field(FieldType.NAMESPACE, query.namespace.encode())]
    if query.set_name:
        fields.append(encode_field(FieldType.SET, query.set_name.encode()))
    if policy.records_per_second:
        rate = _U32(policy.records_per_second)
        fields.append(encode_field(FieldType.RECORDS_PER_SECOND, rate))
    fields.append(encode_field(FieldType.SOCKET_TIMEOUT, _U32(socket_timeout)))
    fields.append(encode_field(FieldType.TRID, _U64(task_id)))
    if query.where is not None:
        fields += _where(query.where)
    return fields


def _where(where: Where) -> list[bytes]:
    fields = []
    if where.index_type is not IndexType.DEFAULT:
        fields.append(encode_field(FieldType.INDEX_TYPE, bytes((where.index_type,))))
    by_bin = where.index is None and where.expression is None
    name = where.bin_name if by_bin else ""
    index_range = wire.index_range(name, where.particle_type, where.begin, where.end)
    fields.append(encode_field(FieldType.INDEX_RANGE, index_range))
    if where.context is not None:
        fields.append(encode_field(FieldType.INDEX_CONTEXT, bytes(where.context)))
    if where.index is not None:
        fields.append(encode_field(FieldType.INDEX_NAME, where.index.encode()))
    if where.expression is not None:
        fields.append(encode_field(FieldType.INDEX_EXPRESSION, bytes(where.expression)))
    return fields


def _filter(policy: QueryPolicy) -> list[bytes]:
    if policy.filter_expression is None:
        return []
    return [encode_field(FieldType.FILTER, flags.expression_bytes(policy.filter_expression))]


def foreground_frame(
    query: Query,
    policy: QueryPolicy,
    task_id: int,
    cursor: QueryCursor,
    partitions: Sequence[int],
    max_records: int,
) -> bytes:
    """One node's part of a query whose records come back: these partitions, from where the cursor
    is. `max_records` 0 = all."""
    fields = _head(query, policy, task_id, policy.socket_timeout) + _filter(policy)
    fresh = [pid for pid in partitions if pid not in cursor.digests]
    begun = [pid for pid in partitions if pid in cursor.digests]
    if fresh:
        fields.append(encode_field(FieldType.PARTITION_IDS, wire.partition_ids(fresh)))
    if begun:
        digests = b"".join([cursor.digests[pid] for pid in begun])
        fields.append(encode_field(FieldType.DIGESTS, digests))
        if query.where is not None:
            bvals = wire.bvals(cursor.bvals.get(pid, 0) for pid in begun)
            fields.append(encode_field(FieldType.BVALS, bvals))
    if max_records:
        fields.append(encode_field(FieldType.MAX_RECORDS, _U64(max_records)))
    ops = list(query.ops) or [
        Op(OpType.READ, 0, single.bin_name(name), b"") for name in query.bins or ()
    ]
    info1 = int(Info1.READ)
    if not policy.include_bins or query.bins == ():
        info1 |= Info1.GET_NO_BINS
    if policy.short_query:
        info1 |= Info1.SHORT_QUERY
    if policy.compress:
        info1 |= Info1.COMPRESS_RESPONSE
    info2 = Info2.RESPOND_ALL_OPS if query.ops else 0
    return _frame(info1, info2, Info3.PARTITION_DONE, policy.total_timeout, fields, ops)


def aggregate_frame(
    query: Query,
    policy: QueryPolicy,
    task_id: int,
    module: str,
    function: str,
    arguments: Sequence[BinValue],
) -> bytes:
    """A node's part of an aggregation."""
    fields = _head(query, policy, task_id, policy.socket_timeout)
    fields += _udf(_AGGREGATE, module, function, arguments)
    ops = [Op(OpType.READ, 0, single.bin_name(name), b"") for name in query.bins or ()]
    return _frame(int(Info1.READ), 0, Info3.PARTITION_DONE, policy.total_timeout, fields, ops)


def background_ops_frame(
    query: Query, policy: QueryPolicy, write: WritePolicy, task_id: int, ops: Sequence[Op]
) -> bytes:
    """Operations on all records of a query, run by the nodes themselves."""
    if not ops or any(op.type in single.READ_OPS for op in ops):
        raise InvalidParameter("operations in the background write, and there is at least one")
    exists2, exists3 = flags.exists_info(write.exists)
    info2 = Info2.WRITE | exists2 | (Info2.DURABLE_DELETE if write.durable_delete else 0)
    fields = _head(query, policy, task_id, write.socket_timeout) + _filter(policy)
    return _frame(0, info2, exists3, flags.server_timeout(write), fields, ops, write.ttl)


def background_udf_frame(
    query: Query,
    policy: QueryPolicy,
    task_id: int,
    module: str,
    function: str,
    arguments: Sequence[BinValue],
) -> bytes:
    """A function called on all records of a query, run by the nodes themselves."""
    fields = _head(query, policy, task_id, policy.socket_timeout)
    fields += _udf(_BACKGROUND, module, function, arguments) + _filter(policy)
    return _frame(0, int(Info2.WRITE), 0, policy.total_timeout, fields, (), 0)


def _udf(kind: bytes, module: str, function: str, arguments: Sequence[BinValue]) -> list[bytes]:
    named = single.udf_fields(module, function, arguments)
    return [encode_field(FieldType.UDF_OP, kind), named]


def _frame(
    info1: int,
    info2: int,
    info3: int,
    timeout_ms: int,
    fields: list[bytes],
    ops: Sequence[Op],
    ttl: int = _NO_TTL,
) -> bytes:
    content = b"".join(fields)
    return wire.request_frame(
        info1,
        info2,
        info3,
        0,
        0,
        ttl,
        timeout_ms,
        _count(content),
        len(ops),
        content + b"".join([encode_op(*op) for op in ops]),
    )


def _count(fields: bytes) -> int:
    """How many encoded fields there are: some come several in a piece."""
    count = at = 0
    while at < len(fields):
        at += 4 + int.from_bytes(fields[at : at + 4], "big")
        count += 1
    return count
