"""Fabric: messages between the nodes of a neighbourhood, by node id.

A one-way message arrives at most once. A request is sent again until it is answered or times out,
and its handler still sees it once: the receiver keeps its answer until the sender says (`oldest`)
that everything below is over. Nothing is delivered that was sent by, or to, another life of a node
than the one the heartbeat says is there.

What comes in bulk *waits* (`waiting`): whoever has the loop takes a little of it a turn
(`take_waiting`), so that requests of clients come between, however much arrives in one piece.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Final

from attrs import define, field, frozen

from cluster.fabric.link import (
    BUSY,
    PLANE,
    TICK,
    Dropped,
    FabricConfig,
    FabricLink,
    LinkState,
)
from cluster.link_events import Empty, Full, Lost, Up
from cluster.membership.heartbeat import Identity
from cluster.messages import FabricHello, Parcel
from cluster.outputs import Channel, Hangup, Output, Transmit
from cluster.state_machine import Observer
from cluster.wire import Codec, Endpoint, FrameReader, Message, WireError, frame

CHANNELS: Final = tuple(Channel)

TAKEN_AT_ONCE: Final = 4
TAKEN_BYTES: Final = 2048
"""Messages in bulk that are taken at once, and bytes from which on no more are: so little work that
the time can be looked at after it, so much that what follows on a message is done once."""

FOREVER = 1 << 62
"""A deadline that never comes."""


Take = Callable[[int, bytes, int], list[Output] | None]
"""Given a node, a message of its and the time: what that causes; None: decode it."""


class FabricFull(Exception):
    """The peer takes no more for now: a queue, or the window of open requests, is full."""


@define(unsafe_hash=True)
class Delivered(Output):
    """A message for a handler; `transaction` is not 0 when a reply is expected."""

    node: int
    message: Message
    transaction: int
    channel: Channel


@frozen
class Replied(Output):
    """The answer to a request."""

    node: int
    transaction: int
    message: Message


@frozen
class Failed(Output):
    """A request was not answered in time, or its node departed: it may have been carried out."""

    node: int
    transaction: int


@define
class _Open:
    """A request without an answer."""

    body: bytes
    channel: Channel
    next_send: int
    expires: int


@define
class _Inbox:
    """What has come from one life of a node."""

    incarnation: int
    oldest: int = 0
    answers: dict[int, bytes | None] = field(factory=dict)


@define
class _Peer:
    """A node that is there, and our connections to it by channel."""

    incarnation: int
    links: tuple[list[FabricLink], ...]
    next_transaction: int = 1
    open: dict[int, _Open] = field(factory=dict)

    @property
    def oldest(self) -> int:
        """Every request below is over."""
        return next(iter(self.open), self.next_transaction)


class Fabric:
    """The fabric of one node. Inputs return the outputs they cause, in order."""

    def __init__(
        self,
        identity: Identity,
        config: FabricConfig,
        codec: Codec,
        observer: Observer | None = None,
    ) -> None:
        self.identity = identity
        self.config = config
        self.deadline = FOREVER
        self.ignored = 0
        self.bytes_sent = [0] * len(CHANNELS)
        self.bytes_received = [0] * len(CHANNELS)
        """Both by channel, since the start."""
        self.takes: dict[int, Take] = {}
        """What takes messages of a channel before they are decoded."""
        self._codec = codec
        self._observer = observer
        self._peers: dict[int, _Peer] = {}
        self._inboxes: dict[int, _Inbox] = {}
        self._links: dict[int, FabricLink] = {}
        self._next_link = 1
        self._readers: dict[int, FrameReader] = {}
        self._hellos: dict[int, FabricHello] = {}
        self.waiting: deque[tuple[int, bytes]] = deque()
        """Messages in bulk that have come, each with its connection."""
        self.waiting_bytes = 0
        # Transactions go on counting when a node departs and the same life of it comes back.
        self._counters: dict[int, int] = {}

    # --- peers ---------------------------------------------------------------------------------

    @property
    def peers(self) -> tuple[int, ...]:
        """Nodes that can be sent to."""
        return tuple(self._peers)

    def links(self, node: int) -> tuple[tuple[Channel, FabricLink], ...]:
        """Our connections to a node that can be sent to, each with its channel."""
        peer = self._peers.get(node)
        by_channel = zip(CHANNELS, peer.links, strict=True) if peer is not None else ()
        return tuple([(channel, link) for channel, links in by_channel for link in links])

    def life(self, node: int) -> int:
        """The incarnation of a node that can be sent to, or could last: 0 for one never seen."""
        inbox = self._inboxes.get(node)
        return inbox.incarnation if inbox is not None else 0

    def arrived(self, node: int, incarnation: int, endpoint: Endpoint, now: int) -> list[Output]:
        """A node, in this life, is there."""
        outputs = self.departed(node, now)
        inbox = self._inboxes.get(node)
        if inbox is None or inbox.incarnation != incarnation:
            self._inboxes[node] = _Inbox(incarnation)
        links = tuple(
            [self._new_link(node, incarnation, endpoint, channel) for _ in range(count)]
            for channel, count in enumerate(self.config.connections)
        )
        self._peers[node] = _Peer(incarnation, links, self._counters.get(node, 1))
        return outputs

    def _new_link(
        self, node: int, incarnation: int, endpoint: Endpoint, channel: int
    ) -> FabricLink:
        me = self.identity
        hello = FabricHello(me.node, me.incarnation, node, incarnation, channel)
        greeting = frame(self._codec.encode(hello))
        link = FabricLink(self._next_link, endpoint, greeting, self.config, self._observer)
        self._links[self._next_link] = link
        self._next_link += 2
        return link

    def departed(self, node: int, now: int) -> list[Output]:
        """A node is there no more: its connections close, its open requests fail."""
        peer = self._peers.pop(node, None)
        if peer is None:
            return []
        outputs: list[Output] = [Failed(node, transaction) for transaction in peer.open]
        self._counters[node] = peer.next_transaction
        for link in [link for links in peer.links for link in links]:
            link.clear()
            link.fire(Dropped(), now)
            outputs += self._drain(link)
            del self._links[link.link]
        return outputs

    # --- sending -------------------------------------------------------------------------------

    def send(self, node: int, message: Message, channel: Channel, now: int) -> list[Output]:
        """Send one way: at most once, lost when the connection breaks or the node is not there.

        Raises FabricFull, and then nothing is sent.
        """
        return self._push(node, self._codec.encode(message), channel, now)

    def post(self, node: int, payload: bytes, channel: Channel, now: int) -> list[Output]:
        """Send the bytes of a message, as `send`; lost when the queue is full."""
        peer = self._peers.get(node)
        if peer is None:
            return []
        link = peer.links[channel][0]
        if link.state is LinkState.OPEN:  # as `_push`, which takes three times as long
            framed = frame(payload)
            self.bytes_sent[channel] += len(framed)
            return [Transmit(PLANE, link.link, framed)]
        try:
            return self._push(node, payload, channel, now)
        except FabricFull:
            return []

    def request(
        self, node: int, message: Message, channel: Channel, timeout_ms: int, now: int
    ) -> tuple[int, list[Output]]:
        """Ask; (transaction, outputs). `Replied` or `Failed` follows, exactly one of them.

        Raises FabricFull, also when the node is not there, and then nothing is sent.
        """
        peer = self._peers.get(node)
        if peer is None or peer.next_transaction - peer.oldest >= self.config.window:
            raise FabricFull(f"node {node:x}")
        transaction = peer.next_transaction
        peer.next_transaction += 1
        again = now + self.config.retransmit_ms
        body = self._codec.encode(message)
        peer.open[transaction] = _Open(body, channel, again, now + timeout_ms)
        self.deadline = min(self.deadline, again, now + timeout_ms)
        parcel = self._codec.encode(Parcel(body, transaction, peer.oldest))
        try:
            return transaction, self._push(node, parcel, channel, now)
        except FabricFull:
            del peer.open[transaction]
            raise

    def reply(
        self, node: int, transaction: int, message: Message, channel: Channel, now: int
    ) -> list[Output]:
        """Answer a request; kept, and sent again when it is asked again."""
        body = self._codec.encode(message)
        inbox = self._inboxes.get(node)
        if inbox is None or transaction not in inbox.answers:
            return []
        inbox.answers[transaction] = body
        return self._answer(node, transaction, body, channel, now)

    def _answer(
        self, node: int, transaction: int, body: bytes, channel: Channel, now: int
    ) -> list[Output]:
        parcel = self._codec.encode(Parcel(body, transaction, reply=True))
        try:
            return self._push(node, parcel, channel, now)
        except FabricFull:
            return []  # it is asked again

    def _push(self, node: int, payload: bytes, channel: Channel, now: int) -> list[Output]:
        peer = self._peers.get(node)
        if peer is None:
            return []
        links = peer.links[channel]
        link = links[0] if len(links) == 1 else min(links, key=lambda each: each.queued_bytes)
        framed = frame(payload)
        if not link.push(framed, now):
            raise FabricFull(f"node {node:x}")
        self.bytes_sent[channel] += len(framed)
        if link.is_busy:
            self._wake(now)
        return self._drain(link)

    def _drain(self, link: FabricLink) -> list[Output]:
        outputs, link.outputs = link.outputs, []
        return outputs

    def _wake(self, now: int) -> None:
        self.deadline = min(self.deadline, now + self.config.tick_ms)

    # --- connections ---------------------------------------------------------------------------

    def accepted(self, link: int, now: int) -> list[Output]:
        """A peer has dialed us."""
        self._readers[link] = FrameReader()
        return []

    def dialed(self, link: int, now: int) -> list[Output]:
        """A connection we asked for is there."""
        return self._fire(link, Up(), now)

    def lost(self, link: int, now: int) -> list[Output]:
        """A connection, of either direction, is gone or was never made."""
        self._readers.pop(link, None)
        self._hellos.pop(link, None)
        self._wake(now)
        return self._fire(link, Lost(), now)

    def writable(self, link: int, yes: bool, now: int) -> list[Output]:
        """A connection's buffers are full, or empty again."""
        return self._fire(link, Empty() if yes else Full(), now)

    def _fire(self, number: int, event: object, now: int) -> list[Output]:
        link = self._links.get(number)
        if link is None:
            return []
        link.fire(event, now)
        return self._drain(link)

    def received(self, link: int, data: bytes, now: int) -> list[Output]:
        """Bytes from a connection a peer dialed. Raises WireError: hang up on it."""
        outputs: list[Output] = []
        reader, hello = self._readers.get(link), self._hellos.get(link)
        take = self.takes.get(hello.channel) if hello is not None else None
        if hello is not None and take is not None and reader is not None:
            self.bytes_received[hello.channel] += len(data)
            return self._take(take, hello, link, reader.feed(data), now)
        if reader is not None:
            for payload in reader.feed(data):
                if self.is_in_bulk(link):
                    self.waiting.append((link, payload))
                    self.waiting_bytes += len(payload)
                else:
                    outputs += self._receive(link, self._codec.decode(payload), now)
            hello = self._hellos.get(link)
            if hello is not None:
                self.bytes_received[hello.channel] += len(data)
        return outputs

    def _take(
        self, take: Take, hello: FabricHello, link: int, payloads: list[bytes], now: int
    ) -> list[Output]:
        """To who knows what has come undecoded, else as any message."""
        outputs: list[Output] = []
        for payload in payloads:
            known = None
            if self._is_from_the_living(hello):
                known = take(hello.node, payload, now)
            if known is None:
                known = self._receive(link, self._codec.decode(payload), now)
            outputs += known
        return outputs

    def is_in_bulk(self, link: int) -> bool:
        """Whether what comes on this connection waits."""
        hello = self._hellos.get(link)
        return hello is not None and hello.channel == Channel.BULK

    def take_waiting(self, now: int) -> list[Output]:
        """Take the first of the messages that wait: a few, or one that is big."""
        outputs: list[Output] = []
        taken = size = 0
        while self.waiting and taken < TAKEN_AT_ONCE and size < TAKEN_BYTES:
            link, payload = self.waiting.popleft()
            taken, size = taken + 1, size + len(payload)
            self.waiting_bytes -= len(payload)
            if link not in self._readers:
                continue  # its connection is gone
            try:
                outputs += self._receive(link, self._codec.decode(payload), now)
            except WireError:
                outputs += [Hangup(PLANE, link), *self.lost(link, now)]
        return outputs

    def _receive(self, link: int, message: Message | None, now: int) -> list[Output]:
        hello = self._hellos.get(link)
        if hello is None:
            me = self.identity
            if not isinstance(message, FabricHello) or message.channel >= len(CHANNELS):
                raise WireError("a connection begins with a greeting")
            if (message.to_node, message.to_incarnation) != (me.node, me.incarnation):
                raise WireError("the greeting is for another life")
            self._hellos[link] = message
            return []
        if message is None or not self._is_from_the_living(hello):
            self.ignored += 1
            return []
        if type(message) is Parcel:
            return self._parcel(hello, message, now)
        return [Delivered(hello.node, message, 0, CHANNELS[hello.channel])]

    def _is_from_the_living(self, hello: FabricHello) -> bool:
        peer = self._peers.get(hello.node)
        return peer is not None and peer.incarnation == hello.incarnation

    def _parcel(self, hello: FabricHello, parcel: Parcel, now: int) -> list[Output]:
        node = hello.node
        if parcel.reply:
            return self._take_reply(node, parcel)
        channel = CHANNELS[hello.channel]
        if self._is_repeated(node, parcel.transaction, parcel.oldest):
            body = self._inboxes[node].answers.get(parcel.transaction)
            return self._answer(node, parcel.transaction, body, channel, now) if body else []
        message = self._codec.decode(parcel.body)
        if message is None:
            self.ignored += 1
            return []
        return [Delivered(node, message, parcel.transaction, channel)]

    def _take_reply(self, node: int, parcel: Parcel) -> list[Output]:
        if self._peers[node].open.pop(parcel.transaction, None) is None:
            return []
        message = self._codec.decode(parcel.body)
        if message is None:
            return [Failed(node, parcel.transaction)]
        return [Replied(node, parcel.transaction, message)]

    def _is_repeated(self, node: int, transaction: int, oldest: int) -> bool:
        """Has the request been delivered before? Notes it, and forgets what is over."""
        inbox = self._inboxes[node]
        if oldest > inbox.oldest:
            inbox.oldest = oldest
            while inbox.answers and (first := next(iter(inbox.answers))) < oldest:
                del inbox.answers[first]
        if transaction < inbox.oldest or transaction in inbox.answers:
            return True
        inbox.answers[transaction] = None
        return False

    # --- time ----------------------------------------------------------------------------------

    def tick(self, now: int) -> list[Output]:
        """Time has reached `deadline`: dial again, ask again, give up."""
        if now < self.deadline:
            return []
        outputs: list[Output] = []
        busy = False
        due = FOREVER
        for node, peer in self._peers.items():
            if peer.open:
                outputs += self._ask_again(node, peer, now)
                for request in peer.open.values():
                    due = min(due, request.next_send, request.expires)
            for link in chain.from_iterable(peer.links):
                if link.state in BUSY:
                    link.fire(TICK, now)
                    outputs += self._drain(link)
                    busy |= link.is_busy
        # What is overdue could not be sent: not again before some time has passed.
        soon = now + self.config.tick_ms
        self.deadline = soon if busy else max(due, soon)
        return outputs

    def _ask_again(self, node: int, peer: _Peer, now: int) -> list[Output]:
        outputs: list[Output] = []
        for transaction, request in list(peer.open.items()):
            if request.expires <= now:
                del peer.open[transaction]
                outputs.append(Failed(node, transaction))
            elif request.next_send <= now:
                request.next_send = now + self.config.retransmit_ms
                parcel = self._codec.encode(Parcel(request.body, transaction, peer.oldest))
                try:
                    outputs += self._push(node, parcel, request.channel, now)
                except FabricFull:
                    break  # the queue has enough to send
        return outputs

    def _check(self) -> None:
        assert self.waiting_bytes == sum(len(payload) for _, payload in self.waiting)
        for peer in self._peers.values():
            if peer.open:
                assert len(peer.open) <= self.config.window
                assert min(peer.open) > 0
                assert max(peer.open) < peer.next_transaction
        assert len(self._links) == len(self._peers) * sum(self.config.connections)
        for number, link in self._links.items():
            assert number == link.link
            if link.outputs or link.queued_bytes or link._queue:
                link._check()
