"""Partition balance: which node keeps which copy, as a pure function of the succession list.

Every pair of a node and a partition has a 64-bit weight that depends on nothing else (rendezvous
hashing), and a partition's row is the nodes by falling weight. A node that comes takes its place in
each row and shifts only what stands behind it; a node that goes leaves a gap that the next one
fills. So no copy moves between two nodes that both stay.

>>> table = balance([Member(1), Member(2), Member(3)], replication_factor=2)
>>> len(table.replicas(0)), len(set(table.rows[0]))
(2, 3)
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Sequence

from attrs import field, frozen

from cluster.partitions.map import BITMAP_BYTES, PARTITIONS, PartitionMap

Row = tuple[int, ...]


@frozen
class Member:
    """A node as the balance sees it: 64-bit id, rack id (0: no rack), whether it is quiesced."""

    node: int
    rack: int = 0
    quiesced: bool = False


@frozen
class BalanceTable:
    """The outcome: for each partition all nodes in order of preference, the replicas first.

    `replication_factor` is the effective one: never more than there are nodes.
    """

    replication_factor: int
    rows: Sequence[Row] = field(repr=False)

    def replicas(self, partition: int) -> Row:
        """Nodes that shall keep the partition, master first. O(replication factor)."""
        return self.rows[partition][: self.replication_factor]

    def master(self, partition: int) -> int:
        """The node that shall be master. O(1)."""
        return self.rows[partition][0]

    def partition_map(self, node: int, regime: int = 0) -> PartitionMap:
        """What `node` tells clients about its own columns. O(partitions). Needs 4096 of them."""
        columns = [bytearray(BITMAP_BYTES) for _ in range(self.replication_factor)]
        for partition, row in enumerate(self.rows):
            for column, replica in zip(columns, row, strict=False):
                if replica == node:
                    column[partition >> 3] |= 0x80 >> (partition & 7)
        return PartitionMap(self.replication_factor, tuple(map(bytes, columns)), regime)

    def loads(self) -> Counter[int]:
        """Copies that each node keeps."""
        return Counter(node for p in range(len(self.rows)) for node in self.replicas(p))

    def _check(self) -> None:
        nodes = sorted(self.rows[0])
        assert 1 <= self.replication_factor <= len(nodes)
        for row in self.rows:
            assert sorted(row) == nodes, "a row names each node once"


def balance(
    members: Sequence[Member],
    replication_factor: int,
    *,
    uniform: bool = False,
    partitions: int = PARTITIONS,
) -> BalanceTable:
    """The table for a succession list. O(partitions x nodes log nodes); no state, no chance.

    Replicas of a partition stand on as many racks as there are, then spread evenly over them.
    Quiesced nodes stand last in every row. `uniform` evens out the masters (they differ by at most
    one) and the other copies, at the price of more movement when the list changes.
    ValueError for an empty list, a node named twice, or a replication factor under 1.
    """
    if not members or len({member.node for member in members}) != len(members):
        raise ValueError("a succession list names at least one node, and each once")
    if replication_factor < 1:
        raise ValueError(f"replication factor must be positive: {replication_factor}")
    factor = min(replication_factor, len(members))
    # One canonical order, so that the table depends on the set of members alone.
    ordered = sorted(members, key=lambda member: -member.node)
    rows: Sequence[Row] = preference_rows(ordered, partitions)
    if uniform:
        rows = _even_out(ordered, rows, factor)
    elif len({member.rack for member in ordered}) > 1:
        rack_of = {member.node: member.rack for member in ordered}
        active = sum(not member.quiesced for member in ordered)
        rows = [_spread_over_racks(row, rack_of, factor, active) for row in rows]
    return BalanceTable(factor, rows)


def weights(node: int, partitions: int) -> array[int]:
    """The node's weight in each partition: its id, stretched by SHAKE-128 to 64 bits apiece."""
    stretched = array("Q")
    stretched.frombytes(hashlib.shake_128(node.to_bytes(8, "big")).digest(8 * partitions))
    return stretched


def preference_rows(members: Sequence[Member], partitions: int) -> list[Row]:
    """All nodes by falling weight, the quiesced ones behind all others, for each partition."""
    active = [member.node for member in members if not member.quiesced]
    quiesced = [member.node for member in members if member.quiesced]
    fronts = _rows_by_weight(active, partitions)
    if not quiesced:
        return fronts
    backs = _rows_by_weight(quiesced, partitions)
    return [front + back for front, back in zip(fronts, backs, strict=True)]


def _rows_by_weight(nodes: Sequence[int], partitions: int) -> list[Row]:
    if not nodes:
        return [()] * partitions
    order = range(len(nodes))
    return [
        tuple([nodes[i] for i in sorted(order, key=column.__getitem__, reverse=True)])
        for column in zip(*(weights(node, partitions) for node in nodes), strict=True)
    ]


def _spread_over_racks(row: Row, rack_of: dict[int, int], factor: int, active: int) -> Row:
    """The row with its first `factor` nodes on distinct racks as far as they go. O(nodes).

    Quiesced nodes (behind the first `active`) are taken only when there are too few others.
    """
    if len({rack_of[node] for node in row[:factor]}) == factor <= active:
        return row
    chosen: list[int] = []
    used: Counter[int] = Counter()
    for candidates in (row[:active], row[active:]):
        wanted = min(factor, len(chosen) + len(candidates))
        level = 0  # nodes that a rack may have when one more is put on it
        while len(chosen) < wanted:
            for node in candidates:
                if used[rack_of[node]] <= level and node not in chosen:
                    used[rack_of[node]] += 1
                    chosen.append(node)
                    if len(chosen) == wanted:
                        break
            level += 1
    return _with_first(chosen, row)


def _with_first(chosen: Sequence[int], row: Row) -> Row:
    picked = set(chosen)
    return (*chosen, *[node for node in row if node not in picked])


def _even_out(members: Sequence[Member], rows: Sequence[Row], factor: int) -> list[Row]:
    """Rows in which no node is master, or keeps copies, of more than its share.

    A partition's master is the first of its row whose share of masters is not yet full; its proles
    are, rack by rack, the first whose share of proles is not, else the one with the fewest.
    """
    rack_of = {member.node: member.rack for member in members}
    active = [member.node for member in members if not member.quiesced] or [*rack_of]
    masters = _shares(active, len(rows))
    kept = min(factor, len(active))
    # Shares of their own: who had filled up on proles would still have to become master.
    proles = _shares(active[::-1], len(rows) * (kept - 1))
    evened = []
    for row in rows:
        chosen = [next(node for node in row if masters.get(node))]
        masters[chosen[0]] -= 1
        while len(chosen) < kept:
            best = _next_prole(row[: len(active)], chosen, rack_of, proles)
            proles[best] -= 1
            chosen.append(best)
        evened.append(_with_first(chosen, row))
    return evened


def _next_prole(
    row: Row, chosen: list[int], rack_of: dict[int, int], proles: dict[int, int]
) -> int:
    """The next prole: least used rack first, then room in its share, then the row."""
    used = Counter(rack_of[node] for node in chosen)
    for level in range(len(chosen) + 1):
        fallback: int | None = None
        for node in row:
            if used[rack_of[node]] <= level and node not in chosen:
                if proles[node] > 0:
                    return node
                if fallback is None or proles[node] > proles[fallback]:
                    fallback = node
        if fallback is not None:
            return fallback
    raise AssertionError("fewer nodes than copies")


def _shares(nodes: Sequence[int], total: int) -> dict[int, int]:
    """`total` things dealt to the nodes: equal shares, the first nodes taking what is left over."""
    share, rest = divmod(total, len(nodes))
    return {node: share + (index < rest) for index, node in enumerate(nodes)}


def moves(before: BalanceTable, after: BalanceTable) -> int:
    """Copies a node keeps after and did not keep before: what must be sent. O(partitions)."""
    return sum(
        len(set(after.replicas(p)).difference(before.replicas(p))) for p in range(len(after.rows))
    )


def least_moves(before: BalanceTable, after: BalanceTable) -> int:
    """The fewest copies any even table could move: what nodes that are new ought to keep, and what
    nodes that are gone kept."""
    old, new = before.loads(), after.loads()
    gained = sum(new[node] for node in after.rows[0] if node not in old)
    lost = sum(old[node] for node in before.rows[0] if node not in new)
    return max(gained, lost)
