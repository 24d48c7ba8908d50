"""`ClusterView`: nodes and partition tables as they are known now, and whom to ask for a record.

The tend writes it, commands read it. In the blocking face these are different threads: every
change is one assignment of a whole value, and no reader needs two of them to agree. The worst that
a reader can see is a node that has just left, which costs it a retry.

The order in which replicas are tried is that of the official clients:

    MASTER       the master, always
    SEQUENCE     master, first copy, second copy, ... master again
    ANY          the same, starting at another place with every command
    PREFER_RACK  nodes on one of the client's racks first, best rack first; then as SEQUENCE
    RANDOM       any active node

Whoever is not active is passed over. A strongly consistent namespace is read from masters alone
unless the policy allows otherwise, and written through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import attrs

from aerospike_client.core.nodes import Node
from aerospike_client.core.partitions import PartitionTable
from aerospike_client.policies import ReadModeSC, ReadPolicy, Replica, WritePolicy


class WriteHead(NamedTuple):
    """What puts of one policy in one set begin with."""

    policy: WritePolicy
    namespace: str
    set_name: str
    #: info1 to info4, generation, ttl, timeout.
    header: tuple[int, int, int, int, int, int, int]
    #: The fields before the digest, and the head of that.
    fields: bytes


@attrs.define
class ClusterView:
    """What the client knows of the cluster."""

    rack_ids: tuple[int, ...] = ()
    max_error_rate: int = 100
    #: By name.
    nodes: dict[str, Node] = attrs.field(factory=dict)
    #: By namespace.
    tables: dict[str, PartitionTable] = attrs.field(factory=dict)
    #: Turns the starting place of ANY and RANDOM; that two threads may see the same is harmless.
    turn: int = 0
    #: Policy, namespace, set and all bytes before the digest of the latest whole-record read: reads
    #: come in rows that differ in nothing else. One tuple, so that threads may share it.
    read_head: tuple[ReadPolicy, str, str, bytes] | None = None
    #: Likewise of the latest put.
    write_head: WriteHead | None = None

    def active_nodes(self) -> list[Node]:
        """The nodes that may be asked, in no particular order."""
        return [node for node in list(self.nodes.values()) if node.active]

    def replica_for_write(self, namespace: str, replica: Replica) -> Replica:
        """What a write's replica policy comes down to."""
        table = self.tables.get(namespace)
        if table is not None and table.strongly_consistent:
            return Replica.MASTER
        return replica if replica in (Replica.SEQUENCE, Replica.PREFER_RACK) else Replica.MASTER

    def replica_for_read(self, namespace: str, replica: Replica, mode: ReadModeSC) -> Replica:
        """What a read's replica policy comes down to."""
        table = self.tables.get(namespace)
        if table is None or not table.strongly_consistent:
            return replica
        if mode is ReadModeSC.SESSION:
            return Replica.MASTER
        if mode is ReadModeSC.LINEARIZE:
            return Replica.SEQUENCE if replica is Replica.PREFER_RACK else replica
        return replica

    def lack_of(self, namespace: str) -> str:
        """That no node has the namespace, in words."""
        known = ", ".join(sorted(self.tables)) or "none"
        return f"no node has the namespace {namespace!r}; known are: {known}"

    def choose(
        self, namespace: str, pid: int, replica: Replica, attempt: int, avoid: Node | None = None
    ) -> Node | None:
        """The node for attempt number `attempt` (from 0), or None when nobody is known.

        `avoid` is the node that failed last: with PREFER_RACK another one goes first.
        """
        table = self.tables.get(namespace)
        if replica is Replica.SEQUENCE:
            return _in_sequence(table, pid, attempt) if table is not None else None
        if replica is Replica.RANDOM:
            return self._random(attempt)
        if table is None or not table.columns:
            return None
        if replica is Replica.MASTER:
            return table.master(pid)
        if replica is Replica.PREFER_RACK and self.rack_ids:
            return self._on_rack(table, pid, attempt, avoid)
        return _in_sequence(table, pid, attempt)

    def first_choices(
        self, namespace: str, replica: Replica, attempt: int
    ) -> Sequence[Node | None] | None:
        """For those who ask of thousands of partitions: the node of each that `choose` would choose
        if it is active. None where that depends on more."""
        table = self.tables.get(namespace)
        if table is None or not table.columns or replica is Replica.RANDOM:
            return None
        if replica is Replica.MASTER:
            return table.columns[0]
        if replica is Replica.PREFER_RACK and self.rack_ids:
            return None
        return table.columns[attempt % len(table.columns)]

    def stand_in(self, namespace: str, attempt: int) -> Node | None:
        """An active node that has a part of the namespace, for a record whose own nodes are not
        known or have gone: nodes pass on what they do not own. None when there is none. (The
        official clients fail at once; a second later they know the new owner.)"""
        table = self.tables.get(namespace)
        if table is None:
            return None
        nodes = [node for node in self.active_nodes() if table.holds(node)]
        return nodes[attempt % len(nodes)] if nodes else None

    def start_of(self, replica: Replica) -> int:
        """The attempt number that a new command starts with."""
        if replica is Replica.ANY or replica is Replica.RANDOM:
            self.turn = (self.turn + 1) & 0xFFFFFFFF
            return self.turn
        return 0

    def _random(self, attempt: int) -> Node | None:
        nodes = self.active_nodes()
        return nodes[attempt % len(nodes)] if nodes else None

    def _on_rack(
        self, table: PartitionTable, pid: int, attempt: int, avoid: Node | None
    ) -> Node | None:
        columns = table.columns
        for rack in self.rack_ids:
            for place in range(len(columns)):
                node = columns[(attempt + place) % len(columns)][pid]
                usable = node is not None and node.active and node is not avoid
                if usable and node is not None and node.racks.get(table.namespace) == rack:
                    return node
        chosen = _in_sequence(table, pid, attempt)
        if chosen is avoid and avoid is not None:
            return _in_sequence(table, pid, attempt + 1)
        return chosen


def _in_sequence(table: PartitionTable, pid: int, attempt: int) -> Node | None:
    columns = table.columns
    if not columns:
        return None
    node = columns[attempt % len(columns)][pid]
    if node is not None and node.active:
        return node
    for place in range(1, len(columns)):
        node = columns[(attempt + place) % len(columns)][pid]
        if node is not None and node.active:
            return node
    return None
