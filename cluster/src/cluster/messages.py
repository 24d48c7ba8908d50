"""All messages of nodes. Field numbers on the wire are the order of the fields here: new fields go
to the end and have a default. Times are milliseconds, node ids 64 bits."""

from __future__ import annotations

from typing import ClassVar

from attrs import define, frozen

from cluster.replication.forward_messages import Forward, Forwarded
from cluster.wire import Codec, Endpoint, Message

Host = tuple[int, str, int]
"""Node id, host, port."""

MemberRow = tuple[int, int, int, bool]
"""Node id, incarnation, rack, quiesced."""

ItemRow = tuple[str, int, int, str | None]
"""Key, generation, timestamp, value (None: deleted)."""

ModuleRow = tuple[str, tuple[ItemRow, ...]]
"""Module and its items."""

VersionGroup = tuple[int, int, bytes]
"""Key and flags of a version (`cluster.partitions.version`), and a bit for each partition that has
it: bit `0x80 >> (p & 7)` of byte `p >> 3`. In a cluster at rest one group says it all."""

NamespaceRow = tuple[str, int, int, int, tuple[int, ...], tuple[VersionGroup, ...]]
"""Name, replication factor, rack, flags (1: uniform balance, 2: strong consistency), the roster
wanted (`Roster.flat`; empty but in strong consistency), versions."""

StateRow = tuple[str, int, bool, tuple[tuple[int, ...], ...]]
"""What a node has kept (`KeptState`) of a namespace: its name, the regime promised, whether dead
partitions are to be revived, rosters (`Roster.flat`)."""

RecordRow = tuple[bytes, int, int, int, str, int, bytes]
"""Digest, generation, last-update-time in ms, void-time in s, set name, flags of
`cluster.records`, the record's bytes."""

SummaryRow = tuple[bytes, int, int, int, int, int]
"""Digest, generation, last-update-time, void-time, flags, and a mark of the bytes."""

Digest = bytes
"""A record's digest: 20 bytes, or in simulations fewer; two at least, which say its partition."""

NOWHERE: Endpoint = ("", 0)

# --- heartbeat ---------------------------------------------------------------------------------


@frozen
class Hello(Message):
    """First on a mesh connection: who dialed, and which endpoint it dialed."""

    TYPE: ClassVar[int] = 1
    node: int
    incarnation: int
    cluster_name: str = ""
    dialed: Endpoint = NOWHERE


@frozen
class Pulse(Message):
    """I am alive, and these are the nodes I hear. Sent every interval to everybody."""

    TYPE: ClassVar[int] = 2
    node: int
    incarnation: int
    sequence: int
    cluster_name: str = ""
    heard: tuple[int, ...] = ()
    heartbeat: Endpoint = NOWHERE
    fabric: Endpoint = NOWHERE
    principal: int = 0
    cluster_key: int = 0
    wall_ms: int = 0


@frozen
class MeshRequest(Message):
    """Where are these nodes?"""

    TYPE: ClassVar[int] = 3
    nodes: tuple[int, ...]


@frozen
class MeshHosts(Message):
    """Heartbeat endpoints of nodes."""

    TYPE: ClassVar[int] = 4
    hosts: tuple[Host, ...]


# --- fabric ------------------------------------------------------------------------------------


@frozen
class FabricHello(Message):
    """First on a fabric connection: which life of which node dialed which life of which node."""

    TYPE: ClassVar[int] = 8
    node: int
    incarnation: int
    to_node: int
    to_incarnation: int
    channel: int


@frozen
class Parcel(Message):
    """A request in the fabric, or the reply to one; what is sent one way travels without. Requests
    below `oldest` are over."""

    TYPE: ClassVar[int] = 9
    body: bytes
    transaction: int
    oldest: int = 0
    reply: bool = False


# --- paxos -------------------------------------------------------------------------------------


@frozen
class Prepare(Message):
    """The principal wants a cluster of these nodes; `sequence` and the sender are the ballot."""

    TYPE: ClassVar[int] = 16
    sequence: int
    nodes: tuple[int, ...]


@frozen
class Promise(Message):
    """I shall take part in no lower ballot; this is what the balance must know of me."""

    TYPE: ClassVar[int] = 17
    sequence: int
    incarnation: int
    rack: int = 0
    quiesced: bool = False


@frozen
class Reject(Message):
    """Not this ballot: I have promised `promised`, or (`principal` not 0) follow another node."""

    TYPE: ClassVar[int] = 18
    sequence: int
    promised: int
    principal: int = 0


@frozen
class Accept(Message):
    """This is the succession list and its key."""

    TYPE: ClassVar[int] = 19
    sequence: int
    cluster_key: int
    members: tuple[MemberRow, ...]


@frozen
class Accepted(Message):
    """I have the list and wait for the word."""

    TYPE: ClassVar[int] = 20
    sequence: int


@frozen
class Commit(Message):
    """All have accepted: it holds."""

    TYPE: ClassVar[int] = 21
    sequence: int


@frozen
class Committed(Message):
    """I have committed."""

    TYPE: ClassVar[int] = 22
    sequence: int


# --- system metadata -----------------------------------------------------------------------------


@frozen
class SmdReport(Message):
    """To the principal of a new cluster: all my modules."""

    TYPE: ClassVar[int] = 32
    cluster_key: int
    modules: tuple[ModuleRow, ...]


@frozen
class SmdMerged(Message):
    """From the principal: what the reports come to."""

    TYPE: ClassVar[int] = 33
    cluster_key: int
    modules: tuple[ModuleRow, ...]


@frozen
class SmdSettled(Message):
    """I have it, durably."""

    TYPE: ClassVar[int] = 34
    cluster_key: int


@frozen
class SmdSet(Message):
    """To the principal: change this item. `change` numbers the sender's changes."""

    TYPE: ClassVar[int] = 35
    cluster_key: int
    change: int
    module: str
    key: str
    value: str | None
    timestamp_ms: int = 0


@frozen
class SmdItemIs(Message):
    """From the principal: the item is now this. `serial` numbers the principal's changes."""

    TYPE: ClassVar[int] = 36
    cluster_key: int
    serial: int
    module: str
    key: str
    generation: int
    timestamp_ms: int
    value: str | None


@frozen
class SmdItemAck(Message):
    """I have that item, durably."""

    TYPE: ClassVar[int] = 37
    cluster_key: int
    serial: int


@frozen
class SmdDone(Message):
    """From the principal to who asked: all nodes have it."""

    TYPE: ClassVar[int] = 38
    cluster_key: int
    change: int


# --- exchange and migration ----------------------------------------------------------------------


@frozen
class ExchangeVersions(Message):
    """The namespaces I have, and my version of each partition I have anything of."""

    TYPE: ClassVar[int] = 48
    cluster_key: int
    namespaces: tuple[NamespaceRow, ...]
    states: tuple[StateRow, ...] = ()


@frozen
class ExchangeSeen(Message):
    """I have your versions."""

    TYPE: ClassVar[int] = 49
    cluster_key: int


@frozen
class RegimeStep(Message):
    """I have taken this step to the namespace's next regime, durably. `asks`: how far are you?"""

    TYPE: ClassVar[int] = 50
    cluster_key: int
    namespace: str
    step: int
    asks: bool = False


@frozen
class EmigrateStart(Message):
    """I have records of this partition for you."""

    TYPE: ClassVar[int] = 56
    cluster_key: int
    namespace: str
    partition: int


@frozen
class ImmigrateReady(Message):
    """Send."""

    TYPE: ClassVar[int] = 57
    cluster_key: int
    namespace: str
    partition: int


@frozen
class EmigrateSummary(Message):
    """What I have: which of these do you want? `batch` counts from 1 within an emigration."""

    TYPE: ClassVar[int] = 64
    cluster_key: int
    namespace: str
    partition: int
    batch: int
    summaries: tuple[SummaryRow, ...]


@frozen
class ImmigrateWants(Message):
    """These of the summary's, by their places in it."""

    TYPE: ClassVar[int] = 65
    cluster_key: int
    namespace: str
    partition: int
    batch: int
    places: tuple[int, ...]


@frozen
class EmigrateBatch(Message):
    """Records; `batch` as in a summary."""

    TYPE: ClassVar[int] = 58
    cluster_key: int
    namespace: str
    partition: int
    batch: int
    records: tuple[RecordRow, ...]


@frozen
class ImmigrateAck(Message):
    """That batch is applied."""

    TYPE: ClassVar[int] = 59
    cluster_key: int
    namespace: str
    partition: int
    batch: int


@frozen
class EmigrateDone(Message):
    """That was all."""

    TYPE: ClassVar[int] = 60
    cluster_key: int
    namespace: str
    partition: int


@frozen
class ImmigrateDone(Message):
    """I have noted that it was all."""

    TYPE: ClassVar[int] = 61
    cluster_key: int
    namespace: str
    partition: int


@frozen
class PartitionSettled(Message):
    """From the master: every replica has everything; who is no replica may drop its copy."""

    TYPE: ClassVar[int] = 62
    cluster_key: int
    namespace: str
    partition: int


@frozen
class PartitionSettledAck(Message):
    """Noted, and done."""

    TYPE: ClassVar[int] = 63
    cluster_key: int
    namespace: str
    partition: int


# --- replication ---------------------------------------------------------------------------------


@frozen
class DuplicateRead(Message):
    """What is your version of this record? (request)"""

    TYPE: ClassVar[int] = 72
    cluster_key: int
    namespace: str
    digest: Digest


@frozen
class DuplicateIs(Message):
    """My version of the record (none: I have none; not `current`: my cluster is another one)."""

    TYPE: ClassVar[int] = 73
    current: bool
    records: tuple[RecordRow, ...] = ()


@define(unsafe_hash=True)
class ReplicaGroup(Message):
    """The fast lane: keep these versions, in this order. `sequence` counts from 1 in a cluster."""

    TYPE: ClassVar[int] = 74
    cluster_key: int
    namespace: str
    sequence: int
    rows: tuple[RecordRow, ...]


@define(unsafe_hash=True)
class ReplicaAck(Message):
    """Every group up to this one is kept."""

    TYPE: ClassVar[int] = 75
    cluster_key: int
    namespace: str
    sequence: int


@frozen
class ProxyRequest(Message):
    """Carry out this transaction of a client of mine. (request)"""

    TYPE: ClassVar[int] = 76
    cluster_key: int
    namespace: str
    digest: Digest
    body: bytes


@frozen
class ProxyReply(Message):
    """Its outcome; `elsewhere` not 0: not done, I am not its master, ask that node; `busy`: too
    many wait for this record; `in_doubt`: it was done, and which replicas have it is not known."""

    TYPE: ClassVar[int] = 77
    body: bytes = b""
    elsewhere: int = 0
    busy: bool = False
    in_doubt: bool = False


@frozen
class RegimeCheck(Message):
    """Is this still your cluster, and do you keep a copy of the partition in it? (request)"""

    TYPE: ClassVar[int] = 78
    cluster_key: int
    namespace: str
    partition: int


@frozen
class RegimeIs(Message):
    """It is (`current`), or it is not."""

    TYPE: ClassVar[int] = 79
    current: bool


CLASSES: tuple[type[Message], ...] = (
    *(Hello, Pulse, MeshRequest, MeshHosts, FabricHello, Parcel, Forward, Forwarded),
    *(Prepare, Promise, Reject, Accept, Accepted, Commit, Committed),
    *(SmdReport, SmdMerged, SmdSettled, SmdSet, SmdItemIs, SmdItemAck, SmdDone),
    *(ExchangeVersions, ExchangeSeen, RegimeStep, RegimeCheck, RegimeIs),
    *(EmigrateStart, ImmigrateReady, EmigrateSummary, ImmigrateWants, PartitionSettled),
    *(EmigrateBatch, ImmigrateAck, EmigrateDone, ImmigrateDone, PartitionSettledAck),
    *(DuplicateRead, DuplicateIs, ReplicaGroup, ReplicaAck, ProxyRequest, ProxyReply),
)


def codec() -> Codec:
    """A codec of all messages here."""
    return Codec(CLASSES)
