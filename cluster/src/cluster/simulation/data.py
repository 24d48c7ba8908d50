"""Data in the simulation: what a daemon does for `cluster`, clients that write, and what must be
true.

Every node has several namespaces, each with a replication factor and a conflict policy of its own.
Its daemon answers questions after delays of its own, commits some writes by itself (the fast lane)
and others when it is asked to (the slow lane, by proxy), deletes durably and plainly, steps clocks
back, and starts generations near their wrap.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any

from attrs import define, field, frozen

from cluster.consistency.partitions import StrongPartitions
from cluster.messages import RecordRow
from cluster.metadata.smd import MemoryStore, Smd
from cluster.metadata.sync import SmdSync
from cluster.node import Service
from cluster.outputs import (
    Answered,
    Applied,
    Apply,
    CarriedOut,
    CarryOut,
    Close,
    ClusterChanged,
    Compare,
    Drop,
    Load,
    Output,
    Replicated,
    SetVersions,
    SmdAnswer,
    StoreAnswer,
    Survey,
    VersionsSet,
)
from cluster.partitions.config import MigrateConfig, NamespaceConfig
from cluster.partitions.emigration import Emigration
from cluster.partitions.namespace import NamespacePartitions
from cluster.partitions.service import Partitions
from cluster.partitions.view import Ownership
from cluster.records import (
    GENERATIONS,
    KEY_STORED,
    REMOVAL,
    TOMBSTONE,
    next_generation,
)
from cluster.replication.lane import FastLane, LaneConfig, LaneReceiver
from cluster.replication.transactions import Transactions
from cluster.simulation.checks import Violation
from cluster.simulation.cluster import SimulatedCluster, SimulatedMachine
from cluster.simulation.ledger import Ledger
from cluster.simulation.store import SimulatedStore, partition_of

DIGESTS = 48
TIMEOUT_MS = 3000
MODULES = ("sindex", "truncate")
PUT, DELETE, REMOVE = b"p", b"d", b"r"
"""What a client asks, in a transaction's first byte: put, delete durably, delete plainly."""

FAST = (Ownership.ALONE, Ownership.WITH_REPLICAS)


@define
class DataParts:
    """The classes of the data services: tests plant broken ones."""

    emigration: type[Emigration] = Emigration
    namespace: type[NamespacePartitions] = NamespacePartitions
    strong: type[StrongPartitions] = StrongPartitions
    store: type[SimulatedStore] = SimulatedStore
    smd: type[Smd] = Smd
    transactions: type[Transactions] = Transactions
    receiver: type[LaneReceiver] = LaneReceiver
    lanes: type[FastLane] = FastLane


@frozen
class DataShape:
    """What a run's data is like."""

    namespaces: tuple[NamespaceConfig, ...]
    slowest_ms: int = 0
    """The disks' longest delay; most are shorter."""
    first_generation: int = 1
    """What records that are new to the world begin with: near 65535, the wrap comes soon."""
    migrate: MigrateConfig = field(factory=MigrateConfig)


class DataWorld:
    """Makes the services of the nodes, is their daemon, writes through them."""

    def __init__(self, shape: DataShape, parts: DataParts | None = None) -> None:
        self.shape = shape
        self.parts = parts if parts is not None else DataParts()
        self.cluster: SimulatedCluster | None = None
        self.ledger = Ledger(shape.namespaces)
        self.dropped = 0
        self._serial = 0

    # --- nodes ---------------------------------------------------------------------------------

    def services(self, machine: SimulatedMachine) -> tuple[Service, ...]:
        """The services of one node; its records and metadata outlive the process on its disk."""
        assert self.cluster is not None
        disk, parts, shape = machine.disk, self.parts, self.shape
        if not disk:
            self.new_disk(machine)
        chance = self.cluster.world.chance
        observer = self.cluster.count_row
        found = [(c, disk["stores"][c.name].start(chance)) for c in shape.namespaces]
        made: Any = type(
            "Made",
            (Partitions,),
            {
                "emigration": parts.emigration,
                "namespace": parts.namespace,
                "strong": parts.strong,
            },
        )
        partitions = made(machine.node_id, found, shape.migrate, observer)
        carrier: Any = type(
            "Carrier", (parts.transactions,), {"receiver": parts.receiver, "lanes": parts.lanes}
        )
        transactions = carrier(
            machine.node_id,
            partitions,
            partition_of=partition_of,
            lane=LaneConfig(window_bytes=400),
            observer=observer,
        )
        smd = SmdSync(parts.smd(disk["smd"], MODULES), machine.node_id, observer)
        return smd, partitions, transactions

    def new_disk(self, machine: SimulatedMachine) -> None:
        """A machine's disk, on which nothing is."""
        machine.disk["smd"] = MemoryStore()
        stores = {c.name: self.parts.store(c.policy) for c in self.shape.namespaces}
        machine.disk["stores"] = stores

    def store(self, machine: SimulatedMachine, namespace: str) -> SimulatedStore:
        """A machine's store of a namespace."""
        store: SimulatedStore = machine.disk["stores"][namespace]
        return store

    # --- the daemon ----------------------------------------------------------------------------

    def watch(self, machine: SimulatedMachine, event: Output) -> None:
        """What a node asks of its daemon, and tells it."""
        match event:
            case Load() | Apply() | Survey() | Compare() | SetVersions() | Close() | CarryOut():
                self._ask(machine, event)
            case Drop(namespace, partition):
                self.dropped += 1
                self.store(machine, namespace).drop(partition)
                self.ledger.check_nothing_lost(namespace, partition, self._disks(namespace))
            case ClusterChanged(key):
                for config in self.shape.namespaces:
                    live = self.store(machine, config.name).live
                    self.ledger.joined(config.name, key, live)
            case Replicated(commitment, in_doubt):
                self._release(machine, commitment, in_doubt)
            case Answered(number, answer, _):
                asked = machine.asked.pop(("write", number), None)
                if asked is not None:
                    self.ledger.answered(answer)
            case SmdAnswer(number, done):
                asked = machine.asked.pop(("smd", number), None)
                if asked is not None and done:
                    self._note_item(machine, bytes(asked).decode())

    def _ask(self, machine: SimulatedMachine, asked: Any) -> None:
        """Have the effect now; answer when the disk is so far."""
        store = self.store(machine, asked.namespace)
        match asked:
            case Apply(_, _, rows, resolve):
                store.apply(rows, resolve)
            case SetVersions(_, _, versions):
                store.set_versions(versions)
        self._later(machine, partial(self._answer, machine, asked, store, store.position))

    def _delay_s(self) -> float:
        """Most answers come at once, some late."""
        assert self.cluster is not None
        chance = self.cluster.world.chance
        if not self.shape.slowest_ms or chance.happens(0.7):
            return 0.0
        return chance.between(0, self.shape.slowest_ms / 1000)

    def _later(self, machine: SimulatedMachine, act: Any) -> None:
        assert self.cluster is not None
        world = self.cluster.world
        world.call_at(world.now_s + self._delay_s(), machine.loop, act)

    def _answer(
        self, machine: SimulatedMachine, asked: Any, store: SimulatedStore, position: int
    ) -> None:
        answer: StoreAnswer
        match asked:
            case Load() | Survey() | Compare() | Close():
                answer = store.answer(asked)
            case CarryOut():
                self._carry_out(machine, asked, store)
                return
            case _:
                store.flush(max(position, store.flushed))
                answer = Applied(asked.token)
                if isinstance(asked, SetVersions):
                    answer = VersionsSet(asked.token)
        self._tell(machine, answer)

    def _tell(self, machine: SimulatedMachine, answer: StoreAnswer) -> None:
        assert self.cluster is not None
        runtime = self.cluster.runtime_of(machine)
        runtime.carry_out(runtime.node.tell(answer, runtime.now()))

    def _carry(self, machine: SimulatedMachine, service: Service, outputs: list[Output]) -> None:
        assert self.cluster is not None
        runtime = self.cluster.runtime_of(machine)
        runtime.carry_out(runtime.node.carry_out(service, outputs, runtime.now()))

    def _services(self, machine: SimulatedMachine) -> tuple[SmdSync, Partitions, Transactions]:
        assert self.cluster is not None
        smd, partitions, transactions = self.cluster.node(machine.name).services[:3]
        assert isinstance(smd, SmdSync)
        assert isinstance(partitions, Partitions)
        assert isinstance(transactions, Transactions)
        return smd, partitions, transactions

    # --- transactions --------------------------------------------------------------------------

    def _carry_out(self, machine: SimulatedMachine, asked: CarryOut, store: SimulatedStore) -> None:
        """The slow lane: unless a new cluster has made it void."""
        _, _, transactions = self._services(machine)
        if not transactions.is_wanted(asked.token):
            return
        base = store.live.get(asked.digest)
        if asked.winner is not None and store.wins(asked.winner, base):
            base = asked.winner
        row, answer = self._commit(machine, asked.namespace, asked.digest, asked.body, base)
        rows = (row,) if row is not None else ()

        store.flush(store.position)  # this daemon answers for what its disk has
        self._tell(machine, CarriedOut(asked.token, rows, answer))

    def _commit(
        self,
        machine: SimulatedMachine,
        namespace: str,
        digest: bytes,
        body: bytes,
        base: RecordRow | None,
    ) -> tuple[RecordRow | None, bytes]:
        """Decide and commit a transaction: the row that it made, and the client's answer."""
        row = self._decide(machine, digest, body, base)
        if row is None:
            return None, b""
        _, partitions, _ = self._services(machine)
        self.store(machine, namespace).put(row)
        name = self.ledger.executed(namespace, partitions.cluster_key, row, base)
        return row, name

    def _decide(
        self, machine: SimulatedMachine, digest: bytes, body: bytes, base: RecordRow | None
    ) -> RecordRow | None:
        """Make the new version. Clocks step back, and nothing here minds."""
        kind, value = body[:1], body[1:]
        wall_ms = max(1, machine.clock.wall_ms())
        there = base if base is not None and not base[5] & TOMBSTONE else None
        if kind == REMOVE:
            if base is None:
                return None
            return (digest, base[1], wall_ms, 0, "", REMOVAL, value)
        if kind == DELETE and there is None:
            return None
        first = self.shape.first_generation
        generation = next_generation(base[1]) if base is not None else first
        if base is None and self.ledger.is_known(digest):
            generation = 1
        flags = TOMBSTONE if kind == DELETE else KEY_STORED * (len(value) % 2)
        void_time = 0 if kind == DELETE else len(value) % 3 * wall_ms
        set_name = "" if kind == DELETE else f"set{value[-1] % 3}"
        assert 1 <= generation <= GENERATIONS
        return (digest, generation, wall_ms, void_time, set_name, flags, value)

    def _release(self, machine: SimulatedMachine, commitment: int, in_doubt: bool) -> None:
        for store, position, name, key, disks in machine.waiting.pop(commitment, ()):
            if not in_doubt and key == self._services(machine)[1].cluster_key:
                for disk in disks:
                    self.ledger.check_replica(name, disk)
            # A client hears when this node's own disk has it too.
            store.flush(max(position, store.flushed))
            self.ledger.answered(None if in_doubt else name)

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
        if chance.happens(0.1):
            self._change_item(machine)
            return
        namespace = chance.choose(self.shape.namespaces).name
        digest = bytes((chance.below(DIGESTS), 7))
        kind = chance.choose((PUT, PUT, PUT, PUT, DELETE))
        # Some keys are never deleted plainly: for them nothing that was acknowledged is ever lost.
        if digest[0] % 3 == 0 and chance.happens(0.3):
            kind = REMOVE
        self._write(machine, namespace, digest, kind + b"%d" % self._serial)

    def _write(self, machine: SimulatedMachine, namespace: str, digest: bytes, body: bytes) -> None:
        assert self.cluster is not None
        _, partitions, transactions = self._services(machine)
        now = self.cluster.runtime_of(machine).now()
        owned = partitions.spaces[namespace].ownership[partition_of(digest)]
        fast = owned in FAST and not transactions.has_line(namespace, digest)
        if fast and self.cluster.world.chance.happens(0.8):
            self._write_fast(machine, namespace, digest, body)
            return
        machine.asked["write", transactions.next_number] = digest
        _, outputs = transactions.submit(namespace, digest, body, TIMEOUT_MS, now)
        self._carry(machine, transactions, outputs)

    def _write_fast(
        self, machine: SimulatedMachine, namespace: str, digest: bytes, body: bytes
    ) -> None:
        _, partitions, transactions = self._services(machine)
        store = self.store(machine, namespace)
        row, name = self._commit(machine, namespace, digest, body, store.live.get(digest))
        if row is None:
            return
        commitment = transactions.replicate(namespace, row)
        if not commitment:
            store.flush(store.position)
            self.ledger.answered(name)
            return
        assert self.cluster is not None
        targets = partitions.spaces[namespace].targets[partition_of(digest)]
        machines = self.cluster.machines.values()
        disks = [self.store(m, namespace).disk for m in machines if m.node_id in targets]
        waits = (store, store.position, name, partitions.cluster_key, disks)
        machine.waiting.setdefault(commitment, []).append(waits)
        world = self.cluster.world
        turn_s = world.chance.between(0, 0.005)
        world.call_at(world.now_s + turn_s, machine.loop, partial(self._end_turn, machine))

    def _end_turn(self, machine: SimulatedMachine) -> None:
        assert self.cluster is not None
        _, _, transactions = self._services(machine)
        self._carry(
            machine, transactions, transactions.flush(self.cluster.runtime_of(machine).now())
        )

    def _change_item(self, machine: SimulatedMachine) -> None:
        assert self.cluster is not None
        chance = self.cluster.world.chance
        smd, _, _ = self._services(machine)
        key = f"item{chance.below(4)}"
        value = None if chance.happens(0.2) else f"value {self._serial}"
        wall_ms, now = machine.clock.wall_ms(), self.cluster.runtime_of(machine).now()
        number, outputs = smd.change("sindex", key, value, wall_ms, TIMEOUT_MS, now)
        machine.asked["smd", number] = key.encode()
        self._carry(machine, smd, outputs)

    def _note_item(self, machine: SimulatedMachine, key: str) -> None:
        smd, _, _ = self._services(machine)
        self.ledger.item_changed(key, smd.smd.items("sindex")[key])

    # --- what must be true ---------------------------------------------------------------------

    def is_busy(self) -> bool:
        """Does a client still wait?"""
        assert self.cluster is not None
        machines = self.cluster.machines.values()
        return any(machine.asked or machine.waiting for machine in machines)

    def is_settled(self) -> bool:
        """Has everything come to rest on all nodes?"""
        assert self.cluster is not None
        for name in self.cluster.names:
            smd, partitions, _ = self._services(self.cluster.machines[name])
            if not smd.is_settled or not partitions.is_settled:
                return False
        return True

    def _disks(self, namespace: str) -> list[dict[bytes, RecordRow]]:
        assert self.cluster is not None
        machines = self.cluster.machines.values()
        return [self.store(machine, namespace).disk for machine in machines if machine.disk]

    def check_at_rest(self) -> None:
        """All replicas of a partition have the same, nobody else has anything, it is what it must
        be, and each partition has its master and replicas listed once. Raises Violation."""
        assert self.cluster is not None
        for config in self.shape.namespaces:
            kept: dict[bytes, RecordRow] = {}
            _, partitions, _ = self._services(self.cluster.machines[self.cluster.names[0]])
            space, key = partitions.spaces[config.name], partitions.cluster_key
            for partition, made in enumerate(space.plans):
                found = self._check_copies(config.name, partition, made.replicas)
                self.ledger.check_at_rest(config.name, key, partition, found)
                self.ledger.check_nothing_lost(config.name, partition, [found])
                kept.update(found)
            machines = self.cluster.machines.values()
            stores = [self.store(machine, config.name) for machine in machines]
            may_come_back = chain.from_iterable(store.may_come_back() for store in stores)
            self.ledger.rest(config.name, key, kept, may_come_back)
        self._check_items()

    def _check_copies(
        self, namespace: str, partition: int, replicas: tuple[int, ...]
    ) -> dict[bytes, RecordRow]:
        """All replicas alike, nobody else anything; what the master has."""
        assert self.cluster is not None
        machines = {m.node_id: m for m in self.cluster.machines.values()}
        master = self.store(machines[replicas[0]], namespace).in_partition(partition)
        listed: list[tuple[int, int]] = []
        for node, machine in machines.items():
            store = self.store(machine, namespace)
            where = f"{namespace} partition {partition}: {node}"
            version = store.versions.get(partition)
            has_none = version is None or version.witnesses
            if has_none != (node not in replicas):
                raise Violation(f"{where} is a replica or has no copy")
            expected = master if node in replicas else {}
            if store.in_partition(partition) != expected:
                differ = store.in_partition(partition).items() ^ expected.items()
                raise Violation(f"{where} differs from {replicas[0]}: {differ}")
            space = self._services(machine)[1].spaces[namespace]
            listed += [(column, node) for column in space.columns(partition)]
        if sorted(listed) != list(enumerate(replicas)):
            raise Violation(f"{namespace} partition {partition}: clients are told {listed}")
        return master

    def _check_items(self) -> None:
        assert self.cluster is not None
        copies = []
        for name in self.cluster.names:
            smd, _, _ = self._services(self.cluster.machines[name])
            copies.append({module: dict(smd.smd.items(module)) for module in MODULES})
        if any(copy != copies[0] for copy in copies):
            raise Violation("nodes have different metadata")
        for key, item in self.ledger.items.items():
            if item.beats(copies[0]["sindex"].get(key)):
                raise Violation(f"item {key} is lost: {item}, {copies[0]['sindex'].get(key)}")
