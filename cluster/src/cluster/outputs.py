"""What protocol cores ask of the world, and the events they tell: plain data, in order.

Nobody changes any of it. Those that are made for every group of replicated writes are not frozen by
`attrs` all the same: a frozen instance takes four times as long to make.
"""

from __future__ import annotations

from enum import IntEnum

from attrs import define, frozen

from cluster.messages import MemberRow, RecordRow, SummaryRow
from cluster.partitions.roster import Roster
from cluster.partitions.version import PartitionVersion
from cluster.wire import Endpoint, Message


class Channel(IntEnum):
    """What a connection is for: urgent and small, metadata, requests about records, migration,
    and the fast lane of replication, which must stay in order."""

    CONTROL = 0
    META = 1
    REPLICATION = 2
    BULK = 3
    LANE = 4


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


@define(unsafe_hash=True)
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


@define(unsafe_hash=True)
class Post(Output):
    """Hand the bytes of a message to the fabric for a node; it may be lost."""

    to: int
    payload: bytes
    channel: Channel = Channel.LANE


@define(unsafe_hash=True)
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


@frozen
class KeptState:
    """Strong consistency, what a node keeps of a namespace besides the versions of partitions.

    `promised`: it takes part in no lower regime. `rosters`: those that its regimes are by, the one
    that holds first; others behind it until everybody knows of them.
    """

    promised: int = 0
    rosters: tuple[Roster, ...] = ()


# --- to the daemon: asked here, answered with `ClusterNode.tell` ----------------------------------

Token = tuple[str, int]
"""Names a question; its answer carries it. The service that asked, and a number of its own."""


@frozen
class Load(Output):
    """Read these records, whenever they are there. Answer: `Loaded`."""

    namespace: str
    token: Token
    digests: tuple[bytes, ...]


@define(unsafe_hash=True)
class Apply(Output):
    """Keep these versions, in this order, now; answer `Applied` when they will survive.

    `resolve`: keep a version only if it wins over what is there (`cluster.records.wins`, by the
    namespace's policy); else put it in place of what is there. A `REMOVAL` leaves nothing.
    """

    namespace: str
    token: Token
    rows: tuple[RecordRow, ...]
    resolve: bool


@frozen
class Survey(Output):
    """Which records are in this partition? Answer: `Surveyed`."""

    namespace: str
    token: Token
    partition: int


@frozen
class Compare(Output):
    """Which of these do we want (`cluster.records.is_wanted`)? Answer: `Compared`.

    `resolve` as in `Apply`: by the policy, or (not `resolve`) whatever differs.
    """

    namespace: str
    token: Token
    summaries: tuple[SummaryRow, ...]
    resolve: bool


@frozen
class SetVersions(Output):
    """Keep these versions of partitions. Answer: `VersionsSet`, when they will survive."""

    namespace: str
    token: Token
    versions: tuple[tuple[int, PartitionVersion], ...]


@frozen
class KeepState(Output):
    """Strong consistency: keep this of a namespace. Answer: `VersionsSet`, when it will survive."""

    namespace: str
    token: Token
    state: KeptState


@frozen
class Drop(Output):
    """Forget a partition: its version first, then its records. No answer."""

    namespace: str
    partition: int


@frozen
class Close(Output):
    """Begin no more writes in this partition. Answer `Closed` when none is under way."""

    namespace: str
    partition: int
    token: Token


@frozen
class CarryOut(Output):
    """Carry a transaction out on its record, in one step with its report, `CarriedOut`.

    `winner` is the best version that other nodes have: where it wins over what is here, the
    transaction begins with it.

    In strong consistency the daemon replicates what it writes by itself, and reports, without
    versions, when all replicas have it. `unproven`: not all of them are known to have the record as
    it is. Then what the transaction has seen goes to all replicas first, if it writes nothing.
    """

    namespace: str
    token: Token
    digest: bytes
    body: bytes
    winner: RecordRow | None
    unproven: bool = False


# --- answers of the daemon ------------------------------------------------------------------------


@frozen
class Loaded:
    """The records that there are of those asked for, in any order."""

    token: Token
    rows: tuple[RecordRow, ...]


@define(unsafe_hash=True)
class Applied:
    """They are kept."""

    token: Token


@frozen
class Surveyed:
    """Summaries of all records of the partition."""

    token: Token
    summaries: tuple[SummaryRow, ...]


@frozen
class Compared:
    """The places of those that we want."""

    token: Token
    places: tuple[int, ...]


@frozen
class VersionsSet:
    """They are kept."""

    token: Token


@frozen
class Closed:
    """No write is under way in the partition, and none will begin."""

    token: Token


@frozen
class CarriedOut:
    """It is done: the versions it made (none: it wrote nothing), and what the client is told."""

    token: Token
    rows: tuple[RecordRow, ...]
    answer: bytes


StoreAnswer = Loaded | Applied | Surveyed | Compared | VersionsSet | Closed | CarriedOut


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
class MovedOn(Output):
    """A node that lists us no more shows another cluster than ours; or, not `away`, ours again."""

    node: int
    away: bool


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


@frozen
class Balanced(Output):
    """A namespace has its plan for this cluster, and is served again."""

    namespace: str
    cluster_key: int


@frozen
class OwnershipChanged(Output):
    """Look again at the ownership of these partitions (and at the partition generation)."""

    namespace: str
    partitions: tuple[int, ...]


@define(unsafe_hash=True)
class Replicated(Output):
    """All replicas have what this commitment stands for; `in_doubt`: nobody will ever know."""

    commitment: int
    in_doubt: bool


@frozen
class Confirmed(Output):
    """Strong consistency: this node served the partition when that was asked, and nobody else did;
    or, not `yes`, that is not known."""

    number: int
    yes: bool


@frozen
class Answered(Output):
    """A transaction submitted here is over. `answer` is None when it failed; `in_doubt`: it may
    have been carried out all the same; `is_busy`: too many wait for the record."""

    number: int
    answer: bytes | None
    in_doubt: bool
    is_busy: bool = False
