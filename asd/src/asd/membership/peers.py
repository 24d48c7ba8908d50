"""What nodes ask one another besides the library's questions: addresses, and standing.

Where clients reach the other nodes: each is asked for its service addresses.

A node asks every other member of a new cluster, and again until it is answered or the cluster is
another one. So the list that `peers-clear-std` shows holds members only, and only those that have
said where they are; clients hear of a change by the generation.

A node that has not run for a while (`asd.replication.waking`) asks the others which cluster they
are in. Only when all say that it is still this one, it is. One that says another, or nothing, has
given the asking node up: then a new cluster will come, and with it the end of the question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import frozen

from asd.membership.ship_times import ShipTimesAre
from asd.membership.state import Addresses, PeerRow
from cluster import Channel, ClusterChanged, Delivered, Message, Output, Service
from cluster.messages import CLASSES
from cluster.outputs import Request, Respond
from cluster.wire import Codec

ASK_MS = 1000
MOST_ADDRESSES = 64


@frozen
class AskAddresses(Message):
    """Where do clients reach you? (request)"""

    TYPE: ClassVar[int] = 120


@frozen
class AddressesAre(Message):
    """Here: texts joined by commas."""

    TYPE: ClassVar[int] = 121
    clear: str = ""
    alternate: str = ""
    tls: str = ""
    tls_alternate: str = ""
    tls_name: str = ""


@frozen
class AskRecluster(Message):
    """To the principal: balance anew, I am quiesced."""

    TYPE: ClassVar[int] = 122


@frozen
class AskStanding(Message):
    """Which cluster are you in? (request)"""

    TYPE: ClassVar[int] = 123


@frozen
class StandingIs(Message):
    """In the one of this key."""

    TYPE: ClassVar[int] = 124
    cluster_key: int = 0


def codec() -> Codec:
    """A codec of the cluster's messages and those of this room."""
    own = AskAddresses, AddressesAre, AskRecluster, AskStanding, StandingIs
    return Codec((*CLASSES, *own, ShipTimesAre))


@frozen
class _Standing:
    """The tag of a question for standing."""

    node: int
    cluster_key: int


class Peers(Service):
    """The service addresses of the other members."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (AskAddresses, AskRecluster, AskStanding)

    def __init__(self, me: int, recluster: Callable[[], None] = lambda: None) -> None:
        """`recluster` is called when a node asks for it; it must not call the node at once."""
        self.generation = 0
        self._recluster = recluster
        self._quiesced: frozenset[int] = frozenset()
        self.published = Addresses()
        """What this node tells others."""
        self._me = me
        self._members: frozenset[int] = frozenset()
        self._known: dict[int, PeerRow] = {}
        self._key = 0
        self._unsure: set[int] = set()
        self._confirmed: Callable[[], None] = lambda: None

    @property
    def rows(self) -> list[PeerRow]:
        """The members that are known, by id."""
        return [self._known[node] for node in sorted(self._known)]

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Forget who has gone, ask who has come."""
        self._key = view.cluster_key
        self._unsure.clear()
        self._members = frozenset(view.nodes) - {self._me}
        self._quiesced = frozenset(row[0] for row in view.members if row[3])
        gone = self._known.keys() - self._members
        for node in gone:
            del self._known[node]
        self.generation += bool(gone)
        return [self._ask(node) for node in sorted(self._members)]

    def confirm(self, confirmed: Callable[[], None]) -> list[Output]:
        """Ask all members whether the cluster still is; `confirmed` is called when all have said
        yes. It is not called where a new cluster comes first."""
        self._confirmed = confirmed
        self._unsure = set(self._members)
        return [self._ask_standing(node) for node in sorted(self._members)]

    def _ask_standing(self, node: int) -> Output:
        return Request(node, AskStanding(), Channel.META, ASK_MS, _Standing(node, self._key))

    def _stands(self, asked: _Standing, reply: Message | None) -> list[Output]:
        if asked.cluster_key != self._key or asked.node not in self._unsure:
            return []
        if not isinstance(reply, StandingIs):
            return [self._ask_standing(asked.node)]
        if reply.cluster_key == self._key:
            self._unsure.discard(asked.node)
            if not self._unsure:
                self._confirmed()
        return []

    def _ask(self, node: int) -> Output:
        return Request(node, AskAddresses(), Channel.META, ASK_MS, node)

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A node asks. One that is quiesced already has no reason to ask for a balance."""
        if isinstance(came.message, AskRecluster):
            if came.node not in self._quiesced:
                self._recluster()
            return []
        if isinstance(came.message, AskStanding):
            standing = StandingIs(self._key)
            return [Respond(came.node, came.transaction, standing, came.channel)]
        at = self.published
        clear, alternate, tls, tls_alternate = map(",".join, at[:4])
        message = AddressesAre(clear, alternate, tls, tls_alternate, at.tls_name)
        return [Respond(came.node, came.transaction, message, came.channel)]

    def answered(self, tag: Any, reply: Message | None, now: int) -> list[Output]:
        """A node has answered, or has not."""
        if isinstance(tag, _Standing):
            return self._stands(tag, reply)
        if tag not in self._members:
            return []
        if not isinstance(reply, AddressesAre):
            return [self._ask(tag)]
        at = Addresses(
            _split(reply.clear),
            _split(reply.alternate),
            _split(reply.tls),
            _split(reply.tls_alternate),
            reply.tls_name,
        )
        row = PeerRow(f"{tag:X}", at)
        if self._known.get(tag) != row:
            self._known[tag] = row
            self.generation += 1
        return []

    def _check(self) -> None:
        assert self._known.keys() <= self._members
        assert self._unsure <= self._members


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")[:MOST_ADDRESSES]) if text else ()
