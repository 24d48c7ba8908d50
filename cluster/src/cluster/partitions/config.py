"""How namespaces are spread and migrated: what a daemon's configuration says of it."""

from __future__ import annotations

from attrs import frozen

from cluster.partitions.map import PARTITIONS
from cluster.partitions.roster import Roster
from cluster.records import ConflictPolicy


@frozen
class NamespaceConfig:
    """How a namespace is spread. Where nodes differ in `replication_factor`, `uniform`, `strong` or
    `roster`, what the highest node says holds."""

    name: str
    replication_factor: int = 2
    policy: ConflictPolicy = ConflictPolicy.GENERATION
    uniform: bool = False
    rack: int = 0
    strong: bool = False
    """Strong consistency: partitions are served by the rules of `roster` only (and conflicts are
    by last-update-time, in which the regime stands first: `cluster.consistency.stamp`)."""
    roster: Roster | None = None
    """The roster that is wanted from the next balance on."""
    migrate_order: int = 5
    """Namespaces with a lower one emigrate first."""
    fills_at_once: bool = False
    """Is the wait before nodes without a copy are sent one left out?"""
    partitions: int = PARTITIONS


@frozen
class MigrateConfig:
    """Limits of migration, of one node for all its namespaces."""

    threads: int = 4
    """Emigrations a node has under way at a time (migrate-threads); 0 stops them."""
    sleep_us: int = 0
    """Rest after each record (migrate-sleep)."""
    max_incoming: int = 4
    """Immigrations a node takes at a time (migrate-max-num-incoming)."""
    fill_delay_ms: int = 0
    """Wait after a balance before nodes without a copy are sent one (migrate-fill-delay)."""
    batch_records: int = 16
    batch_bytes: int = 256 << 10
    compare_records: int = 64
    """Summaries in a message. What a message holds is one turn's work at either end, so these say
    how long requests wait behind it."""
    retransmit_ms: int = 400
    most_ms: int = 3200
    """What is not answered is sent again after ever longer, at most this."""
