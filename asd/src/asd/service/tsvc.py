"""The transaction service: which namespace, whose partition, which command."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aerospike_common.wire.codes import FieldType, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from aerospike_common.wire.message import (
    Message,
    count_ops,
    is_batch,
    parse_message,
    parse_slices,
    reply_frame,
)
from asd.batch import answer as answer_batch
from asd.query import answer as answer_query
from asd.service.held_replies import Held
from asd.transactions.away import Away
from asd.transactions.dispatch import latency_of, run, run_row, waits
from asd.transactions.elsewhere import Handed, have_carried, until_ready
from asd.transactions.heavy import Leave, Occupied
from storage.engine import NotResident

if TYPE_CHECKING:
    from asd.batch.node import BatchClient
    from asd.service.node import ServiceNode
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.tsvc")

HOLD_MS: Final = 50
"""How long a request may hold the node before it is named in the log."""

OPS_AT_ONCE: Final = 2048
"""Ops of a message that are parsed between two turns of the loop: about a millisecond."""

LONG: Final = 8 * OPS_AT_ONCE
"""Bytes of a message that may have more."""

Job: TypeAlias = Coroutine[Any, Any, None]
"""A command whose answer is a stream, written to the connection piece by piece."""


def answer(
    node: ServiceNode, connection: BatchClient, body: bytes, head: bytes = b""
) -> bytes | Held | Job:
    """The framed reply to one message, one that is held, or a job that will write it.

    With a `head` (`asd.fastpath.cache.head_size`), a fast path is made for requests like this one.
    """
    if is_batch(body):
        return answer_batch(node, connection, body, run_row)
    if len(body) > LONG and count_ops(body) > OPS_AT_ONCE:
        return _when_parsed(node, connection, body)
    try:
        message = parse_message(body)
    except MessageError as error:
        return _malformed(node, connection, error)
    return _answer(node, connection, message, body, head)


def _malformed(node: ServiceNode, connection: BatchClient, error: Exception) -> bytes:
    node.statistics.demarshal_error += 1
    log.info("%s sent a malformed message: %s", connection.peer, error)
    return reply_frame(ResultCode.PARAMETER)


def _answer(
    node: ServiceNode,
    connection: BatchClient,
    message: Message,
    body: bytes = b"",
    head: bytes = b"",
) -> bytes | Held | Job:
    """`answer` for a message that has been parsed."""
    try:
        return dispatch(node, connection, message, body, head)
    except NotResident as wait:
        return _when_resident(node, connection, message, body, wait)
    except (Leave, Occupied) as wait:
        return _when_worked(node, connection, message, body, wait)
    except Away:
        return _carried(node, connection, message, body, head)
    except OperationError as error:
        node.statistics.early_tsvc_client_error += 1
        log.debug("%s: refused: %s", connection.peer, error)
        return reply_frame(error.code)
    except Exception:  # our own bug: it costs one request, not the connection or the server
        log.exception("%s: a request failed inside the server", connection.peer)
        return reply_frame(ResultCode.SERVER_ERROR)


def dispatch(
    node: ServiceNode, connection: BatchClient, message: Message, body: bytes, head: bytes
) -> bytes | Held | Job:
    """Find out what a message asks for, and do it.

    Raises OperationError for what is wrong before a record is involved.
    """
    namespace = find_namespace(node, message)
    digest = message.fields.get(FieldType.DIGEST)
    if digest is None:
        return answer_query(node, connection, namespace, message)
    origin = namespace.statistics.client
    heavy_before = namespace.heavy_requests
    reply = run(node, namespace, message, digest, origin, connection)
    if namespace.heavy_requests != heavy_before:
        node.statistics.heavy_requests += 1
        _say_heavy(node, connection, namespace, message)
    elif head and reply.code == ResultCode.OK and connection.paths.wants(head, body):
        connection.paths.learn(head, body, message)
    framed = reply_frame(reply.code, reply.generation, reply.void_time, reply.n_ops, reply.ops)
    latency = latency_of(namespace, message)
    commitment = namespace.commitments.turn
    if namespace.consistency is not None:
        commitment = namespace.consistency.waits_for(message, digest)
    elif commitment is not None and not waits(namespace, message):
        commitment = None
    if commitment is None:
        node.turns.count(latency)
        return framed
    commitment.count(latency)
    return Held(framed, commitment)


def answer_shipped(
    node: ServiceNode, connection: BatchClient, body: bytes, head: bytes = b""
) -> bytes | Held | Job:
    """`answer` for a write that another data center ships (`asd.fastpath.shipped`)."""
    try:
        found = connection.paths.shipped.answer(body)
    except Exception:  # our own bug, and it may have had its effect
        log.exception("%s: a request failed inside the server", connection.peer)
        return reply_frame(ResultCode.SERVER_ERROR)
    if found is None:
        reply = answer(node, connection, body, head)
        if isinstance(reply, bytes | Held):
            framed = reply if isinstance(reply, bytes) else reply.reply
            connection.paths.shipped.learn(body, framed)
        return reply
    framed, namespace = found
    commitment = namespace.commitments.turn
    if commitment is None:
        node.turns.count(namespace.write_latency)
        return framed
    commitment.count(namespace.write_latency)
    return Held(framed, commitment)


def _say_heavy(
    node: ServiceNode, connection: BatchClient, namespace: Namespace, message: Message
) -> None:
    """Say which request has held everybody up, if it has for long."""
    held_ms = (node.clock.monotonic_ns() - namespace.heavy_since_ns) // 1_000_000
    if held_ms < HOLD_MS:
        return
    op = message.ops[0] if message.ops else None
    log.warning(
        "%s held the node for %d ms: {%s} set %r digest %s, %s, %d bytes",
        connection.peer,
        held_ms,
        namespace.name,
        message.fields.get(FieldType.SET, b"").decode("utf-8", "backslashreplace"),
        message.fields.get(FieldType.DIGEST, b"").hex(),
        f"{len(message.ops)} ops, the first of type {op.type}" if op else "no ops",
        sum(len(each.value) for each in message.ops),
    )


async def _when_parsed(node: ServiceNode, connection: BatchClient, body: bytes) -> None:
    """Answer a message with many ops, which takes long to parse."""
    started_ns, slices = connection.last_used_ns, parse_slices(body, OPS_AT_ONCE)
    reply: bytes | Held | Job
    try:
        while True:
            next(slices)
            await asyncio.sleep(0)
    except StopIteration as end:
        await asyncio.sleep(0)
        with node.turns.since(started_ns):
            reply = _answer(node, connection, end.value, body)
    except MessageError as error:
        reply = _malformed(node, connection, error)
    await send_late(connection, reply)


async def _when_resident(
    node: ServiceNode, connection: BatchClient, message: Message, body: bytes, wait: NotResident
) -> None:
    """Run a transaction again once the record it needs has been read from the medium."""
    started_ns = connection.last_used_ns
    await node.transaction_threads.run(wait.load)
    with node.turns.since(started_ns):
        reply = _answer(node, connection, message, body)
    await send_late(connection, reply)


async def _when_worked(
    node: ServiceNode,
    connection: BatchClient,
    message: Message,
    body: bytes,
    wait: Leave | Occupied,
) -> None:
    """Run a transaction again once its heavy part has been worked out, or the record may be
    written."""
    started_ns = connection.last_used_ns
    namespace = wait.transaction.namespace if isinstance(wait, Leave) else wait.namespace
    given = await until_ready(node, wait)
    with node.turns.since(started_ns), Handed(namespace, given):
        reply = _answer(node, connection, message, body)
    await send_late(connection, reply)


async def send_late(connection: BatchClient, reply: bytes | Held | Job) -> None:
    """Send a reply that comes later than its request was taken up."""
    if isinstance(reply, bytes):
        await connection.send(reply)
    elif isinstance(reply, Held):
        await reply.commitment.wait()
        await connection.send(reply.final)
    else:
        await reply


async def _carried(
    node: ServiceNode, connection: BatchClient, message: Message, body: bytes, head: bytes
) -> None:
    """Have a transaction done elsewhere, or with the versions of other nodes. With a `head`,
    requests like this one are passed on as they come from now on."""
    namespace = find_namespace(node, message)
    started_ns = connection.last_used_ns
    digest = message.fields[FieldType.DIGEST]
    carried = await have_carried(node, connection, namespace, digest, message)
    with node.turns.since(started_ns):
        node.turns.count(latency_of(namespace, message))
    if head and carried[1] == ResultCode.OK:
        connection.paths.learn_elsewhere(head, body, namespace, message)
    await connection.send(reply_frame(*carried[1:]))


def find_namespace(node: ServiceNode, message: Message) -> Namespace:
    """The namespace a message names. Raises NAMESPACE_NOT_FOUND."""
    name = message.fields.get(FieldType.NAMESPACE, b"")
    namespace = node.namespaces.get(name)
    if namespace is None:
        raise OperationError(ResultCode.NAMESPACE_NOT_FOUND, f"no namespace {name!r}")
    return namespace
