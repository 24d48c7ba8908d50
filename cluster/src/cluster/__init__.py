"""Cluster protocols without IO. Today: the partition map."""

from cluster.partition_map import BITMAP_BYTES, PARTITIONS, PartitionMap

__all__ = ["BITMAP_BYTES", "PARTITIONS", "PartitionMap"]
