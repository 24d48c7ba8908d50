"""Migration: the machines that send a partition's records to a node, and that settle a partition.

An emigration sends batches in the order in which records changed last, one at a time, each until it
is acknowledged. The receiver keeps the winner of each record. Where one was broken off, the next to
the same copy goes on behind the last batch that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import auto

from attrs import frozen

from cluster.machine import Machine, Observer, State, table
from cluster.messages import (
    EmigrateBatch,
    EmigrateDone,
    EmigrateStart,
    ImmigrateAck,
    ImmigrateDone,
    ImmigrateReady,
    PartitionSettled,
    PartitionSettledAck,
)
from cluster.outputs import Channel, Output, Send
from cluster.partitions.plan import PartitionPlan
from cluster.records import RecordStore
from cluster.wire import Message


@frozen
class MigrateConfig:
    """Limits of migration."""

    batch_records: int = 64
    concurrent: int = 4
    """Emigrations a node has under way at a time."""
    retransmit_ms: int = 400


@frozen
class Due:
    """Some time has gone by without an answer."""


class EmigrationState(State):
    """Where an emigration stands."""

    STARTING = auto()
    SENDING = auto()
    CLOSING = auto()
    FINISHING = auto()
    DONE = auto()


E = EmigrationState


class Emigration(Machine):
    """One partition's records on their way to one node."""

    TABLE = table(
        "emigration",
        (E.STARTING, ImmigrateReady, "_has_records_left", E.SENDING, "_resume"),
        (E.STARTING, ImmigrateReady, "", E.CLOSING, "_close"),
        (E.STARTING, Due, "", E.STARTING, "_ask_to_start"),
        (E.SENDING, ImmigrateAck, "_is_of_an_earlier_batch", E.SENDING, ""),
        (E.SENDING, ImmigrateAck, "_leaves_more", E.SENDING, "_send_next"),
        (E.SENDING, ImmigrateAck, "", E.CLOSING, "_close"),
        (E.SENDING, Due, "", E.SENDING, "_send_batch"),
        (E.CLOSING, Due, "_is_still_written", E.CLOSING, ""),
        (E.CLOSING, Due, "_has_records_again", E.SENDING, "_send_next"),
        (E.CLOSING, Due, "", E.FINISHING, "_finish"),
        (E.FINISHING, ImmigrateDone, "", E.DONE, ""),
        (E.FINISHING, Due, "", E.FINISHING, "_say_done"),
    )

    def __init__(
        self,
        cluster_key: int,
        partition: int,
        target: int,
        store: RecordStore,
        config: MigrateConfig,
        resume: dict[tuple[int, int, int], int],
        observer: Observer | None = None,
    ) -> None:
        """`resume` remembers, by partition, target and epoch, how far a copy was sent."""
        super().__init__(E.STARTING, observer)
        self.cluster_key = cluster_key
        self.partition = partition
        self.target = target
        self.outputs: list[Output] = []
        self.is_written: Callable[[int], bool] = _never
        self.hand_over: Callable[[int], None] = _nothing
        self.records_sent = 0
        self._store = store
        self._config = config
        self._resume_at = resume
        self._mark = (partition, target, 0)
        self._position = 0
        self._next: tuple[int, EmigrateBatch] | None = None
        self._batch = 0

    def begin(self, now: int) -> None:
        """Ask the target to get ready."""
        self._ask_to_start(None, now)

    def _send(self, message: Message) -> None:
        self.outputs.append(Send(self.target, message, Channel.BULK))

    def _ask_to_start(self, _: object, now: int) -> None:
        self._send(EmigrateStart(self.cluster_key, self.partition))

    def _has_records_left(self, ready: ImmigrateReady, now: int) -> bool:
        self._mark = (self.partition, self.target, ready.epoch)
        self._position = self._resume_at.get(self._mark, 0)
        return self._load()

    def _load(self) -> bool:
        """Take the next batch from the store; whether there was one."""
        limit = self._config.batch_records
        position, records = self._store.changes_after(self.partition, self._position, limit)
        if not records:
            self._next = None
            return False
        self._batch += 1
        rows = tuple(record.row() for record in records)
        batch = EmigrateBatch(self.cluster_key, self.partition, self._batch, rows)
        self._next = (position, batch)
        return True

    def _resume(self, _: object, now: int) -> None:
        self._send_batch(_, now)

    def _send_next(self, _: object, now: int) -> None:
        self._send_batch(_, now)

    def _send_batch(self, _: object, now: int) -> None:
        assert self._next is not None
        self._send(self._next[1])

    def _is_of_an_earlier_batch(self, ack: ImmigrateAck, now: int) -> bool:
        return ack.batch != self._batch

    def _leaves_more(self, ack: ImmigrateAck, now: int) -> bool:
        assert self._next is not None
        self._position, batch = self._next
        self._resume_at[self._mark] = self._position
        self.records_sent += len(batch.records)
        return self._load()

    def _close(self, _: object, now: int) -> None:
        """Everything is sent; if it is written here, let no new write begin."""
        self.hand_over(self.partition)
        self.fire(Due(), now)

    def _is_still_written(self, _: object, now: int) -> bool:
        return self.is_written(self.partition)

    def _has_records_again(self, _: object, now: int) -> bool:
        return self._load()

    def _finish(self, _: object, now: int) -> None:
        self._say_done(_, now)

    def _say_done(self, _: object, now: int) -> None:
        self._send(EmigrateDone(self.cluster_key, self.partition))

    def _check(self) -> None:
        assert (self.state is E.SENDING) <= (self._next is not None)


class SettlementState(State):
    """How far the master of a partition is."""

    COLLECTING = auto()
    SPREADING = auto()
    ANNOUNCING = auto()
    SETTLED = auto()


@frozen
class Planned:
    """The plan is known."""


@frozen
class Emigrated:
    """An emigration from here has come to its end."""

    target: int


P = SettlementState


class Settlement(Machine):
    """What the master does for a partition: collect from the senders, spread to the receivers,
    announce to all."""

    TABLE = table(
        "settlement",
        (P.COLLECTING, Planned, "_has_everything", P.SPREADING, "_spread"),
        (P.COLLECTING, EmigrateDone, "_is_the_last_to_come", P.SPREADING, "_spread"),
        (P.COLLECTING, EmigrateDone, "", P.COLLECTING, "_note_arrival"),
        (P.SPREADING, Emigrated, "_is_the_last_to_go", P.ANNOUNCING, "_announce"),
        (P.SPREADING, Emigrated, "", P.SPREADING, "_note_departure"),
        (P.SPREADING, Planned, "_has_nobody_to_spread_to", P.ANNOUNCING, "_announce"),
        (P.ANNOUNCING, PartitionSettledAck, "_is_the_last_ack", P.SETTLED, ""),
        (P.ANNOUNCING, PartitionSettledAck, "", P.ANNOUNCING, "_note_ack"),
        (P.ANNOUNCING, Due, "", P.ANNOUNCING, "_announce"),
    )

    def __init__(
        self, cluster_key: int, partition: int, plan: PartitionPlan, observer: Observer | None
    ) -> None:
        super().__init__(P.COLLECTING, observer)
        self.plan = plan
        self.sender = plan.master
        self.arrived: set[int] = set()
        self.outputs: list[Output] = []
        self.to_spread: tuple[int, ...] = ()
        self._message = PartitionSettled(cluster_key, partition)
        self._gone: set[int] = set()
        self._acked: set[int] = set()

    def _has_everything(self, _: object, now: int) -> bool:
        return not self.plan.senders

    def _note_arrival(self, _: object, now: int) -> None:
        self.arrived.add(self.sender)

    def _is_the_last_to_come(self, _: object, now: int) -> bool:
        return self.arrived | {self.sender} >= set(self.plan.senders)

    def _spread(self, _: object, now: int) -> None:
        self.arrived = set(self.plan.senders)
        self.to_spread = self.plan.receivers
        self.fire(Planned(), now)

    def _has_nobody_to_spread_to(self, _: object, now: int) -> bool:
        return not self.plan.receivers

    def _is_the_last_to_go(self, emigrated: Emigrated, now: int) -> bool:
        return self._gone | {emigrated.target} >= set(self.plan.receivers)

    def _note_departure(self, emigrated: Emigrated, now: int) -> None:
        self._gone.add(emigrated.target)

    def _announce(self, _: object, now: int) -> None:
        for node in self.plan.members:
            if node not in self._acked:
                self.outputs.append(Send(node, self._message, Channel.BULK))

    def _is_the_last_ack(self, _: object, now: int) -> bool:
        return self._acked | {self.sender} >= set(self.plan.members)

    def _note_ack(self, _: object, now: int) -> None:
        self._acked.add(self.sender)

    def _check(self) -> None:
        assert self.arrived <= set(self.plan.senders)
        if self.state is not P.COLLECTING:
            assert self.arrived == set(self.plan.senders)


def _never(partition: int) -> bool:
    return False


def _nothing(partition: int) -> None:
    """Nothing is to be done."""
