"""The service that keeps the partitions of all namespaces where the balance wants them.

After every new cluster: exchange, a plan for each partition, migration by the plan. What holds on
the way is told in `cluster.partitions.namespace`; here are the messages, the questions to the
daemon, and whose turn it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from cluster.consistency.partitions import StrongPartitions
from cluster.consistency.steps import Heard, Steps
from cluster.fabric import FOREVER, Delivered
from cluster.messages import (
    EmigrateBatch,
    EmigrateDone,
    EmigrateStart,
    EmigrateSummary,
    ExchangeSeen,
    ExchangeVersions,
    ImmigrateAck,
    ImmigrateDone,
    ImmigrateReady,
    ImmigrateWants,
    PartitionSettled,
    PartitionSettledAck,
    RegimeStep,
)
from cluster.node import Service
from cluster.outputs import (
    Apply,
    Balanced,
    Channel,
    ClusterChanged,
    Compare,
    Compared,
    Output,
    OwnershipChanged,
    Send,
    SetVersions,
    StoreAnswer,
    Token,
)
from cluster.partitions.config import MigrateConfig, NamespaceConfig
from cluster.partitions.emigration import Due, Emigration, EmigrationState, Rests
from cluster.partitions.exchange import Due as ExchangeDue
from cluster.partitions.exchange import Exchange
from cluster.partitions.namespace import NamespacePartitions, Versions
from cluster.partitions.settlement import Emigrated, SettlementState
from cluster.state_machine import Observer
from cluster.wire import Message

SAVE_MS = 50
"""Versions that may wait are set together, after so long."""

E = EmigrationState


class Partitions(Service):
    """All namespaces' partitions on one node."""

    NAME: ClassVar[str] = "partitions"
    MESSAGES: ClassVar[tuple[type[Message], ...]] = (
        *(ExchangeVersions, ExchangeSeen, RegimeStep),
        *(EmigrateStart, ImmigrateReady, EmigrateSummary, ImmigrateWants),
        *(EmigrateBatch, ImmigrateAck, EmigrateDone, ImmigrateDone),
        *(PartitionSettled, PartitionSettledAck),
    )
    emigration: ClassVar[type[Emigration]] = Emigration
    namespace: ClassVar[type[NamespacePartitions]] = NamespacePartitions
    strong: ClassVar[type[StrongPartitions]] = StrongPartitions

    def __init__(
        self,
        me: int,
        namespaces: Iterable[tuple[NamespaceConfig, Versions]],
        migrate: MigrateConfig | None = None,
        observer: Observer | None = None,
    ) -> None:
        """`namespaces` come with the versions that survived on this node's disk.

        `is_written`, `break_off` and `balanced` are for who carries transactions out: has a
        partition writes that not all replicas have, break all off before a new cluster looks at
        what there is, and a namespace is served again.
        """
        self.deadline = FOREVER
        self.migrate = migrate if migrate is not None else MigrateConfig()
        self.exchange = Exchange(me, observer)
        self.view: ClusterChanged | None = None
        self.spaces: Mapping[str, NamespacePartitions] = {
            config.name: self._kind(config)(me, config, versions, observer)
            for config, versions in namespaces
        }
        self.steps = Steps(self)
        self.generation = -1
        """The partition generation: one more for each balance and each partition handed over."""
        self.is_written: Callable[[str, int], bool] = lambda namespace, partition: False
        self.break_off: Callable[[int], None] = lambda key: None
        self.rests = Rests()
        self.balanced: Callable[[str, int], list[Output]] = lambda name, now: []
        self._me = me
        self._observer = observer
        self._heard: dict[Token, Heard] = {}
        self._next_token = 0
        self._save_at = FOREVER
        self._sends_at = FOREVER

    def _kind(self, config: NamespaceConfig) -> type[NamespacePartitions]:
        return self.strong if config.strong else self.namespace

    @property
    def me(self) -> int:
        """The node's id."""
        return self._me

    @property
    def cluster_key(self) -> int:
        """The key that everything sent belongs to."""
        return self.view.cluster_key if self.view is not None else 0

    @property
    def is_settled(self) -> bool:
        """Has every partition come to rest, as far as this node takes part?"""
        return self.exchange.is_over and all(s.is_settled for s in self.spaces.values())

    def configure(self, migrate: MigrateConfig, now: int) -> list[Output]:
        """Other limits from now on; emigrations under way go on under theirs."""
        self.migrate = migrate
        return self._finish(self._start_waiting(now), now)

    def reconfigure(self, config: NamespaceConfig) -> None:
        """A namespace's replication factor, rack, policy ... from the next balance on."""
        space = self.spaces[config.name]
        assert config.partitions == space.config.partitions, "partitions are for ever"
        space.config = config

    def drained(self, now: int) -> None:
        """Writes are done: a partition that is to be handed over may have none left."""
        for space in self.spaces.values():
            if space.closed:
                self.deadline = now

    # --- inputs --------------------------------------------------------------------------------

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Break everything off; tell the others what we have."""
        self.break_off(view.cluster_key)
        self.view = view
        self._heard.clear()
        for space in self.spaces.values():
            space.begin(view)
        rows = tuple(space.row() for space in self.spaces.values())
        self.exchange.begin(view, rows, now, self.steps.states())
        locked = [
            OwnershipChanged(name, tuple(range(space.config.partitions)))
            for name, space in self.spaces.items()
        ]
        return self._finish([*locked, *self._advance(now)], now)

    def left_behind(self, yes: bool, now: int) -> list[Output]:
        """Serve nothing, or go on serving."""
        for space in self.spaces.values():
            space.left_behind(yes)
        return self._finish([], now)

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A message of another node, or of ourselves."""
        message: Any = came.message
        if isinstance(message, ExchangeVersions | ExchangeSeen):
            was_known = self.exchange.is_known
            self.exchange.sender = came.node
            self.exchange.fire(message, now)
            outputs = self._drain_exchange() if was_known else self._advance(now)
            return self._finish(outputs, now)
        if isinstance(message, RegimeStep):
            return self._finish(self.steps.hear(came.node, message, now), now)
        space = self.spaces.get(message.namespace)
        current = message.cluster_key == self.cluster_key
        if space is None or not current or not space.is_ready:
            return []
        if message.partition >= space.config.partitions:
            return []
        if isinstance(message, ImmigrateReady | ImmigrateWants | ImmigrateAck | ImmigrateDone):
            return self._finish(self._emigrate(space, came.node, message, now), now)
        return self._finish(self._immigrate(space, came.node, message, now), now)

    def tell(self, answer: StoreAnswer, now: int) -> list[Output]:
        """The daemon's answer to something asked; one that came too late is nothing."""
        heard = self._heard.get(answer.token)
        return self._finish(heard(answer, now), now) if heard is not None else []

    def tick(self, now: int) -> list[Output]:
        """Send again what is not answered, save what has waited."""
        self.deadline = FOREVER
        outputs: list[Output] = []
        if now >= self._sends_at:
            self._sends_at = FOREVER
            if self.view is not None and not self.exchange.is_over:
                self.exchange.fire(ExchangeDue(), now)
                outputs += self._drain_exchange()
            for space in self.spaces.values():
                outputs += space.settlements.announce_again(now)
            outputs += self.steps.repeat()
        for space in self.spaces.values():
            for emigration in list(space.emigrations.values()):
                if emigration.due <= now or emigration.state is E.DRAINING:
                    emigration.fire(Due(), now)
                    outputs += self._drain_emigration(space, emigration, now)
                self.deadline = min(self.deadline, emigration.due)
        if now >= self._save_at:
            outputs += self._save()
        return self._finish(outputs + self._start_waiting(now), now)

    # --- after each input ----------------------------------------------------------------------

    def _finish(self, outputs: list[Output], now: int) -> list[Output]:
        """Tell what has changed for requests, and see when we want the time next."""
        for name, space in self.spaces.items():
            if space.changed:
                outputs.append(OwnershipChanged(name, space.refresh()))
            if space.unsaved and self._save_at == FOREVER:
                self._save_at = now + SAVE_MS
            if space.waiting and now < (due := space.fills_at(self.migrate.fill_delay_ms)):
                self.deadline = min(self.deadline, due)
        if self._sends_at == FOREVER and not self.is_settled:
            self._sends_at = now + self.migrate.retransmit_ms
        self.deadline = min(self.deadline, self._save_at, self._sends_at)
        return outputs

    def _save(self) -> list[Output]:
        self._save_at = FOREVER
        spaces = [space for space in self.spaces.values() if space.unsaved]
        return [self.set_versions(space, self._new_token(None), {}) for space in spaces]

    def set_versions(
        self, space: NamespacePartitions, token: Token, versions: Versions
    ) -> SetVersions:
        """Set versions, and all that wait to be set."""
        together = {**space.unsaved, **versions}
        space.unsaved = {}
        rows = tuple([(partition, together[partition]) for partition in sorted(together)])
        return SetVersions(space.config.name, token, rows)

    def _new_token(self, heard: Heard | None) -> Token:
        self._next_token += 1
        token = (self.NAME, self._next_token)
        if heard is not None:
            self._heard[token] = heard
        return token

    def once(self, act: Heard) -> Token:
        """A token whose answer is heard once."""

        def heard(answer: StoreAnswer, now: int) -> list[Output]:
            del self._heard[token]
            return act(answer, now)

        return (token := self._new_token(heard))

    # --- from the exchange to the plans --------------------------------------------------------

    def _drain_exchange(self) -> list[Output]:
        outputs, self.exchange.outputs = self.exchange.outputs, []
        return outputs

    def _advance(self, now: int) -> list[Output]:
        outputs = self._drain_exchange()
        if self.exchange.is_known and self.view is not None:
            self.generation += 1
            for space in self.spaces.values():
                outputs += self._plan(space, self.view, now)
        return outputs

    def _plan(self, space: NamespacePartitions, view: ClusterChanged, now: int) -> list[Output]:
        rows = self.exchange.rows(space.config.name)
        if isinstance(space, StrongPartitions):
            space.states = self.exchange.state_rows(space.config.name)
            space.unsaved |= space.make_plans(view, rows)
            return self.steps.take(space, now)
        changes = space.make_plans(view, rows)
        if not changes:
            return self.take_part(space, now)
        token = self.once(lambda answer, now: self.take_part(space, now))
        return [self.set_versions(space, token, changes)]

    def take_part(self, space: NamespacePartitions, now: int) -> list[Output]:
        """A namespace is served by its plans from now on."""
        name = space.config.name
        outputs = space.take_part(now)
        outputs.append(OwnershipChanged(name, space.refresh()))
        outputs.append(Balanced(name, self.cluster_key))
        return outputs + self.balanced(name, now) + self._start_waiting(now)

    # --- sending -------------------------------------------------------------------------------

    def _start_waiting(self, now: int) -> list[Output]:
        outputs: list[Output] = []
        running = sum(len(space.emigrations) for space in self.spaces.values())
        for space in sorted(self.spaces.values(), key=lambda each: each.config.migrate_order):
            fills = now >= space.fills_at(self.migrate.fill_delay_ms)
            for chosen in space.take_waiting(self.migrate.threads - running, fills):
                running += 1
                outputs += self._start(space, *chosen, now)
        return outputs

    def _start(
        self, space: NamespacePartitions, partition: int, target: int, now: int
    ) -> list[Output]:
        name = space.config.name
        token = self._new_token(lambda answer, now: self._tell(space, emigration, answer, now))
        emigration = self.emigration(
            *((self.cluster_key, name, partition), target, token, self.migrate, self._observer)
        )
        made = space.plans[partition]
        emigration.compares = space.compares(partition, target)
        emigration.hands_over = space.acting[partition] == self._me and target == made.master
        emigration.stays = self._me in made.replicas
        emigration.is_written = lambda: self.is_written(name, partition)
        if not space.leaves:  # who is about to go has no time to rest
            emigration.rests = self.rests
        emigration.disown = lambda token: self._disown(space, emigration)
        space.emigrations[partition, target] = emigration
        emigration.begin(now)
        return self._drain_emigration(space, emigration, now)

    def _disown(self, space: NamespacePartitions, emigration: Emigration) -> None:
        """Our copy is a subset before another serves."""
        version = space.versions[emigration.partition]
        assert version is not None, "who hands over has a copy"
        subset = space.versions[emigration.partition] = version.as_subset()
        versions = {emigration.partition: subset}
        emigration.outputs.append(self.set_versions(space, emigration.token, versions))

    def _tell(
        self, space: NamespacePartitions, emigration: Emigration, answer: StoreAnswer, now: int
    ) -> list[Output]:
        emigration.fire(answer, now)
        return self._drain_emigration(space, emigration, now)

    def _emigrate(
        self,
        space: NamespacePartitions,
        node: int,
        message: ImmigrateReady | ImmigrateWants | ImmigrateAck | ImmigrateDone,
        now: int,
    ) -> list[Output]:
        emigration = space.emigrations.get((message.partition, node))
        if emigration is None:
            return []
        emigration.fire(message, now)
        return self._drain_emigration(space, emigration, now)

    def _drain_emigration(
        self, space: NamespacePartitions, emigration: Emigration, now: int
    ) -> list[Output]:
        outputs, emigration.outputs = emigration.outputs, []
        partition, state = emigration.partition, emigration.state
        emigration.due = now + emigration.patience_ms
        if state is E.RESTING:
            emigration.due = emigration.rests_until
        elif state is E.CLOSING and partition not in space.closed:
            space.close(partition)
        elif state in (E.FINISHING, E.DONE) and emigration.hands_over:
            emigration.hands_over = False
            self.generation += 1
            space.hand_over(partition)
        if state is E.DONE:
            space.moved.done_out += 1
            space.moved.records_out += emigration.records_sent
            del space.emigrations[partition, emigration.target]
            del self._heard[emigration.token]
            settlement = space.settlements.all.get(partition)
            if settlement is not None:
                settlement.fire(Emigrated(emigration.target), now)
                outputs += space.after_settlement(partition)
            outputs += self._start_waiting(now)
        else:  # not looked for among all of them, hundreds perhaps, after each message
            self.deadline = min(self.deadline, emigration.due)
        return outputs

    # --- receiving -----------------------------------------------------------------------------

    def _bulk(self, node: int, message: Message) -> list[Output]:
        return [Send(node, message, Channel.BULK)]

    def _immigrate(
        self, space: NamespacePartitions, node: int, message: Message, now: int
    ) -> list[Output]:
        match message:
            case EmigrateStart():
                return self._let_in(space, node, message)
            case EmigrateSummary(_, _, partition):
                known = (partition, node) in space.incoming
                return self._compare(space, node, message) if known else []
            case EmigrateBatch(_, _, partition):
                known = (partition, node) in space.incoming
                return self._apply(space, node, message) if known else []
            case EmigrateDone():
                return self._note_arrival(space, node, message, now)
            case PartitionSettled(_, _, partition):
                return self._settle(space, node, message, now)
            case PartitionSettledAck():
                space.settlements.hear_ack(node, message, now)
        return []

    def _let_in(self, space: NamespacePartitions, node: int, start: EmigrateStart) -> list[Output]:
        """Get ready, unless so many immigrate that this one must ask again."""
        coming = (start.partition, node)
        if coming not in space.incoming:
            count = sum(len(each.incoming) for each in self.spaces.values())
            settlement = space.settlements.all.get(start.partition)
            is_over = settlement is not None and node in settlement.arrived
            if is_over or start.partition not in space.expects:
                return []  # what is repeated comes late
            if count >= self.migrate.max_incoming:
                return []
            space.incoming.add(coming)
        place = start.cluster_key, start.namespace, start.partition
        return self._bulk(node, ImmigrateReady(*place))

    def _resolves(self, space: NamespacePartitions, partition: int) -> bool:
        """Does the conflict rule say what stays? What the master spreads does."""
        return space.plans[partition].master == self._me

    def _compare(
        self, space: NamespacePartitions, node: int, told: EmigrateSummary
    ) -> list[Output]:
        partition = told.partition
        fresh = [
            (place, row)
            for place, row in enumerate(told.summaries)
            if not space.is_written(partition, row[0])
        ]

        def answer(compared: StoreAnswer, now: int) -> list[Output]:
            assert isinstance(compared, Compared)
            places = tuple(fresh[place][0] for place in compared.places)
            where = told.cluster_key, told.namespace, partition, told.batch
            return self._bulk(node, ImmigrateWants(*where, places))

        rows = tuple(row for _, row in fresh)
        resolves = self._resolves(space, partition)
        return [Compare(space.config.name, self.once(answer), rows, resolves)]

    def _apply(self, space: NamespacePartitions, node: int, batch: EmigrateBatch) -> list[Output]:
        partition = batch.partition
        space.moved.records_in += len(batch.records)
        rows = tuple([r for r in batch.records if not space.is_written(partition, r[0])])
        where = batch.cluster_key, batch.namespace, partition, batch.batch
        ack = self._bulk(node, ImmigrateAck(*where))
        if not rows:
            return ack
        token = self.once(lambda answer, now: ack)
        return [Apply(space.config.name, token, rows, self._resolves(space, partition))]

    def _note_arrival(
        self, space: NamespacePartitions, node: int, done: EmigrateDone, now: int
    ) -> list[Output]:
        partition = done.partition
        space.incoming.discard((partition, node))
        outputs = self._bulk(node, ImmigrateDone(done.cluster_key, done.namespace, partition))
        settlement = space.settlements.all.get(partition)
        if settlement is None:
            if node == space.plans[partition].master and partition in space.expects:
                self.generation += 1
                space.nothing_more_comes(partition)
        elif node in settlement.plan.senders:
            if node == settlement.plan.acting and space.acting[partition] == node:
                self.generation += 1
                space.take_over(partition)
            settlement.sender = node
            settlement.fire(done, now)
            space.changed.add(partition)
            outputs += space.after_settlement(partition)
            outputs += self._start_waiting(now)
        return outputs

    def _settle(
        self, space: NamespacePartitions, master: int, message: PartitionSettled, now: int
    ) -> list[Output]:
        partition = message.partition
        outputs: list[Output] = []
        space.hear_of(partition, master)
        if master == space.plans[partition].master and partition not in space.settled:
            outputs += space.settle(partition)
        place = message.cluster_key, message.namespace, partition
        return outputs + self._bulk(master, PartitionSettledAck(*place))

    def _check(self) -> None:
        self.exchange._check()
        for space in self.spaces.values():
            space._check()
            for settlement in space.settlements.all.values():
                assert settlement.state is not SettlementState.SETTLED or not settlement.outputs
