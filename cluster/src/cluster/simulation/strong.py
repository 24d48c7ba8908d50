"""Strong consistency in the simulation: clients that write, swap, delete and read registers, and a
history for each that must be linearizable.

The daemon does what `asd` does: it commits a write by itself where a partition is proven and
answers when all replicas have it; it answers nothing that has seen a write which they have not; it
asks the replicas before a linearizable read is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from attrs import evolve

from cluster.consistency.confirmation import Confirmations
from cluster.consistency.partitions import StrongPartitions
from cluster.consistency.stamp import stamp
from cluster.messages import RecordRow
from cluster.node import Service
from cluster.outputs import (
    Answered,
    CarriedOut,
    CarryOut,
    Confirmed,
    KeepState,
    KeptState,
    Output,
    Replicated,
    VersionsSet,
)
from cluster.partitions.balance import balance
from cluster.partitions.config import NamespaceConfig
from cluster.partitions.roster import Roster
from cluster.partitions.service import Partitions
from cluster.partitions.version import PartitionVersion
from cluster.records import TOMBSTONE, ConflictPolicy, next_generation
from cluster.simulation.checks import Violation
from cluster.simulation.cluster import SimulatedMachine
from cluster.simulation.data import DIGESTS, FAST, TIMEOUT_MS, DataParts, DataShape, DataWorld
from cluster.simulation.registers import Kind, Operation, Told, explain
from cluster.simulation.store import SimulatedStore, partition_of

REGISTERS = DIGESTS // 3
"""Few, so that clients meet."""
FIRST_REGIME = 1

Hear = Callable[[bool], None]
"""Called when what was waited for is over: True; or nobody will ever know: False."""

_LETTER = {
    Kind.WRITE: b"w",
    Kind.SWAP: b"c",
    Kind.DELETE: b"d",
    Kind.READ: b"r",
    Kind.LOOK: b"s",
}
_KIND = {letter: kind for kind, letter in _LETTER.items()}
DONE, REFUSED, FAILED = b"+", b"!", b"?"
"""What an answer begins with."""


def body_of(operation: Operation) -> bytes:
    """An operation as a transaction's body."""
    expected, value = operation.expected or b"", operation.value or b""
    return _LETTER[operation.kind] + bytes([len(expected)]) + expected + value


def strong(config: NamespaceConfig, nodes: int) -> NamespaceConfig:
    """A namespace with strong consistency on all nodes of a simulation, whose ids are 1, 2, ..."""
    roster = Roster(1, tuple((node, 0) for node in range(1, nodes + 1)))
    factor = min(config.replication_factor, nodes)
    policy = ConflictPolicy.LAST_UPDATE_TIME
    return evolve(config, strong=True, roster=roster, policy=policy, replication_factor=factor)


def founded(config: NamespaceConfig, node: int) -> dict[int, PartitionVersion]:
    """The versions that a node has when the founding cluster is over."""
    assert config.roster is not None
    members = config.roster.members()
    table = balance(members, config.replication_factor, partitions=config.partitions)
    witness = PartitionVersion(FIRST_REGIME, False, witnesses=True)
    copy = PartitionVersion(FIRST_REGIME, True)
    return {
        partition: copy if node in table.replicas(partition) else witness
        for partition in range(config.partitions)
    }


class StrongWorld(DataWorld):
    """Makes the services of the nodes, is their daemon, has clients."""

    confirmations: ClassVar[type[Confirmations]] = Confirmations

    def __init__(self, shape: DataShape, parts: DataParts | None = None) -> None:
        super().__init__(shape, parts)
        self._operations: dict[tuple[str, bytes], list[Operation]] = {}
        self._states: dict[tuple[str, bytes], bytes | None] = {}
        self._pending: dict[tuple[str, int, str, bytes], int] = {}
        """By machine, life, namespace and record the last commitment that is not over."""
        self._asked: dict[tuple[str, int, int], Operation] = {}
        self._values = 0

    # --- nodes ---------------------------------------------------------------------------------

    def services(self, machine: SimulatedMachine) -> tuple[Service, ...]:
        """The services of one node."""
        if not machine.disk:
            self._found(machine)
        made = super().services(machine)
        partitions = made[1]
        assert isinstance(partitions, Partitions)
        for name, space in partitions.spaces.items():
            assert isinstance(space, StrongPartitions)
            space.kept = machine.disk["kept"][name]
        return (*made, self.confirmations(machine.node_id, partitions))

    def _found(self, machine: SimulatedMachine) -> None:
        """A machine begins with what the founding cluster has left it."""
        assert self.cluster is not None
        self.new_disk(machine)
        machine.disk["kept"] = {}
        for config in self.shape.namespaces:
            assert config.roster is not None
            machine.disk["kept"][config.name] = KeptState(FIRST_REGIME, (config.roster,))
            store = self.store(machine, config.name)
            store.set_versions(tuple(founded(config, machine.node_id).items()))
            store.flush(store.position)

    def _space(self, machine: SimulatedMachine, namespace: str) -> StrongPartitions:
        space = self._services(machine)[1].spaces[namespace]
        assert isinstance(space, StrongPartitions)
        return space

    def watch(self, machine: SimulatedMachine, event: Output) -> None:
        """What a node asks of its daemon, and tells it."""
        match event:
            case KeepState(namespace, token, state):
                machine.disk["kept"][namespace] = state
                self._later(machine, partial(self._tell, machine, VersionsSet(token)))
            case Replicated(commitment, in_doubt):
                for hear in machine.waiting.pop(commitment, ()):
                    hear(not in_doubt)
            case Confirmed(number, yes):
                for hear in machine.waiting.pop(-number, ()):
                    self._later(machine, partial(hear, yes))
            case Answered(number, answer, in_doubt):
                machine.asked.pop(("write", number), None)
                operation = self._asked.pop((machine.name, machine.lives, number), None)
                if operation is not None:
                    self._end(operation, answer, in_doubt)
            case _:
                super().watch(machine, event)

    # --- transactions --------------------------------------------------------------------------

    def stamp(self, machine: SimulatedMachine, namespace: str, before: int) -> int:
        """The last-update-time of a version that is written over another."""
        regime = self._space(machine, namespace).regime
        return stamp(regime, max(1, machine.clock.wall_ms()), before)

    def _execute(
        self,
        machine: SimulatedMachine,
        namespace: str,
        digest: bytes,
        body: bytes,
        base: RecordRow | None,
    ) -> tuple[RecordRow | None, bytes]:
        """What an operation makes of a version, and its answer."""
        kind, size = _KIND[body[:1]], body[1]
        expected, value = body[2 : 2 + size] or None, body[2 + size :]
        now = base[6] if base is not None and not base[5] & TOMBSTONE else None
        if kind in (Kind.READ, Kind.LOOK):
            return None, DONE + (now or b"")
        if (kind is Kind.SWAP and now != expected) or (kind is Kind.DELETE and now is None):
            return None, REFUSED
        generation = next_generation(base[1]) if base is not None else self.shape.first_generation
        time = self.stamp(machine, namespace, base[2] if base is not None else 0)
        flags = TOMBSTONE if kind is Kind.DELETE else 0
        return (digest, generation, time, 0, "", flags, b"" if flags else value), DONE

    def _carry_out(self, machine: SimulatedMachine, asked: CarryOut, store: SimulatedStore) -> None:
        """The slow lane: unless a new cluster has made it void."""
        transactions = self._services(machine)[2]
        if not transactions.is_wanted(asked.token):
            return
        base = store.live.get(asked.digest)
        if asked.winner is not None and store.wins(asked.winner, base):
            base = asked.winner
            store.put(base)
        row, answer = self._execute(machine, asked.namespace, asked.digest, asked.body, base)
        if row is None and (asked.unproven or asked.winner is not None):
            row = base

        def tell(yes: bool) -> None:
            self._tell(machine, CarriedOut(asked.token, (), answer if yes else FAILED))

        latest = asked.body[:1] == _LETTER[Kind.READ]
        self._answer_when_safe(machine, asked.namespace, asked.digest, row, latest, tell)

    def _answer_when_safe(
        self,
        machine: SimulatedMachine,
        namespace: str,
        digest: bytes,
        row: RecordRow | None,
        latest: bool,
        hear: Hear,
    ) -> None:
        """Have the effect of an operation, a version that all replicas shall have, and hear when
        the client may be told."""
        if row is None:
            self._hold(machine, namespace, digest, latest, hear)
            return
        assert self.cluster is not None
        store, transactions = self.store(machine, namespace), self._services(machine)[2]
        store.put(row)
        position = store.position

        def kept(yes: bool) -> None:
            store.flush(max(position, store.flushed))
            hear(yes)

        commitment = transactions.replicate(namespace, row)
        if not commitment:
            kept(True)
            return
        machine.waiting.setdefault(commitment, []).append(kept)
        self._pending[machine.name, machine.lives, namespace, digest] = commitment
        world = self.cluster.world
        turn_s = world.chance.between(0, 0.005)
        world.call_at(world.now_s + turn_s, machine.loop, partial(self._end_turn, machine))

    def _hold(
        self, machine: SimulatedMachine, namespace: str, digest: bytes, latest: bool, hear: Hear
    ) -> None:
        """Answer when all replicas have what was seen; for the `latest`, if nobody else serves."""
        pending = self._pending.get((machine.name, machine.lives, namespace, digest))
        if pending is not None and pending in machine.waiting:

            def later(yes: bool) -> None:
                if yes:
                    self._hold(machine, namespace, digest, latest, hear)
                else:
                    hear(False)

            machine.waiting[pending].append(later)
        elif latest:
            self._confirm(machine, namespace, digest, hear)
        else:
            hear(True)

    def _confirm(
        self, machine: SimulatedMachine, namespace: str, digest: bytes, hear: Hear
    ) -> None:
        assert self.cluster is not None
        service: Any = self.cluster.node(machine.name).services[3]
        number, outputs = service.confirm(namespace, partition_of(digest))
        machine.waiting[-number] = [hear]
        self._carry(machine, service, outputs)

    def _do_here(
        self, machine: SimulatedMachine, namespace: str, digest: bytes, operation: Operation
    ) -> None:
        """The fast lane."""
        store, body = self.store(machine, namespace), body_of(operation)
        base = store.live.get(digest)
        row, answer = self._execute(machine, namespace, digest, body, base)

        def hear(yes: bool) -> None:
            self._end(operation, answer if yes else None, row is not None)

        latest = operation.kind is Kind.READ
        self._answer_when_safe(machine, namespace, digest, row, latest, hear)

    # --- clients -------------------------------------------------------------------------------

    def write_somewhere(self) -> None:
        """A client does something with a register, by way of some node that runs."""
        assert self.cluster is not None
        cluster, chance = self.cluster, self.cluster.world.chance
        running = [name for name in cluster.names if cluster.is_running(name)]
        if not running:
            return
        machine = cluster.machines[chance.choose(running)]
        if chance.happens(0.02):
            self._serial += 1
            self._change_item(machine)
            return
        namespace = chance.choose(self.shape.namespaces).name
        digest = bytes((chance.below(REGISTERS), 7))
        operation = self._draw(namespace, digest)
        self._operations.setdefault((namespace, digest), []).append(operation)
        self._begin(machine, namespace, digest, operation)

    def _draw(self, namespace: str, digest: bytes) -> Operation:
        assert self.cluster is not None
        chance, now_s = self.cluster.world.chance, self.cluster.world.now_s
        kind = chance.choose(
            (Kind.WRITE, Kind.WRITE, Kind.SWAP, Kind.DELETE, *(Kind.READ,) * 4, Kind.LOOK)
        )
        self._values += 1
        operation = Operation(kind, now_s)
        if kind in (Kind.WRITE, Kind.SWAP):
            operation.value = b"%d" % self._values
        if kind is Kind.SWAP:
            known = [op for op in self._operations.get((namespace, digest), ()) if op.value]
            operation.expected = known[-1].value if known else b"0"
        return operation

    def _begin(
        self, machine: SimulatedMachine, namespace: str, digest: bytes, operation: Operation
    ) -> None:
        assert self.cluster is not None
        _, partitions, transactions = self._services(machine)
        owned = partitions.spaces[namespace].ownership[partition_of(digest)]
        if owned in FAST and not transactions.has_line(namespace, digest):
            self._do_here(machine, namespace, digest, operation)
            return
        now, number = self.cluster.runtime_of(machine).now(), transactions.next_number
        machine.asked["write", number] = digest
        self._asked[machine.name, machine.lives, number] = operation
        body = body_of(operation)
        _, outputs = transactions.submit(namespace, digest, body, TIMEOUT_MS, now)
        self._carry(machine, transactions, outputs)

    def _end(self, operation: Operation, answer: bytes | None, in_doubt: bool) -> None:
        """A client is told. Of what is in doubt it hears nothing that counts."""
        assert self.cluster is not None
        reads = operation.kind in (Kind.READ, Kind.LOOK)
        if answer is None or answer[:1] == FAILED:
            if reads or not (in_doubt or answer):
                operation.told = Told.UNDONE
            return
        operation.ended_s = self.cluster.world.now_s
        operation.told = Told.REFUSED if answer[:1] == REFUSED else Told.DONE
        if reads:
            operation.value = answer[1:] or None
        self.ledger.writes += 1

    # --- what must be true ---------------------------------------------------------------------

    def check_at_rest(self) -> None:
        """All replicas alike, nobody else anything, all available, and every history explained.
        Raises Violation."""
        assert self.cluster is not None
        machines = list(self.cluster.machines.values())
        for config in self.shape.namespaces:
            space = self._space(machines[0], config.name)
            if space.unavailable:
                raise Violation(f"{config.name}: {sorted(space.unavailable)} are not available")
            for partition, made in enumerate(space.plans):
                found = self._check_copies(config.name, partition, made.replicas)
                self._explain(config.name, partition, found)
        self._check_items()

    def _explain(self, namespace: str, partition: int, found: dict[bytes, RecordRow]) -> None:
        for number in range(REGISTERS):
            digest = bytes((number, 7))
            if partition_of(digest) != partition:
                continue
            row, place = found.get(digest), (namespace, digest)
            state = row[6] if row is not None and not row[5] & TOMBSTONE else None
            why = explain(self._operations.pop(place, ()), self._states.get(place), state)
            if why:
                raise Violation(f"{namespace} {digest.hex()}: {why}")
            self._states[place] = state
