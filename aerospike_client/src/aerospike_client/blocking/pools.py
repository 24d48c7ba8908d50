"""`Pools`: the blocking face's connections, one pool a node. An adapter: it has the lock."""

from __future__ import annotations

import threading

from aerospike_client.blocking.connection import Connection
from aerospike_client.blocking.tls_connection import TlsConnection
from aerospike_client.core.addresses import Address
from aerospike_client.core.nodes import Node
from aerospike_client.core.pool import Pool
from aerospike_client.core.session import Sessions
from aerospike_client.errors import ClientError
from aerospike_client.policies import ClientPolicy
from aerospike_client.tls import Tls
from aerospike_client.transport import Broken, Exhausted, Expired
from aerospike_common.wire import MessageError, MessageType, parse_admin
from citrusleaf.cf_clock import Clock

_LOOK_AFTER_US = 100_000
"""A connection idle for longer is looked at before use: the peer may have closed it."""


class Pools:
    """Connections to lend. Safe between threads."""

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
        self._lock = threading.Lock()
        self._pools: dict[Node, Pool[Connection]] = {}

    def take(self, node: Node, now_us: int) -> Connection:
        """A connection to the node, an idle one if there is. Raises Broken, Exhausted, Expired,
        and SecurityFailed when the user is not let in."""
        pool = self._pools.get(node) or self._add(node)
        while (idle := pool.take()) is not None:
            connection, since_us = idle
            stale = pool.is_stale(since_us, now_us)
            if not stale and (now_us - since_us < _LOOK_AFTER_US or not connection.is_dead()):
                return connection
            self.discard(node, connection)
        with self._lock:
            if not pool.reserve():
                raise Exhausted
        try:
            return self.connect(node.address, node.name, node.tls_name)
        except BaseException:
            with self._lock:
                pool.forget()
            raise

    def put_back(self, node: Node, connection: Connection, now_us: int) -> None:
        """The connection may be used again; it is closed when the node has left."""
        pool = self._pools.get(node)
        if pool is None:
            connection.close()
        else:
            pool.put_back(connection, now_us)

    def discard(self, node: Node, connection: Connection) -> None:
        """The connection is of no more use."""
        connection.close()
        pool = self._pools.get(node)
        if pool is not None:
            with self._lock:
                pool.forget()

    def connect(
        self, address: Address, name: str, tls_name: str = "", *, renew: bool = False
    ) -> Connection:
        """A new connection, outside the pools, on which the user has been let in. `name`: the
        node's, for its sessions; `renew`: with a new session if the one there is due."""
        timeout_us = self._policy.connect_timeout * 1000
        connection = (
            Connection(address, timeout_us, self._clock)
            if self._tls is None
            else TlsConnection(address, timeout_us, self._clock, self._tls, tls_name)
        )
        if self._sessions is not None:
            try:
                self._introduce(connection, name, renew)
            except (ClientError, Broken, Expired):
                connection.close()
                raise
        return connection

    def _introduce(self, connection: Connection, name: str, renew: bool) -> None:
        assert self._sessions is not None
        timeout_us = self._policy.login_timeout * 1000
        now_us = self._clock.monotonic_us()
        dialogue = self._sessions.introduction(name, now_us, renew=renew)
        try:
            frame = next(dialogue)
            while True:
                connection.send(frame, timeout_us)
                kind, body = connection.receive(now_us + timeout_us if timeout_us else 0)
                if kind != MessageType.ADMIN:
                    raise Broken("answered a login with something else")
                frame = dialogue.send(parse_admin(body)[0])
        except StopIteration:
            return
        except MessageError as error:
            raise Broken(f"answered a login with {error}") from None

    def end_session(self, node: Node) -> None:
        """The node does not know our session any more: forget it, and close all idle connections
        that were let in by it."""
        if self._sessions is not None:
            self._sessions.forget(node.name)
        pool = self._pools.get(node)
        if pool is not None:
            with self._lock:
                closed = pool.drain()
            for connection in closed:
                connection.close()

    def look_after(self, nodes: list[Node], now_us: int) -> None:
        """Close what has been idle for too long, and all of nodes that have left; make the minimum
        of connections to the others. Take up certificates that have changed."""
        if self._tls is not None:
            self._tls.refresh()
        for node in [node for node in list(self._pools) if node not in nodes]:
            with self._lock:
                closed = self._pools.pop(node).drain()
            for connection in closed:
                connection.close()
        for node in nodes:
            pool = self._pools.get(node) or self._add(node)
            with self._lock:
                closed = pool.trim(now_us)
                missing = pool.missing
            for connection in closed:
                connection.close()
            self._fill(node, pool, missing)

    def _fill(self, node: Node, pool: Pool[Connection], missing: int) -> None:
        for _ in range(missing):
            with self._lock:
                if not pool.reserve():
                    return
            try:
                connection = self.connect(node.address, node.name, node.tls_name)
                pool.put_back(connection, self._clock.monotonic_us())
            except (Broken, Expired, ClientError):
                with self._lock:
                    pool.forget()
                return

    def _add(self, node: Node) -> Pool[Connection]:
        policy = self._policy
        with self._lock:
            return self._pools.setdefault(
                node,
                Pool(
                    policy.min_conns_per_node,
                    policy.max_conns_per_node,
                    policy.max_socket_idle * 1_000_000,
                ),
            )

    def open_connections(self, node: Node) -> int:
        """Connections to the node, in use or idle."""
        pool = self._pools.get(node)
        return pool.open if pool else 0

    def close(self) -> None:
        """Close all that are idle; those in use close when they are put back."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            for connection in pool.drain():
                connection.close()
