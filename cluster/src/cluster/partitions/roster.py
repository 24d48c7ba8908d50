"""Who may serve a partition when the cluster is not whole: pure rules.

*Availability mode.* Every cluster serves every partition from the copies it has; after a split
versions of a record may have parted, and the merge keeps one of them.

*Strong consistency.* The roster names the nodes that are to be there, and for each partition the
balance of the roster names its roster replicas and roster master. A partition is available to a
sub-cluster that holds
1. all of the partition's roster replicas, or
2. more than half of the roster's nodes, and at least one roster replica, or
3. exactly half of the roster's nodes, and the roster master.
Two disjoint sub-clusters cannot both satisfy these, which `tests/cluster` proves for small rosters
by trying them all. Moreover each of them needs a full copy; without one it is available
4. when fewer nodes of the roster are missing than a record has copies: one of them is present then,
   in some subset copy, and reads look at all of these.
Who counts as present, and what a full copy is, is told in `cluster.consistency`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum

from attrs import frozen

from cluster.partitions.balance import BalanceTable, Member


@frozen
class Roster:
    """The nodes that are to be there, each with its rack. `generation` counts from 1.

    `founded`: a first cluster of it has served, so whoever has nothing has lost it.
    """

    generation: int
    nodes: tuple[tuple[int, int], ...]
    founded: bool = True

    @property
    def ids(self) -> frozenset[int]:
        """Its nodes."""
        return frozenset([node for node, _ in self.nodes])

    def members(self) -> list[Member]:
        """Its nodes as the balance takes them."""
        return [Member(node, rack) for node, rack in self.nodes]

    def flat(self) -> tuple[int, ...]:
        """The form in messages: generation, founded, then node and rack of each."""
        each = [number for row in self.nodes for number in row]
        return (self.generation, int(self.founded), *each)


def from_flat(flat: Sequence[int]) -> Roster | None:
    """The roster of a message's numbers; None for what is none."""
    if len(flat) < 4 or len(flat) % 2 or flat[0] < 1:
        return None
    nodes = tuple(sorted(zip(flat[2::2], flat[3::2], strict=True)))
    roster = Roster(flat[0], nodes, bool(flat[1]))
    return roster if len(roster.ids) == len(nodes) else None


class Availability(Enum):
    """By which rule a partition is available to a sub-cluster."""

    UNAVAILABLE = "unavailable"
    ALL_REPLICAS = "all roster replicas"
    MAJORITY = "a majority with a roster replica"
    HALF_WITH_MASTER = "half with the roster master"
    ALL_BUT_FEW = "fewer are missing than a record has copies"


def availability(
    present: Collection[int], roster: Collection[int], replicas: Sequence[int]
) -> Availability:
    """The rule by which a partition is available to the nodes `present`. O(nodes).

    `replicas` are the partition's roster replicas, the roster master first. Nodes that are present
    and not on the roster do not count. ValueError when a replica is not on the roster.
    """
    if not replicas or not set(replicas) <= set(roster):
        raise ValueError("roster replicas are nodes of the roster")
    here = set(present) & set(roster)
    if here >= set(replicas):
        return Availability.ALL_REPLICAS
    if 2 * len(here) > len(set(roster)) and not here.isdisjoint(replicas):
        return Availability.MAJORITY
    if 2 * len(here) == len(set(roster)) and replicas[0] in here:
        return Availability.HALF_WITH_MASTER
    return Availability.UNAVAILABLE


def lacks_few(present: Collection[int], roster: Collection[int], factor: int) -> bool:
    """Are fewer nodes of the roster missing than a record has copies? O(nodes)."""
    return len(set(roster) - set(present)) < factor


def is_quorum(present: Collection[int], roster: Collection[int]) -> bool:
    """Is a sub-cluster more than half of the roster? O(nodes)."""
    return 2 * len(set(present) & set(roster)) > len(set(roster))


def unavailable_partitions(
    present: Collection[int], roster: Collection[int], table: BalanceTable
) -> int:
    """How many partitions of a roster's balance are unavailable to the nodes `present`."""
    return sum(
        availability(present, roster, table.replicas(partition)) is Availability.UNAVAILABLE
        for partition in range(len(table.rows))
    )


def split_brain(clusters: Mapping[int, Collection[int]]) -> int:
    """Availability mode: which of several clusters is the one to go on with where an operator must
    choose: the largest, then the one with the highest node. Its cluster key. ValueError if none."""
    if not clusters:
        raise ValueError("no cluster to choose from")
    return max(clusters, key=lambda key: (len(clusters[key]), max(clusters[key], default=0)))
