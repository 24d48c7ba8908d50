"""Partition versions: what a copy of a partition holds, in a form that can be compared.

A version names the cluster in which the copy last took part. Two *full* copies of one cluster are
the same if a *vouching* one is among them: that of a node which was master there and left no write
unfinished. Without it nobody knows that the others have all, so each is taken as different.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from attrs import evolve, frozen

FULL = 1
VOUCHES = 2
EVADES = 4
WITNESSES = 8

Packed: TypeAlias = tuple[tuple[int, int, bytes], ...]
"""A node's versions as groups: key, flags, a bit for each partition."""


@frozen(cache_hash=True)
class PartitionVersion:
    """`cluster_key` of the cluster in which the copy was part of the partition.

    `full`: it has everything that was acknowledged there; else it is a subset, in migration.
    `vouches`: moreover every other full copy of that cluster has what it has.
    `evades`: it began as nothing and has not become full since: the last to be asked to serve.
    `witnesses`: there is no copy; the node only knows of the cluster. In strong consistency alone,
    where the key is the regime, and a node that evades has lost what it may have known.
    """

    cluster_key: int
    full: bool
    vouches: bool = False
    evades: bool = False
    witnesses: bool = False

    @property
    def flags(self) -> int:
        """The form in messages."""
        of_copy = self.full * FULL + self.vouches * VOUCHES
        return of_copy + self.evades * EVADES + self.witnesses * WITNESSES

    def without_word(self) -> PartitionVersion:
        """The version of a copy that vouches no more."""
        return evolve(self, vouches=False)

    def as_subset(self) -> PartitionVersion:
        """The version of a copy that may lack something."""
        return evolve(self, full=False, vouches=False)


def from_flags(cluster_key: int, flags: int) -> PartitionVersion:
    """The version of a message's group."""
    full, vouches = bool(flags & FULL), bool(flags & VOUCHES)
    return PartitionVersion(
        cluster_key, full, vouches, bool(flags & EVADES), bool(flags & WITNESSES)
    )


def pack(versions: Sequence[PartitionVersion | None]) -> Packed:
    """The versions of all partitions as groups: key, flags, a bit for each. O(partitions)."""
    maps: dict[tuple[int, int], bytearray] = {}
    size = (len(versions) + 7) // 8
    for partition, version in enumerate(versions):
        if version is not None:
            bits = maps.setdefault((version.cluster_key, version.flags), bytearray(size))
            bits[partition >> 3] |= 0x80 >> (partition & 7)
    return tuple((key, flags, bytes(bits)) for (key, flags), bits in maps.items())


def weights(rows: Iterable[Packed]) -> Counter[int]:
    """How much there is of each cluster, by its key: what `pack` made of every node's versions, a
    full copy counted once, and once more if it vouches. O(groups)."""
    found: Counter[int] = Counter()
    for key, flags, bits in chain.from_iterable(rows):
        if flags & FULL:
            copies = int.from_bytes(bits, "big").bit_count()
            found[key] += copies + copies * bool(flags & VOUCHES)
    return found


def unpack(
    packed: Iterable[tuple[int, int, bytes]], partitions: int
) -> Iterator[tuple[int, PartitionVersion]]:
    """(partition, version) of every bit; bits beyond `partitions` are nothing."""
    for key, flags, bits in packed:
        version = from_flags(key, flags)
        for partition in range(min(partitions, 8 * len(bits))):
            if bits[partition >> 3] & (0x80 >> (partition & 7)):
                yield partition, version


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
