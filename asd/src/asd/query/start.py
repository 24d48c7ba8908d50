"""From a query's message to the work it asks for."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aerospike_common.wire.codes import FieldType, Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.namespace import Namespace
from asd.query.access import choose_walk
from asd.query.background import start_ops
from asd.query.basic import BasicQuery
from asd.query.encode import Encoder
from asd.query.job import JobType, QueryJob
from asd.query.records import Reader
from asd.query.request import AGGREGATE, BACKGROUND_UDF, Resume, parse_basic

if TYPE_CHECKING:
    from asd.node import Node
    from asd.service import Connection

Job: TypeAlias = Coroutine[Any, Any, None]

_UDF_FIELDS: Final = (FieldType.UDF_PACKAGE, FieldType.UDF_FUNCTION)


def answer(
    node: Node, connection: Connection, namespace: Namespace, message: Message
) -> bytes | Job:
    """The reply to a message without digest, or a job that will write it.

    Raises OperationError for a query that cannot begin.
    """
    fields = message.fields
    if FieldType.UDF_OP in fields and all(name in fields for name in _UDF_FIELDS):
        kind = fields[FieldType.UDF_OP]
        if kind in (bytes((AGGREGATE,)), bytes((BACKGROUND_UDF,))):
            raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "a function in a query")
    if message.info2 & Info2.WRITE:
        return start_ops(node, connection, namespace, message)
    return _basic(node, connection, namespace, message)


def _basic(node: Node, connection: Connection, namespace: Namespace, message: Message) -> Job:
    request = parse_basic(message, node.expressions)
    if not request.short:
        node.queries.check(request.trid)
    here, unavailable = _split(namespace, request.partitions)
    walk, index_name = choose_walk(namespace, message, request, here)
    job = QueryJob(
        request,
        namespace.name,
        JobType.BASIC,
        connection.peer,
        node.clock.monotonic_ms(),
        index_name,
    )
    encoder = Encoder(namespace.name.encode(), namespace.set_names, request.no_bins)
    reader = Reader(namespace, job, encoder, node.expressions, node.transaction_threads)
    return BasicQuery(node, namespace, connection, job, walk, reader, unavailable).run()


def _split(
    namespace: Namespace, partitions: Mapping[int, Resume | None]
) -> tuple[dict[int, Resume | None], list[int]]:
    """The partitions this node is master of, and the others."""
    here, elsewhere = {}, []
    for partition, resume in partitions.items():
        if namespace.partition_map.is_master(partition):
            here[partition] = resume
        else:
            elsewhere.append(partition)
    return here, elsewhere
