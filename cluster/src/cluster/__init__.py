"""Cluster protocols without IO: membership, partitions, metadata, replication, migration.

Everything here is a state machine that is given messages and the time and returns what is to be
done; `cluster.runtime` puts a node on an asyncio loop, and `cluster.simulation` many nodes on a
simulated one.
"""

from cluster.balance import BalanceTable, Member, balance, least_moves, moves
from cluster.clique import cluster_of
from cluster.exchange import Exchange
from cluster.fabric import Delivered, Fabric, FabricFull
from cluster.fabric_link import FabricConfig
from cluster.heartbeat import Heartbeat, HeartbeatConfig, Identity
from cluster.machine import Machine, Row
from cluster.migrate import Emigration, MigrateConfig, Settlement
from cluster.migration_plan import PartitionPlan, plan
from cluster.node import Node, NodeConfig, Service
from cluster.outputs import Channel, ClusterChanged, NodeArrived, NodeDeparted, Output
from cluster.partition_map import BITMAP_BYTES, PARTITIONS, PartitionMap
from cluster.partition_version import PartitionVersion
from cluster.partitions import Partitions, PartitionsConfig
from cluster.paxos import Paxos
from cluster.paxos_events import PaxosConfig
from cluster.proxy import Proxy
from cluster.records import ConflictPolicy, Record, RecordStore
from cluster.replica_write import Write
from cluster.roster import Availability, availability
from cluster.runtime import NodeRuntime
from cluster.rw_hash import PendingLimit, RwHash
from cluster.smd import MemoryStore, Smd, SmdItem, SmdStore
from cluster.smd_files import FileStore
from cluster.smd_sync import SmdSync
from cluster.transactions import Answered, Transactions
from cluster.wire import Codec, Endpoint, Message, WireError

__all__ = [
    # nodes
    "Identity",
    "Node",
    "NodeConfig",
    "NodeRuntime",
    "Service",
    # heartbeat, paxos, fabric
    "Heartbeat",
    "HeartbeatConfig",
    "Paxos",
    "PaxosConfig",
    "Fabric",
    "FabricConfig",
    "FabricFull",
    "Delivered",
    "Channel",
    "cluster_of",
    # events
    "Output",
    "NodeArrived",
    "NodeDeparted",
    "ClusterChanged",
    "Answered",
    # system metadata
    "Smd",
    "SmdItem",
    "SmdStore",
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
    "Settlement",
    "MigrateConfig",
    "Partitions",
    "PartitionsConfig",
    "Availability",
    "availability",
    # records and transactions
    "Record",
    "RecordStore",
    "ConflictPolicy",
    "RwHash",
    "PendingLimit",
    "Write",
    "Proxy",
    "Transactions",
    # machines and wire
    "Machine",
    "Row",
    "Message",
    "Codec",
    "WireError",
    "Endpoint",
]
