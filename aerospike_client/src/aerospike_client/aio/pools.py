"""`Pools`: the asyncio face's connections, one pool a node.

Who finds a pool exhausted waits in line, within its own time: a program that starts a thousand
commands at once means them to be done, not to fail. (The blocking face fails, as the official
clients do: there, more callers than connections are more threads than anybody wanted.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, cast

from aerospike_client.aio.channel import Channel
from aerospike_client.aio.channels import Channels
from aerospike_client.aio.connection import Connection, connect
from aerospike_client.core.addresses import Address
from aerospike_client.core.nodes import Node
from aerospike_client.core.pool import Pool
from aerospike_client.core.session import Dialogue, Sessions
from aerospike_client.errors import ClientError
from aerospike_client.policies import ClientPolicy
from aerospike_client.tls import Tls
from aerospike_client.transport import Broken, Exhausted, Expired
from aerospike_common.wire import MessageError, parse_admin
from citrusleaf.cf_clock import Clock

Exchange = Callable[[bytes, int], Awaitable[bytes]]
"""Frame and deadline in, the reply's body out."""


class Dialled(Protocol):
    """A kind of connection that `Pools.dial` makes: an asyncio protocol."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None: ...

    def exchange(self, frame: bytes, deadline_us: int) -> Awaitable[bytes]:
        """Send a request: the body of its reply. Raises Broken, Expired."""

    def close(self) -> None:
        """Close it."""


C = TypeVar("C", bound=Dialled)


class _NodePool:
    """A node's connections: shared channels, the pool of the others, and who waits for those."""

    __slots__ = ("channels", "pool", "waiters")

    def __init__(self, pool: Pool[Connection], channels: Channels) -> None:
        self.channels = channels
        self.pool = pool
        self.waiters: deque[asyncio.Future[Connection | None]] = deque()

    def wake(self, connection: Connection | None) -> bool:
        """Hand the first that still waits a connection, or the right to make one (None)."""
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False


class Pools:
    """Connections to lend, on one event loop."""

    def __init__(
        self,
        policy: ClientPolicy,
        sessions: Sessions | None,
        clock: Clock,
        tls: Tls | None = None,
    ) -> None:
        """`sessions`: of whoever logs in. `tls`: if all connections are to be TLS."""
        self._policy = policy
        self._sessions = sessions
        self._clock = clock
        self._tls = tls
        self._pools: dict[Node, _NodePool] = {}

    # ------------------------------------------------------------------ channels

    def channel(self, node: Node) -> Channel | None:
        """A channel with room for a request, if there is one."""
        entry = self._pools.get(node)
        return entry.channels.pick() if entry is not None else None

    async def open_channel(self, node: Node, deadline_us: int) -> Channel:
        """A channel for a request that found none: a new one, or the least loaded when there may
        be no more. Raises Broken, Exhausted when the time is over, SecurityFailed."""
        entry = self._entry(node)
        channels = entry.channels
        opening = channels.awaited()
        if opening is None:
            if not entry.pool.reserve():
                channel = channels.least_loaded()
                if channel is not None:
                    return channel
                opening = channels.opening
                if opening is None:
                    await self._wait_for_room(entry, deadline_us)
            if opening is None:
                opening = asyncio.create_task(self._make_channel(node, entry))
                opening.add_done_callback(_heard)  # those who wait may all be cancelled
                channels.await_new(opening)
        return await asyncio.shield(opening)

    async def _wait_for_room(self, entry: _NodePool, deadline_us: int) -> None:
        """All that the node may have are connections of somebody's own: wait for one to end."""
        left_us = deadline_us - self._clock.monotonic_us()
        given = await self._wait(entry, left_us / 1e6 if deadline_us else None)
        if given is not None:
            given.close()

    async def _make_channel(self, node: Node, entry: _NodePool) -> Channel:
        try:
            channel = await self._connect_channel(node)
        except BaseException:
            self._release(entry)
            raise
        if self._pools.get(node) is not entry:
            channel.close()
            raise Broken("has left the cluster")
        channel.used_us = self._clock.monotonic_us()
        entry.channels.add(channel)
        return channel

    async def _connect_channel(self, node: Node) -> Channel:
        return await self.dial(node.address, node.name, Channel, node.tls_name)

    # ------------------------------------------------------------------ connections of one's own

    def take_idle(self, node: Node, now_us: int) -> Connection | None:
        """An idle connection to the node, if there is one that can be used."""
        entry = self._pools.get(node)
        if entry is None:
            return None
        pool = entry.pool
        while (idle := pool.take()) is not None:
            connection, since_us = idle
            if connection.usable and not pool.is_stale(since_us, now_us):
                return connection
            connection.close()
            pool.forget()
        return None

    async def take(self, node: Node, deadline_us: int) -> Connection:
        """A connection to the node, waiting for one when all are in use.

        Raises Broken, Exhausted when the time is over, and SecurityFailed.
        """
        now_us = self._clock.monotonic_us()
        connection = self.take_idle(node, now_us)
        if connection is not None:
            return connection
        entry = self._entry(node)
        if not entry.pool.reserve():
            given = await self._wait(entry, (deadline_us - now_us) / 1e6 if deadline_us else None)
            if given is not None:
                return given
        try:
            return await self.connect(node.address, node.name, node.tls_name)
        except BaseException:
            self._release(entry)
            raise

    async def _wait(self, entry: _NodePool, timeout_s: float | None) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        entry.waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(entry, waiter.result())
            if isinstance(error, TimeoutError):
                raise Exhausted from None
            raise

    def _pass_on(self, entry: _NodePool, connection: Connection | None) -> None:
        """Given just when its taker was called off: the next in line may have it."""
        if connection is None:
            self._release(entry)
        elif not entry.wake(connection):
            entry.pool.put_back(connection, self._clock.monotonic_us())

    def put_back(self, node: Node, connection: Connection, now_us: int) -> None:
        """The connection may be used again; it is closed when the node has left."""
        entry = self._pools.get(node)
        if entry is None:
            connection.close()
        elif not entry.waiters or not entry.wake(connection):
            entry.pool.put_back(connection, now_us)

    def discard(self, node: Node, connection: Connection) -> None:
        """The connection is of no more use."""
        connection.close()
        entry = self._pools.get(node)
        if entry is not None:
            self._release(entry)

    def _release(self, entry: _NodePool) -> None:
        """One connection less: who waits may make one in its place."""
        if not entry.wake(None):
            entry.pool.forget()

    async def connect(
        self, address: Address, name: str, tls_name: str = "", *, renew: bool = False
    ) -> Connection:
        """A new connection, outside the pools, on which the user has been let in. `name`: the
        node's, for its sessions; `renew`: with a new session if the one there is due."""
        return await self.dial(address, name, Connection, tls_name, renew=renew)

    async def dial(
        self, address: Address, name: str, kind: type[C], tls_name: str = "", *, renew: bool = False
    ) -> C:
        """As `connect`, for a kind of connection of the caller's."""
        loop = asyncio.get_running_loop()
        timeout_us = self._policy.connect_timeout * 1000
        connection = cast(
            C,
            await connect(
                address,
                timeout_us,
                lambda: cast(asyncio.Protocol, kind(loop, self._clock)),
                self._tls,
                tls_name,
            ),
        )
        if self._sessions is not None:
            try:
                now_us = self._clock.monotonic_us()
                dialogue = self._sessions.introduction(name, now_us, renew=renew)
                await self._introduce(connection.exchange, dialogue, now_us)
            except BaseException:
                connection.close()
                raise
        return connection

    async def _introduce(self, exchange: Exchange, dialogue: Dialogue, now_us: int) -> None:
        timeout_us = self._policy.login_timeout * 1000
        deadline_us = now_us + timeout_us if timeout_us else 0
        try:
            frame = next(dialogue)
            while True:
                frame = dialogue.send(parse_admin(await exchange(frame, deadline_us))[0])
        except StopIteration:
            return
        except Expired:
            raise Broken("did not let us in in time") from None
        except MessageError as error:
            raise Broken(f"answered a login with {error}") from None

    def end_session(self, node: Node) -> None:
        """The node does not know our session any more: forget it, and use no connection again that
        was let in by it. Those on which requests are under way end with these."""
        if self._sessions is not None:
            self._sessions.forget(node.name)
        entry = self._pools.get(node)
        if entry is not None:
            entry.channels.retire()
            for connection in entry.pool.drain():
                connection.close()

    async def look_after(self, nodes: list[Node], now_us: int) -> None:
        """Close what has been idle for too long, and all of nodes that have left; make the minimum
        of connections to the others. Take up certificates that have changed."""
        if self._tls is not None:
            self._tls.refresh()
        for node in [node for node in self._pools if node not in nodes]:
            self._drop(self._pools.pop(node))
        for node in nodes:
            entry = self._entry(node)
            for connection in entry.pool.trim(now_us):
                connection.close()
            idle_us = self._policy.max_socket_idle * 1_000_000
            for channel in entry.channels.sweep(now_us, now_us - idle_us if idle_us else -1):
                channel.close()
                self._release(entry)
            for _ in range(entry.pool.missing):
                if not await self._fill(node, entry):
                    break

    async def _fill(self, node: Node, entry: _NodePool) -> bool:
        if not entry.pool.reserve():
            return False
        try:
            connection = await self.connect(node.address, node.name, node.tls_name)
        except (Broken, ClientError):
            self._release(entry)
            return False
        self.put_back(node, connection, self._clock.monotonic_us())
        return True

    def _entry(self, node: Node) -> _NodePool:
        entry = self._pools.get(node)
        if entry is None:
            policy = self._policy
            entry = self._pools[node] = _NodePool(
                Pool(
                    policy.min_conns_per_node,
                    policy.max_conns_per_node,
                    policy.max_socket_idle * 1_000_000,
                ),
                Channels(max(1, policy.pipeline_depth)),
            )
        return entry

    def _drop(self, entry: _NodePool) -> None:
        for connection in entry.pool.drain():
            connection.close()
        for channel in entry.channels.drain():
            channel.close()
        while entry.wake(None):
            """Who waits finds out for itself that the node has gone."""

    def open_connections(self, node: Node) -> int:
        """Connections to the node, in use or idle."""
        entry = self._pools.get(node)
        return entry.pool.open if entry else 0

    def close(self) -> None:
        """Close all that are idle; those in use close when they are put back."""
        pools, self._pools = self._pools, {}
        for entry in pools.values():
            self._drop(entry)


def _heard(task: asyncio.Task[Channel]) -> None:
    """Take note of a failure, so that nobody is told it was never looked at."""
    if not task.cancelled():
        task.exception()
