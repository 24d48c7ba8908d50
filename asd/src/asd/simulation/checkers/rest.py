"""What must be true of the nodes when everything is at rest: this looks into them.

- Replicas have the same records, version by version; other nodes have none.
- Where racks are on a roster, copies are on as many of them as there can be.
- Secondary indexes have just the records that a scan would give them.
- Nothing is left over: no transaction in a line, no write that waits for a replica, no query, no
  work on a thread, and no more tasks than nodes had when the run began.
- The structures' own invariants hold (`_check`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from asd.membership import rosters
from asd.membership.cluster import Clustered
from asd.node import Node
from asd.replication.store import Store
from asd.simulation.machine import Machine
from cluster import PARTITIONS, Transactions
from cluster.messages import RecordRow
from cluster.simulation.checks import Violation
from storage.bulk import entries_at, partition_slots
from storage.engine import get_waited
from storage.index import ENTRY, Entry, PrimaryIndex

EXPIRY_S: Final = 2
"""Expired records are looked for every second."""


def check_at_rest(machines: Iterable[Machine], skew_s: float, tasks: int) -> None:
    """Look at all that run. Clocks have differed by `skew_s` at most; a node at rest has so many
    tasks at most. Raises Violation."""
    nodes = {each.name: each.node for each in machines if each.running and each.node is not None}
    for space in next(iter(nodes.values())).config.namespaces:
        check_replicas(nodes, space, skew_s)
        check_racks(nodes, space)
    for name, node in nodes.items():
        check_indexes(name, node)
        check_structures(node)
    for machine in machines:
        check_nothing_left(machine, tasks)


def check_replicas(nodes: Mapping[str, Node], space: str, skew_s: float) -> None:
    """Each partition has one master and its replicas; they have the same records, nobody else has
    any. Records that may have expired by the clock of any node do not count. Raises Violation."""
    now_s = max(node.clock.epoch_s() for node in nodes.values()) + skew_s + EXPIRY_S
    holders = _holders(nodes, space)
    kept = {name: _records(node, space, now_s) for name, node in nodes.items()}
    for partition in sorted({partition for rows in kept.values() for partition in rows}):
        mine = {name: rows.get(partition, {}) for name, rows in kept.items()}
        expected = mine[holders[partition][0]]
        for name, rows in mine.items():
            if rows != (expected if name in holders[partition] else {}):
                raise Violation(_difference(space, partition, holders[partition], name, mine))


def check_racks(nodes: Mapping[str, Node], space: str) -> None:
    """The copies of each partition are on as many racks of the roster as there are, or as there are
    copies. Raises Violation."""
    roster = rosters.current(next(iter(nodes.values())).metadata, space)
    if roster is None:
        return
    racks = {name: dict(roster.nodes).get(int(node.node_id, 16)) for name, node in nodes.items()}
    known = {rack for rack in racks.values() if rack is not None}
    for partition, names in enumerate(_holders(nodes, space)):
        on = {racks[name] for name in names}
        if len(on) < min(len(names), len(known)):
            raise Violation(f"{{{space}}} partition {partition} of {names} is on racks {on} only")


def _holders(nodes: Mapping[str, Node], space: str) -> list[list[str]]:
    """The replicas of every partition, the master first, as the nodes tell clients."""
    holders: list[list[str]] = [[] for _ in range(PARTITIONS)]
    columns = {name: node.cluster.partition_map(space).columns for name, node in nodes.items()}
    replicas = min(len(nodes), max(map(len, columns.values())))
    for replica in range(replicas):
        for name, own in columns.items():
            for partition in _bits(own[replica] if replica < len(own) else b""):
                holders[partition].append(name)
        for partition, found in enumerate(holders):
            if len(found) != replica + 1 or len(set(found)) != replica + 1:
                raise Violation(f"{{{space}}} partition {partition} is held by {found}")
    return holders


def _bits(bitmap: bytes) -> Iterator[int]:
    """The places of the bits that are set."""
    for at, byte in enumerate(bitmap):
        for bit in range(8) if byte else ():
            if byte & 0x80 >> bit:
                yield at * 8 + bit


def _records(node: Node, space: str, now_s: float) -> dict[int, dict[bytes, RecordRow]]:
    """The versions a node has, by partition; those that have expired by `now_s` are left out."""
    namespace = node.namespaces[space.encode()]
    store = Store(namespace, node.metadata)
    index = namespace.engine.index
    found: dict[int, dict[bytes, RecordRow]] = {}
    for partition in range(PARTITIONS):
        if index.count(partition):
            rows = [store.row(digest) for digest in digests_of(namespace.engine.index, partition)]
            live = {row[0]: row for row in rows if row is not None and not 0 < row[3] <= now_s}
            if live:
                found[partition] = live
    return found


def digests_of(index: PrimaryIndex, partition: int) -> Iterator[bytes]:
    """The digests of all records of a partition, tombstones included."""
    for entry in entries_at(index, partition_slots(index, partition)):
        yield Entry._make(ENTRY.unpack(entry)).digest


def _difference(
    space: str,
    partition: int,
    holders: list[str],
    name: str,
    kept: dict[str, dict[bytes, RecordRow]],
) -> str:
    """What one node has otherwise than the master."""
    lines = [f"{{{space}}} partition {partition} of {holders}: {name} differs from {holders[0]}"]
    expected = kept[holders[0]] if name in holders else {}
    for digest in sorted(expected.keys() | kept[name].keys()):
        if expected.get(digest) != kept[name].get(digest):
            lines.append(f"{name}: {kept[name].get(digest)!r:.200}")
            lines.append(f"expected: {expected.get(digest)!r:.200}")
    return "\n".join(lines[:9])


def check_indexes(name: str, node: Node) -> None:
    """Each index has an entry for each value of each record, and no other. Raises Violation."""
    for namespace in node.namespaces.values():
        for index in namespace.indexes:
            if index.unsettled:
                raise Violation(f"{name}: {index.definition} is never settled")
            expected = 0
            for partition in range(PARTITIONS):
                for digest in digests_of(namespace.engine.index, partition):
                    record = get_waited(namespace.engine, digest)
                    set_name = namespace.set_names[record[3]] if record is not None else b""
                    if not index.watches(set_name):
                        continue
                    for value in index.keys_of(digest, record, set_name):
                        expected += 1
                        if not index.entries.holds(partition, value, digest):
                            raise Violation(f"{name}: {digest.hex()} is not in {index.definition}")
            if len(index.entries) != expected:
                raise Violation(
                    f"{name}: {index.definition} has {len(index.entries)} entries, not {expected}"
                )


def check_nothing_left(machine: Machine, tasks: int) -> None:
    """Nothing is under way any more, and there are `tasks` at most. Raises Violation."""
    over = left_over(machine, tasks)
    if over:
        raise Violation(f"{machine.name} is at rest, and there are {over}")


def left_over(machine: Machine, tasks: int) -> dict[str, int]:
    """How much is under way, by what it is; a node at rest has `tasks` at most."""
    node, threads = machine.node, machine.threads
    assert node is not None
    assert threads is not None
    assert machine.loop is not None
    left = {
        "work on threads": threads.busy,
        "queries": node.queries.long_active,
        "tasks": machine.loop.tasks() - tasks,
    }
    if isinstance(node.cluster, Clustered):
        for service in node.cluster.node.services:
            if isinstance(service, Transactions):
                left["transactions in lines"] = service.lines
                lags = [service.lane.lag(each.name) for each in node.namespaces.values()]
                left["unacknowledged rows"] = sum(
                    each.rows for lag in lags for each in lag.values()
                )
    return {what: count for what, count in left.items() if count > 0}


def check_structures(node: Node) -> None:
    """Every structure's own invariants. Raises AssertionError."""
    if isinstance(node.cluster, Clustered):
        node.cluster.node._check()
    node.connections._check()
    node.queries._check()
    node.turns._check()
    for namespace in node.namespaces.values():
        namespace._check()
        namespace.indexes._check()
        namespace.engine.index._check()
