"""Requests while faults are injected (`asd.faults`): each is matched, and played out as its fault
says.

Every request is a job of its connection then, which takes no other until it is done, so replies
keep their order. The job has the request carried out the general way, by a stand-in for the
connection that gathers what would be sent, and then sends that, or as much of it as the fault
lets through.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aerospike_common.wire.codes import MessageType, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from aerospike_common.wire.frame import frame
from aerospike_common.wire.info import encode_info_reply, parse_info_request
from aerospike_common.wire.message import is_batch, parse_message, reply_frame
from asd.batch import answer as answer_batch
from asd.faults import INFO, Asked, Fault, Reply, asked
from asd.info import respond_when_done
from asd.service.held_replies import Held
from asd.service.tsvc import Job, answer
from asd.transactions.dispatch import run_row

if TYPE_CHECKING:
    from aerospike_common.wire.message import Message
    from asd.measures.statistics import OriginStatistics
    from asd.service.connection import Connection
    from asd.service.node import ServiceNode
    from asd.space.namespace import Namespace
    from asd.state import Client, NodeState
    from asd.transactions.transaction import Reply as Outcome


class Overheard:
    """A connection as a request sees it; what is sent on it is gathered here."""

    def __init__(self, connection: Connection) -> None:
        self.peer = connection.peer
        self.last_used_ns = connection.last_used_ns
        self.rights = connection.rights
        self.paths = connection.paths
        self.abort = connection.abort
        self._gathered: list[bytes] = []

    async def send(self, data: bytes) -> None:
        """Keep part of a stream."""
        self._gathered.append(data)

    async def take(self, reply: bytes | Held | Job) -> bytes:
        """All of a reply that has been begun."""
        if isinstance(reply, bytes):
            return reply
        if isinstance(reply, Held):
            await reply.commitment.wait()
            return reply.final
        await reply
        return b"".join(self._gathered)


async def message_struck(node: ServiceNode, connection: Connection, body: bytes) -> None:
    """Answer a message as the fault says that it meets; as always, if it meets none."""
    if is_batch(body):
        await _batch_struck(node, connection, body)
        return
    try:
        fault = node.faults.strike(asked(parse_message(body)))
    except MessageError:  # told of, counted and answered as always
        fault = None
    if fault is not None and fault.code is not None:
        reply = reply_frame(fault.code)
    else:
        overheard = Overheard(connection)
        reply = await overheard.take(answer(node, overheard, body))
    await _deliver(connection, reply, fault)


async def _batch_struck(node: ServiceNode, connection: Connection, body: bytes) -> None:
    """Answer a batch: a row that meets a fault with a code is answered with that; the reply to all
    suffers what the first other fault says that a row meets."""
    met: list[Fault] = []

    def transact(
        node: NodeState,
        namespace: Namespace,
        message: Message,
        digest: bytes,
        origin: OriginStatistics,
        client: Client,
    ) -> Outcome:
        fault = node.faults.strike(asked(message, digest), answers_alone=bool(met))
        if fault is not None and fault.code is not None:
            raise OperationError(fault.code, "an injected fault")
        if fault is not None:
            met.append(fault)
        return run_row(node, namespace, message, digest, origin, client)

    overheard = Overheard(connection)
    reply = await overheard.take(answer_batch(node, overheard, body, transact))
    await _deliver(connection, reply, met[0] if met else None)


async def info_struck(node: ServiceNode, connection: Connection, body: bytes) -> None:
    """Answer an info request as the fault says that it meets."""
    fault = node.faults.strike(Asked(INFO))
    if fault is not None and fault.code is not None:
        said = _info_error(body, fault.code)
    else:
        reply = respond_when_done(node, connection, body)
        said = reply if isinstance(reply, bytes) else await reply
    await _deliver(connection, frame(MessageType.INFO, said), fault)


def _info_error(body: bytes, code: ResultCode) -> bytes:
    value = f"ERROR:{code.value}:an injected fault"
    return encode_info_reply([(command.text, value) for command in parse_info_request(body)])


async def _deliver(connection: Connection, reply: bytes, fault: Fault | None) -> None:
    """Send a reply, or as much of it as the fault lets through."""
    if fault is not None and fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    lets_through = Reply.SENT if fault is None else fault.reply
    if lets_through is Reply.LOST:
        connection.abort()
    elif lets_through is Reply.CUT:
        await connection.send(reply[: len(reply) // 2])
        connection.close()
    else:
        await connection.send(reply)


__all__ = ["info_struck", "message_struck"]
