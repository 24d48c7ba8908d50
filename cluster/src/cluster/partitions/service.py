"""The service that keeps a namespace's partitions where the balance wants them.

After every new cluster: balance, exchange, a plan for each partition, and migration by the plan. It
answers who serves a partition now, where its writes go, and who may have newer versions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from attrs import field, frozen

from cluster.fabric import FOREVER, Delivered
from cluster.machine import Observer
from cluster.messages import (
    EmigrateBatch,
    EmigrateDone,
    EmigrateStart,
    ExchangeSeen,
    ExchangeVersions,
    ImmigrateAck,
    ImmigrateDone,
    ImmigrateReady,
    PartitionSettled,
    PartitionSettledAck,
    VersionRow,
)
from cluster.node import Service
from cluster.outputs import Channel, ClusterChanged, Output, Send
from cluster.partitions.balance import BalanceTable, Member, balance
from cluster.partitions.emigration import (
    Due,
    Emigrated,
    Emigration,
    EmigrationState,
    MigrateConfig,
    Planned,
    Settlement,
    SettlementState,
)
from cluster.partitions.exchange import Due as ExchangeDue
from cluster.partitions.exchange import Exchange
from cluster.partitions.map import PARTITIONS
from cluster.partitions.plan import PartitionPlan, plan
from cluster.partitions.version import PartitionVersion, from_flags
from cluster.records import Record, RecordStore, from_row
from cluster.wire import Message


@frozen
class PartitionsConfig:
    """How a namespace is spread."""

    replication_factor: int = 2
    uniform: bool = False
    partitions: int = PARTITIONS
    migrate: MigrateConfig = field(factory=MigrateConfig)


@frozen
class PartitionsBalanced(Output):
    """The plans of a new cluster are made; partitions are served again."""

    cluster_key: int


@frozen
class PartitionDropped(Output):
    """A copy that was no replica's is gone from this node."""

    partition: int


class Partitions(Service):
    """One namespace's partitions on one node."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (
        *(ExchangeVersions, ExchangeSeen),
        *(EmigrateStart, ImmigrateReady, EmigrateBatch, ImmigrateAck),
        *(EmigrateDone, ImmigrateDone, PartitionSettled, PartitionSettledAck),
    )
    emigration: ClassVar[type[Emigration]] = Emigration

    def __init__(
        self,
        me: int,
        config: PartitionsConfig,
        store: RecordStore,
        observer: Observer | None = None,
    ) -> None:
        """A node that begins vouches for nothing: it may have died with writes unfinished.

        `is_written` and `break_off` are for the transactions: does a partition have a write under
        way, and break all of them off, before a new cluster looks at what there is.
        """
        self.deadline = FOREVER
        self.store = store
        self.config = config
        self.exchange = Exchange(me, observer)
        self.view: ClusterChanged | None = None
        self.table: BalanceTable | None = None
        self.plans: dict[int, PartitionPlan] = {}
        self.is_written: Callable[[int], bool] = lambda partition: False
        self.break_off: Callable[[], None] = lambda: None
        self._me = me
        self._observer = observer
        self._acting: dict[int, int] = {}
        self._closed: set[int] = set()
        self._settled: set[int] = set()
        self._settlements: dict[int, Settlement] = {}
        self._emigrations: dict[tuple[int, int], Emigration] = {}
        self._waiting: list[tuple[int, int]] = []
        self._resume: dict[tuple[int, int, int], int] = {}
        for partition in range(config.partitions):
            version = store.version(partition)
            if version is not None and version.vouches:
                store.set_version(partition, version.without_word())

    # --- what transactions ask -----------------------------------------------------------------

    @property
    def cluster_key(self) -> int:
        """The key that everything sent belongs to."""
        return self.view.cluster_key if self.view is not None else 0

    def server(self, partition: int) -> int | None:
        """The node that serves a partition, as far as we know; None while nobody does. O(1)."""
        return None if partition in self._closed else self._acting.get(partition)

    def targets(self, partition: int) -> tuple[int, ...]:
        """Nodes that must have a write besides us. O(replication factor)."""
        return tuple(node for node in self.plans[partition].replicas if node != self._me)

    def duplicates(self, partition: int) -> tuple[int, ...]:
        """Nodes to ask for their version before we trust ours. O(nodes)."""
        settlement = self._settlements.get(partition)
        arrived = frozenset(settlement.arrived if settlement is not None else ())
        return self.plans[partition].duplicates(self._me, arrived)

    def left_unfinished(self, partition: int) -> None:
        """A write was broken off: nobody knows who has it, so our copy vouches no more."""
        version = self.store.version(partition)
        if version is not None:
            self.store.set_version(partition, version.without_word())

    @property
    def is_settled(self) -> bool:
        """Has every partition come to rest, as far as this node takes part?"""
        return (
            self.exchange.is_over
            and not self._emigrations
            and len(self._settled) == self.config.partitions
            and all(s.state is SettlementState.SETTLED for s in self._settlements.values())
        )

    # --- inputs --------------------------------------------------------------------------------

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Break everything off; balance; tell the others what we have."""
        self.break_off()
        self.view = view
        for held in (self.plans, self._acting, self._settlements, self._emigrations):
            held.clear()
        self._closed.clear()
        self._settled.clear()
        self._waiting.clear()
        members = [Member(node, rack, quiesced) for node, _, rack, quiesced in view.members]
        config = self.config
        self.table = balance(
            members,
            config.replication_factor,
            uniform=config.uniform,
            partitions=config.partitions,
        )
        self.exchange.begin(view, self._version_rows(), now)
        return self._advance(now)

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A message of another node, or of ourselves."""
        message = came.message
        if isinstance(message, ExchangeVersions | ExchangeSeen):
            was_known = self.exchange.is_known
            self.exchange.sender = came.node
            self.exchange.fire(message, now)
            return self._advance(now) if not was_known else self._drain_exchange()
        if message.cluster_key != self.cluster_key or not self.plans:  # type: ignore[attr-defined] # all of MESSAGES have a key
            return []
        if isinstance(message, ImmigrateReady | ImmigrateAck | ImmigrateDone):
            return self._emigrate(came.node, message, now)
        return self._immigrate(came.node, message, now)

    def tick(self, now: int) -> list[Output]:
        """Send again what is not answered."""
        self.deadline = FOREVER
        outputs: list[Output] = []
        if self.view is not None and not self.exchange.is_over:
            self.exchange.fire(ExchangeDue(), now)
            outputs += self._drain_exchange()
        for emigration in list(self._emigrations.values()):
            emigration.fire(Due(), now)
            outputs += self._drain_emigration(emigration, now)
        for settlement in self._settlements.values():
            settlement.fire(Due(), now)
            outputs += self._drain_settlement(settlement)
        if not self.is_settled:
            self._wake(now)
        return outputs

    # --- from the exchange to the plans --------------------------------------------------------

    def _wake(self, now: int) -> None:
        self.deadline = min(self.deadline, now + self.config.migrate.retransmit_ms)

    def _version_rows(self) -> tuple[VersionRow, ...]:
        versions = ((p, self.store.version(p)) for p in range(self.config.partitions))
        return tuple((p, v.cluster_key, v.flags) for p, v in versions if v is not None)

    def _drain_exchange(self) -> list[Output]:
        outputs, self.exchange.outputs = self.exchange.outputs, []
        return outputs

    def _advance(self, now: int) -> list[Output]:
        outputs = self._drain_exchange()
        self._wake(now)
        if self.exchange.is_known and not self.plans:
            outputs += self._make_plans(now)
            outputs.append(PartitionsBalanced(self.cluster_key))
        return outputs

    def _make_plans(self, now: int) -> list[Output]:
        assert self.table is not None
        versions: list[dict[int, PartitionVersion]] = [{} for _ in range(self.config.partitions)]
        for node, rows in self.exchange.versions.items():
            for partition, key, flags in rows:
                if partition < self.config.partitions:
                    versions[partition][node] = from_flags(key, flags)
        outputs: list[Output] = []
        factor = self.table.replication_factor
        for partition, row in enumerate(self.table.rows):
            made = plan(row, factor, versions[partition])
            self.plans[partition] = made
            self._acting[partition] = made.acting
            outputs += self._adopt(partition, made, versions[partition], now)
        return outputs + self._start_waiting(now)

    def _adopt(
        self,
        partition: int,
        made: PartitionPlan,
        versions: dict[int, PartitionVersion],
        now: int,
    ) -> list[Output]:
        """Take our part in a plan: our version, what we send, what we settle."""
        me = self._me
        idle = not made.senders and not made.receivers
        full = not versions or versions[made.acting].full
        if me in made.in_step and full:
            # What the master is still to collect the others do not have: then nobody vouches.
            vouches = me == made.acting and (me != made.master or not made.senders)
            self.store.set_version(partition, PartitionVersion(self.cluster_key, True, vouches))
        elif me in made.replicas and me not in versions:
            self.store.set_version(partition, PartitionVersion(self.cluster_key, False))
        if idle:
            self._settled.add(partition)
            return self._drop_unless_replica(partition, made)
        if me in made.senders:
            self._waiting.append((partition, made.master))
        if me not in made.members:
            self._settled.add(partition)
        if me == made.master:
            settlement = Settlement(self.cluster_key, partition, made, self._observer)
            self._settlements[partition] = settlement
            settlement.fire(Planned(), now)
            return self._after_settlement(partition, settlement, now)
        return []

    # --- sending -------------------------------------------------------------------------------

    def _start_waiting(self, now: int) -> list[Output]:
        outputs: list[Output] = []
        while self._waiting and len(self._emigrations) < self.config.migrate.concurrent:
            partition, target = self._waiting.pop(0)
            emigration = self.emigration(
                *(self.cluster_key, partition, target, self.store, self.config.migrate),
                *(self._resume, self._observer),
            )
            if self._acting.get(partition) == self._me and target == self.plans[partition].master:
                emigration.is_written = self.is_written
                emigration.hand_over = self._close
            self._emigrations[partition, target] = emigration
            emigration.begin(now)
            outputs += self._drain_emigration(emigration, now)
        self._wake(now)
        return outputs

    def _close(self, partition: int) -> None:
        """All is sent to the master: nobody serves until it has heard so."""
        self._closed.add(partition)

    def _emigrate(
        self, node: int, message: ImmigrateReady | ImmigrateAck | ImmigrateDone, now: int
    ) -> list[Output]:
        emigration = self._emigrations.get((message.partition, node))
        if emigration is None:
            return []
        emigration.fire(message, now)
        return self._drain_emigration(emigration, now)

    def _drain_emigration(self, emigration: Emigration, now: int) -> list[Output]:
        outputs, emigration.outputs = emigration.outputs, []
        partition, target = emigration.partition, emigration.target
        handed_over = emigration.state in (EmigrationState.FINISHING, EmigrationState.DONE)
        if handed_over and self._acting[partition] == self._me != self.plans[partition].master:
            self._hand_over(partition)
        if emigration.state is EmigrationState.DONE:
            del self._emigrations[partition, target]
            settlement = self._settlements.get(partition)
            if settlement is not None:
                settlement.fire(Emigrated(target), now)
                outputs += self._after_settlement(partition, settlement, now)
            outputs += self._start_waiting(now)
        return outputs

    def _hand_over(self, partition: int) -> None:
        """The master serves from here on, and knows better than we what there is."""
        made = self.plans[partition]
        self._acting[partition] = made.master
        self._closed.discard(partition)
        version = self.store.version(partition)
        if version is not None:
            gone = self._me not in made.replicas
            self.store.set_version(
                partition, version.as_subset() if gone else version.without_word()
            )

    # --- receiving -----------------------------------------------------------------------------

    def _immigrate(self, node: int, message: Message, now: int) -> list[Output]:
        key = self.cluster_key
        match message:
            case EmigrateStart(_, partition):
                epoch = self.store.epoch(partition)
                return [self._bulk(node, ImmigrateReady(key, partition, epoch))]
            case EmigrateBatch(_, partition, batch, records):
                for row in records:
                    self.take(from_row(row))
                return [self._bulk(node, ImmigrateAck(key, partition, batch))]
            case EmigrateDone(_, partition):
                return self._note_arrival(node, message, now)
            case PartitionSettled(_, partition):
                return self._settle(node, partition)
            case PartitionSettledAck(_, partition):
                settlement = self._settlements.get(partition)
                if settlement is not None:
                    settlement.sender = node
                    settlement.fire(message, now)
        return []

    def take(self, record: Record) -> None:
        """Keep a version that another node sent, if it wins.

        Others of our copy's old cluster do not have it: the copy is no longer one of theirs. And
        where there was none there is one now, for the next exchange to know of.
        """
        partition = self.store.partition_of(record.digest)
        version = self.store.version(partition)
        if version is None:
            self.store.set_version(partition, PartitionVersion(self.cluster_key, False))
        elif version.full and version.cluster_key != self.cluster_key:
            self.store.set_version(partition, version.as_subset())
        self.store.apply(record)

    def _bulk(self, node: int, message: Message) -> Send:
        return Send(node, message, Channel.BULK)

    def _note_arrival(self, node: int, message: EmigrateDone, now: int) -> list[Output]:
        partition = message.partition
        outputs: list[Output] = [
            self._bulk(node, ImmigrateDone(self.cluster_key, partition)),
        ]
        settlement = self._settlements.get(partition)
        if settlement is not None and node in settlement.plan.senders:
            if node == settlement.plan.acting and self._acting[partition] == node:
                self._acting[partition] = self._me
            settlement.sender = node
            settlement.fire(message, now)
            outputs += self._after_settlement(partition, settlement, now)
        return outputs

    def _after_settlement(self, partition: int, settlement: Settlement, now: int) -> list[Output]:
        self._waiting += [(partition, node) for node in settlement.to_spread]
        settlement.to_spread = ()
        return self._drain_settlement(settlement) + self._start_waiting(now)

    def _drain_settlement(self, settlement: Settlement) -> list[Output]:
        outputs, settlement.outputs = settlement.outputs, []
        return outputs

    def _settle(self, master: int, partition: int) -> list[Output]:
        made = self.plans[partition]
        outputs: list[Output] = []
        if master == made.master and partition not in self._settled:
            self._settled.add(partition)
            self._acting[partition] = master
            if self._me in made.replicas:
                version = PartitionVersion(self.cluster_key, True, self._me == master)
                self.store.set_version(partition, version)
            outputs += self._drop_unless_replica(partition, made)
        return [*outputs, self._bulk(master, PartitionSettledAck(self.cluster_key, partition))]

    def _drop_unless_replica(self, partition: int, made: PartitionPlan) -> list[Output]:
        if self._me in made.replicas or self.store.version(partition) is None:
            return []
        self.store.drop(partition)
        return [PartitionDropped(partition)]

    def _check(self) -> None:
        self.exchange._check()
        assert len(self._emigrations) <= self.config.migrate.concurrent
        for partition, settlement in self._settlements.items():
            assert self.plans[partition].master == self._me
            settlement._check()
        for partition in self._closed:
            assert self._acting[partition] == self._me
