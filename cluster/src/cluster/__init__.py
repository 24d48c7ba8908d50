"""Cluster protocols without IO: membership, partitions, metadata, replication, migration.

Everything here is a state machine that is given messages and the time and returns what is to be
done; `cluster.runtime` puts a node on an asyncio loop, and `cluster.simulation` many nodes on a
simulated one.
"""

from cluster.consistency.confirmation import Confirmations
from cluster.consistency.partitions import StrongPartitions
from cluster.fabric import Delivered, Fabric, FabricConfig, FabricFull
from cluster.membership.clique import cluster_of
from cluster.membership.heartbeat import Heartbeat, Identity
from cluster.membership.paxos import Paxos
from cluster.membership.paxos_events import PaxosConfig
from cluster.membership.peer import HeartbeatConfig
from cluster.metadata.files import FileStore
from cluster.metadata.smd import MemoryStore, Smd, SmdCorrupt, SmdItem, SmdStore
from cluster.metadata.sync import SmdSync
from cluster.node import ClusterNode, NodeConfig, Service
from cluster.outputs import (
    Answered,
    Applied,
    Apply,
    Balanced,
    CarriedOut,
    CarryOut,
    Channel,
    Close,
    Closed,
    ClusterChanged,
    Compare,
    Compared,
    Confirmed,
    Drop,
    KeepState,
    KeptState,
    Load,
    Loaded,
    NodeArrived,
    NodeDeparted,
    Output,
    OwnershipChanged,
    Replicated,
    SetVersions,
    SmdAnswer,
    SmdReady,
    StoreAnswer,
    Survey,
    Surveyed,
    Token,
    VersionsSet,
)
from cluster.partitions.balance import BalanceTable, Member, balance, least_moves, moves
from cluster.partitions.config import MigrateConfig, NamespaceConfig
from cluster.partitions.emigration import Emigration
from cluster.partitions.exchange import Exchange
from cluster.partitions.map import BITMAP_BYTES, PARTITIONS, PartitionMap
from cluster.partitions.namespace import NamespacePartitions
from cluster.partitions.plan import PartitionPlan, plan
from cluster.partitions.roster import Availability, Roster, availability
from cluster.partitions.service import Partitions
from cluster.partitions.settlement import Settlement
from cluster.partitions.version import PartitionVersion
from cluster.partitions.view import Moved, Ownership, PartitionView, Role, Sketch
from cluster.records import (
    KEY_STORED,
    REMOVAL,
    TOMBSTONE,
    ConflictPolicy,
    RecordVersion,
    from_row,
    is_wanted,
    next_generation,
    wins,
)
from cluster.replication.forwards import Forwards
from cluster.replication.lane import FastLane, Lag, LaneConfig, LaneReceiver, LaneSender
from cluster.replication.proxy import Proxy
from cluster.replication.rw_hash import PendingLimit, RwHash
from cluster.replication.transactions import Transactions
from cluster.replication.write import RecordWrite
from cluster.runtime import Carrier, NodeRuntime
from cluster.state_machine import Row, StateMachine
from cluster.wire import Codec, Endpoint, Message, WireError

__all__ = [
    # nodes
    "Identity",
    "ClusterNode",
    "NodeConfig",
    "Service",
    "NodeRuntime",
    "Carrier",
    # membership and fabric
    "Heartbeat",
    "HeartbeatConfig",
    "Paxos",
    "PaxosConfig",
    "cluster_of",
    "Fabric",
    "FabricConfig",
    "FabricFull",
    "Delivered",
    "Channel",
    # questions to the daemon, and its answers
    "Load",
    "Loaded",
    "Apply",
    "Applied",
    "Survey",
    "Surveyed",
    "Compare",
    "Compared",
    "SetVersions",
    "VersionsSet",
    "Drop",
    "Close",
    "Closed",
    "CarryOut",
    "CarriedOut",
    "StoreAnswer",
    "Token",
    # events
    "Output",
    "NodeArrived",
    "NodeDeparted",
    "ClusterChanged",
    "Balanced",
    "OwnershipChanged",
    "Replicated",
    "Answered",
    "SmdReady",
    "SmdAnswer",
    # system metadata
    "Smd",
    "SmdItem",
    "SmdStore",
    "SmdCorrupt",
    "MemoryStore",
    "FileStore",
    "SmdSync",
    # partitions
    "PARTITIONS",
    "BITMAP_BYTES",
    "PartitionMap",
    "Member",
    "BalanceTable",
    "balance",
    "moves",
    "least_moves",
    "PartitionVersion",
    "PartitionPlan",
    "plan",
    "Exchange",
    "Emigration",
    "MigrateConfig",
    "Settlement",
    "NamespaceConfig",
    "NamespacePartitions",
    "Ownership",
    "PartitionView",
    "Role",
    "Sketch",
    "Moved",
    "Partitions",
    "Availability",
    "availability",
    "Roster",
    "KeptState",
    "KeepState",
    "StrongPartitions",
    "Confirmations",
    "Confirmed",
    # records and transactions
    "RecordVersion",
    "ConflictPolicy",
    "TOMBSTONE",
    "KEY_STORED",
    "REMOVAL",
    "from_row",
    "next_generation",
    "wins",
    "is_wanted",
    "FastLane",
    "Forwards",
    "Lag",
    "LaneConfig",
    "LaneSender",
    "LaneReceiver",
    "RwHash",
    "PendingLimit",
    "RecordWrite",
    "Proxy",
    "Transactions",
    # machines and wire
    "StateMachine",
    "Row",
    "Message",
    "Codec",
    "WireError",
    "Endpoint",
]
