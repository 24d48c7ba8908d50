"""Partition tables: which node is to be asked for which partition of a namespace.

A namespace is cut into 4096 partitions. For each the cluster has an order of nodes: the master,
then its copies ("proles"). Every node announces its own part of that as bitmaps, one for each place
in the order ("column"); this table is put together from what all of them said, each at another
time. Two rules make that come out right:

- *Regimes.* A strongly consistent namespace counts the changes of a partition's ownership. Who
  announces with an older regime than the table has seen is late and is not believed.
- *The one that was replaced is asked again.* If a node announces a place that another one had, one
  of both is late. The former owner's map is fetched anew in the next round, so that the truth
  wins, whoever spoke last. The same when a node announces fewer places in the order than there
  were (a node that starts, or is cut off, is a cluster of its own, with one copy of everything):
  whoever had one of those that go is asked.

A node that has left stays in the table until somebody else announces its places; who looks for a
node passes over those that are not active. The table changes place by place, so that a reader in
another thread sees the old or the new owner, never none.
"""

from __future__ import annotations

import binascii
from typing import Final

import attrs

from aerospike_client.core.nodes import UNKNOWN_GENERATION, Node
from aerospike_client.errors import BadReply
from citrusleaf.cf_digest import PARTITIONS

BITMAP_SIZE: Final = PARTITIONS // 8

_MAX_REPLICAS: Final = 256
"""More copies than any cluster keeps: a limit on what a node can make the client allocate."""


@attrs.frozen
class Announcement:
    """What a node says of one namespace."""

    namespace: str
    #: 0 in namespaces that prefer availability.
    regime: int
    #: For each place in the order of nodes a bitmap of the partitions in which it is this node's.
    bitmaps: tuple[bytes, ...]


def parse_replicas(text: str) -> list[Announcement]:
    """`ns:regime,n,bitmap,...;ns...`, bitmaps in base64. BadReply for anything else."""
    try:
        return [_announcement(part) for part in text.split(";") if part]
    except (ValueError, binascii.Error):
        raise BadReply(f"a node's partitions cannot be read: {text[:100]!r}") from None


def _announcement(part: str) -> Announcement:
    namespace, colon, rest = part.partition(":")
    regime, count, *columns = rest.split(",")
    if not namespace or not colon or int(count) != len(columns) or len(columns) > _MAX_REPLICAS:
        raise ValueError(part)
    bitmaps = tuple(binascii.a2b_base64(column, strict_mode=True) for column in columns)
    if any(len(bitmap) != BITMAP_SIZE for bitmap in bitmaps):
        raise ValueError(part)
    return Announcement(namespace, int(regime), bitmaps)


def partitions_of(bitmap: bytes) -> list[int]:
    """The ids whose bits are set, the highest bit of a byte first. O(set bits + 512)."""
    found = []
    for position, byte in enumerate(bitmap):
        base = position << 3
        while byte:
            high = byte.bit_length()
            found.append(base + 8 - high)
            byte ^= 1 << (high - 1)
    return found


class PartitionTable:
    """The owners of one namespace's partitions."""

    __slots__ = ("columns", "namespace", "regimes", "strongly_consistent")

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        #: Column 0: masters; the others: copies. Each with 4096 nodes, None where none is known.
        #: The list is replaced when its length changes: readers hold on to the one they have.
        self.columns: list[list[Node | None]] = []
        self.regimes = [0] * PARTITIONS
        self.strongly_consistent = False

    def update(self, node: Node, announcement: Announcement) -> bool:
        """Note what `node` announces; whether that changed anything. O(4096 × columns)."""
        self.strongly_consistent = announcement.regime != 0
        missing = len(announcement.bitmaps) - len(self.columns)
        if missing > 0:
            self.columns = self.columns + [[None] * PARTITIONS for _ in range(missing)]
        elif missing < 0:  # fewer copies than before: the last places are nobody's
            kept = len(announcement.bitmaps)
            self._ask_again(self.columns[kept:], but=node)
            self.columns = self.columns[:kept]
        changed = False
        for column, bitmap in zip(self.columns, announcement.bitmaps, strict=False):
            for pid in partitions_of(bitmap):
                changed |= self._settle(column, pid, node, announcement.regime)
        return changed

    def _ask_again(self, columns: list[list[Node | None]], but: Node) -> None:
        """Whoever has a place that is dropped is asked whether it still has."""
        for column in columns:
            for owner in column:
                if owner is not None and owner is not but:
                    owner.partition_generation = UNKNOWN_GENERATION

    def _settle(self, column: list[Node | None], pid: int, node: Node, regime: int) -> bool:
        if regime < self.regimes[pid]:
            return False
        self.regimes[pid] = regime
        former = column[pid]
        if former is node:
            return False
        if former is not None:
            former.partition_generation = UNKNOWN_GENERATION
        column[pid] = node
        return True

    def master(self, pid: int) -> Node | None:
        """The node that decides on a partition's records, if it is known and active."""
        node = self.columns[0][pid] if self.columns else None
        return node if node is not None and node.active else None

    def holds(self, node: Node) -> bool:
        """Whether any place is this node's. O(4096 × columns)."""
        return any(node in column for column in self.columns)

    def _check(self) -> None:
        assert len(self.regimes) == PARTITIONS
        assert all(len(column) == PARTITIONS for column in self.columns)
