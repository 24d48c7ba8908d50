"""Partition versions: what a copy of a partition holds, in a form that can be compared.

A version names the cluster in which the copy last took part. Two *full* copies of one cluster are
the same if a *vouching* one is among them: that of a node which was master there and left no write
unfinished. Without it nobody knows that the others have all, so each is taken as different.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen

FULL = 1
VOUCHES = 2


@frozen
class PartitionVersion:
    """`cluster_key` of the cluster in which the copy was part of the partition.

    `full`: it has everything that was acknowledged there; else it is a subset, in migration.
    `vouches`: moreover every other full copy of that cluster has what it has.
    """

    cluster_key: int
    full: bool
    vouches: bool = False

    @property
    def flags(self) -> int:
        """The form in messages."""
        return self.full * FULL + self.vouches * VOUCHES

    def without_word(self) -> PartitionVersion:
        """The version of a copy that vouches no more."""
        return evolve(self, vouches=False)

    def as_subset(self) -> PartitionVersion:
        """The version of a copy that may lack something."""
        return evolve(self, full=False, vouches=False)


def from_flags(cluster_key: int, flags: int) -> PartitionVersion:
    """The version of a message's row."""
    return PartitionVersion(cluster_key, bool(flags & FULL), bool(flags & VOUCHES))


def groups(versions: Mapping[int, PartitionVersion]) -> dict[int, frozenset[int]]:
    """For each node that has a copy, the nodes whose copies are the same as its own."""
    vouched = {v.cluster_key for v in versions.values() if v.full and v.vouches}
    same: dict[int, set[int]] = {}
    for node, version in versions.items():
        if version.full and version.cluster_key in vouched:
            same.setdefault(version.cluster_key, set()).add(node)
    return {
        node: frozenset(same[version.cluster_key])
        if version.full and version.cluster_key in vouched
        else frozenset({node})
        for node, version in versions.items()
    }
