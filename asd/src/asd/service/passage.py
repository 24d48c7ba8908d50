"""A client's request that was passed on as it came: it stands in the place of its connection's job
until the reply comes back, and goes the long way when it does not.

Requests of one connection are done in order, so the connection takes up no other meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.message import reply_frame
from asd.service.tsvc import answer, send_late
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.fastpath.cache import Elsewhere
    from asd.service.connection import Connection
    from asd.service.node import ServiceNode

TIMEOUT = reply_frame(ResultCode.TIMEOUT)


def pass_on(
    connection: Connection, node: ServiceNode, kind: Elsewhere, frame: bytes, head_size: int
) -> Passage | None:
    """Have a request done by the node that serves its record; None: it is for this one to do, or
    must take the long way. `head_size` is that of the frame before its digest."""
    carrier = node.carrier
    if carrier is None or node.faults.armed:
        return None
    passage = Passage(connection, node, kind, frame)
    where = kind.namespace, frame[head_size : head_size + DIGEST_SIZE], frame, kind.ttl_ms
    return passage if carrier.pass_on(*where, passage.heard, once=kind.once) else None


class Passage:
    """One request on its way."""

    __slots__ = ("_began_ns", "_connection", "_frame", "_kind", "_node")

    def __init__(
        self, connection: Connection, node: ServiceNode, kind: Elsewhere, frame: bytes
    ) -> None:
        self._connection: Connection | None = connection
        self._node = node
        self._kind = kind
        self._frame = frame
        self._began_ns = connection.last_used_ns

    def cancel(self) -> None:
        """The client has gone."""
        self._connection = None

    def heard(self, reply: bytes, in_doubt: bool) -> None:
        """See `asd.state.Carries.pass_on`."""
        connection = self._connection
        if connection is None:
            return
        if not reply and not in_doubt:
            # Not at once: the cluster's parts are at work, and must not be asked for anything.
            asyncio.get_running_loop().call_soon(self._go_long_way)
            return
        self._kind.latency.add_many(self._node.clock.monotonic_ns() - self._began_ns, 1)
        connection.passed_back(TIMEOUT if in_doubt else reply)

    def _go_long_way(self) -> None:
        if self._connection is not None:
            self._connection.start(_long_way(self._node, self._connection, self._frame))


async def _long_way(node: ServiceNode, connection: Connection, frame: bytes) -> None:
    """Answer what could not be passed on as it came."""
    await send_late(connection, answer(node, connection, frame[8:]))
