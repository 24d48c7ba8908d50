"""The client connections of a node: how many, how idle, and how they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asd.security.session import LOGIN_WITHIN_NS

if TYPE_CHECKING:
    from asd.service.connection import Connection
    from asd.service.node import ServiceNode
    from asd.tls.door import Door

log = logging.getLogger("asd.connections")

REAP_INTERVAL_S = 1.0
NS_PER_MS = 1_000_000
FRAME_TIME_MS = 60_000
"""From the first byte of a frame to its last."""
PARTIAL_MAX = 512 << 20
"""Bytes of all frames that have not come whole."""


class Connections:
    """All open client connections."""

    def __init__(self, node: ServiceNode) -> None:
        self._node = node
        self._open: set[Connection] = set()
        self._shaking: set[Door] = set()
        """Those whose TLS handshake is under way: they count, and are nobody's yet."""
        self._turned_away = 0

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._open)

    def add(self, connection: Connection) -> bool:
        """Take a connection in; False when `proto-fd-max` are open already, or a fault says so."""
        if self._node.faults.refuses():
            return False
        if not self._has_room(connection.peer):
            return False
        self._open.add(connection)
        self._node.statistics.client_connections_opened += 1
        return True

    def enter(self, door: Door, peer: str) -> bool:
        """Let somebody begin a TLS handshake; False when `proto-fd-max` are here already."""
        if not self._has_room(peer):
            return False
        self._shaking.add(door)
        return True

    def leave(self, door: Door) -> None:
        """A handshake has ended, well or not: a connection that comes of it is `add`ed anew."""
        self._shaking.discard(door)

    def _has_room(self, peer: str) -> bool:
        limit = self._node.config.service.proto_fd_max
        if len(self._open) + len(self._shaking) < limit:
            return True
        if not self._turned_away:
            log.warning("%s turned away: proto-fd-max %d reached", peer, limit)
        self._turned_away += 1
        return False

    def discard(self, connection: Connection) -> None:
        """A connection has closed."""
        if connection in self._open:
            self._open.remove(connection)
            self._node.statistics.client_connections_closed += 1

    def _check(self) -> None:
        """Assert every invariant."""
        counters = self._node.statistics
        opened, closed = counters.client_connections_opened, counters.client_connections_closed
        assert len(self._open) == opened - closed
        assert self._turned_away >= 0

    async def reap(self) -> None:
        """Close connections idle for `proto-fd-idle-ms` (0: never). Ends by cancellation."""
        while True:
            await asyncio.sleep(REAP_INTERVAL_S)
            self._say_turned_away()
            self._end_partial_frames()
            self._close_strangers()
            idle_ms = self._node.config.service.proto_fd_idle_ms
            if not idle_ms:
                continue
            oldest_ns = self._node.clock.monotonic_ns() - idle_ms * NS_PER_MS
            for connection in [c for c in self._open if c.last_used_ns < oldest_ns and not c.busy]:
                log.debug("%s closed: idle for %d ms", connection.peer, idle_ms)
                self._node.statistics.reaped_fds += 1
                connection.close()

    def _end_partial_frames(self) -> None:
        """Close those whose frame does not come to its end, and the largest while all together take
        too much."""
        now_ns = self._node.clock.monotonic_ns()
        partial = {c: size for c in self._open if (size := c.partial_bytes)}
        for connection in list(partial):
            if now_ns - connection.kept_ns > FRAME_TIME_MS * NS_PER_MS:
                log.info("%s closed: its frame took over %d ms", connection.peer, FRAME_TIME_MS)
                del partial[connection]
                connection.abort()
        total = sum(partial.values())
        while total > PARTIAL_MAX:
            largest = max(partial, key=partial.__getitem__)
            total -= partial.pop(largest)
            log.warning("%s closed: unfinished frames take too much memory", largest.peer)
            largest.abort()

    def _close_strangers(self) -> None:
        """Close connections on which nobody has logged in in time."""
        if self._node.security is None:
            return
        latest_ns = self._node.clock.monotonic_ns() - LOGIN_WITHIN_NS
        for connection in list(self._open):
            since_ns = connection.waits_since_ns()
            if since_ns is not None and since_ns < latest_ns and not connection.busy:
                log.info("%s closed: nobody has logged in", connection.peer)
                connection.close()

    def _say_turned_away(self) -> None:
        """The first one has been told of at once: a thousand lines would say no more."""
        if self._turned_away > 1:
            log.warning("%d more turned away", self._turned_away - 1)
        self._turned_away = 0

    async def close(self, grace_s: float) -> None:
        """Close all, giving what is being sent `grace_s` seconds to leave."""
        for connection in list(self._open):
            connection.close()
        for _ in range(10):
            if not self._open:
                return
            await asyncio.sleep(grace_s / 10)
        for connection in list(self._open):
            connection.abort()
