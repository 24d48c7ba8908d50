"""A node of a cluster: heartbeat, fabric, paxos and the services on top, as one machine without IO.

A service is what needs to talk to other nodes: system metadata, exchange, migration, or a
database's own. It names the messages it takes, hears of every new cluster, and returns outputs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from citrusleaf import Clock
from cluster.fabric import FOREVER, Delivered, Fabric, FabricFull, Failed, Replied
from cluster.fabric.link import FabricConfig
from cluster.membership.heartbeat import PLANE as HEARTBEAT
from cluster.membership.heartbeat import Heartbeat, Identity
from cluster.membership.paxos import Paxos
from cluster.membership.paxos_events import CAME, PaxosConfig
from cluster.membership.peer import HeartbeatConfig
from cluster.messages import codec
from cluster.outputs import (
    Channel,
    ClusterChanged,
    Datagram,
    Dial,
    GraphChanged,
    Hangup,
    MovedOn,
    NodeArrived,
    NodeDeparted,
    Output,
    Post,
    Request,
    Respond,
    Send,
    StoreAnswer,
    Transmit,
)
from cluster.state_machine import Observer
from cluster.wire import Codec, Endpoint, Message

NETWORK: Final = frozenset({Transmit, Dial, Hangup, Datagram})
"""Outputs that are the network's to carry out, not a part's of the node."""

REFUSED_MS = 200
"""After so long a request that the fabric would not take counts as unanswered."""

Event = Output
Listener = Callable[[Event], StoreAnswer | None]
"""Told of events and questions. It may return the answer to a question; else that comes with
`ClusterNode.tell`."""


class Service:
    """The base of services. All inputs return outputs; all have a default that does nothing."""

    NAME: ClassVar[str] = ""
    """What tokens of its questions begin with; '' for one that asks the daemon nothing."""
    MESSAGES: ClassVar[tuple[type[Message], ...]] = ()
    TAKES: ClassVar[Channel | None] = None
    """The channel whose messages the service may `take`; one service a channel."""
    deadline: int = FOREVER

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """A succession list is committed."""
        return []

    def left_behind(self, yes: bool, now: int) -> list[Output]:
        """Most others have gone on without us, so nothing of our cluster holds; or they have not
        after all. A new cluster ends it, too."""
        return []

    def departed(self, node: int, now: int) -> list[Output]:
        """A node is there no more: what it was sent it may have had, and it answers nothing."""
        return []

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """One of `MESSAGES` has come."""
        return []

    def take(self, node: int, payload: bytes, now: int) -> list[Output] | None:
        """A message has come by the channel that the service `TAKES`, undecoded; None: decode
        it."""
        return None

    def answered(self, tag: object, reply: Message | None, now: int) -> list[Output]:
        """The answer to a `Request` with this tag; None when there was none."""
        return []

    def tell(self, answer: StoreAnswer, now: int) -> list[Output]:
        """The daemon's answer to a question with one of this service's tokens."""
        return []

    def tick(self, now: int) -> list[Output]:
        """Time has reached `deadline`."""
        return []

    def _check(self) -> None:
        """Assert the invariants."""


Caused = tuple[list[Output], Service | None]
"""Outputs, and the service that they are of."""

Way = Callable[[Any, Service | None, int], list[Caused]]
"""Hands an output of a kind, and of a service, to the part it is for; what that causes."""


@frozen
class NodeConfig:
    """The configurations of a node's parts."""

    heartbeat: HeartbeatConfig = field(factory=HeartbeatConfig)
    paxos: PaxosConfig = field(factory=PaxosConfig)
    fabric: FabricConfig = field(factory=FabricConfig)


@frozen
class Parts:
    """The classes a node is made of: tests plant broken ones."""

    heartbeat: type[Heartbeat] = Heartbeat
    fabric: type[Fabric] = Fabric
    paxos: type[Paxos] = Paxos


class ClusterNode:
    """A node. Every input returns what the network shall do: Dial, Transmit, Hangup, Datagram.

    Everything else that a service returns, events and questions to the daemon, goes to the
    listeners. `now` is monotonic milliseconds; events go to the listeners as they happen. From
    `start` on, `deadline` says when `tick` is due.
    """

    def __init__(
        self,
        identity: Identity,
        config: NodeConfig,
        clock: Clock,
        services: Iterable[Service] = (),
        *,
        parts: Parts | None = None,
        observer: Observer | None = None,
        codes: Codec | None = None,
    ) -> None:
        """`codes` may be shared by nodes of one thread."""
        parts = parts if parts is not None else Parts()
        codes = codes if codes is not None else codec()
        self.identity = identity
        self.deadline = FOREVER
        self.heartbeat = parts.heartbeat(identity, config.heartbeat, codes, observer)
        self.fabric = parts.fabric(identity, config.fabric, codes, observer)
        self.paxos = parts.paxos(identity, config.paxos, self.heartbeat, observer)
        self.services = tuple(services)
        self._clock = clock
        self._handlers = {kind: service for service in self.services for kind in service.MESSAGES}
        for service in self.services:
            if service.TAKES is not None:
                self.fabric.takes[service.TAKES] = service.take
        self._named = {service.NAME: service for service in self.services if service.NAME}
        self._listeners: list[tuple[Listener, frozenset[type[Output]]]] = []
        self._hear: dict[type[Output], tuple[Listener, ...]] = {}
        self._ways: Mapping[type[Output], Way] = {
            Send: self._send,
            Delivered: self._deliver,
            Request: self._request,
            Respond: self._respond,
            Replied: self._replied,
            Failed: self._failed,
            NodeArrived: self._arrived,
            NodeDeparted: self._departed,
            GraphChanged: self._graph_changed,
            MovedOn: self._moved_on,
            ClusterChanged: self._cluster_changed,
        }
        self._asked: dict[tuple[int, int], tuple[Service, object]] = {}
        self._away: set[int] = set()
        self._refused: deque[tuple[int, Service, object]] = deque()

    def listen(self, listener: Listener, *kinds: type[Output]) -> None:
        """Hear of every event (nodes, clusters, metadata, migrations), or only of some kinds."""
        self._listeners.append((listener, frozenset(kinds)))
        self._hear.clear()

    def _listeners_of(self, kind: type[Output]) -> tuple[Listener, ...]:
        found = self._hear.get(kind)
        if found is None:
            found = tuple([each for each, kinds in self._listeners if not kinds or kind in kinds])
            self._hear[kind] = found
        return found

    @property
    def view(self) -> ClusterChanged | None:
        """The cluster the node is in."""
        return self.paxos.view

    # --- inputs --------------------------------------------------------------------------------

    def start(self, now: int) -> list[Output]:
        """Begin."""
        begun = [*self.heartbeat.start(now), *self._agreed(self.paxos.start(now))]
        return self._settle(begun, now)

    def accepted(self, plane: str, link: int, now: int) -> list[Output]:
        """A peer has dialed us; the link's number is even."""
        part = self.heartbeat if plane == HEARTBEAT else self.fabric
        return self._settle(part.accepted(link, now), now)

    def dialed(self, plane: str, link: int, now: int) -> list[Output]:
        """What `Dial` asked for is there."""
        if plane == HEARTBEAT:
            return self._settle(self.heartbeat.dialed(link, now, self._clock.wall_ms()), now)
        return self._settle(self.fabric.dialed(link, now), now)

    def lost(self, plane: str, link: int, now: int) -> list[Output]:
        """A link is gone, or could not be dialed."""
        part = self.heartbeat if plane == HEARTBEAT else self.fabric
        return self._settle(part.lost(link, now), now)

    def writable(self, plane: str, link: int, yes: bool, now: int) -> list[Output]:
        """A link's buffers are full, or have room again."""
        if plane == HEARTBEAT:
            self.heartbeat.writable(link, yes)
            return []
        return self._settle(self.fabric.writable(link, yes, now), now)

    def received(self, plane: str, link: int, data: bytes, now: int) -> list[Output]:
        """Bytes on a link. Raises WireError: hang up, and say `lost`."""
        if plane != HEARTBEAT:
            return self._settle(self.fabric.received(link, data, now), now)
        outputs = self.heartbeat.received(link, data, now, self._clock.wall_ms())
        # A pulse without news, as most are, changes no deadline.
        return self._settle(outputs, now) if outputs else outputs

    def take_waiting(self, now: int) -> list[Output]:
        """Take one message of those that wait for a turn (`Fabric.waiting`)."""
        return self._settle(self.fabric.take_waiting(now), now)

    def datagram(self, data: bytes, now: int) -> list[Output]:
        """A datagram of the multicast group."""
        outputs = self.heartbeat.datagram(data, now, self._clock.wall_ms())
        return self._settle(outputs, now) if outputs else outputs

    def tick(self, now: int) -> list[Output]:
        """Time has reached `deadline`."""
        outputs: list[Output] = []
        if self.heartbeat.deadline <= now:
            outputs += self._route(self.heartbeat.tick(now, self._clock.wall_ms()), now)
        if self.paxos.deadline <= now:
            outputs += self._route(self.paxos.tick(now), now)
        if self.fabric.deadline <= now:
            outputs += self._route(self.fabric.tick(now), now)
        for service in self.services:
            if service.deadline <= now:
                outputs += self._route(service.tick(now), now, service)
        while self._refused and self._refused[0][0] <= now:
            _, service, tag = self._refused.popleft()
            outputs += self._route(service.answered(tag, None, now), now, service)
        self.deadline = min(self._due(), self.paxos.deadline)
        return outputs

    def rename(self, cluster_name: str) -> None:
        """Belong to the cluster of another name: nodes of the old one fall silent to each other."""
        self.heartbeat.rename(cluster_name)

    def go_by(self, config: NodeConfig, now: int) -> list[Output]:
        """Keep the heartbeat's and the agreement's times of another configuration from now on."""
        self.heartbeat.go_by(config.heartbeat, now)
        self.paxos.config = config.paxos
        return self._settle(self._agreed(self.paxos.graph_changed(now)), now)

    def clear_tip(self, endpoint: Endpoint, now: int) -> list[Output]:
        """Look no more for a node at an endpoint given by `heartbeat.tip`."""
        return self._settle(self.heartbeat.clear_tip(endpoint), now)

    def recluster(self, now: int) -> list[Output]:
        """Agree and balance anew although the nodes are the same; nothing unless we are the
        principal."""
        return self._settle(self._agreed(self.paxos.recluster(now)), now)

    def tell(self, answer: StoreAnswer, now: int) -> list[Output]:
        """The daemon's answer to a question that a listener heard: `Loaded`, `Applied`, ..."""
        outputs, service = self._told(answer, now)
        return self._settle(outputs, now, service)

    def carry_out(self, service: Service, outputs: list[Output], now: int) -> list[Output]:
        """Do what a service wants done, from outside its inputs; what the network shall do."""
        return self._settle(outputs, now, service)

    def post(self, service: Service, posts: list[Output], now: int) -> list[Output]:
        """As `carry_out`, of a service that has added nothing but messages to be posted: they cause
        nothing else."""
        network: list[Output] = []
        for each in posts:
            assert isinstance(each, Post)
            network += self.fabric.post(each.to, each.payload, each.channel, now)
        self.deadline = min(self.deadline, service.deadline, self.fabric.deadline)
        return network

    def _settle(
        self, outputs: list[Output], now: int, service: Service | None = None
    ) -> list[Output]:
        """Route what an input came to; after it another deadline may be the first."""
        network = self._route(outputs, now, service) if outputs else outputs
        # What is due later than before is found by the tick that comes too early.
        deadline = self._due()
        if deadline < self.deadline:
            self.deadline = deadline
        return network

    def _due(self) -> int:
        """When a part wants a tick; paxos' timers, which change seldom, are seen to where they
        may."""
        deadline, fabric = self.heartbeat.deadline, self.fabric.deadline
        if fabric < deadline:
            deadline = fabric
        for service in self.services:
            if service.deadline < deadline:
                deadline = service.deadline
        return min(deadline, self._refused[0][0]) if self._refused else deadline

    def _agreed(self, outputs: list[Output]) -> list[Output]:
        """Paxos has had an input: it may want a tick earlier."""
        self.deadline = min(self.deadline, self.paxos.deadline)
        return outputs

    # --- routing -------------------------------------------------------------------------------

    def _route(
        self, outputs: list[Output], now: int, service: Service | None = None
    ) -> list[Output]:
        """Hand each output to the part it is for, and what that causes too, in order."""
        network: list[Output] = []
        batches: deque[Caused] = deque()
        batch, source = outputs, service
        while True:
            for output in batch:
                kind = type(output)
                if kind in NETWORK:
                    network.append(output)
                elif type(output) is Post:  # of every group of replicated writes
                    network += self.fabric.post(output.to, output.payload, output.channel, now)
                else:
                    way = self._ways.get(kind, self._tell)
                    batches.extend(way(output, source, now))
            if not batches:
                return network
            batch, source = batches.popleft()

    def _tell(self, output: Output, source: Service | None, now: int) -> list[Caused]:
        """An event or a question is for the listeners; one of them may answer at once."""
        answers = [listener(output) for listener in self._listeners_of(type(output))]
        return [self._told(answer, now) for answer in answers if answer is not None]

    def _told(self, answer: StoreAnswer, now: int) -> Caused:
        service = self._named[answer.token[0]]
        return service.tell(answer, now), service

    def _arrived(self, output: NodeArrived, source: Service | None, now: int) -> list[Caused]:
        self._tell(output, source, now)
        caused = self.fabric.arrived(output.node, output.incarnation, output.fabric, now)
        caused += self._agreed(self.paxos.arrived(output.node, output.incarnation, now))
        return [(caused, None)]

    def _departed(self, output: NodeDeparted, source: Service | None, now: int) -> list[Caused]:
        self._tell(output, source, now)
        caused = self.fabric.departed(output.node, now)
        caused += self._agreed(self.paxos.departed(output.node, now))
        told = [(each.departed(output.node, now), each) for each in self.services]
        return [(caused, None), *told]

    def _graph_changed(
        self, output: GraphChanged, source: Service | None, now: int
    ) -> list[Caused]:
        self._tell(output, source, now)
        return [(self._agreed(self.paxos.graph_changed(now)), None)]

    def _cluster_changed(
        self, output: ClusterChanged, source: Service | None, now: int
    ) -> list[Caused]:
        self._tell(output, source, now)
        self._away.clear()
        self.heartbeat.stand(output.principal, output.cluster_key)
        return [(each.cluster_changed(output, now), each) for each in self.services]

    def _moved_on(self, output: MovedOn, source: Service | None, now: int) -> list[Caused]:
        """A member of our cluster has gone on to another one without us. When most have, it is we
        who were away, stopped or not heard: what we know of who serves what is old."""
        self._tell(output, source, now)
        members = self.view.nodes if self.view is not None else ()
        if output.node not in members:
            return []
        was = self._is_left_behind(members)
        (self._away.add if output.away else self._away.discard)(output.node)
        caused: list[Caused] = []
        if output.away:
            caused.append((self._agreed(self.paxos.recluster(now)), None))
        behind = self._is_left_behind(members)
        if behind is not was:
            caused += [(each.left_behind(behind, now), each) for each in self.services]
        return caused

    def _is_left_behind(self, members: tuple[int, ...]) -> bool:
        return 2 * len(self._away) > len(members) - 1

    def _send(self, output: Send, source: Service | None, now: int) -> list[Caused]:
        if output.to == self.identity.node:
            return [([Delivered(output.to, output.message, 0, output.channel)], source)]
        try:
            return [(self.fabric.send(output.to, output.message, output.channel, now), source)]
        except FabricFull:
            return []  # whoever needs it to arrive sends it again

    def _respond(self, output: Respond, source: Service | None, now: int) -> list[Caused]:
        where = output.to, output.transaction
        return [(self.fabric.reply(*where, output.message, output.channel, now), source)]

    def _request(self, output: Request, source: Service | None, now: int) -> list[Caused]:
        assert source is not None, "requests come from services"
        try:
            number, caused = self.fabric.request(
                output.to, output.message, output.channel, output.timeout_ms, now
            )
        except FabricFull:
            # Not at once: who is refused asks again, and time must pass between.
            self._refused.append((now + REFUSED_MS, source, output.tag))
            return []
        self._asked[output.to, number] = (source, output.tag)
        return [(caused, source)]

    def _deliver(self, came: Delivered, source: Service | None, now: int) -> list[Caused]:
        kind = type(came.message)
        if kind in CAME:
            return [(self._agreed(self.paxos.receive(came.node, came.message, now)), None)]
        service = self._handlers.get(kind)
        if service is None:
            return []
        for listener in self._listeners_of(Delivered):
            listener(came)
        return [(service.receive(came, now), service)]

    def _replied(self, output: Replied, source: Service | None, now: int) -> list[Caused]:
        return self._answered((output.node, output.transaction), output.message, now)

    def _failed(self, output: Failed, source: Service | None, now: int) -> list[Caused]:
        return self._answered((output.node, output.transaction), None, now)

    def _answered(self, request: tuple[int, int], reply: Message | None, now: int) -> list[Caused]:
        asked = self._asked.pop(request, None)
        if asked is None:
            return []
        service, tag = asked
        return [(service.answered(tag, reply, now), service)]

    def _check(self) -> None:
        self.heartbeat._check()
        self.paxos._check()
        self.fabric._check()
        for service in self.services:
            service._check()


__all__ = ["Channel", "ClusterNode", "NodeConfig", "Parts", "Service"]
