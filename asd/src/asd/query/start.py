"""From a query's message to the work it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aerospike_common.wire.codes import FieldType, Info1, Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message, reply_frame
from asd.query.access import choose_walk, is_locked, split
from asd.query.aggregation import AggregationQuery
from asd.query.background import admit, start_function, start_ops
from asd.query.basic import BasicQuery
from asd.query.encode import Encoder
from asd.query.foreground import Setting
from asd.query.job import JobType, QueryJob
from asd.query.records import Reader
from asd.query.request import (
    AGGREGATE,
    BACKGROUND_UDF,
    QueryRequest,
    Resume,
    parse_basic,
    parse_whole,
)
from asd.space.namespace import Namespace
from asd.transactions.udf import check_enabled
from asd.udf import Call

if TYPE_CHECKING:
    from asd.query.node import QueryNode
    from asd.state import Client

Job: TypeAlias = Coroutine[Any, Any, None]

LOCKED_S: Final = 2.0
"""So long a query waits at most for partitions that are locked."""
POLL_S: Final = 0.01

_UDF_FIELDS: Final = (FieldType.UDF_PACKAGE, FieldType.UDF_FUNCTION)


def answer(
    node: QueryNode, connection: Client, namespace: Namespace, message: Message
) -> bytes | Job:
    """The reply to a message without digest, or a job that will write it.

    Raises OperationError for a query that cannot begin.
    """
    connection.rights.check_message(connection.peer, message, None)
    fields = message.fields
    if FieldType.UDF_OP in fields and all(name in fields for name in _UDF_FIELDS):
        kind = int.from_bytes(fields[FieldType.UDF_OP], "big")
        if kind == AGGREGATE:
            return _aggregation(node, connection, namespace, message)
        if kind == BACKGROUND_UDF:
            return start_function(node, connection, namespace, message)
        raise OperationError(ResultCode.PARAMETER, f"functions of kind {kind}")
    if message.info2 & Info2.WRITE:
        return start_ops(node, connection, namespace, message)
    return _basic(node, connection, namespace, message)


def _basic(node: QueryNode, connection: Client, namespace: Namespace, message: Message) -> Job:
    request = parse_basic(message, node.expressions)
    if is_locked(namespace, request.partitions):
        return _when_unlocked(node, connection, namespace, message, request)
    return _begin_basic(node, connection, namespace, message, request)


async def _when_unlocked(
    node: QueryNode,
    connection: Client,
    namespace: Namespace,
    message: Message,
    request: QueryRequest,
) -> None:
    """Begin when there is a plan: until then this node does not know whether it serves what is
    asked for, and what it has may be older than what another node has acknowledged."""
    waits = round(LOCKED_S / POLL_S)
    while waits and is_locked(namespace, request.partitions):
        await asyncio.sleep(POLL_S)
        waits -= 1
    try:
        job = _begin_basic(node, connection, namespace, message, request)
    except OperationError as error:
        await connection.send(reply_frame(error.code))
    else:
        await job


def _begin_basic(
    node: QueryNode,
    connection: Client,
    namespace: Namespace,
    message: Message,
    request: QueryRequest,
) -> Job:
    here, unavailable = split(namespace, request.partitions)
    setting = _setting(
        node, connection, namespace, message, request, JobType.BASIC, here, unavailable
    )
    return BasicQuery(setting).run()


def _aggregation(
    node: QueryNode, connection: Client, namespace: Namespace, message: Message
) -> Job:
    if FieldType.FILTER in message.fields:
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "a filter on an aggregation")
    if message.info1 & Info1.SHORT_QUERY:
        raise OperationError(ResultCode.PARAMETER, "a short aggregation")
    check_enabled(node)
    call = Call.of(message)
    request = parse_whole(message, node.expressions)
    if request.set_name and namespace.find_set(request.set_name) is None:
        raise OperationError(ResultCode.NOT_FOUND, f"no set {request.set_name!r}")
    here, _ = split(namespace, request.partitions)  # of the others, their own nodes are asked
    setting = _setting(node, connection, namespace, message, request, JobType.AGGREGATION, here)
    return AggregationQuery(setting, call).run()


def _setting(
    node: QueryNode,
    connection: Client,
    namespace: Namespace,
    message: Message,
    request: QueryRequest,
    kind: JobType,
    here: Mapping[int, Resume | None],
    unavailable: tuple[int, ...] = (),
) -> Setting:
    if not request.short:
        node.queries.check(request.trid)
    walk, index_name = choose_walk(namespace, message, request, here)
    started_ms = node.clock.monotonic_ms()
    job = QueryJob(request, namespace.name, kind, connection.peer, started_ms, index_name)
    admit(job, connection, namespace, message)
    encoder = Encoder(namespace.name.encode(), namespace.set_names, request.no_bins)
    reader = Reader(namespace, job, encoder, node, message.fields.get(FieldType.FILTER))
    return Setting(node, namespace, connection, job, walk, reader, unavailable)
