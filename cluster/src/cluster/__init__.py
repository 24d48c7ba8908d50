"""Cluster protocols without IO: membership, partitions, metadata, replication, migration.

Everything here is a state machine that is given messages and the time and returns what is to be
done; `cluster.runtime` puts a node on an asyncio loop, and `cluster.simulation` many nodes on a
simulated one.
"""

from cluster.fabric import Delivered, Fabric, FabricFull
from cluster.fabric.link import FabricConfig
from cluster.machine import Machine, Row
from cluster.membership.clique import cluster_of
from cluster.membership.heartbeat import Heartbeat, HeartbeatConfig, Identity
from cluster.membership.paxos import Paxos
from cluster.membership.paxos_events import PaxosConfig
from cluster.metadata.files import FileStore
from cluster.metadata.smd import MemoryStore, Smd, SmdItem, SmdStore
from cluster.metadata.sync import SmdSync
from cluster.node import ClusterNode, NodeConfig, Service
from cluster.outputs import Channel, ClusterChanged, NodeArrived, NodeDeparted, Output
from cluster.partitions.balance import BalanceTable, Member, balance, least_moves, moves
from cluster.partitions.emigration import Emigration, MigrateConfig, Settlement
from cluster.partitions.exchange import Exchange
from cluster.partitions.map import BITMAP_BYTES, PARTITIONS, PartitionMap
from cluster.partitions.plan import PartitionPlan, plan
from cluster.partitions.roster import Availability, availability
from cluster.partitions.service import Partitions, PartitionsConfig
from cluster.partitions.version import PartitionVersion
from cluster.records import ConflictPolicy, Record, RecordStore
from cluster.replication.proxy import Proxy
from cluster.replication.rw_hash import PendingLimit, RwHash
from cluster.replication.transactions import Answered, Transactions
from cluster.replication.write import RecordWrite
from cluster.runtime import NodeRuntime
from cluster.wire import Codec, Endpoint, Message, WireError

__all__ = [
    # nodes
    "Identity",
    "ClusterNode",
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
    "RecordWrite",
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
