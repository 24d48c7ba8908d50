"""Adapter: a node on an asyncio loop, with real or simulated TCP and UDP underneath.

Everything goes through the loop that is handed in: `create_server`, `create_connection`,
`create_task`, `call_at`, `time`. On a simulated loop the same node runs in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, cast

from citrusleaf import Clock, SystemClock
from cluster.fabric.link import PLANE as FABRIC
from cluster.membership.heartbeat import PLANE as HEARTBEAT
from cluster.node import ClusterNode
from cluster.outputs import Datagram, Dial, Hangup, Output, Transmit
from cluster.wire import Endpoint, WireError

Group = tuple[asyncio.DatagramTransport, Endpoint]
"""A joined multicast group: what to send with, and where to."""

OpenGroup = Callable[[Callable[[bytes], None]], Awaitable[Group]]
"""Joins the multicast group, given what to call with each datagram."""

LinkKey = tuple[str, int]

MOST_WAITING_BYTES: Final = 4 << 20
"""So much in bulk waits for its turn before connections in bulk are read no more until all is
taken."""

SHORTEST_US: Final = 50
LONGEST_US: Final = 500
MOST_A_TURN: Final = 64
"""What waits is taken for as long, in a turn of the loop, as all else has taken since the turn
before: half of a node's time at its limit, and hardly more than one message while requests are few
and want to be answered soon. (A request that is passed on waits three times for a turn of a busy
node.) The third bounds a turn of a simulated loop, in which no time passes.

Rejected: a fixed number a turn (4 made a change of membership last twice as long under load, 64
held requests for milliseconds when messages are large), and a fixed time (half a millisecond is
half the time of a node with many clients, and nine tenths of one with few)."""


class Carrier:
    """Makes the connections of a plane: this one in the clear."""

    async def listen(
        self,
        loop: asyncio.AbstractEventLoop,
        make: Callable[[], asyncio.BaseProtocol],
        host: str | None,
        port: int,
    ) -> asyncio.AbstractServer:
        """Await other nodes. Raises OSError."""
        return await loop.create_server(make, host, port)

    async def dial(
        self,
        loop: asyncio.AbstractEventLoop,
        make: Callable[[], asyncio.BaseProtocol],
        endpoint: Endpoint,
    ) -> None:
        """Call a node; its connection is made when this returns. Raises OSError."""
        await loop.create_connection(make, *endpoint)


IN_THE_CLEAR = Carrier()


class _Link(asyncio.Protocol):
    """A connection in either direction. Once dropped it tells the node nothing more."""

    def __init__(self, runtime: NodeRuntime, key: LinkKey | None, plane: str) -> None:
        self._runtime = runtime
        self._plane = plane
        self.key = key
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        # uvloop's transports are not subclasses of asyncio's
        self.transport = cast(asyncio.Transport, transport)
        self._runtime.connected(self, self._plane)

    @property
    def peer(self) -> str:
        """Host and port of the other side."""
        assert self.transport is not None
        name = self.transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if name else "?"

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.key is not None:
            self._runtime.received(self.key, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self.key is not None:
            self._runtime.lost(self.key)

    def pause_writing(self) -> None:
        """The buffers are full."""
        if self.key is not None:
            self._runtime.writable(self.key, False)

    def resume_writing(self) -> None:
        """The buffers have room again."""
        if self.key is not None:
            self._runtime.writable(self.key, True)


class GroupProtocol(asyncio.DatagramProtocol):
    """Datagrams of the multicast group."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """A datagram has come."""
        self._receive(data)


class NodeRuntime:
    """Runs a node: carries its outputs out, brings it bytes, and ticks it when it is due."""

    def __init__(
        self,
        node: ClusterNode,
        loop: asyncio.AbstractEventLoop,
        open_group: OpenGroup | None = None,
        binds: Mapping[str, str | None] = MappingProxyType({}),
        carriers: Mapping[str, Carrier] = MappingProxyType({}),
        refused: Callable[[str, str, str], None] = lambda plane, peer, why: None,
        clock: Clock | None = None,
    ) -> None:
        """`open_group` is needed in multicast mode only. `binds`: where to listen, by plane, if not
        at the host that others are told; None: on all of the machine's addresses. `carriers` make
        connections, by plane; without one they are in the clear. `refused` is told of what talks to
        us and is no node of ours: plane, who, why. `clock` measures how long work takes; without
        one, the system's."""
        self.node = node
        self._binds = binds
        self._carriers = carriers
        self._refused = refused
        self._clock = SystemClock() if clock is None else clock
        self._loop = loop
        self._open_group = open_group
        self._group: Group | None = None
        self._servers: list[asyncio.AbstractServer] = []
        self._links: dict[LinkKey, _Link] = {}
        self._dials: dict[LinkKey, asyncio.Task[None]] = {}
        self._opened = dict.fromkeys((HEARTBEAT, FABRIC), 0)
        self._next_accepted = 2
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._turn: asyncio.Handle | None = None
        self._taken_until = 0
        """When the turn before ended, if more waits than was taken in it; us."""
        self._unread: list[_Link] = []
        self._stopped = False

    def now(self) -> int:
        """Monotonic milliseconds of the loop."""
        return int(self._loop.time() * 1000)

    async def start(self) -> None:
        """Listen on the node's endpoints and begin. Raises OSError."""
        identity = self.node.identity
        for plane, (host, port) in ((HEARTBEAT, identity.heartbeat), (FABRIC, identity.fabric)):
            factory = partial(_Link, self, None, plane)
            bind = self._binds.get(plane, host)
            carrier = self._carriers.get(plane, IN_THE_CLEAR)
            self._servers.append(await carrier.listen(self._loop, factory, bind, port))
        if self._open_group is not None:
            self._group = await self._open_group(self._datagram)
        self.carry_out(self.node.start(self.now()))

    async def stop(self) -> None:
        """Close everything. Peers notice at once. What is still in its handshake is closed when
        that is over."""
        self._stopped = True
        for timer in (self._timer, self._turn):
            if timer is not None:
                timer.cancel()
        for task in list(self._dials.values()):
            task.cancel()
        for link in list(self._links.values()):
            self._drop(link)
        if self._group is not None:
            self._group[0].close()
        for server in self._servers:
            server.close()
            await server.wait_closed()

    # --- what the network says -----------------------------------------------------------------

    def connected(self, link: _Link, plane: str) -> None:
        """A connection is made: accepted, or dialed under the link's key."""
        now = self.now()
        if self._stopped:
            self._drop(link)
        elif link.key is None:
            link.key = (plane, self._next_accepted)
            self._next_accepted += 2
            self._note(link.key, link)
            self.carry_out(self.node.accepted(*link.key, now))
        elif link.key in self._dials:
            del self._dials[link.key]
            self._note(link.key, link)
            self.carry_out(self.node.dialed(*link.key, now))
        else:
            self._drop(link)

    def _note(self, key: LinkKey, link: _Link) -> None:
        self._links[key] = link
        self._opened[key[0]] += 1

    def connections(self, plane: str) -> tuple[int, int]:
        """How many there are, of both directions, and how many there have been. O(connections)."""
        return sum(plane == each for each, _ in self._links), self._opened[plane]

    def received(self, key: LinkKey, data: bytes) -> None:
        """Bytes have come."""
        try:
            outputs = self.node.received(*key, data, self.now())
        except WireError as error:
            link = self._links.pop(key)
            self._refused(key[0], link.peer, str(error))
            self._drop(link)
            outputs = self.node.lost(*key, self.now())
        self.carry_out(outputs)
        if self.node.fabric.waiting:
            self._let_wait(key)

    def _let_wait(self, key: LinkKey) -> None:
        fabric = self.node.fabric
        if self._turn is None:
            self._turn = self._loop.call_soon(self._take_waiting)
        # Heartbeats and replicas are read whatever waits.
        if fabric.waiting_bytes > MOST_WAITING_BYTES and key[0] == FABRIC:
            link = self._links.get(key)
            if link is not None and fabric.is_in_bulk(key[1]):
                self._leave_unread(link)

    def _take_waiting(self) -> None:
        """Messages of those that wait; the next in another turn of the loop."""
        self._turn = None
        began = self._clock.monotonic_us()
        others = began - self._taken_until if self._taken_until else 0
        until = began + min(max(others, SHORTEST_US), LONGEST_US)
        outputs: list[Output] = []
        try:
            for _ in range(MOST_A_TURN):
                outputs += self.node.take_waiting(self.now())
                if not self.node.fabric.waiting or self._clock.monotonic_us() >= until:
                    break
        finally:  # our own bug costs these messages, not those behind them
            self._go_on_taking()
            self.carry_out(_together(outputs))
            self._taken_until = self._clock.monotonic_us() if self._turn is not None else 0

    def _go_on_taking(self) -> None:
        if self.node.fabric.waiting:
            self._turn = self._loop.call_soon(self._take_waiting)
            return
        unread, self._unread = self._unread, []
        for link in unread:
            if link.key is not None and link.transport is not None:
                link.transport.resume_reading()

    def _leave_unread(self, link: _Link) -> None:
        if link not in self._unread and link.transport is not None:
            link.transport.pause_reading()
            self._unread.append(link)

    def lost(self, key: LinkKey) -> None:
        """A connection is gone."""
        if self._links.pop(key, None) is not None:
            self.carry_out(self.node.lost(*key, self.now()))

    def writable(self, key: LinkKey, yes: bool) -> None:
        """A connection's buffers are full, or have room."""
        self.carry_out(self.node.writable(*key, yes, self.now()))

    def _datagram(self, data: bytes) -> None:
        self.carry_out(self.node.datagram(data, self.now()))

    def _tick(self) -> None:
        self._timer = None
        self.carry_out(self.node.tick(self.now()))

    # --- what the node wants -------------------------------------------------------------------

    def carry_out(self, outputs: list[Output]) -> None:
        """Do what the node wants done, and see when it next wants the time."""
        for output in outputs:
            if type(output) is Transmit:
                link = self._links.get((output.plane, output.link))
                if link is not None and link.transport is not None:
                    link.transport.write(output.data)
                continue
            match output:
                case Dial(plane, number, endpoint):
                    task = self._loop.create_task(self._dial((plane, number), endpoint))
                    self._dials[plane, number] = task
                case Hangup(plane, number):
                    self._hang_up((plane, number))
                case Datagram(data) if self._group is not None:
                    transport, group = self._group
                    transport.sendto(data, group)
        # A tick too early does no harm, and sets the next.
        if self._timer is None or self.node.deadline < self._timer_at:
            self._set_timer()

    def _set_timer(self) -> None:
        deadline = self.node.deadline
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        # half a millisecond later, so that the truncated clock has surely reached the deadline
        self._timer = self._loop.call_at(deadline / 1000 + 0.0005, self._tick)

    async def _dial(self, key: LinkKey, endpoint: Endpoint) -> None:
        task = asyncio.current_task(self._loop)
        try:
            factory = partial(_Link, self, key, key[0])
            carrier = self._carriers.get(key[0], IN_THE_CLEAR)
            await carrier.dial(self._loop, factory, endpoint)
        except OSError:
            if self._dials.get(key) is task:
                del self._dials[key]
                self.carry_out(self.node.lost(*key, self.now()))

    def _hang_up(self, key: LinkKey) -> None:
        task = self._dials.pop(key, None)
        if task is not None:
            task.cancel()
        link = self._links.pop(key, None)
        if link is not None:
            self._drop(link)

    def _drop(self, link: _Link) -> None:
        link.key = None
        if link.transport is not None:
            link.transport.abort()


def _together(outputs: list[Output]) -> list[Output]:
    """What answers many messages in bulk, most of it a few bytes: all for one connection as one
    piece, a call of the system instead of hundreds."""
    frames: dict[LinkKey, list[bytes]] = {}
    others: list[Output] = []
    for output in outputs:
        if type(output) is Transmit:
            frames.setdefault((output.plane, output.link), []).append(output.data)
        else:
            others.append(output)
    return [*(Transmit(*key, b"".join(pieces)) for key, pieces in frames.items()), *others]
