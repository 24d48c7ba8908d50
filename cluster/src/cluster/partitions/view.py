"""A partition as it is shown: to this node's requests by a byte, to info commands in full."""

from __future__ import annotations

from enum import IntEnum

from attrs import frozen

from cluster.partitions.version import PartitionVersion


class Ownership(IntEnum):
    """What a partition is to this node's requests: a byte each in
    `NamespacePartitions.ownership`."""

    ELSEWHERE = 0
    ALONE = 1
    WITH_REPLICAS = 2
    WITH_DUPLICATES = 3
    LOCKED = 4
    CLOSED = 5
    UNAVAILABLE = 6


@frozen
class PartitionView:
    """One partition as this node sees it, for info commands."""

    partition: int
    state: str
    """S: has everything; D: something is still to come; Z: a copy that will go; A: nothing."""
    replica: int
    """This node's place among the replicas; -1: none."""
    succession: int
    """Its place in the row of the balance."""
    working_master: int
    columns: tuple[int, ...]
    """The columns of `replicas` in which this node is listed."""
    ownership: Ownership
    duplicates: int
    emigrates: int
    lead_emigrates: int
    immigrates: int
    version: PartitionVersion | None
