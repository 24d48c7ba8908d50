"""Many info commands in one request: a slice of time after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from aerospike_common.wire.codes import MessageType
from aerospike_common.wire.frame import frame
from aerospike_common.wire.info import encode_info_reply
from asd.info import answers, when_done

if TYPE_CHECKING:
    from asd.service.connection import Connection
    from asd.service.node import ServiceNode

SLICE_NS: Final = 5_000_000
"""How long commands may hold up others."""


async def framed(said: Coroutine[Any, Any, bytes]) -> bytes:
    """An info reply that comes later, as a frame."""
    return frame(MessageType.INFO, await said)


async def answer_in_slices(node: ServiceNode, connection: Connection, body: bytes) -> bytes:
    """The framed reply to a request with many commands."""
    now_ns, metadata = node.clock.monotonic_ns, node.metadata
    pairs: list[tuple[str, str]] = []
    said, begun, began_ns = bytearray(), metadata.take_begun(), now_ns()
    for pair in answers(node, connection, body):
        pairs.append(pair)
        begun += metadata.take_begun()
        if now_ns() - began_ns > SLICE_NS:
            said += encode_info_reply(pairs)
            pairs.clear()
            await asyncio.sleep(0)
            began_ns = now_ns()
    said += encode_info_reply(pairs)
    return await framed(when_done(bytes(said), begun))
