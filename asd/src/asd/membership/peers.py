"""Where clients reach the other nodes: each is asked for its service addresses.

A node asks every other member of a new cluster, and again until it is answered or the cluster is
another one. So the list that `peers-clear-std` shows holds members only, and only those that have
said where they are; clients hear of a change by the generation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import frozen

from asd.membership.state import PeerRow
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


@frozen
class AskRecluster(Message):
    """To the principal: balance anew, I am quiesced."""

    TYPE: ClassVar[int] = 122


def codec() -> Codec:
    """A codec of the cluster's messages and those of this room."""
    return Codec((*CLASSES, AskAddresses, AddressesAre, AskRecluster))


class Peers(Service):
    """The service addresses of the other members."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (AskAddresses, AskRecluster)

    def __init__(self, me: int, recluster: Callable[[], None] = lambda: None) -> None:
        """`recluster` is called when a node asks for it; it must not call the node at once."""
        self.generation = 0
        self._recluster = recluster
        self._quiesced: frozenset[int] = frozenset()
        self.published: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        """What this node tells others: addresses, and alternate ones."""
        self._me = me
        self._members: frozenset[int] = frozenset()
        self._known: dict[int, PeerRow] = {}

    @property
    def rows(self) -> list[PeerRow]:
        """The members that are known, by id."""
        return [self._known[node] for node in sorted(self._known)]

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Forget who has gone, ask who has come."""
        self._members = frozenset(view.nodes) - {self._me}
        self._quiesced = frozenset(row[0] for row in view.members if row[3])
        gone = self._known.keys() - self._members
        for node in gone:
            del self._known[node]
        self.generation += bool(gone)
        return [self._ask(node) for node in sorted(self._members)]

    def _ask(self, node: int) -> Output:
        return Request(node, AskAddresses(), Channel.META, ASK_MS, node)

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A node asks. One that is quiesced already has no reason to ask for a balance."""
        if isinstance(came.message, AskRecluster):
            if came.node not in self._quiesced:
                self._recluster()
            return []
        clear, alternate = self.published
        message = AddressesAre(",".join(clear), ",".join(alternate))
        return [Respond(came.node, came.transaction, message, came.channel)]

    def answered(self, tag: Any, reply: Message | None, now: int) -> list[Output]:
        """A node has answered, or has not."""
        if tag not in self._members:
            return []
        if not isinstance(reply, AddressesAre):
            return [self._ask(tag)]
        row = PeerRow(f"{tag:X}", _split(reply.clear), _split(reply.alternate))
        if self._known.get(tag) != row:
            self._known[tag] = row
            self.generation += 1
        return []

    def _check(self) -> None:
        assert self._known.keys() <= self._members


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")[:MOST_ADDRESSES]) if text else ()
