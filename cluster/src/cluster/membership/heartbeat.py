"""Heartbeat: who is there, who hears whom, and who has come and gone.

Every interval a node sends a pulse that lists the nodes it hears. A peer is *adjacent* when we hear
it and its pulses list us, so a link that works in one direction only makes no neighbours. A peer
not heard for `timeout_intervals` has departed. A peer that comes and goes too often is *held*: it
must be heard for a while before it counts again.

A departure is noticed when the timeout is over, not at the next pulse, and told at once, in a pulse
of its own. All neighbours of a dead node got its last pulse at about the same time, so they notice
and hear of one another's noticing within milliseconds, unless one is busy. Who may go on without it
is `cluster.membership.paxos`' to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

from cluster.membership.mesh import Mesh
from cluster.membership.peer import (
    LISTED,
    Heard,
    HeardBoth,
    HeartbeatConfig,
    NewLife,
    Peer,
    PeerState,
    Silence,
)
from cluster.messages import Hello, MeshHosts, MeshRequest, Pulse
from cluster.outputs import (
    Datagram,
    DuplicateNode,
    GraphChanged,
    MovedOn,
    Output,
    Transmit,
)
from cluster.state_machine import Observer, State
from cluster.wire import Codec, Endpoint, FrameReader, Message, WireError, frame

PLANE = "heartbeat"


@frozen
class Identity:
    """Which node, in which of its lives (a later life has a greater incarnation), and where."""

    node: int
    incarnation: int
    cluster_name: str = ""
    heartbeat: Endpoint = ("", 0)
    fabric: Endpoint = ("", 0)


@frozen
class Standing:
    """What a pulse says of the cluster its sender is in."""

    principal: int = 0
    cluster_key: int = 0


class Heartbeat:
    """The heartbeat of one node. Inputs return the outputs they cause, in order."""

    def __init__(
        self,
        identity: Identity,
        config: HeartbeatConfig,
        codec: Codec,
        observer: Observer | None = None,
    ) -> None:
        self.identity = identity
        self.config = config
        self.deadline = 0
        self.mesh = Mesh(identity.heartbeat, config.seeds, config.interval_ms, observer)
        self.ignored = 0
        self.received_self = 0
        """Pulses of our own that the network brought back."""
        self.received_foreign = 0
        """Pulses of other nodes."""
        self._codec = codec
        self._observer = observer
        self._peers: dict[int, Peer] = {}
        self._tips: set[Endpoint] = set()
        self._sequence = 0
        self._standing = Standing()
        self._readers: dict[int, FrameReader] = {}
        self._nodes: dict[int, int] = {}
        self._asked: dict[int, int] = {}
        self._heard: tuple[int, ...] = ()

    # --- what is known -------------------------------------------------------------------------

    @property
    def adjacent(self) -> list[int]:
        """Nodes we hear and that hear us."""
        return [n for n, peer in self._peers.items() if peer.state is PeerState.ADJACENT]

    @property
    def peers(self) -> tuple[Peer, ...]:
        """All nodes that have been heard of in this life."""
        return tuple(self._peers.values())

    def graph(self) -> dict[int, frozenset[int]]:
        """Who says to hear whom: ourselves, and the peers that are adjacent."""
        graph = {node: frozenset(self._peers[node].pulse.heard) for node in self.adjacent}
        graph[self.identity.node] = frozenset(graph)
        return graph

    def standing(self, node: int) -> Standing:
        """The cluster an adjacent node says to be in."""
        pulse = self._peers[node].pulse
        return Standing(pulse.principal, pulse.cluster_key)

    def hears_one_way(self) -> bool:
        """Is somebody heard who does not hear us, or not yet?"""
        return any(peer.state is PeerState.ONE_WAY for peer in self._peers.values())

    def awaits_answer(self, now: int) -> bool:
        """Was somebody dialed, or reached, within the timeout, from where we hear nobody yet?"""
        heard = [self._peers[node].pulse.heartbeat for node in self.adjacent]
        return self.mesh.awaits(heard, now - self.config.timeout_ms)

    def skews_ms(self) -> dict[int, int]:
        """By how much each adjacent node's wall clock is ahead of ours."""
        return {node: self._peers[node].skew_ms for node in self.adjacent}

    def clock_skew_ms(self) -> int:
        """The widest distance between two wall clocks in the neighbourhood, ours included."""
        skews = self.skews_ms().values()
        return max([0, *skews]) - min([0, *skews])

    # --- inputs --------------------------------------------------------------------------------

    def start(self, now: int) -> list[Output]:
        """Begin; the first pulse goes out at the next `tick`."""
        self.deadline = now
        return []

    def rename(self, cluster_name: str) -> None:
        """From now on we are of another cluster: pulses of the old name are ignored."""
        self.identity = evolve(self.identity, cluster_name=cluster_name)

    def go_by(self, config: HeartbeatConfig, now: int) -> None:
        """Keep the times of another configuration from now on; seeds and mode stay. Each node goes
        by its own times: who sends more seldom than the others wait is gone to them."""
        self.config = evolve(
            self.config,
            interval_ms=config.interval_ms,
            timeout_intervals=config.timeout_intervals,
        )
        for peer in self._peers.values():
            peer.config = self.config
        self.mesh.go_by(config.interval_ms)
        self.deadline = min(self.deadline, now + config.interval_ms)

    def tip(self, endpoint: Endpoint) -> None:
        """Look for a node here, too."""
        self._tips.add(endpoint)
        self.mesh.learn(endpoint)

    @property
    def tips(self) -> frozenset[Endpoint]:
        """The endpoints that were given by `tip`."""
        return frozenset(self._tips)

    def clear_tip(self, endpoint: Endpoint) -> list[Output]:
        """Look no more for a node here. One that is there, or is a seed, is dialed as before."""
        self._tips.discard(endpoint)
        known = {peer.pulse.heartbeat for peer in self._peers.values()}
        return [] if endpoint in known | {*self.config.seeds} else self.mesh.clear(endpoint)

    def stand(self, principal: int, cluster_key: int) -> None:
        """From now on pulses say we are in this cluster."""
        self._standing = Standing(principal, cluster_key)
        for peer in self._peers.values():
            peer.moved_on = False

    def accepted(self, link: int, now: int) -> list[Output]:
        """A peer has dialed us."""
        self._readers[link] = FrameReader()
        return []

    def dialed(self, link: int, now: int, wall_ms: int) -> list[Output]:
        """A connection we asked for is there."""
        endpoint = self.mesh.up(link, now)
        if endpoint is None:
            return []
        me = self.identity
        hello = Hello(me.node, me.incarnation, me.cluster_name, endpoint)
        # With the first pulse at once: until a node is heard it is in no cluster.
        return [self._write(link, hello), self._write(link, self._next_pulse(wall_ms))]

    def lost(self, link: int, now: int) -> list[Output]:
        """A connection, of either direction, is gone or was never made."""
        self._readers.pop(link, None)
        self._nodes.pop(link, None)
        self.mesh.lost(link, now)
        return []

    def writable(self, link: int, yes: bool) -> None:
        """The link's buffers are full, or empty again: pulses are state, late ones are skipped."""
        self.mesh.writable(link, yes)

    def received(self, link: int, data: bytes, now: int, wall_ms: int) -> list[Output]:
        """Bytes from a link a peer dialed. Raises WireError: hang up on it."""
        outputs: list[Output] = []
        reader = self._readers.get(link)
        if reader is not None:
            for payload in reader.feed(data):
                message = self._codec.decode(payload)
                if isinstance(message, Pulse):
                    self._nodes[link] = message.node
                    outputs += self._pulse(message, now, wall_ms)
                elif message is not None:
                    outputs += self._receive(link, message)
        return outputs

    def datagram(self, data: bytes, now: int, wall_ms: int) -> list[Output]:
        """A datagram from the group. One that is no pulse is counted and ignored."""
        try:
            message = self._codec.decode(data)
        except WireError:
            self.ignored += 1
            return []
        return self._pulse(message, now, wall_ms) if isinstance(message, Pulse) else []

    def tick(self, now: int, wall_ms: int) -> list[Output]:
        """Time has reached `deadline`: notice silence, look after the mesh, send a pulse."""
        if now < self.deadline:
            return []
        late = now - self.deadline > self.config.interval_ms
        # One that was stopped itself must not take its own sleep for the others' silence.
        outputs = [] if late else self._notice_silence(now)
        if not self.config.multicast:
            outputs += self.mesh.tick(now, self._doubtful_endpoints())
        outputs += self._send_pulse(wall_ms)
        self.deadline = self._next_silence(now, now + self.config.interval_ms)
        return outputs

    # --- inside --------------------------------------------------------------------------------

    def _write(self, link: int, message: Message) -> Transmit:
        return Transmit(PLANE, link, frame(self._codec.encode(message)))

    def _receive(self, link: int, message: Message) -> list[Output]:
        match message:
            case Hello():
                if message.cluster_name != self.identity.cluster_name:
                    raise WireError(f"a node of cluster {message.cluster_name!r}")
                if message.node == self.identity.node and message.dialed != ("", 0):
                    return self.mesh.forget(message.dialed) if self._is_me(message) else []
            case MeshRequest():
                known = self._hosts(message.nodes)
                back = self._link_to(self._nodes.get(link))
                if known and back is not None:
                    return [self._write(back, MeshHosts(known))]
            case MeshHosts():
                for node, host, port in message.hosts:
                    if node != self.identity.node:
                        self.mesh.learn((host, port))
        return []

    def _is_me(self, message: Hello | Pulse) -> bool:
        return message.incarnation == self.identity.incarnation

    def _hosts(self, nodes: Iterable[int]) -> tuple[tuple[int, str, int], ...]:
        known = [(n, self._peers[n].pulse.heartbeat) for n in nodes if n in self._peers]
        return tuple((node, host, port) for node, (host, port) in known if port)

    def _link_to(self, node: int | None) -> int | None:
        peer = self._peers.get(node) if node is not None else None
        return self.mesh.link_to(peer.pulse.heartbeat) if peer is not None else None

    def _pulse(self, pulse: Pulse, now: int, wall_ms: int) -> list[Output]:
        me = self.identity
        is_own = pulse.node == me.node
        self.received_self += is_own
        self.received_foreign += not is_own
        if pulse.cluster_name != me.cluster_name:
            self.ignored += 1
            return []
        peer = self._peers.get(pulse.node)
        if peer is None:
            if is_own:
                return [] if self._is_me(pulse) else [DuplicateNode(pulse.incarnation)]
            peer = self._peers[pulse.node] = Peer(self.config, pulse, self._observer)
            if pulse.heartbeat[1] and not self.config.multicast:
                self.mesh.learn(pulse.heartbeat)
        elif peer.goes_on(pulse):  # as most do
            peer.pulse, peer.last_heard, peer.skew_ms = pulse, now, pulse.wall_ms - wall_ms
            return []
        before = peer.state, peer.pulse.heard
        if not self._is_news(peer, pulse, now):
            self.ignored += 1
            return []
        peer.pulse, peer.last_heard, peer.skew_ms = pulse, now, pulse.wall_ms - wall_ms
        peer.fire(HeardBoth() if me.node in pulse.heard else Heard(), now)
        outputs = self._drain(peer, before)
        outputs += self._note_cluster(peer)
        if peer.names_strangers or pulse.heard != before[1] or before[0] is PeerState.SILENT:
            outputs += self._ask_for_strangers(peer, now)
        return outputs

    def _is_news(self, peer: Peer, pulse: Pulse, now: int) -> bool:
        """Later than what we have of this life, or a later life; old lives come back only after
        the known one fell silent."""
        known = peer.pulse
        if pulse.incarnation == known.incarnation:
            return pulse.sequence > known.sequence or peer.last_heard == 0
        if pulse.incarnation < known.incarnation and peer.state is not PeerState.SILENT:
            return False
        peer.fire(NewLife(), now)
        if pulse.heartbeat[1] and pulse.heartbeat != known.heartbeat:
            self.mesh.learn(pulse.heartbeat)
        return True

    def _drain(self, peer: Peer, before: tuple[State, tuple[int, ...]]) -> list[Output]:
        outputs, peer.outputs = peer.outputs, []
        if outputs or (peer.state is PeerState.ADJACENT and peer.pulse.heard != before[1]):
            outputs.append(GraphChanged())
        if peer.state is not before[0]:
            self._heard = tuple(sorted(n for n, p in self._peers.items() if p.state in LISTED))
        return outputs

    def _note_cluster(self, peer: Peer) -> list[Output]:
        """Who moves on stays away until it shows our cluster again, or we are in another one."""
        pulse, was = peer.pulse, peer.moved_on
        if pulse.cluster_key == self._standing.cluster_key:
            peer.moved_on = False
        elif pulse.cluster_key and self.identity.node not in pulse.heard:
            peer.moved_on = True
        return [MovedOn(pulse.node, peer.moved_on)] if peer.moved_on is not was else []

    def _notice_silence(self, now: int) -> list[Output]:
        outputs: list[Output] = []
        latest = now - self.config.timeout_ms
        for peer in self._peers.values():
            if peer.last_heard <= latest and peer.state is not PeerState.SILENT:
                before = peer.state, peer.pulse.heard
                peer.fire(Silence(), now)
                outputs += self._drain(peer, before)
        return outputs

    def _next_silence(self, now: int, until: int) -> int:
        """When the first peer will have been silent for too long; `until` if that comes first."""
        timeout_ms = self.config.timeout_ms
        for peer in self._peers.values():
            if peer.state is not PeerState.SILENT and now < peer.last_heard + timeout_ms < until:
                until = peer.last_heard + timeout_ms
        return until

    def _doubtful_endpoints(self) -> frozenset[Endpoint]:
        """Where pulses go that perhaps do not arrive."""
        doubtful = (PeerState.SILENT, PeerState.ONE_WAY)
        return frozenset(
            [peer.pulse.heartbeat for peer in self._peers.values() if peer.state in doubtful]
        )

    def _next_pulse(self, wall_ms: int) -> Pulse:
        me = self.identity
        self._sequence += 1
        return Pulse(
            node=me.node,
            incarnation=me.incarnation,
            sequence=self._sequence,
            cluster_name=me.cluster_name,
            heard=self._heard,
            heartbeat=me.heartbeat,
            fabric=me.fabric,
            principal=self._standing.principal,
            cluster_key=self._standing.cluster_key,
            wall_ms=wall_ms,
        )

    def _send_pulse(self, wall_ms: int) -> list[Output]:
        data = self._codec.encode(self._next_pulse(wall_ms))
        if self.config.multicast:
            return [Datagram(data)]
        framed = frame(data)
        return [Transmit(PLANE, link, framed) for link in self.mesh.open_links()]

    def _ask_for_strangers(self, peer: Peer, now: int) -> list[Output]:
        """Ask a peer for the endpoints of nodes that it hears and we know nothing of."""
        pulse, me = peer.pulse, self.identity.node
        strangers = [node for node in pulse.heard if node not in self._peers and node != me]
        peer.names_strangers = bool(strangers) and not self.config.multicast
        link = self._link_to(pulse.node)
        recently = now - self._asked.get(pulse.node, -self.config.timeout_ms)
        if not peer.names_strangers or link is None or recently < self.config.interval_ms:
            return []
        self._asked[pulse.node] = now
        return [self._write(link, MeshRequest(tuple(strangers)))]

    def _check(self) -> None:
        assert self.identity.node not in self._peers
        heard = self._heard
        for node, peer in self._peers.items():
            assert peer.pulse.node == node
            assert not peer.outputs, "every event was told"
            assert (peer.state in LISTED) == (node in heard)
        self.mesh._check()
