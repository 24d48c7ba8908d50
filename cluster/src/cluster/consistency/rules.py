"""Which partitions a cluster may serve: the rules of `cluster.partitions.roster`, on what its nodes
know and have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from attrs import evolve, frozen

from cluster.messages import NamespaceRow, StateRow
from cluster.partitions.balance import BalanceTable, balance
from cluster.partitions.roster import Availability, Roster, availability, from_flat, lacks_few
from cluster.partitions.version import PartitionVersion

Told = Mapping[int, PartitionVersion]
"""What nodes know of one partition, or have of it."""


@frozen
class Rosters:
    """The rosters that a cluster goes by, the newest last. Until everybody knows of a change those
    before it must allow a partition to be served too. `founds`: nobody has ever served by them."""

    all: tuple[Roster, ...] = ()
    founds: bool = False

    @property
    def newest(self) -> Roster | None:
        """The one that the balance is made from."""
        return self.all[-1] if self.all else None

    def tables(self, factor: int, partitions: int) -> list[BalanceTable]:
        """The balance of each, as if all its nodes were there: who its roster replicas are."""
        return [balance(each.members(), factor, partitions=partitions) for each in self.all]


def _order(roster: Roster) -> tuple[int, bool, tuple[tuple[int, int], ...]]:
    return roster.generation, roster.founded, roster.nodes


def find_rosters(rows: Iterable[NamespaceRow], states: Iterable[StateRow]) -> Rosters:
    """The rosters of a cluster: those that its nodes have kept, from the newest that any of them
    holds alone, and the one that is wanted if it is newer. O(nodes x rosters)."""
    found = [from_flat(row[4]) for row in rows]
    wanted = max([each for each in found if each is not None], key=_order, default=None)
    if wanted is not None and not wanted.founded:
        return Rosters((wanted,), True)
    kept = [rosters for state in states if (rosters := _unpacked(state))]
    holds = max([rosters[0].generation for rosters in kept], default=0)
    known = {each for rosters in kept for each in rosters if each.generation >= holds}
    if wanted is not None and wanted.generation > max([r.generation for r in known], default=0):
        known.add(wanted)
    return Rosters(tuple(sorted(known, key=_order)))


def _unpacked(state: StateRow) -> list[Roster]:
    found = [from_flat(flat) for flat in state[3]]
    return [evolve(each, founded=True) for each in found if each is not None]


def regime_of(told: Told) -> int:
    """The last regime that anybody knows a partition to have been served by."""
    return max([version.cluster_key for version in told.values()], default=0)


def is_whole(version: PartitionVersion, regime: int) -> bool:
    """Is this a copy that has every record acknowledged up to a regime, and has lost none?"""
    is_copy = version.full and not version.witnesses
    return is_copy and version.cluster_key == regime and not version.evades


def is_available(
    told: Told,
    rosters: Sequence[Roster],
    replicas: Sequence[Sequence[int]],
    factor: int,
) -> bool:
    """May a cluster whose nodes told this serve the partition? O(nodes x rosters).

    `replicas`: for each of `rosters` the partition's roster replicas, the roster master first. A
    node that evades, or knows nothing of the partition, does not count as present.
    """
    trusted = {node for node, version in told.items() if not version.evades}
    regime = regime_of(told)
    whole = any(is_whole(version, regime) for version in told.values())
    return bool(rosters) and all(
        _allows(trusted, roster.ids, row, factor, whole)
        for roster, row in zip(rosters, replicas, strict=True)
    )


def _allows(
    trusted: Collection[int],
    roster: Collection[int],
    replicas: Sequence[int],
    factor: int,
    whole: bool,
) -> bool:
    if lacks_few(trusted, roster, factor):
        return True
    return whole and availability(trusted, roster, replicas) is not Availability.UNAVAILABLE
