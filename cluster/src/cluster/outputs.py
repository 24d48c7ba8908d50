"""What protocol cores ask of the world, and the events they tell: plain data, in order."""

from __future__ import annotations

from enum import IntEnum

from attrs import frozen

from cluster.messages import MemberRow
from cluster.wire import Endpoint, Message


class Channel(IntEnum):
    """What a connection is for: urgent and small, metadata, replica writes, migration."""

    CONTROL = 0
    META = 1
    REPLICATION = 2
    BULK = 3


class Output:
    """The base of everything a core may return."""

    __slots__ = ()


# --- to the network ------------------------------------------------------------------------------


@frozen
class Dial(Output):
    """Open a connection and call it `link`; answer with `dialed` or `lost`."""

    plane: str
    link: int
    endpoint: Endpoint


@frozen
class Transmit(Output):
    """Write bytes on a link."""

    plane: str
    link: int
    data: bytes


@frozen
class Hangup(Output):
    """Close a link; no answer comes."""

    plane: str
    link: int


@frozen
class Datagram(Output):
    """Send to the multicast group."""

    data: bytes


@frozen
class Send(Output):
    """Hand a message to the fabric for a node; it may be lost."""

    to: int
    message: Message
    channel: Channel = Channel.CONTROL


@frozen
class Request(Output):
    """Ask a node; the service that returned this hears the answer, with `tag`."""

    to: int
    message: Message
    channel: Channel
    timeout_ms: int
    tag: object


@frozen
class Respond(Output):
    """Answer a request that was delivered."""

    to: int
    transaction: int
    message: Message
    channel: Channel


# --- events --------------------------------------------------------------------------------------


@frozen
class NodeArrived(Output):
    """A node hears us and we hear it."""

    node: int
    incarnation: int
    fabric: Endpoint


@frozen
class NodeDeparted(Output):
    """That is over: it fell silent, stopped hearing us, or began another life."""

    node: int
    incarnation: int


@frozen
class GraphChanged(Output):
    """Who hears whom has changed."""


@frozen
class DuplicateNode(Output):
    """Another node has our node id."""

    incarnation: int


@frozen
class ClusterChanged(Output):
    """A succession list is committed: cluster key, ballot, members by falling node id."""

    cluster_key: int
    sequence: int
    principal: int
    members: tuple[MemberRow, ...]

    @property
    def nodes(self) -> tuple[int, ...]:
        """The succession list: node ids, the principal first."""
        return tuple([row[0] for row in self.members])


@frozen
class SmdReady(Output):
    """All nodes of the cluster have the same system metadata."""

    cluster_key: int


@frozen
class SmdAnswer(Output):
    """A change of system metadata asked for here is done, or failed and may be asked again."""

    change: int
    done: bool
