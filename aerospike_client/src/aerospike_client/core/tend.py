"""`Tend`: how the client finds the nodes of a cluster and keeps its picture of them true.

Once a second the client makes a round. It goes through three phases; each begins when everything
asked in the one before has been answered or has failed:

    REFRESH      every known node: who are you, have your peers, your partitions changed?
                 (no node known: every seed, who are you?)
    PEERS        only if somebody's peers changed or somebody did not answer: every node that did
                 answer, who are your peers? Those not known yet are asked who they are, and then
                 for their peers in turn, so that one round finds a whole cluster
    PARTITIONS   every node whose partitions (or racks) changed: which are they?

then nodes that have left are removed. The rules are the official clients', and each has its story:

- A node that does not answer is not removed at once. If others answer and none of them names it, it
  has left. If nobody answers at all, the trouble is more likely on this side: only after
  `FAILURES_TO_REMOVE` rounds it goes, and once all have gone, the seeds are asked again.
- A node that answers but is named by nobody stays while it owns partitions: a cluster that splits
  keeps serving both halves.
- A node whose address now answers with another id is another node.
- The generation of a peers' list is taken over only when all nodes on it are known; until then the
  list counts as changed, and the missing ones are tried again in each round.
- A seed that does not list its own address among those it serves at is a load balancer, or a node
  behind one: a listed address is used if the same node answers there.

No IO happens here. `begin` and `receive` return what to do: `Ask` a node something (each is to be
followed by one `receive` with `Answered` or `Failed`), or news for those who listen. A face runs
the questions of a phase at the same time or one after the other, as it likes.

Rejected: one independent coroutine a node (the phases are what makes removal decisions sound), and
asking for peers in every round (on n nodes that is n lists of n each second).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from enum import Enum
from typing import Final

from aerospike_client.core.addresses import (
    Address,
    Peer,
    Seed,
    parse_address,
    parse_peers,
    parse_services,
)
from aerospike_client.core.nodes import UNKNOWN_GENERATION, Node
from aerospike_client.core.partitions import PartitionTable, parse_replicas
from aerospike_client.core.tend_events import (
    Answered,
    Ask,
    Failed,
    NodeAdded,
    NodeRemoved,
    Output,
    PartitionsChanged,
    RoundOver,
    TendOptions,
)
from aerospike_client.core.view import ClusterView
from aerospike_client.errors import BadReply

FAILURES_TO_REMOVE: Final = 5
"""Rounds without an answer from anybody after which a node counts as gone."""

MAX_NODES: Final = 256
"""More than any cluster has: a limit on what peers' lists can make the client remember."""

_USER_AGENT_BUILD: Final = (8, 1)


class Phase(Enum):
    """Where a round stands."""

    IDLE = "idle"
    REFRESH = "refresh"
    PEERS = "peers"
    PARTITIONS = "partitions"


_Handler = Callable[[dict[str, str]], None]
_Complaint = Callable[[str], None]


class Tend:
    """The state machine described above. Not for several threads at once."""

    def __init__(
        self, view: ClusterView, seeds: tuple[Seed, ...], options: TendOptions | None = None
    ) -> None:
        self.view = view
        self.phase = Phase.IDLE
        self._seeds = seeds
        self._options = options or TendOptions()
        self._pending: dict[int, tuple[_Handler, _Complaint]] = {}
        self._number = 0
        self._rounds = 0
        self._outputs: list[Output] = []
        self._failures: list[str] = []
        self._peers_changed = False
        self._heard: set[Node] = set()
        self._peer_lists: dict[Node, tuple[int, tuple[Peer, ...]]] = {}
        self._tried: set[str] = set()
        self._stale: list[Node] = []
        self._stale_racks: list[Node] = []

    # ------------------------------------------------------------------ events

    def begin(self) -> list[Output]:
        """Begin a round. The one before must be over."""
        assert self.phase is Phase.IDLE
        assert not self._pending
        self.phase = Phase.REFRESH
        self._failures = []
        self._peers_changed = False
        self._heard = set()
        self._peer_lists = {}
        self._tried = set()
        self._stale = []
        self._stale_racks = []
        if self.view.nodes:
            for node in self.view.nodes.values():
                node.friends = 0
                self._ask_refresh(node)
        else:
            for seed in self._seeds:
                self._ask_seed(seed)
        return self._proceed()

    def receive(self, event: Answered | Failed) -> list[Output]:
        """An answer, or its absence. Unknown numbers are an error of the caller's."""
        handler, complaint = self._pending.pop(event.number)
        if isinstance(event, Failed):
            complaint(event.reason)
        else:
            try:
                handler(event.answers)
            except BadReply as error:
                complaint(str(error))
        return self._proceed()

    def _proceed(self) -> list[Output]:
        """Go on to the next phases while there is nothing to wait for."""
        while not self._pending and self.phase is not Phase.IDLE:
            if self.phase is Phase.REFRESH:
                self.phase = Phase.PEERS
                if self._peers_changed:
                    for node in sorted(self._heard, key=lambda node: node.name):
                        self._ask_peers(node)
            elif self.phase is Phase.PEERS:
                self._accept_peer_lists()
                self.phase = Phase.PARTITIONS
                for node in self._stale:
                    self._ask_partitions(node)
                for node in self._stale_racks:
                    self._ask_racks(node)
            else:
                self._finish()
        outputs, self._outputs = self._outputs, []
        return outputs

    def _ask(
        self,
        address: Address,
        commands: tuple[str, ...],
        handler: _Handler,
        complaint: _Complaint,
        *,
        node: Node | None = None,
        tls_name: str = "",
    ) -> None:
        self._number += 1
        self._pending[self._number] = (handler, complaint)
        self._outputs.append(Ask(self._number, address, tls_name, commands, node))

    # ------------------------------------------------------------------ refresh

    def _ask_refresh(self, node: Node) -> None:
        commands: tuple[str, ...] = ("node", "peers-generation", "partition-generation")
        if self._options.racks:
            commands = (*commands, "rebalance-generation")

        def failed(reason: str) -> None:
            node.failures += 1
            self._peers_changed = True
            self._complain(node.address, reason)

        self._ask(
            node.address,
            commands,
            lambda answers: self._refreshed(node, answers),
            failed,
            node=node,
            tls_name=node.tls_name,
        )

    def _refreshed(self, node: Node, answers: dict[str, str]) -> None:
        if answers.get("node") != node.name:
            node.active = False
            self._peers_changed = True
            self._complain(node.address, f"is {answers.get('node')} now and no longer {node.name}")
            return
        peers_generation = _number(answers, "peers-generation")
        partition_generation = _number(answers, "partition-generation")
        node.failures = 0
        self._heard.add(node)
        if peers_generation != node.peers_generation:
            self._peers_changed = True
        if partition_generation != node.partition_generation:
            self._stale.append(node)
        if self._options.racks:
            rebalance_generation = _number(answers, "rebalance-generation")
            if rebalance_generation != node.rebalance_generation:
                node.rebalance_generation = rebalance_generation
                self._stale_racks.append(node)

    # ------------------------------------------------------------------ peers

    def _ask_peers(self, node: Node) -> None:
        kind = "tls" if self._options.tls else "clear"
        command = f"peers-{kind}-{'alt' if self._options.alternate else 'std'}"
        self._ask(
            node.address,
            (command,),
            lambda answers: self._peers_answered(node, _value(answers, command)),
            lambda reason: self._complain(node.address, reason),
            node=node,
            tls_name=node.tls_name,
        )

    def _peers_answered(self, node: Node, text: str) -> None:
        generation, peers = parse_peers(text)
        self._peer_lists[node] = (generation, peers)
        for peer in peers:
            known = self.view.nodes.get(peer.node)
            if known is not None:
                known.friends += 1
            elif peer.node not in self._tried and peer.addresses:
                self._tried.add(peer.node)
                self._ask_who(peer, 0)

    def _accept_peer_lists(self) -> None:
        nodes = self.view.nodes
        for node, (generation, peers) in self._peer_lists.items():
            if all(peer.node in nodes for peer in peers):
                node.peers_generation = generation

    # ------------------------------------------------------------------ new nodes

    def _who_commands(self) -> tuple[str, ...]:
        commands: tuple[str, ...] = ("node", "partition-generation", "build")
        return (*commands, "cluster-name") if self._options.cluster_name else commands

    def _ask_seed(self, given: Seed) -> None:
        seed, tls_name = given
        commands = self._who_commands()
        service = ""
        if not _is_loopback(seed.host):
            kind = "tls" if self._options.tls else "clear"
            service = f"service-{kind}-{'alt' if self._options.alternate else 'std'}"
            commands = (*commands, service)

        def answered(answers: dict[str, str]) -> None:
            self._check_who(answers)
            listed = parse_services(answers.get(service, "")) if service else ()
            if listed and seed not in listed:
                self._ask_listed(answers, given, listed)
            else:
                self._add(answers, seed, tls_name)

        def failed(reason: str) -> None:
            self._complain(seed, reason)

        self._ask(seed, commands, answered, failed, tls_name=tls_name)

    def _ask_listed(self, who: dict[str, str], seed: Seed, listed: tuple[Address, ...]) -> None:
        """The seed serves elsewhere, it says: use that address if the same node answers there."""
        address = self._mapped(listed[0])

        def next_one(_reason: str = "") -> None:
            if len(listed) > 1:
                self._ask_listed(who, seed, listed[1:])
            else:
                self._add(who, *seed)

        def answered(answers: dict[str, str]) -> None:
            if answers.get("node") == who["node"]:
                self._add(who, address, seed.tls_name)
            else:
                next_one()

        self._ask(address, ("node",), answered, next_one, tls_name=seed.tls_name)

    def _ask_who(self, peer: Peer, place: int) -> None:
        """Make sure of a peer at the address in that place, or the ones behind it."""
        address = self._mapped(peer.addresses[place])

        def failed(reason: str) -> None:
            self._complain(address, reason)
            if place + 1 < len(peer.addresses):
                self._ask_who(peer, place + 1)

        def answered(answers: dict[str, str]) -> None:
            self._check_who(answers)
            self._add(answers, address, peer.tls_name)

        self._ask(address, self._who_commands(), answered, failed, tls_name=peer.tls_name)

    def _check_who(self, answers: dict[str, str]) -> None:
        name = self._options.cluster_name
        if name and answers.get("cluster-name") != name:
            raise BadReply(f"is of the cluster {answers.get('cluster-name')!r} and not {name!r}")
        if _number(answers, "partition-generation") == UNKNOWN_GENERATION:
            raise BadReply("is not ready: it has no partitions yet")
        if not answers.get("node"):
            raise BadReply("does not say which node it is")

    def _add(self, who: dict[str, str], address: Address, tls_name: str) -> None:
        """A node has shown who it is: take it up, unless it is known by another address."""
        name = who["node"]
        known = self.view.nodes.get(name)
        if known is not None:
            known.aliases.add(address)
            return
        if len(self.view.nodes) >= MAX_NODES:
            self._complain(address, f"is one node too many: the limit is {MAX_NODES}")
            return
        node = Node(name, address, tls_name, {address}, _build(who.get("build", "")))
        self.view.nodes[name] = node
        node.friends = 1  # whoever led here named it
        self._heard.add(node)
        self._stale.append(node)
        if self._options.racks:
            self._stale_racks.append(node)
        self._peers_changed = True
        self._outputs.append(NodeAdded(node))
        if node.build >= _USER_AGENT_BUILD:
            self._introduce(node)
        if self.phase is Phase.PEERS:
            self._ask_peers(node)

    def _introduce(self, node: Node) -> None:
        """Tell a node what client this is: operators see it in `user-agents`."""
        agent = f"1,citrusleaf-0.1.0,{self._options.app_id}"
        value = base64.b64encode(agent.encode()).decode()

        def ignore(_outcome: object) -> None:
            """What the node makes of it changes nothing."""

        self._ask(
            node.address,
            (f"user-agent-set:value={value}",),
            ignore,
            ignore,
            node=node,
            tls_name=node.tls_name,
        )

    def _mapped(self, address: Address) -> Address:
        known = self._options.ip_map
        if (place := known.get(str(address))) is not None:
            return parse_address(place, address.port)
        return Address(known.get(address.host, address.host), address.port)

    # ------------------------------------------------------------------ partitions and racks

    def _ask_partitions(self, node: Node) -> None:
        self._ask(
            node.address,
            ("partition-generation", "replicas"),
            lambda answers: self._partitions_answered(node, answers),
            lambda reason: self._complain(node.address, reason),
            node=node,
            tls_name=node.tls_name,
        )

    def _partitions_answered(self, node: Node, answers: dict[str, str]) -> None:
        generation = _number(answers, "partition-generation")
        announcements = parse_replicas(_value(answers, "replicas"))
        node.partition_generation = generation
        for announcement in announcements:
            table = self.view.tables.get(announcement.namespace)
            if table is None:
                table = PartitionTable(announcement.namespace)
            changed = table.update(node, announcement)
            # Filled before readers can see it.
            self.view.tables.setdefault(announcement.namespace, table)
            if changed:
                self._outputs.append(PartitionsChanged(announcement.namespace))

    def _ask_racks(self, node: Node) -> None:
        def answered(answers: dict[str, str]) -> None:
            node.racks = _racks(_value(answers, "rack-ids"))

        def failed(reason: str) -> None:
            node.rebalance_generation = UNKNOWN_GENERATION
            self._complain(node.address, reason)

        self._ask(node.address, ("rack-ids",), answered, failed, node=node, tls_name=node.tls_name)

    # ------------------------------------------------------------------ the end of a round

    def _finish(self) -> None:
        self.phase = Phase.IDLE
        if self._peers_changed:
            for node in self._leavers():
                node.active = False
                del self.view.nodes[node.name]
                self._outputs.append(NodeRemoved(node))
        self._rounds += 1
        if self._rounds % self._options.error_rate_window == 0:
            for node in self.view.nodes.values():
                node.errors = 0
        self._outputs.append(RoundOver(tuple(self._failures)))

    def _leavers(self) -> list[Node]:
        nodes = list(self.view.nodes.values())
        heard = len(self._peer_lists)
        leavers = []
        for node in nodes:
            if not node.active or (not heard and node.failures >= FAILURES_TO_REMOVE):
                leavers.append(node)
                continue
            unnamed = len(nodes) > 1 and heard and not node.friends
            # One that answers and owns partitions is half of a split cluster.
            if unnamed and (node.failures or not self._owns(node)):
                leavers.append(node)
        return leavers

    def _owns(self, node: Node) -> bool:
        return any(table.holds(node) for table in self.view.tables.values())

    def _complain(self, address: Address, reason: str) -> None:
        self._failures.append(f"{address} {reason}")

    def _check(self) -> None:
        """Assert what holds between events."""
        assert (self.phase is Phase.IDLE) == (not self._pending)
        assert not self._outputs
        for name, node in self.view.nodes.items():
            assert name == node.name
        for table in self.view.tables.values():
            table._check()


def _value(answers: dict[str, str], command: str) -> str:
    value = answers.get(command)
    if value is None or value.startswith(("ERROR:", "FAIL:")):
        raise BadReply(f"answers {command} with {value!r}")
    return value


def _number(answers: dict[str, str], command: str) -> int:
    try:
        return int(_value(answers, command))
    except ValueError:
        raise BadReply(f"answers {command} with {answers[command][:40]!r}") from None


def _build(text: str) -> tuple[int, ...]:
    """`8.1.2.0` as numbers; what is none counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in text.split("."))


def _racks(text: str) -> dict[str, int]:
    try:
        pairs = [part.rpartition(":") for part in text.split(";") if part]
        return {namespace: int(rack) for namespace, _, rack in pairs}
    except ValueError:
        raise BadReply(f"answers rack-ids with {text[:100]!r}") from None


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
