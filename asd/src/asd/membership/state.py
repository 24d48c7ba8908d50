"""What info and statistics show of the cluster, and that of a node alone.

A node without a heartbeat port never sees another. It is a cluster of one: its first balance is its
last, it serves every partition from the start, and none of this costs it anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from asd.membership.ship_times import Heard
from asd.membership.traffic import Traffic
from cluster import (
    BITMAP_BYTES,
    PARTITIONS,
    Endpoint,
    Lag,
    Ownership,
    PartitionMap,
    PartitionVersion,
    PartitionView,
    Sketch,
)


class Addresses(NamedTuple):
    """Where clients reach a node: `host:port` each."""

    clear: tuple[str, ...] = ()
    """As `peers-clear-std` shows them."""
    alternate: tuple[str, ...] = ()
    tls: tuple[str, ...] = ()
    """For clients that speak TLS; none where the node has no TLS port."""
    tls_alternate: tuple[str, ...] = ()
    tls_name: str = ""
    """Whose name is in the certificate that these show."""


class PeerRow(NamedTuple):
    """Another node of the cluster, and where clients reach it."""

    node: str
    """Upper-case hexadecimal."""
    at: Addresses


class Standing(NamedTuple):
    """How long a node has been with this one, and how its clock goes."""

    joined_ms: int
    """When it came into this node's cluster, on the clock's monotonic scale."""
    skew_ms: int = 0
    """By how much its wall clock is ahead of this node's."""


class Progress(NamedTuple):
    """Migrations of one namespace: partitions that are still to be sent, and to come; how many the
    last balance has asked for; records that have gone and come since."""

    to_send: int = 0
    sending: int = 0
    lead_to_send: int = 0
    to_come: int = 0
    coming: int = 0
    planned_to_send: int = 0
    planned_to_come: int = 0
    records_sent: int = 0
    records_come: int = 0

    @property
    def remaining(self) -> int:
        """Both ways."""
        return self.to_send + self.to_come


class Regime(NamedTuple):
    """Strong consistency of a namespace."""

    number: int
    """Of the regime by which it is served, or shall be."""
    unavailable: int
    """Partitions that nobody may serve while nodes of the roster are missing,"""
    dead: int
    """and those that nobody may serve although all are there."""
    cluster_size: int
    """Nodes of the roster that are in the cluster; 0 on one that is not on the roster."""
    observed: Mapping[str, int]
    """Nodes of the cluster that have the namespace, and the rack that each says it is in."""


class Membership(Protocol):
    """A node's cluster, as info shows it."""

    @property
    def is_alone(self) -> bool:
        """Does the node form no cluster with others?"""

    @property
    def key(self) -> str:
        """The cluster key, upper-case hexadecimal; "0" before the first cluster."""

    @property
    def principal(self) -> str:
        """The principal's node id; "0" before the first cluster."""

    @property
    def nodes(self) -> Sequence[str]:
        """The succession list, the principal first."""

    @property
    def integrity(self) -> bool:
        """Are the nodes that are heard just those of the cluster?"""

    @property
    def skew_ms(self) -> int:
        """By how much the wall clocks of the cluster differ."""

    @property
    def formed_ms(self) -> int:
        """When the cluster came to be as it is, on the clock's monotonic scale."""

    @property
    def generation(self) -> int:
        """How many clusters this node has been in."""

    @property
    def partition_generation(self) -> int:
        """Counts balances and partitions handed over; -1 before the first."""

    @property
    def rebalance_generation(self) -> int:
        """Counts balances."""

    @property
    def peers_generation(self) -> int:
        """Counts changes of `peers`."""

    @property
    def peers(self) -> Sequence[PeerRow]:
        """The other nodes, by id."""

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Each node of `nodes`."""

    @property
    def proxied(self) -> int:
        """Transactions of this node's clients that are with other nodes just now."""

    def sketch(self, namespace: str) -> Sketch | None:
        """Who serves each partition, and what this node is to it, at a glance; None where nothing
        is known that the map does not say, or nothing yet."""

    def lag(self, namespace: str) -> Mapping[str, Lag]:
        """What nodes with copies of what is written here have not acknowledged."""

    def is_settled(self, namespace: str | None = None) -> bool:
        """Is nothing left to migrate, here, in the namespace or in all?"""

    def partition_map(self, namespace: str) -> PartitionMap:
        """What clients are told."""

    def partitions(self, namespace: str) -> Sequence[PartitionView]:
        """What this node knows of each partition; nothing before a balance."""

    def progress(self, namespace: str) -> Progress:
        """The migrations."""

    def hear_ship_times(self, heard: Heard) -> None:
        """Call this with what other nodes tell of change shipping (`asd.membership.ship_times`)."""

    def tell_ship_times(self, dc: str, namespace: str, times: bytes) -> None:
        """Tell them."""

    def recluster(self) -> bool:
        """Balance anew; False on a node that is not the principal."""

    def quiesce(self, yes: bool) -> None:
        """From the next balance on, be the last to serve any partition, or as others again."""

    @property
    def will_be_quiesced(self) -> bool:
        """Has `quiesce` been asked for?"""

    @property
    def is_quiesced(self) -> bool:
        """Was the present balance made with this node as a quiesced one?"""

    @property
    def quiesced(self) -> int:
        """How many nodes the present balance was made with as quiesced ones."""

    def racks(self, namespace: str) -> Mapping[str, int]:
        """The rack of each node that has the namespace, as the present balance has them; nothing
        of a node alone, or before the first balance."""

    def is_uniform(self, namespace: str) -> bool:
        """Does the present balance give every node the same number of partitions?"""

    def regime(self, namespace: str) -> Regime | None:
        """Strong consistency of a namespace; None in availability mode."""

    def revive(self, namespace: str) -> None:
        """Have dead partitions served again from the next balance on."""

    def duplicates(self, namespace: str) -> tuple[int, int]:
        """Versions of records that other nodes were asked for before a transaction, and that this
        node has told others, since the start."""

    def traffic(self) -> Traffic:
        """What goes to and fro between this node and the others."""

    def tip(self, endpoint: Endpoint) -> None:
        """Look for a node here, too. Raises Unreachable where nodes are not looked for so."""

    def clear_tips(self, endpoints: Collection[Endpoint] | None) -> tuple[int, int]:
        """Forget these tips (None: all); how many were, and how many there were not."""

    def dump(self, part: str, verbose: bool) -> Iterable[str]:
        """What a part of the cluster's machinery looks like, as lines for the log; the parts are
        those of `asd.membership.dumps`."""


class Unreachable(Exception):
    """A node cannot be pointed at others: it is alone, or hears of them by multicast."""


class _Still:
    """What a node shows that has no others around it."""

    quiesced = proxied = 0

    def sketch(self, namespace: str) -> Sketch | None:
        """Nothing is known that the map does not say."""
        return None

    def lag(self, namespace: str) -> Mapping[str, Lag]:
        """Nobody has copies."""
        return {}

    def hear_ship_times(self, heard: Heard) -> None:
        """Nobody tells."""

    def tell_ship_times(self, dc: str, namespace: str, times: bytes) -> None:
        """Nobody hears."""

    def racks(self, namespace: str) -> Mapping[str, int]:
        """None."""
        return {}

    def is_uniform(self, namespace: str) -> bool:
        """There is nothing to even out."""
        return False

    def regime(self, namespace: str) -> Regime | None:
        """Without a cluster there is none."""
        return None

    def revive(self, namespace: str) -> None:
        """Nothing is dead."""

    def duplicates(self, namespace: str) -> tuple[int, int]:
        """Nobody has other versions."""
        return 0, 0

    def traffic(self) -> Traffic:
        """Silence."""
        return Traffic()

    def tip(self, endpoint: Endpoint) -> None:
        """It looks for nobody."""
        raise Unreachable("a cluster of one takes no nodes")

    def clear_tips(self, endpoints: Collection[Endpoint] | None) -> tuple[int, int]:
        """It looks for nobody."""
        raise Unreachable("a cluster of one has no seeds")

    def dump(self, part: str, verbose: bool) -> Iterable[str]:
        """There is no such machinery."""
        return ["this node is in no cluster"]


class Alone(_Still):
    """The cluster of a node that looks for no others."""

    is_alone = True
    integrity = True
    skew_ms = 0
    generation = 1
    partition_generation = 1
    rebalance_generation = 1
    will_be_quiesced = is_quiesced = False
    peers_generation = 0
    peers: Sequence[PeerRow] = ()

    def __init__(self, started_ms: int) -> None:
        self.node_id = "0"
        self.formed_ms = started_ms

    @property
    def key(self) -> str:
        """A cluster of one keeps its first key: its own id."""
        return self.node_id.zfill(12)[-12:]

    @property
    def principal(self) -> str:
        """The node itself."""
        return self.node_id

    @property
    def nodes(self) -> Sequence[str]:
        """The node itself."""
        return (self.node_id,)

    @property
    def standings(self) -> Mapping[str, Standing]:
        """The node itself."""
        return {self.node_id: Standing(self.formed_ms)}

    def is_settled(self, namespace: str | None = None) -> bool:
        """There is nothing to migrate."""
        return True

    def partition_map(self, namespace: str) -> PartitionMap:
        """All partitions."""
        return PartitionMap.single_node()

    def partitions(self, namespace: str) -> Sequence[PartitionView]:
        """All are its own."""
        version = PartitionVersion(int(self.key, 16), full=True, vouches=True)
        return [
            PartitionView(
                *(partition, "S", 0, 0, int(self.node_id, 16), (0,), Ownership.ALONE),
                *(0, 0, 0, 0, version),
            )
            for partition in range(PARTITIONS)
        ]

    def progress(self, namespace: str) -> Progress:
        """None."""
        return Progress()

    def recluster(self) -> bool:
        """There is nothing to do."""
        return True

    def quiesce(self, yes: bool) -> None:
        """Nobody else could serve."""


class Joining(_Still):
    """What there is to show before the first cluster: nothing, and no partitions."""

    is_alone = False
    integrity = False
    generation = 0
    partition_generation = -1
    rebalance_generation = 0
    will_be_quiesced = is_quiesced = False
    peers_generation = 0
    peers: Sequence[PeerRow] = ()
    skew_ms = 0
    key = principal = "0"
    nodes: Sequence[str] = ()

    def __init__(self, started_ms: int) -> None:
        self.formed_ms = started_ms
        self.standings: Mapping[str, Standing] = {}

    def is_settled(self, namespace: str | None = None) -> bool:
        """Not yet."""
        return False

    def partition_map(self, namespace: str) -> PartitionMap:
        """No partition."""
        return PartitionMap(1, (bytes(BITMAP_BYTES),))

    def partitions(self, namespace: str) -> Sequence[PartitionView]:
        """None."""
        return ()

    def progress(self, namespace: str) -> Progress:
        """None."""
        return Progress()

    def recluster(self) -> bool:
        """Nobody is the principal."""
        return False

    def quiesce(self, yes: bool) -> None:
        """There is nothing to hand over."""
