"""A node in a cluster: the library's node on the loop, and what is shown of it.

The library asks and tells while it is at work, and must not be called then. So whatever hears of it
(`listen`) only notes what is to be done; `act` carries out what services want done from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from asd.membership import dumps
from asd.membership.metadata import Begun, SystemMetadata
from asd.membership.peers import AskRecluster, Peers, codec
from asd.membership.settings import Settings
from asd.membership.ship_times import Heard, ShipTimes
from asd.membership.state import PeerRow, Progress, Regime, Standing, Unreachable
from asd.membership.traffic import Traffic, TrafficMeter
from asd.process.complaints import Complaints
from citrusleaf.cf_clock import Clock
from cluster import (
    Balanced,
    Carrier,
    Channel,
    ClusterChanged,
    ClusterNode,
    Confirmations,
    Endpoint,
    Forwards,
    Lag,
    MigrateConfig,
    NodeConfig,
    NodeRuntime,
    Output,
    OwnershipChanged,
    PartitionMap,
    Partitions,
    PartitionView,
    Service,
    Sketch,
    SmdAnswer,
    SmdReady,
    SmdSync,
    StoreAnswer,
    StrongPartitions,
    Transactions,
)
from cluster import NamespaceConfig as Spread
from cluster.group import multicast_group
from cluster.node import Listener
from cluster.outputs import DuplicateNode, Send

log = logging.getLogger("asd.cluster")

RECLUSTER_S = 0.5
LOOK_S = 0.05
CHANGE_MS = 10_000
"""How long a change of metadata may take before its info command says that it is not done."""


def hexadecimal(node: int) -> str:
    """A node id as info shows it."""
    return f"{node:X}"


class Clustered:
    """The membership of a node that looks for others."""

    is_alone = False

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        metadata: SystemMetadata,
        partitions: Partitions,
        transactions: Transactions,
        carriers: Mapping[str, Carrier],
    ) -> None:
        """`carriers` make the connections to other nodes, by plane; without one, in the clear."""
        me = settings.identity.node
        self.peer_service = Peers(me, self._recluster_soon)
        self._ship_times = ShipTimes(me)
        self.formed_ms = clock.monotonic_ms()
        self.generation = 0
        self.rebalance_generation = 0
        self.knows_metadata = False
        """Has this node had all that its cluster knows, once?"""
        self._clock = clock
        self._settings = settings
        self._carriers = carriers
        self._complaints = Complaints(log, clock.monotonic_ms)
        self._times = settings.parts
        self._partitions = partitions
        self._transactions = transactions
        self.confirmations = Confirmations(me, partitions)
        self.forwards = Forwards(me, settings.identity.incarnation, partitions)
        self._smd_sync = SmdSync(metadata.smd, me)
        self._changes: dict[int, Begun] = {}
        self._maps: dict[str, PartitionMap] = {}
        self._joined_ms: dict[tuple[int, int], int] = {}
        """When each node of the cluster came, by its id and its life."""
        self._served = asyncio.Event()
        self.node = ClusterNode(
            settings.identity,
            settings.parts,
            clock,
            [
                *(self.peer_service, self._ship_times, self._smd_sync, partitions, transactions),
                *(self.confirmations, self.forwards),
            ],
            codes=codec(),
        )
        self.node.listen(self._hear, *(ClusterChanged, OwnershipChanged, Balanced, SmdReady))
        self.node.listen(self._hear, SmdAnswer, DuplicateNode)
        self._meter = TrafficMeter(self.node)
        self._runtime: NodeRuntime | None = None
        metadata.join(self._begin_change)

    # ------------------------------------------------------------------ life

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen, and look for others. Raises OSError."""
        settings = self._settings
        group = None
        if settings.group is not None:
            group = multicast_group(loop, settings.group, settings.interface, settings.ttl)
        self._runtime = NodeRuntime(
            *(self.node, loop, group, settings.binds, self._carriers),
            refused=self._refused,
            clock=self._clock,
        )
        await self._runtime.start()

    def _refused(self, plane: str, peer: str, why: str) -> None:
        """Somebody talks to this node who is none of its cluster."""
        host = peer.rpartition(":")[0]
        self._complaints.say((plane, host, why), "%s: %s refused: %s", plane, peer, why)

    async def stop(self) -> None:
        """Leave at once."""
        if self._runtime is not None:
            await self._runtime.stop()
            self._runtime = None

    async def leave(self, limit_s: float) -> None:
        """Hand everything over to other nodes, as long as that takes, or until the limit, or until
        nobody is left who stays. Requests that still come are passed on."""
        if self.node.view is None or len(self.node.view.nodes) < 2:
            return
        log.info("this node leaves the cluster")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                self.quiesce(True)
                while not self.is_quiesced:
                    self._ask_recluster()
                    await asyncio.sleep(RECLUSTER_S)
                while not self._has_handed_over() and self._anybody_stays():
                    await asyncio.sleep(LOOK_S)

    def quiesce(self, yes: bool) -> None:
        """From the next balance on, be the last to serve any partition, or as others again."""
        self.node.paxos.quiesced = yes

    @property
    def will_be_quiesced(self) -> bool:
        """Has `quiesce` been asked for?"""
        return self.node.paxos.quiesced

    @property
    def is_quiesced(self) -> bool:
        """Was the present balance made with this node as a quiesced one?"""
        view, me = self.node.view, self._settings.identity.node
        return view is not None and any(row[0] == me and row[3] for row in view.members)

    def _anybody_stays(self) -> bool:
        """Is there a member that is not quiesced, and so not about to go?"""
        view = self.node.view
        return view is not None and not all(row[3] for row in view.members)

    def _has_handed_over(self) -> bool:
        """Is no partition served here, nothing left to send, and every write with its copies?"""
        me = self._settings.identity.node
        return all(
            space.is_ready
            and me not in space.acting
            and not space.waiting
            and not space.emigrations
            for space in self._partitions.spaces.values()
        )

    def _ask_recluster(self) -> None:
        view = self.node.view
        if view is not None and not self.recluster():
            self.act(self.peer_service, [Send(view.principal, AskRecluster(), Channel.CONTROL)])

    def _recluster_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self.recluster)

    async def served(self) -> None:
        """Return when every namespace is served for the first time, with all its cluster knows."""
        await self._served.wait()

    # ----------------------------------------------------- what others want done

    def listen(self, hear: Listener, *kinds: type[Output]) -> None:
        """Hear of questions and events of these kinds. The listener must not call the node."""
        self.node.listen(hear, *kinds)

    def now(self) -> int:
        """The library's time."""
        assert self._runtime is not None
        return self._runtime.now()

    def act(self, service: Service, outputs: list[Output]) -> None:
        """Carry out what a service wants done, from outside its inputs."""
        if self._runtime is not None:
            self._runtime.carry_out(self.node.carry_out(service, outputs, self._runtime.now()))

    def post(self, service: Service, posts: list[Output]) -> None:
        """As `act`, where a service has nothing but messages to be posted."""
        if self._runtime is not None:
            self._runtime.carry_out(self.node.post(service, posts, self._runtime.now()))

    def hear_ship_times(self, heard: Heard) -> None:
        """See `Membership`."""
        self._ship_times.heard = heard

    def tell_ship_times(self, dc: str, namespace: str, times: bytes) -> None:
        """See `Membership`."""
        self.act(self._ship_times, self._ship_times.spread(dc, namespace, times))

    def confirm(self, confirmed: Callable[[], None]) -> None:
        """Ask all members whether this is still the cluster; see `Peers.confirm`."""
        self.act(self.peer_service, self.peer_service.confirm(confirmed))

    def tell(self, answer: StoreAnswer) -> None:
        """Answer a question."""
        if self._runtime is not None:
            self._runtime.carry_out(self.node.tell(answer, self._runtime.now()))

    def take_up(
        self,
        cluster_name: str,
        times: NodeConfig,
        spaces: Sequence[Spread],
        limits: MigrateConfig,
    ) -> None:
        """Go by another configuration: the name and the times at once, how namespaces are spread
        from the next balance on, limits for what begins from now on."""
        self.node.rename(cluster_name)
        if self._runtime is not None and times != self._times:
            self._times = times
            self._runtime.carry_out(self.node.go_by(times, self._runtime.now()))
        for space in spaces:
            self._partitions.reconfigure(space)
        if self._runtime is not None and limits != self._partitions.migrate:
            outputs = self._partitions.configure(limits, self._runtime.now())
            self.act(self._partitions, outputs)

    def _begin_change(self, module: str, key: str, value: str | None, time_ms: int) -> Begun:
        loop = asyncio.get_running_loop()
        change: Begun = loop.create_future()
        number, outputs = self._smd_sync.change(module, key, value, time_ms, CHANGE_MS, self.now())
        self._changes[number] = change
        self.act(self._smd_sync, outputs)
        return change

    # ---------------------------------------------------------------- events

    def _hear(self, event: Output) -> None:
        match event:
            case ClusterChanged():
                self.generation += 1
                self.formed_ms = self._clock.monotonic_ms()
                lives = [(row[0], row[1]) for row in event.members]
                self._joined_ms = {n: self._joined_ms.get(n, self.formed_ms) for n in lives}
                self._maps.clear()
                names = " ".join(map(hexadecimal, event.nodes))
                log.info("cluster %X: %s", event.cluster_key, names)
            case OwnershipChanged(name):
                self._maps.pop(name, None)
            case Balanced():
                self._maps.clear()
                self.rebalance_generation += self._has_plans
                self._note_served()
            case SmdReady():
                self.knows_metadata = True
                self._note_served()
            case SmdAnswer(number, done):
                change = self._changes.pop(number, None)
                if change is not None and not change.done():
                    change.set_result(done)
            case DuplicateNode():
                log.critical("another node has the id %s of this one", self.me)

    @property
    def _has_plans(self) -> bool:
        """Has every namespace its plan for this cluster?"""
        return all(space.is_ready for space in self._partitions.spaces.values())

    def _note_served(self) -> None:
        """It serves once it has both, in whatever order they come."""
        if self.knows_metadata and self._has_plans:
            self._served.set()

    # ------------------------------------------------------------- membership

    @property
    def me(self) -> str:
        """This node's id."""
        return hexadecimal(self._settings.identity.node)

    @property
    def key(self) -> str:
        """See `Membership`."""
        view = self.node.view
        return f"{view.cluster_key:X}" if view is not None else "0"

    @property
    def principal(self) -> str:
        """See `Membership`."""
        view = self.node.view
        return hexadecimal(view.principal) if view is not None else "0"

    @property
    def nodes(self) -> Sequence[str]:
        """See `Membership`."""
        view = self.node.view
        return [hexadecimal(node) for node in view.nodes] if view is not None else []

    @property
    def integrity(self) -> bool:
        """See `Membership`."""
        return self.node.view is not None and self.node.paxos.has_integrity

    @property
    def skew_ms(self) -> int:
        """See `Membership`."""
        return self.node.heartbeat.clock_skew_ms()

    @property
    def partition_generation(self) -> int:
        """See `Membership`."""
        return self._partitions.generation

    @property
    def peers_generation(self) -> int:
        """See `Membership`."""
        return self.peer_service.generation

    @property
    def peers(self) -> Sequence[PeerRow]:
        """See `Membership`."""
        return self.peer_service.rows

    @property
    def quiesced(self) -> int:
        """See `Membership`."""
        view = self.node.view
        return sum(row[3] for row in view.members) if view is not None else 0

    @property
    def standings(self) -> Mapping[str, Standing]:
        """See `Membership`."""
        skews = self.node.heartbeat.skews_ms()
        return {
            hexadecimal(node): Standing(joined_ms, skews.get(node, 0))
            for (node, _), joined_ms in self._joined_ms.items()
        }

    @property
    def proxied(self) -> int:
        """See `Membership`."""
        return self._transactions.proxied + self.forwards.under_way

    def racks(self, namespace: str) -> Mapping[str, int]:
        """See `Membership`."""
        racks = self._partitions.spaces[namespace].racks
        return {hexadecimal(node): rack for node, rack in racks.items()}

    def regime(self, namespace: str) -> Regime | None:
        """See `Membership`."""
        space = self._partitions.spaces[namespace]
        if not isinstance(space, StrongPartitions):
            return None
        roster = space.rosters.newest
        on_roster = roster is not None and self._settings.identity.node in roster.ids
        here = space.observed.keys() & roster.ids if roster is not None and on_roster else ()
        return Regime(
            *(space.regime, len(space.unavailable) - len(space.dead), len(space.dead)),
            *(len(here), {hexadecimal(node): rack for node, rack in space.observed.items()}),
        )

    def founds(self, namespace: str) -> bool:
        """Is this the founding cluster of the namespace's roster, and noted everywhere?"""
        space = self._partitions.spaces[namespace]
        return isinstance(space, StrongPartitions) and space.is_ready and space.rosters.founds

    def revive(self, namespace: str) -> None:
        """See `Membership`."""
        space = self._partitions.spaces[namespace]
        if isinstance(space, StrongPartitions):
            space.revives = True

    def is_uniform(self, namespace: str) -> bool:
        """See `Membership`."""
        return self._partitions.spaces[namespace].is_uniform

    def duplicates(self, namespace: str) -> tuple[int, int]:
        """See `Membership`."""
        library = self._transactions
        return library.duplicates_asked[namespace], library.duplicates_told[namespace]

    def traffic(self) -> Traffic:
        """See `Membership`."""
        return self._meter.read(self._runtime) if self._runtime is not None else Traffic()

    def tip(self, endpoint: Endpoint) -> None:
        """See `Membership`."""
        if self._settings.group is not None:
            raise Unreachable("heartbeat mode multicast knows no seeds")
        self.node.heartbeat.tip(endpoint)

    def clear_tips(self, endpoints: Collection[Endpoint] | None) -> tuple[int, int]:
        """See `Membership`."""
        known = self.node.heartbeat.tips
        found = known if endpoints is None else known.intersection(endpoints)
        if self._runtime is not None:
            for endpoint in found:
                self._runtime.carry_out(self.node.clear_tip(endpoint, self._runtime.now()))
        return len(found), len(set(endpoints or ()) - found)

    def dump(self, part: str, verbose: bool) -> Iterable[str]:
        """See `Membership`."""
        if self._runtime is None:
            return []
        now = self._runtime.now()
        parts = dumps.Parts(self.node, self._partitions, self._transactions, now)
        return dumps.DUMPS[part](parts, verbose)

    def sketch(self, namespace: str) -> Sketch | None:
        """See `Membership`."""
        return self._partitions.spaces[namespace].sketch()

    def lag(self, namespace: str) -> Mapping[str, Lag]:
        """See `Membership`."""
        lags = self._transactions.lane.lag(namespace)
        return {hexadecimal(node): lag for node, lag in lags.items()}

    def is_settled(self, namespace: str | None = None) -> bool:
        """See `Membership`."""
        if namespace is None:
            return self._partitions.is_settled
        return self._partitions.spaces[namespace].is_settled

    def partition_map(self, namespace: str) -> PartitionMap:
        """See `Membership`. Made anew only after a change: O(partitions)."""
        known = self._maps.get(namespace)
        if known is None:
            known = self._maps[namespace] = self._partitions.spaces[namespace].partition_map()
        return known

    def partitions(self, namespace: str) -> Sequence[PartitionView]:
        """See `Membership`."""
        return self._partitions.spaces[namespace].show_all()

    def progress(self, namespace: str) -> Progress:
        """See `Membership`."""
        space = self._partitions.spaces[namespace]
        if not space.is_ready:
            return Progress()
        acting, me, moved = space.acting, self._settings.identity.node, space.moved
        waiting = [partition for partition, _ in (*space.waiting, *space.emigrations)]
        to_send = moved.planned_out - moved.done_out
        # What the master spreads is planned, and waits only when it has all that it collects.
        lead = to_send - len(waiting) + sum(acting[partition] == me for partition in waiting)
        under_way = sum(emigration.records_sent for emigration in space.emigrations.values())
        return Progress(
            *(to_send, len(space.emigrations), lead, len(space.expects), len(space.incoming)),
            *(moved.planned_out, moved.planned_in),
            *(moved.records_out + under_way, moved.records_in),
        )

    def recluster(self) -> bool:
        """See `Membership`."""
        view = self.node.view
        if view is None or view.principal != self._settings.identity.node:
            return False
        assert self._runtime is not None
        self._runtime.carry_out(self.node.recluster(self._runtime.now()))
        return True
