"""The transaction service: which namespace, whose partition, which command."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info4, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from aerospike_common.wire.message import Message, is_batch, parse_message, reply_frame
from asd import batch, query
from asd.statistics import OriginStatistics
from asd.transactions.delete import delete
from asd.transactions.outcome import (
    count_delete,
    count_read,
    count_udf,
    count_write,
    guard,
    run_write,
)
from asd.transactions.read import read
from asd.transactions.transaction import Reply, Transaction
from asd.transactions.write import write
from asd.udf import udf
from citrusleaf.cf_digest import DIGEST_SIZE, partition_id
from storage.engine import NotResident, StorageError

if TYPE_CHECKING:
    from asd.histogram import Histogram
    from asd.namespace import Namespace
    from asd.node import Node
    from asd.service import Connection

log = logging.getLogger("asd.tsvc")

_IN_TRANSACTION = Info4.MRT_VERIFY_READ | Info4.MRT_ROLL_FORWARD | Info4.MRT_ROLL_BACK

Job: TypeAlias = Coroutine[Any, Any, None]
"""A command whose answer is a stream, written to the connection piece by piece."""


def answer(node: Node, connection: Connection, body: bytes) -> bytes | Job:
    """The framed reply to one message, or a job that will write it."""
    if is_batch(body):
        return batch.answer(node, connection, body, _run_row)
    try:
        message = parse_message(body)
    except MessageError as error:
        node.statistics.demarshal_error += 1
        log.info("%s sent a malformed message: %s", connection.peer, error)
        return reply_frame(ResultCode.PARAMETER)
    try:
        return dispatch(node, connection, message)
    except NotResident as wait:
        return _when_resident(node, connection, body, wait)
    except OperationError as error:
        node.statistics.early_tsvc_client_error += 1
        log.debug("%s: refused: %s", connection.peer, error)
        return reply_frame(error.code)
    except Exception:  # our own bug: it costs one request, not the connection or the server
        log.exception("%s: a request failed inside the server", connection.peer)
        return reply_frame(ResultCode.SERVER_ERROR)


def dispatch(node: Node, connection: Connection, message: Message) -> bytes | Job:
    """Find out what a message asks for, and do it.

    Raises OperationError for what is wrong before a record is involved.
    """
    namespace = find_namespace(node, message)
    digest = message.fields.get(FieldType.DIGEST)
    if digest is None:
        return query.answer(node, connection, namespace, message)
    origin = namespace.statistics.client
    reply = run(node, namespace, message, digest, origin)
    framed = reply_frame(reply.code, reply.generation, reply.void_time, reply.n_ops, reply.ops)
    latency = _latency(namespace, message)
    if message.info2 & Info2.WRITE and namespace.engine.acknowledges_sync:
        return _when_synced(node, namespace, connection, framed, latency)
    node.turns.count(latency)
    return framed


async def _when_resident(
    node: Node, connection: Connection, body: bytes, wait: NotResident
) -> None:
    """Run a transaction again once the record it needs has been read from the medium."""
    started_ns = connection.last_used_ns
    await node.transaction_threads.run(wait.load)
    with node.turns.since(started_ns):
        reply = answer(node, connection, body)
    if isinstance(reply, bytes):
        await connection.send(reply)
    else:
        await reply


async def _when_synced(
    node: Node, namespace: Namespace, connection: Connection, reply: bytes, latency: Histogram
) -> None:
    """Answer a write once the medium has it."""
    started_ns = connection.last_used_ns
    try:
        await namespace.group_commit.wait()
    except (OSError, StorageError) as error:
        log.critical("{%s} cannot sync: %s", namespace.name, error)
        reply = reply_frame(ResultCode.SERVER_ERROR)
    with node.turns.since(started_ns):
        node.turns.count(latency)
    await connection.send(reply)


def find_namespace(node: Node, message: Message) -> Namespace:
    """The namespace a message names. Raises NAMESPACE_NOT_FOUND."""
    name = message.fields.get(FieldType.NAMESPACE, b"")
    namespace = node.namespaces.get(name)
    if namespace is None:
        raise OperationError(ResultCode.NAMESPACE_NOT_FOUND, f"no namespace {name!r}")
    return namespace


def run(
    node: Node, namespace: Namespace, message: Message, digest: bytes, origin: OriginStatistics
) -> Reply:
    """One single-record transaction, from its checks to its reply and its counters.

    How long it takes is counted by the caller.
    """
    if len(digest) != DIGEST_SIZE:
        raise OperationError(ResultCode.PARAMETER, f"a digest of {len(digest)} bytes")
    if not (message.info1 & Info1.READ or message.info2 & Info2.WRITE):
        raise OperationError(ResultCode.PARAMETER, "neither a read nor a write")
    if not namespace.partition_map.is_master(partition_id(digest)):
        raise OperationError(ResultCode.PARTITION_UNAVAILABLE)
    if FieldType.MRT_ID in message.fields or message.info4 & _IN_TRANSACTION:
        raise OperationError(ResultCode.ENTERPRISE_ONLY, "multi-record transaction")
    transaction = Transaction(namespace, message, digest, node.expressions, origin)
    if not message.info2 & Info2.WRITE:
        reply = guard(read, transaction)
        count_read(origin, reply.code)
        return reply
    if FieldType.UDF_PACKAGE in message.fields and not message.info2 & Info2.DELETE:
        reply = guard(partial(udf, node), transaction)
        count_udf(origin, reply.code)
        return reply
    if message.info2 & Info2.DELETE:
        return run_write(transaction, delete, count_delete)
    return run_write(transaction, write, count_write)


def _run_row(
    node: Node, namespace: Namespace, message: Message, digest: bytes, origin: OriginStatistics
) -> Reply:
    """`run` for a row of a batch."""
    reply = run(node, namespace, message, digest, origin)
    node.turns.count(_latency(namespace, message, in_batch=True))
    return reply


def _latency(namespace: Namespace, message: Message, *, in_batch: bool = False) -> Histogram:
    """Where it is counted how long a transaction takes."""
    if not message.info2 & Info2.WRITE:
        return namespace.batch_sub_read_latency if in_batch else namespace.read_latency
    if FieldType.UDF_PACKAGE in message.fields and not message.info2 & Info2.DELETE:
        return namespace.batch_sub_udf_latency if in_batch else namespace.udf_latency
    return namespace.batch_sub_write_latency if in_batch else namespace.write_latency
