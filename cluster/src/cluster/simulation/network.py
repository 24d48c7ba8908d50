"""A simulated network: hosts, TCP connections and multicast groups on a `World`.

TCP is reliable and ordered on each connection, and connections overtake one another. What a cut or
a fallen host holds up waits, and comes through when the way is free again. UDP is lost, doubled and
overtaken. Ways are cut for each direction by itself.
"""

from __future__ import annotations

import asyncio
import errno
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from attrs import define, field

from cluster.simulation.loop import ProcessLoop, World

HIGH_WATER_BYTES = 64 << 10
FIRST_FREE_PORT = 40_000
"""Where ports begin that nobody asked for by number."""
SYN_RETRIES = 8
Way = tuple[str, str]
"""From host, to host."""


@define
class Host:
    """A machine: what listens on it, and whether it has power."""

    listeners: dict[int, tuple[ProcessLoop, Callable[[], Any]]] = field(factory=dict)
    transports: list[SimulatedTransport] = field(factory=list)
    up: bool = True


@define
class Conditions:
    """What the network does of itself. Latencies in seconds, probabilities of each datagram."""

    latency_low_s: float = 0.0002
    latency_high_s: float = 0.001
    udp_loss: float = 0.0
    udp_duplicate: float = 0.0
    udp_jitter_s: float = 0.0


class SimulatedTransport(asyncio.Transport):
    """One end of a TCP connection.

    What comes while reading is paused stays with this end; when that is more than a window's worth
    the other end has to keep what it sends.
    """

    def __init__(
        self, network: Network, loop: ProcessLoop, way: Way, port: int, peer_port: int
    ) -> None:
        super().__init__({"peername": (way[1], peer_port), "sockname": (way[0], port)})
        self.loop = loop
        self.way = way
        self.protocol: Any = None
        self.peer: SimulatedTransport = self
        self.stuck: deque[tuple[Callable[..., None], bytes | None]] = deque()
        self.stuck_bytes = 0
        self.free_at_s = 0.0
        self.closed = False
        self.unread: deque[bytes | None] = deque()
        self.unread_bytes = 0
        self._reading = True
        self._network = network
        self._full = False

    def write(self, data: Any) -> None:
        """Send bytes; they arrive whole and in order, or the connection is lost."""
        if not self.closed and data:
            self._network.carry(self, self.peer.deliver, bytes(data))

    def deliver(self, data: bytes | None) -> None:
        """Bytes from the other end; None is its end."""
        if self.closed:
            if data is not None:
                self._network.carry(self, self.peer.deliver, None)
        elif not self._reading or self.unread:
            self.unread.append(data)
            self.unread_bytes += len(data or b"")
        elif data is None:
            self._end(ConnectionResetError())
        elif self.protocol is not None:
            self.protocol.data_received(data)

    def pause_reading(self) -> None:
        """Keep what comes from now on."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hand on what has come meanwhile, and what comes."""
        if not self._reading and not self.closed:
            self._reading = True
            self.loop.call_soon(self._read_on)

    def is_reading(self) -> bool:
        """Is what comes handed on?"""
        return self._reading and not self.closed

    def _read_on(self) -> None:
        """One piece a turn, as a socket is read."""
        if not self._reading or self.closed or not self.unread:
            return
        data = self.unread.popleft()
        self.unread_bytes -= len(data or b"")
        if data is None:
            self._end(ConnectionResetError())
            return
        self.loop.call_soon(self._read_on)
        if self.peer.stuck and self.unread_bytes <= HIGH_WATER_BYTES:
            self.peer.release()
        if self.protocol is not None:
            self.protocol.data_received(data)

    def hold(self, act: Callable[..., None], data: bytes | None) -> None:
        """The way is not free: keep what is sent until it is."""
        self.stuck.append((act, data))
        self._network.remember(self)
        self.stuck_bytes += len(data or b"")
        if self.stuck_bytes > HIGH_WATER_BYTES and not self._full and not self.closed:
            self._full = True
            self.loop.call_soon(self.protocol.pause_writing)

    def release(self) -> None:
        """The way is free again: send on what was kept."""
        stuck, self.stuck = self.stuck, deque()
        self.stuck_bytes = 0
        for act, data in stuck:
            self._network.carry(self, act, data)
        if self._full and not self.stuck:
            self._full = False
            if not self.closed:
                self.loop.call_soon(self.protocol.resume_writing)

    def close(self) -> None:
        """Close; the other end hears of it."""
        self.abort()

    def abort(self) -> None:
        """Close at once; the other end hears of it."""
        if not self.closed:
            self._end(None)
            self._network.carry(self, self.peer.deliver, None)

    def is_closing(self) -> bool:
        """Is it closed?"""
        return self.closed

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for the way to be free."""
        return self.stuck_bytes

    def reset(self) -> None:
        """The connection breaks: both ends hear so, and what was on its way is lost."""
        for end in (self, self.peer):
            if not end.closed and end.loop.alive:
                end._end(ConnectionResetError())

    def vanish(self) -> None:
        """The process, or the machine, is gone: nobody is told."""
        self.closed = True
        self._read_no_more()

    def _read_no_more(self) -> None:
        self.unread.clear()
        self.unread_bytes = 0
        if self.peer.stuck:
            world = self._network.world
            world.call_at(world.now_s, None, self.peer.release)

    def _end(self, error: Exception | None) -> None:
        self.closed = True
        self._read_no_more()
        if self.protocol is not None:
            self.loop.call_soon(self.protocol.connection_lost, error)


class SimulatedSocket(NamedTuple):
    """What a listener says of its socket."""

    name: tuple[str, int]

    def getsockname(self) -> tuple[str, int]:
        """Host and port."""
        return self.name

    @contextmanager
    def dup(self) -> Iterator[SimulatedSocket]:
        """Another handle on it."""
        yield self

    def listen(self, backlog: int) -> None:
        """As many as come may wait to be accepted, always."""


class SimulatedServer(asyncio.AbstractServer):
    """A listener."""

    def __init__(self, loop: ProcessLoop, host: Host, port: int) -> None:
        self._loop = loop
        self._host = host
        self._port = port
        self.sockets = (SimulatedSocket((loop.address, port)),)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the process that listens."""
        return self._loop

    def is_serving(self) -> bool:
        """Does it accept?"""
        return self._port in self._host.listeners

    async def start_serving(self) -> None:
        """It serves from the start."""

    async def serve_forever(self) -> None:
        """Serve until cancelled."""
        await self._loop.create_future()

    def close(self) -> None:
        """Accept no more."""
        self._host.listeners.pop(self._port, None)

    async def wait_closed(self) -> None:
        """It is closed at once."""


class SimulatedGroupTransport(asyncio.DatagramTransport):
    """A member of a multicast group."""

    def __init__(self, network: Network, loop: ProcessLoop, protocol: Any, group: Any) -> None:
        super().__init__()
        self.loop = loop
        self.protocol = protocol
        self._network = network
        self._group = group

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send to the group, ourselves included."""
        self._network.scatter(self, self._group, bytes(data))

    def close(self) -> None:
        """Leave."""
        self._network.leave(self, self._group)


class Network:
    """All hosts and the ways between them."""

    def __init__(self, world: World, conditions: Conditions | None = None) -> None:
        self.world = world
        self.conditions = conditions if conditions is not None else Conditions()
        self.hosts: dict[str, Host] = {}
        self.cuts: Counter[Way] = Counter()
        self.clogs: dict[Way, float] = {}
        self.segments = 0
        self.datagrams = 0
        self._next_port = FIRST_FREE_PORT
        self._groups: dict[Any, list[SimulatedGroupTransport]] = {}

    def add_host(self, address: str) -> None:
        """A machine with power, and nothing running on it."""
        self.hosts[address] = Host()

    # --- faults --------------------------------------------------------------------------------

    def cut(self, source: str, target: str) -> None:
        """Nothing gets from one host to the other; cuts add up."""
        self.cuts[source, target] += 1

    def mend(self, source: str, target: str) -> None:
        """Take one cut back."""
        self.cuts[source, target] -= 1
        if not self.cuts[source, target]:
            del self.cuts[source, target]
            self._release(lambda way: way == (source, target))

    def heal(self) -> None:
        """All cuts and clogs are gone, all machines have power."""
        self.cuts.clear()
        self.clogs.clear()
        for host in self.hosts.values():
            host.up = True
        self._release(lambda way: True)

    def stop_host(self, address: str, power: bool) -> None:
        """Everything that ran there is gone. Without `power` the machine is off: nobody is told."""
        host = self.hosts[address]
        host.listeners.clear()
        host.up = power
        transports, host.transports = host.transports, []
        for transport in transports:
            if not transport.closed:
                transport.vanish()
                if power:
                    self.carry(transport, transport.peer.deliver, None)
        host.transports = [transport for transport in transports if transport.stuck]
        for members in self._groups.values():
            members[:] = [member for member in members if member.loop.address != address]

    def start_host(self, address: str) -> None:
        """The machine has power again."""
        self.hosts[address].up = True
        self._release(lambda way: way[1] == address)

    def remember(self, transport: SimulatedTransport) -> None:
        """It has something to send once the way is free, even if it is closed by now."""
        transports = self.hosts[transport.way[0]].transports
        if transport not in transports:
            transports.append(transport)

    def _release(self, concerns: Callable[[Way], bool]) -> None:
        for host in self.hosts.values():
            for transport in host.transports:
                if transport.stuck and concerns(transport.way):
                    # TCP notices after some time that its segments get through again.
                    pause = self.world.chance.between(0.05, 0.6)
                    self.world.call_at(self.world.now_s + pause, None, transport.release)
            host.transports = [t for t in host.transports if not t.closed or t.stuck]

    def is_open(self, source: str, target: str) -> bool:
        """Does anything get from one host to the other?"""
        return (source, target) not in self.cuts and self.hosts[target].up

    def latency_s(self, way: Way) -> float:
        """How long this one takes."""
        low_s, high_s = self.conditions.latency_low_s, self.conditions.latency_high_s
        drawn = low_s + (high_s - low_s) * self.world.chance.unit()
        return drawn + self.clogs.get(way, 0.0) if self.clogs else drawn

    # --- TCP -----------------------------------------------------------------------------------

    def carry(
        self, sender: SimulatedTransport, act: Callable[..., None], data: bytes | None
    ) -> None:
        """Bring a segment to the other end, behind all before it."""
        way = sender.way
        receiver = sender.peer
        if (
            sender.stuck
            or way in self.cuts
            or not self.hosts[way[1]].up
            or receiver.unread_bytes > HIGH_WATER_BYTES
        ):
            sender.hold(act, data)
            return
        self.segments += 1
        world = self.world
        at_s = world.now_s + self.latency_s(way)
        if at_s > sender.free_at_s:
            sender.free_at_s = at_s
        # A closed end answers by itself, whether its process runs or not.
        process = None if receiver.closed else receiver.loop
        world.post(sender.free_at_s, process, act, data)

    def listen(
        self, loop: ProcessLoop, factory: Callable[[], Any], address: str, port: int
    ) -> SimulatedServer:
        """Listen. Raises OSError when the port is taken."""
        host = self.hosts[address]
        port = port or self._free_port()
        if port in host.listeners:
            raise OSError(errno.EADDRINUSE, f"{address}:{port} is in use")
        host.listeners[port] = (loop, factory)
        return SimulatedServer(loop, host, port)

    def _free_port(self) -> int:
        self._next_port += 1
        return self._next_port

    async def connect(
        self, loop: ProcessLoop, factory: Callable[[], Any], address: str, port: int
    ) -> tuple[SimulatedTransport, Any]:
        """Dial. Raises OSError: refused, or no answer."""
        done = loop.create_future()
        self._syn(loop, factory, (address, port), done, 0)
        transport: SimulatedTransport = await done
        return transport, transport.protocol

    def _syn(
        self,
        loop: ProcessLoop,
        factory: Callable[[], Any],
        to: tuple[str, int],
        done: asyncio.Future[SimulatedTransport],
        tries: int,
    ) -> None:
        if done.done():
            return
        way, back = (loop.address, to[0]), (to[0], loop.address)
        now_s = self.world.now_s
        if to[0] not in self.hosts or not self.is_open(*way) or not self.is_open(*back):
            if tries == SYN_RETRIES:
                done.set_exception(TimeoutError("no answer"))
                return
            again = partial(self._syn, loop, factory, to, done, tries + 1)
            self.world.call_at(now_s + 1.0, loop, again)
            return
        there_s = self.latency_s(way)
        arrive = partial(self._arrive, loop, factory, to, done, back)
        self.world.call_at(now_s + there_s, None, arrive)

    def _arrive(
        self,
        loop: ProcessLoop,
        factory: Callable[[], Any],
        to: tuple[str, int],
        done: asyncio.Future[SimulatedTransport],
        back: Way,
    ) -> None:
        """The dial has come to the other host: its kernel answers, whatever its process does."""
        answer_at_s = self.world.now_s + self.latency_s(back)
        listener = self.hosts[to[0]].listeners.get(to[1])
        if listener is None or not listener[0].alive or not loop.alive:
            self.world.call_at(answer_at_s, loop, _refuse, done)
            return
        port = self._free_port()
        near = SimulatedTransport(self, loop, (back[1], back[0]), port, to[1])
        far = SimulatedTransport(self, listener[0], back, to[1], port)
        near.peer, far.peer = far, near
        self.hosts[back[1]].transports.append(near)
        self.hosts[to[0]].transports.append(far)
        self.world.call_at(self.world.now_s, listener[0], _make, far, listener[1])
        self.world.call_at(answer_at_s, loop, _made, near, factory, done)

    def reset(self, one: str, other: str) -> None:
        """Break every connection between two hosts."""
        for transport in list(self.hosts[one].transports):
            if transport.way == (one, other):
                transport.reset()

    # --- UDP -----------------------------------------------------------------------------------

    def join(
        self, loop: ProcessLoop, factory: Callable[[], Any], group: Any
    ) -> tuple[SimulatedGroupTransport, Any]:
        """Become a member of a multicast group."""
        protocol = factory()
        transport = SimulatedGroupTransport(self, loop, protocol, group)
        self._groups.setdefault(group, []).append(transport)
        protocol.connection_made(transport)
        return transport, protocol

    def leave(self, member: SimulatedGroupTransport, group: Any) -> None:
        """Be one no more."""
        self._groups[group].remove(member)

    def scatter(self, sender: SimulatedGroupTransport, group: Any, data: bytes) -> None:
        """Send a datagram to all members that it happens to reach."""
        world, conditions = self.world, self.conditions
        source = sender.loop.address
        for member in self._groups[group]:
            target = member.loop.address
            if not self.is_open(source, target) or world.chance.happens(conditions.udp_loss):
                continue
            for _ in range(1 + world.chance.happens(conditions.udp_duplicate)):
                self.datagrams += 1
                late_s = world.chance.between(0, conditions.udp_jitter_s)
                at_s = world.now_s + self.latency_s((source, target)) + late_s
                receive = member.protocol.datagram_received
                world.post(at_s, member.loop, receive, data, (source, 0))


def _make(transport: SimulatedTransport, factory: Callable[[], Any]) -> None:
    transport.protocol = factory()
    transport.protocol.connection_made(transport)
    if transport.closed:  # it was broken before anybody had it
        transport.loop.call_soon(transport.protocol.connection_lost, ConnectionResetError())


def _made(
    transport: SimulatedTransport,
    factory: Callable[[], Any],
    done: asyncio.Future[SimulatedTransport],
) -> None:
    if done.done():
        transport.abort()
        return
    _make(transport, factory)
    done.set_result(transport)


def _refuse(done: asyncio.Future[SimulatedTransport]) -> None:
    if not done.done():
        done.set_exception(ConnectionRefusedError("nobody listens there"))
