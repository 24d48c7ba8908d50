"""A node's place: alone, or in a cluster. What is made, started and stopped of the latter, in
order.

A node without a heartbeat port is alone. It has no part of any of this but the constants that info
shows, and its writes are observed by nobody.

In a cluster: versions are read from the engines, which serve nothing yet (`CLOSED`); then the port
for clients opens, which may make the node id; then the library's services are made in the order in
which they hear of a new cluster, the daemon that answers them, and heartbeats begin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from asd.config import NetworkConfig
from asd.membership import rosters
from asd.membership.cluster import Clustered
from asd.membership.metadata import SystemMetadata
from asd.membership.settings import (
    is_clustered,
    migration,
    parts,
    published,
    settings,
    spread,
    stop_writes_skew_s,
)
from asd.membership.state import Alone, Joining, Membership
from asd.process.machine import Machine
from asd.replication import versions
from asd.replication.service import Replication
from asd.replication.waking import Waking
from asd.space.ownership import CLOSED
from asd.space.truncation import TruncationMetadata
from asd.state import Carries, NodeState
from asd.tls.keeper import Keeper
from cluster import (
    PARTITIONS,
    Balanced,
    Carrier,
    KeptState,
    Output,
    Partitions,
    PartitionVersion,
    StrongPartitions,
    Transactions,
)
from cluster import NamespaceConfig as Spread
from cluster.smd import SmdItem
from storage.bulk import partition_slots

if TYPE_CHECKING:
    from asd.fastpath.cache import FastPaths
    from asd.space.namespace import Namespace

LEAVE_S = 20.0
"""A node that is told to end hands over for so long at most."""
HOLD_S = 0.7
"""How long requests wait at most for the balance that a leaving node asks for."""
CLIENTS_LEARN_S = 1.5
"""Clients ask for the partition map every second: so long their requests are passed on at least,"""
CLIENTS_MOST_S = 6.0
"""and so long at most: there are clients that know no map."""
QUIET_S = 0.3
"""Clients have learned when none of their requests had to be passed on for so long."""


class PlacedNode(NodeState, Protocol):
    """A node, with what its place in a cluster is made of."""

    machine: Machine
    tls: Keeper
    metadata: SystemMetadata
    paths: FastPaths
    truncations: TruncationMetadata
    started_ms: int

    @property
    def node_id(self) -> str:
        """Upper-case hexadecimal; known once the port for clients is open."""

    @property
    def addresses(self) -> Sequence[str] | None:
        """The hosts it listens on; None = all of the machine's."""

    @property
    def port(self) -> int:
        """The port for clients."""


class Place(Protocol):
    """A node's place."""

    @property
    def cluster(self) -> Membership:
        """What is shown of it."""

    @property
    def carrier(self) -> Carries | None:
        """Where transactions go that are not done here."""

    async def start(self) -> None:
        """The port for clients is open: look for others. Raises OSError."""

    async def served(self) -> None:
        """Return when the node serves."""

    def apply_configuration(self) -> None:
        """Take up a configuration that has changed."""

    async def leave(self) -> None:
        """The node is about to end: let others serve before it does."""

    async def stop(self) -> None:
        """No client is served any more. The engines are still open."""


class PlaceAlone:
    """The place of a node that looks for no others."""

    carrier: Carries | None = None

    def __init__(self, node: PlacedNode) -> None:
        self._node = node
        self._cluster = Alone(node.started_ms)

    @property
    def cluster(self) -> Membership:
        """A cluster of one."""
        self._cluster.node_id = self._node.node_id
        return self._cluster

    async def start(self) -> None:
        """There is nothing to do."""

    async def served(self) -> None:
        """It serves from the start."""

    def apply_configuration(self) -> None:
        """There is nothing to do."""

    async def leave(self) -> None:
        """There is nobody else."""

    async def stop(self) -> None:
        """There is nothing to do."""


class PlaceInCluster:
    """The place of a node that looks for others."""

    def __init__(self, node: PlacedNode) -> None:
        self._node = node
        self._found: dict[str, dict[int, PartitionVersion]] = {}
        self._before = Joining(node.started_ms)
        self._cluster: Clustered | None = None
        self._replication: Replication | None = None
        self._waking: Waking | None = None
        self._watching: asyncio.Task[None] | None = None
        self._kept: dict[str, KeptState] = {}
        for namespace in node.namespaces.values():
            namespace.ownership.set_all(bytes([CLOSED]) * PARTITIONS)
            self._found[namespace.name] = take_up(namespace)
            if namespace.consistency is not None:
                self._kept[namespace.name] = versions.load_state(namespace.engine)

    @property
    def cluster(self) -> Membership:
        """The cluster; an empty one until the port for clients is open."""
        return self._cluster or self._before

    @property
    def carrier(self) -> Carries | None:
        """The replication service."""
        return self._replication

    async def start(self) -> None:
        """Make the parts, and look for others. Raises OSError."""
        node, config = self._node, self._node.config
        host = node.machine.address()
        chosen = settings(config, int(node.node_id, 16), node.clock.wall_ms(), host)
        spaces = [(each, self._found[each.name]) for each in self._spread()]
        me = chosen.identity.node
        partitions = Partitions(me, spaces, migration(config))
        self._hand_in_states(partitions)
        limits = [each.config.transaction_pending_limit for each in node.namespaces.values()]
        transactions = Transactions(me, partitions, pending_limit=max(limits))
        self._cluster = Clustered(
            *(chosen, node.clock, node.metadata, partitions, transactions),
            carriers(config.network, node.tls),
        )
        self._cluster.peer_service.published = published(config, node.addresses, node.port, host)
        self._replication = Replication(
            node, self._cluster, partitions, transactions, node.metadata, node.paths.clear
        )
        loop = asyncio.get_running_loop()
        node.metadata.listen(rosters.MODULE, self._roster_changed)
        self._cluster.listen(self._balanced, Balanced)
        await self._cluster.start(loop)
        if self._kept:
            self._watching = loop.create_task(self._watch_clocks())
        heartbeat = config.network.heartbeat
        self._waking = Waking(
            *(node.turns, node.clock.monotonic_ns, heartbeat.interval, heartbeat.timeout),
            self._replication.woke,
        )
        self._waking.start(loop)

    def _hand_in_states(self, partitions: Partitions) -> None:
        """What namespaces with strong consistency have kept, before the first cluster."""
        for namespace in self._node.namespaces.values():
            space = partitions.spaces[namespace.name]
            if isinstance(space, StrongPartitions):
                space.kept = self._kept[namespace.name]
                doubted = any(each.evades for each in self._found[namespace.name].values())
                space.revives = doubted and namespace.config.auto_revive

    def _roster_changed(self, key: str, item: SmdItem) -> None:
        self.apply_configuration()
        asyncio.get_running_loop().call_soon(self._found_rosters)

    def _balanced(self, event: Output) -> None:
        asyncio.get_running_loop().call_soon(self._found_rosters)

    def _found_rosters(self) -> None:
        """A roster whose first cluster has noted its regime is founded. When that is noted too, and
        not before (a new cluster would break it off), the cluster balances anew, and serves."""
        cluster, metadata = self._cluster, self._node.metadata
        if cluster is None or cluster.principal != cluster.me:
            return
        for name in filter(cluster.founds, self._kept):
            roster = rosters.current(metadata, name)
            if roster is not None and roster.founded:
                cluster.recluster()
                return
            rosters.found(metadata, name, self._node.clock.epoch_ms())

    async def _watch_clocks(self) -> None:
        """Look at the clocks of the cluster every second. Ends by cancellation."""
        assert self._replication is not None
        while True:
            await asyncio.sleep(1)
            self._replication.watch_clocks(1000 * stop_writes_skew_s(self._node.config))

    async def served(self) -> None:
        """Return when every namespace is served."""
        assert self._cluster is not None
        await self._cluster.served()

    def _spread(self) -> list[Spread]:
        node = self._node
        return [
            spread(each.config, node.community, rosters.current(node.metadata, each.name))
            for each in node.namespaces.values()
        ]

    def apply_configuration(self) -> None:
        """Take up a configuration that has changed."""
        if self._cluster is not None:
            config = self._node.config
            name, times = config.service.cluster_name, parts(config)
            self._cluster.take_up(name, times, self._spread(), migration(config))
        if self._waking is not None:
            heartbeat = self._node.config.network.heartbeat
            self._waking.go_by(heartbeat.interval, heartbeat.timeout)

    async def leave(self) -> None:
        """Hand over what is served here, and pass on what still comes until clients know."""
        cluster = self._cluster
        if cluster is not None and self._replication is not None and len(cluster.nodes) > 1:
            await self._replication.hold(HOLD_S)
            await cluster.leave(LEAVE_S)
            await asyncio.sleep(CLIENTS_LEARN_S)
            await until_quiet(self._passed_on, CLIENTS_MOST_S - CLIENTS_LEARN_S)

    def _passed_on(self) -> int:
        """How many requests of clients other nodes have been asked to do."""
        counts = [each.statistics for each in self._node.namespaces.values()]
        return sum(
            proxied.complete + proxied.error + proxied.timeout
            for each in counts
            for proxied in (each.client_proxy, each.batch_sub_proxy)
        )

    async def stop(self) -> None:
        """Leave, and note that the engines hold everything."""
        if self._waking is not None:
            self._waking.stop()
        if self._watching is not None:
            self._watching.cancel()
        if self._replication is not None:
            await self._replication.stop()
        if self._cluster is not None:
            await self._cluster.stop()
        for namespace in self._node.namespaces.values():
            versions.close(namespace.engine)


def carriers(network: NetworkConfig, tls: Keeper) -> dict[str, Carrier]:
    """What makes the connections of the planes that are to be encrypted. Raises OSError."""
    found: dict[str, Carrier] = {}
    for plane, section in (("heartbeat", network.heartbeat), ("fabric", network.fabric)):
        certificates = tls.of_nodes(section, plane)
        if certificates is not None:
            from asd.tls.links import TlsCarrier  # as in `Keeper`: for those alone who use it

            found[plane] = TlsCarrier(certificates)
    return found


async def until_quiet(count: Callable[[], int], longest_s: float) -> None:
    """Return when a count has not changed for `QUIET_S`, or after `longest_s`."""
    looks = round(longest_s / QUIET_S)
    before = count()
    while looks:
        await asyncio.sleep(QUIET_S)
        now = count()
        if now == before:
            break
        before = now
        looks -= 1


def take_up(namespace: Namespace) -> dict[int, PartitionVersion]:
    """The versions that an engine has come back with. Records without one go."""
    found = versions.load(namespace.engine, namespace.consistency is not None)
    index = namespace.engine.index
    for partition in range(PARTITIONS):
        version = found.get(partition)
        if index.count(partition) and (version is None or version.witnesses):
            namespace.door.remove_slots(partition, partition_slots(index, partition))
    return found


def find_place(node: PlacedNode) -> Place:
    """The place of a node whose engines have just been opened."""
    if is_clustered(node.config):
        return PlaceInCluster(node)
    for namespace in node.namespaces.values():
        versions.forget(namespace.engine)
    return PlaceAlone(node)
