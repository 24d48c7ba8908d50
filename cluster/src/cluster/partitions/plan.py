"""Who sends what to whom after a balance: a pure function of a row and its nodes' versions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from cluster.partitions.balance import Row
from cluster.partitions.version import PartitionVersion, groups


@frozen
class PartitionPlan:
    """What happens to one partition. Every node of the cluster comes to the same plan.

    `acting` is the working master: it serves until the master has everything that `acting` has.
    `senders` emigrate to the master; when all have, the master emigrates to each of `receivers`;
    then the partition is settled: every node of `members` hears so, and drops its copy if it is no
    replica; `bystanders`, all the others, are told once. `in_step` are replicas that have what
    `acting` has. All replicas get each of its writes, in step or not. `differing` are the nodes to
    ask before `acting` trusts its own version of a record: one of each group of copies but its own.
    """

    master: int
    acting: int
    replicas: Row
    senders: Row
    receivers: Row
    in_step: Row
    members: Row
    differing: Row = ()
    bystanders: Row = ()

    def emigrations_from(self, node: int) -> int:
        """How many it asks of a node. O(nodes)."""
        return (node in self.senders) + len(self.receivers) * (node == self.master)

    def duplicates(self, server: int, arrived: frozenset[int]) -> Row:
        """Nodes that may have newer versions than `server`, which is the acting or the master.

        `arrived` are the nodes whose emigration the server, as master, has to its end.
        """
        if server != self.master:
            return self.differing
        return tuple(n for n in self.senders if n != server and n not in arrived)


def plan(
    row: Row,
    factor: int,
    versions: Mapping[int, PartitionVersion],
    weights: Mapping[int, int] = MappingProxyType({}),
) -> PartitionPlan:
    """The plan for a row of the balance and the versions that the exchange told. O(nodes).

    One node of each group of equal copies sends; the acting master's group has no other sender.
    `weights` say how much there is of each cluster, by its key: a full copy of the heaviest serves,
    since a node that was away, or hung, comes back with a full copy of a cluster that is over.
    """
    replicas, master = row[:factor], row[0]
    if not versions:
        return PartitionPlan(master, master, replicas, (), (), replicas, replicas)
    same = groups(versions)
    holders = [node for node in row if node in versions]
    full = [node for node in holders if versions[node].full]
    heaviest = max([weights.get(versions[node].cluster_key, 0) for node in full], default=0)
    main = [node for node in full if weights.get(versions[node].cluster_key, 0) == heaviest]
    shared = [node for node in main if len(same[node]) > 1 or versions[node].vouches]
    grown = [node for node in holders if not versions[node].evades]
    acting = next(iter(shared or main or grown or holders))
    seen: set[int] = set(same.get(master, ()))
    senders: list[int] = []
    for node in [acting, *holders]:
        if node not in seen:
            seen |= same[node]
            senders.append(node)
    in_step = tuple(node for node in replicas if node in same[acting])
    receivers = tuple(
        node
        for node in replicas
        if node != master and (senders or node not in same.get(master, ()))
    )
    members = tuple(dict.fromkeys([*replicas, *holders]))
    others = [*senders, master] if master in versions else senders
    differing = tuple(node for node in others if node not in same[acting])
    bystanders = tuple(node for node in row if node not in members)
    return PartitionPlan(
        *(master, acting, replicas, tuple(senders), receivers, in_step, members, differing),
        bystanders,
    )
