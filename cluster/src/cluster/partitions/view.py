"""Partitions as they are shown: to requests by a byte, to info commands in full, to people at a
glance, with what of them moves."""

from __future__ import annotations

from enum import IntEnum

from attrs import define, frozen

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


class Role(IntEnum):
    """What a node is to a partition."""

    NONE = 0
    """It shall keep no copy; it may have one that will go."""
    REPLICA = 1
    """It keeps a copy, or shall: another node serves."""
    MASTER = 2
    """It serves the partition."""


@frozen
class Sketch:
    """All partitions at a glance, as this node sees them."""

    masters: tuple[int, ...]
    """The node that serves each."""
    roles: bytes
    """This node's `Role` in each."""
    moving: frozenset[int]
    """Partitions of which something is still to be sent from here, or to come here."""


@define
class Moved:
    """The migrations of a namespace that the plans of this cluster ask of this node."""

    planned_out: int = 0
    """Partitions to be sent, once for each node that they are for."""
    done_out: int = 0
    planned_in: int = 0
    """Partitions to come."""
    records_out: int = 0
    """Records sent by emigrations that are done."""
    records_in: int = 0
    """Records that have come, one that came twice counted twice."""
