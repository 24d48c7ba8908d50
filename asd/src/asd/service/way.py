"""Which way a message takes from its connection: struck by a fault, shipped, or like any other; and
what is compressed takes the same."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import FrameError, MessageError
from aerospike_common.wire.frame import MAX_BODY, announced
from aerospike_common.wire.message import is_batch, reply_frame
from asd.fastpath.shipped import START as SHIPPED
from asd.service.held_replies import Held
from asd.service.oversized import BIG_FRAME, MOST_COMMAND, refuse
from asd.service.struck import message_struck
from asd.service.tsvc import Job, answer, answer_shipped, send_late
from asd.shipping.compression import decompressed

if TYPE_CHECKING:
    from asd.service.connection import Connection
    from asd.service.node import ServiceNode

log = logging.getLogger("asd.service")


def answer_message(
    node: ServiceNode, connection: Connection, body: bytes, head: bytes = b""
) -> bytes | Held | Job:
    """As `asd.service.tsvc.answer`, for any message."""
    if node.faults.armed:
        return message_struck(node, connection, body)
    way = answer_shipped if body.startswith(SHIPPED) else answer
    return way(node, connection, body, head)


def answer_compressed(node: ServiceNode, connection: Connection, body: bytes) -> bytes | Held | Job:
    """The same for what is in the body of a compressed message."""
    if node.community:
        return reply_frame(ResultCode.ENTERPRISE_ONLY)
    if not connection.rights.authenticated:
        return reply_frame(ResultCode.NOT_AUTHENTICATED)
    if BIG_FRAME < announced(body) <= MAX_BODY:
        return _answer_later(node, connection, body)
    try:
        inner = decompressed(body)
    except (FrameError, MessageError) as error:
        return _broken(connection, error)
    return answer_message(node, connection, inner)


async def _answer_later(node: ServiceNode, connection: Connection, body: bytes) -> None:
    """Answer what is in a big one, which a thread takes apart."""
    started_ns, inner = connection.last_used_ns, b""

    def inflate() -> None:
        nonlocal inner
        inner = decompressed(body)

    reply: bytes | Held | Job
    try:
        await node.transaction_threads.run(inflate)
    except (FrameError, MessageError) as error:
        reply = _broken(connection, error)
    else:
        with node.turns.since(started_ns):
            if len(inner) > MOST_COMMAND and not is_batch(inner):
                reply = refuse(node.statistics)
            else:
                reply = answer_message(node, connection, inner)
    await send_late(connection, reply)


def _broken(connection: Connection, error: Exception) -> bytes:
    log.info("%s sent a broken compressed message: %s", connection.peer, error)
    return reply_frame(ResultCode.PARAMETER)
