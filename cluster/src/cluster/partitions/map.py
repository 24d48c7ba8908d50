"""Which node owns which partition, as clients are told."""

from __future__ import annotations

PARTITIONS = 4096
"""Partitions of every namespace; a partition id is 12 bits of the digest."""

BITMAP_BYTES = PARTITIONS // 8


class PartitionMap:
    """The ownership of one namespace's partitions as seen by one node.

    `columns` holds a bitmap for each replica column this node takes part in: bit
    `0x80 >> (pid & 7)` of byte `pid >> 3` is set where this node owns that column. Column 0 is the
    master. While a replica's copy is on its way the master owns its column too.
    """

    def __init__(
        self, replication_factor: int, columns: tuple[bytes, ...], regime: int = 0
    ) -> None:
        if any(len(column) != BITMAP_BYTES for column in columns):
            raise ValueError(f"an ownership bitmap has {BITMAP_BYTES} bytes")
        self.replication_factor = replication_factor
        self.columns = columns
        self.regime = regime
        self._check()

    @classmethod
    def single_node(cls) -> PartitionMap:
        """The map of a cluster of one: this node is the master of everything."""
        return cls(1, (b"\xff" * BITMAP_BYTES,))

    def is_master(self, partition: int) -> bool:
        """Does this node own the master copy? O(1)."""
        return bool(self.columns[0][partition >> 3] & (0x80 >> (partition & 7)))

    def _check(self) -> None:
        assert self.replication_factor >= 1
        assert len(self.columns) == self.replication_factor
