"""Data in the simulation: a small record store on every node, clients that write to it, and what
must be true of it in the end."""

from __future__ import annotations

from functools import partial

from attrs import define, field

from cluster.metadata.smd import MemoryStore, Smd, SmdItem
from cluster.metadata.sync import SmdSync
from cluster.node import ClusterNode, Service
from cluster.outputs import Output, SmdAnswer
from cluster.partitions.emigration import Emigration
from cluster.partitions.service import PartitionDropped, Partitions, PartitionsConfig
from cluster.records import ConflictPolicy, MemoryRecords, Record, rank
from cluster.replication.transactions import Answered, Transactions
from cluster.simulation.checks import Violation
from cluster.simulation.cluster import Machine, SimulatedCluster

PARTITIONS = 16
DIGESTS = 48
TIMEOUT_MS = 3000
DELETE = b"delete"
MODULES = ("sindex", "truncate")


def partition_of(digest: bytes) -> int:
    """The simulation's few partitions."""
    return digest[0] % PARTITIONS


@define
class DataParts:
    """The classes of the data services: tests plant broken ones."""

    emigration: type[Emigration] = Emigration
    records: type[MemoryRecords] = MemoryRecords
    smd: type[Smd] = Smd
    transactions: type[Transactions] = Transactions


@define
class Acknowledged:
    """The highest version of each record, and of each metadata item, that a client was told of."""

    records: dict[bytes, Record] = field(factory=dict)
    items: dict[str, SmdItem] = field(factory=dict)
    writes: int = 0
    changes: int = 0
    failed: int = 0


class DataWorld:
    """Makes the services of the nodes, writes through them, and checks what they keep."""

    def __init__(self, policy: ConflictPolicy, factor: int, parts: DataParts | None = None) -> None:
        self.policy = policy
        self.factor = factor
        self.acknowledged = Acknowledged()
        self.dropped = 0
        self.parts = parts if parts is not None else DataParts()
        self.cluster: SimulatedCluster | None = None
        self._serial = 0

    # --- nodes ---------------------------------------------------------------------------------

    def services(self, machine: Machine) -> tuple[Service, ...]:
        """The services of one node; its records and metadata outlive the process on its disk."""
        assert self.cluster is not None
        disk, parts = machine.disk, self.parts
        if not disk:
            disk["records"] = parts.records(self.policy, partition_of, PARTITIONS)
            disk["smd"] = MemoryStore()
        observer = self.cluster.count_row
        config = PartitionsConfig(self.factor, partitions=PARTITIONS)
        partitions = Partitions(machine.node_id, config, disk["records"], observer)
        partitions.emigration = parts.emigration  # type: ignore[misc] # one instance's class
        transactions = parts.transactions(
            machine.node_id,
            partitions,
            partial(self._carry_out, machine),
            observer=observer,
        )
        smd = SmdSync(parts.smd(disk["smd"], MODULES), machine.node_id, observer)
        return smd, partitions, transactions

    def watch(self, machine: Machine, event: Output) -> None:
        """What nodes tell: answers of clients' requests, copies that are dropped."""
        match event:
            case Answered(number, answer, _):
                asked = machine.asked.pop(("write", number), None)
                if asked is not None and answer is not None and len(answer) > 1:
                    self._note_record(bytes(asked), answer)
                elif asked is not None:
                    self.acknowledged.failed += 1
            case SmdAnswer(number, done):
                asked = machine.asked.pop(("smd", number), None)
                if asked is not None and done:
                    self._note_item(machine, bytes(asked).decode())
            case PartitionDropped(partition):
                self.dropped += 1
                self._check_nothing_lost(partition)

    def _carry_out(
        self, machine: Machine, body: bytes, record: Record | None
    ) -> tuple[Record | None, bytes]:
        """The simulation's one transaction: replace (or durably delete) a record.

        The body is the digest (2 bytes) and a value; the answer is the new version's rank.
        """
        wall_ms = machine.clock.wall_ms()
        digest, value = body[:2], body[2:]
        generation = record.generation + 1 if record is not None else 1
        last_ms = max(wall_ms, record.last_update_ms + 1) if record is not None else wall_ms
        new = Record(digest, generation, last_ms, value == DELETE, value)
        return new, b"%d %d %d " % (generation, last_ms, value == DELETE) + value

    # --- clients -------------------------------------------------------------------------------

    def write_somewhere(self) -> None:
        """A client writes to a record, or changes an item, by way of some node that runs."""
        assert self.cluster is not None
        cluster = self.cluster
        chance = cluster.world.chance
        running = [name for name in cluster.names if cluster.is_running(name)]
        if not running:
            return
        machine = cluster.machines[chance.choose(running)]
        self._serial += 1
        node = cluster.node(machine.name)
        smd, _, transactions = node.services
        now = cluster.runtime_of(machine).now()
        if chance.happens(0.1):
            assert isinstance(smd, SmdSync)
            key = f"item{chance.below(4)}"
            value = None if chance.happens(0.2) else f"value {self._serial}"
            wall_ms = machine.clock.wall_ms()
            number, outputs = smd.change("sindex", key, value, wall_ms, TIMEOUT_MS, now)
            machine.asked["smd", number] = key.encode()
            self._carry(node, machine, smd, outputs)
            return
        assert isinstance(transactions, Transactions)
        digest = bytes((chance.below(DIGESTS), 7))
        value_bytes = DELETE if chance.happens(0.2) else b"value %d" % self._serial
        number = transactions.next_number
        machine.asked["write", number] = digest
        _, outputs = transactions.submit(digest, digest + value_bytes, TIMEOUT_MS, now)
        self._carry(node, machine, transactions, outputs)

    def _carry(
        self, node: ClusterNode, machine: Machine, service: Service, outputs: list[Output]
    ) -> None:
        assert self.cluster is not None
        runtime = self.cluster.runtime_of(machine)
        runtime.carry_out(node.carry_out(service, outputs, runtime.now()))

    def _note_record(self, digest: bytes, answer: bytes) -> None:
        generation, last_ms, tombstone, value = answer.split(b" ", 3)
        record = Record(digest, int(generation), int(last_ms), tombstone == b"1", value)
        known = self.acknowledged.records.get(digest)
        self.acknowledged.writes += 1
        if known is None or rank(record, self.policy) > rank(known, self.policy):
            self.acknowledged.records[digest] = record

    def _note_item(self, machine: Machine, key: str) -> None:
        assert self.cluster is not None
        smd = self.cluster.node(machine.name).services[0]
        assert isinstance(smd, SmdSync)
        self.acknowledged.changes += 1
        item = smd.smd.items("sindex")[key]
        if item.beats(self.acknowledged.items.get(key)):
            self.acknowledged.items[key] = item

    # --- what must be true ---------------------------------------------------------------------

    def _stores(self) -> list[MemoryRecords]:
        assert self.cluster is not None
        disks = [machine.disk for machine in self.cluster.machines.values()]
        return [disk["records"] for disk in disks if disk]

    def _check_nothing_lost(self, partition: int) -> None:
        """Whatever was acknowledged is on some disk, or something newer is. Raises Violation."""
        stores = self._stores()
        for digest, record in self.acknowledged.records.items():
            if partition_of(digest) == partition:
                kept = [found for store in stores if (found := store.get(digest)) is not None]
                best = max((rank(found, self.policy) for found in kept), default=None)
                if best is None or best < rank(record, self.policy):
                    raise Violation(f"record {digest.hex()} is lost: {record}, {kept} remain")

    def is_settled(self) -> bool:
        """Has everything come to rest on all nodes?"""
        assert self.cluster is not None
        for name in self.cluster.names:
            for service in self.cluster.node(name).services:
                if isinstance(service, SmdSync | Partitions) and not service.is_settled:
                    return False
        return True

    def check_at_rest(self) -> None:
        """All replicas of a partition have the same, nobody else has anything, and nothing that was
        acknowledged is lost or come back. Raises Violation."""
        assert self.cluster is not None
        by_node = {m.node_id: m.disk["records"] for m in self.cluster.machines.values()}
        partitions = self.cluster.node(self.cluster.names[0]).services[1]
        assert isinstance(partitions, Partitions)
        for partition, made in partitions.plans.items():
            master: dict[bytes, Record] = by_node[made.master].records.get(partition, {})
            for node, store in by_node.items():
                if (store.version(partition) is None) != (node not in made.replicas):
                    raise Violation(f"partition {partition}: {node} is a replica or has no copy")
                expected = master if node in made.replicas else {}
                if store.records.get(partition, {}) != expected:
                    raise Violation(f"partition {partition}: {node} differs from {made.master}")
            self._check_nothing_lost(partition)
        self._check_items()

    def _check_items(self) -> None:
        assert self.cluster is not None
        copies = []
        for name in self.cluster.names:
            smd = self.cluster.node(name).services[0]
            assert isinstance(smd, SmdSync)
            copies.append({module: dict(smd.smd.items(module)) for module in MODULES})
        if any(copy != copies[0] for copy in copies):
            raise Violation("nodes have different metadata")
        for key, item in self.acknowledged.items.items():
            if item.beats(copies[0]["sindex"].get(key)):
                raise Violation(f"item {key} is lost: {item}, {copies[0]['sindex'].get(key)}")
