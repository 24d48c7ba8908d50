"""System metadata in a cluster: changes through the principal, one content after every merge.

When a cluster forms every member reports its modules to the principal, the principal merges them by
rule and spreads the outcome, and when all have it the cluster is *settled*. From then on a change
goes to the principal, which makes it, sends the new item to all, and answers when all have it.
Whoever asked asks again, in the next cluster too, until it is answered or has waited long enough.
"""

from __future__ import annotations

from enum import auto
from typing import ClassVar

from attrs import define, frozen

from cluster.fabric import FOREVER, Delivered
from cluster.messages import (
    ItemRow,
    ModuleRow,
    SmdDone,
    SmdItemAck,
    SmdItemIs,
    SmdMerged,
    SmdReport,
    SmdSet,
    SmdSettled,
)
from cluster.metadata.smd import Items, Smd, SmdItem
from cluster.node import Service
from cluster.outputs import Channel, ClusterChanged, Output, Send, SmdAnswer, SmdReady
from cluster.state_machine import Observer, State, StateMachine, table
from cluster.wire import Message

RETRANSMIT_MS = 400
REMEMBERED = 4096
"""Changes the principal remembers to have made, should it be asked for one again."""


class SmdState(State):
    """Where a node is with the metadata of its cluster."""

    APART = auto()
    GATHERING = auto()
    SPREADING = auto()
    REPORTING = auto()
    SETTLED = auto()


@frozen
class Leads:
    """We are the principal of a new cluster."""


@frozen
class Follows:
    """We are a member of a new cluster."""


@frozen
class Due:
    """Some have not answered."""


@define
class _Change:
    """A change asked for here."""

    module: str
    key: str
    value: str | None
    timestamp_ms: int
    expires: int


@define
class _Spread:
    """An item of the principal's that not all have."""

    message: SmdItemIs
    node: int
    change: int
    waiting: set[int]


S = SmdState


class SmdSync(StateMachine, Service):
    """The service that keeps a `Smd` alike on all nodes."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (
        *(SmdReport, SmdMerged, SmdSettled, SmdSet, SmdItemIs, SmdItemAck, SmdDone),
    )
    TABLE = table(
        "smd",
        *((state, Leads, "", S.GATHERING, "_gather") for state in SmdState),
        *((state, Follows, "", S.REPORTING, "_report") for state in SmdState),
        (S.GATHERING, SmdReport, "_is_last_report", S.SPREADING, "_merge_and_spread"),
        (S.GATHERING, SmdReport, "_is_of_this_cluster", S.GATHERING, "_note_report"),
        (S.SPREADING, SmdReport, "_is_of_this_cluster", S.SPREADING, "_spread_again"),
        (S.SPREADING, SmdSettled, "_is_last_settled", S.SETTLED, "_settle"),
        (S.SPREADING, SmdSettled, "_is_of_this_cluster", S.SPREADING, "_note_settled"),
        (S.SPREADING, Due, "", S.SPREADING, "_spread_again"),
        (S.REPORTING, SmdMerged, "_is_of_this_cluster", S.SETTLED, "_take_over"),
        (S.REPORTING, Due, "", S.REPORTING, "_report"),
        (S.SETTLED, SmdMerged, "_is_of_this_cluster", S.SETTLED, "_say_settled"),
        (S.SETTLED, SmdSet, "_is_done_or_on_its_way", S.SETTLED, "_say_done_if_it_is"),
        (S.SETTLED, SmdSet, "_is_for_me_as_principal", S.SETTLED, "_change"),
        (S.SETTLED, SmdItemIs, "_is_of_this_cluster", S.SETTLED, "_accept"),
        (S.SETTLED, SmdItemAck, "_is_of_this_cluster", S.SETTLED, "_note_ack"),
        (S.SETTLED, SmdDone, "_is_of_this_cluster", S.SETTLED, "_answer"),
        (S.SETTLED, Due, "", S.SETTLED, "_send_again"),
    )

    def __init__(self, smd: Smd, me: int, observer: Observer | None = None) -> None:
        super().__init__(S.APART, observer)
        self.smd = smd
        self.deadline = FOREVER
        self._me = me
        self._view: ClusterChanged | None = None
        self._outputs: list[Output] = []
        self._from = me
        self._reports: dict[int, tuple[ModuleRow, ...]] = {}
        self._waiting: set[int] = set()
        self._changes: dict[int, _Change] = {}
        self._next_change = 1
        self._serial = 0
        self._spreads: dict[int, _Spread] = {}
        self._done: dict[tuple[int, int], None] = {}

    # --- inputs --------------------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Has this node what all of its cluster have?"""
        return self.state is S.SETTLED

    def change(
        self, module: str, key: str, value: str | None, timestamp_ms: int, timeout_ms: int, now: int
    ) -> tuple[int, list[Output]]:
        """Set or delete an item in the whole cluster; a number that `SmdAnswer` will carry.

        An answer of not done leaves open whether it was, or will be, done. ValueError as `Smd.set`.
        """
        self.smd.next_item(module, key, value, timestamp_ms)
        number = self._next_change
        self._next_change += 1
        self._changes[number] = _Change(module, key, value, timestamp_ms, now + timeout_ms)
        self._ask(number)
        self._wake(now)
        return number, self._take_outputs()

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Begin anew with the new members."""
        self._view = view
        self._spreads.clear()
        self._done.clear()
        self._reports.clear()
        self.fire(Leads() if view.principal == self._me else Follows(), now)
        self._wake(now)
        return self._take_outputs()

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A message of another node, or of ourselves."""
        self._from = came.node
        self.fire(came.message, now)
        return self._take_outputs()

    def tick(self, now: int) -> list[Output]:
        """Send again what is not answered; give up what has waited long enough."""
        self.deadline = FOREVER
        for number in [n for n, change in self._changes.items() if change.expires <= now]:
            del self._changes[number]
            self._outputs.append(SmdAnswer(number, False))
        self.fire(Due(), now)
        if self.state is not S.SETTLED or self._changes or self._spreads:
            self._wake(now)
        return self._take_outputs()

    # --- inside --------------------------------------------------------------------------------

    def _take_outputs(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs

    def _wake(self, now: int) -> None:
        self.deadline = min(self.deadline, now + RETRANSMIT_MS)

    def _send(self, node: int, message: Message) -> None:
        self._outputs.append(Send(node, message, Channel.META))

    @property
    def _key(self) -> int:
        return self._view.cluster_key if self._view is not None else 0

    @property
    def _principal(self) -> int:
        return self._view.principal if self._view is not None else self._me

    def _others(self) -> set[int]:
        assert self._view is not None
        return set(self._view.nodes) - {self._me}

    def _is_of_this_cluster(self, message: SmdReport | SmdSettled, now: int) -> bool:
        return message.cluster_key == self._key

    def _modules(self) -> tuple[ModuleRow, ...]:
        return tuple((name, _rows(self.smd.items(name))) for name in self.smd.modules)

    # --- forming -------------------------------------------------------------------------------

    def _gather(self, _: object, now: int) -> None:
        self._from = self._me
        self.fire(SmdReport(self._key, self._modules()), now)

    def _report(self, _: object, now: int) -> None:
        self._send(self._principal, SmdReport(self._key, self._modules()))

    def _is_last_report(self, report: SmdReport, now: int) -> bool:
        members = self._others() | {self._me}
        return self._is_of_this_cluster(report, now) and (
            self._reports.keys() | {self._from} >= members
        )

    def _note_report(self, report: SmdReport, now: int) -> None:
        self._reports[self._from] = report.modules

    def _merge_and_spread(self, report: SmdReport, now: int) -> None:
        self._note_report(report, now)
        for module in self.smd.modules:
            copies = [_items(dict(rows).get(module, ())) for rows in self._reports.values()]
            self.smd.accept(module, self.smd.merge(module, copies))
        self._reports.clear()
        self._waiting = self._others()
        self._spread_again(report, now)
        self._from = self._me
        self.fire(SmdSettled(self._key), now)

    def _spread_again(self, _: object, now: int) -> None:
        merged = SmdMerged(self._key, self._modules())
        for node in sorted(self._waiting):
            self._send(node, merged)

    def _is_last_settled(self, settled: SmdSettled, now: int) -> bool:
        return self._is_of_this_cluster(settled, now) and self._waiting <= {self._from}

    def _note_settled(self, _: SmdSettled, now: int) -> None:
        self._waiting.discard(self._from)

    def _take_over(self, merged: SmdMerged, now: int) -> None:
        for module, rows in merged.modules:
            if module in self.smd.modules:
                self.smd.accept(module, _items(rows))
        self._settle(merged, now)
        self._say_settled(merged, now)

    def _say_settled(self, _: SmdMerged, now: int) -> None:
        self._send(self._from, SmdSettled(self._key))

    def _settle(self, _: object, now: int) -> None:
        self._waiting = set()
        self._outputs.append(SmdReady(self._key))
        self._send_again(_, now)

    # --- changing ------------------------------------------------------------------------------

    def _send_again(self, _: object, now: int) -> None:
        for number in self._changes:
            self._ask(number)
        for spread in self._spreads.values():
            for node in sorted(spread.waiting):
                self._send(node, spread.message)

    def _ask(self, number: int) -> None:
        change = self._changes[number]
        if self.state is S.SETTLED:
            asked = SmdSet(
                *(self._key, number, change.module, change.key, change.value, change.timestamp_ms)
            )
            self._send(self._principal, asked)

    def _is_done_or_on_its_way(self, asked: SmdSet, now: int) -> bool:
        mark = (self._from, asked.change)
        return asked.cluster_key == self._key and (
            mark in self._done or any(mark == (s.node, s.change) for s in self._spreads.values())
        )

    def _say_done_if_it_is(self, asked: SmdSet, now: int) -> None:
        if (self._from, asked.change) in self._done:
            self._send(self._from, SmdDone(self._key, asked.change))

    def _is_for_me_as_principal(self, asked: SmdSet, now: int) -> bool:
        mine = self._principal == self._me and asked.cluster_key == self._key
        return mine and asked.module in self.smd.modules

    def _change(self, asked: SmdSet, now: int) -> None:
        item = self.smd.set(asked.module, asked.key, asked.value, asked.timestamp_ms)
        self._serial += 1
        serial = self._serial
        message = SmdItemIs(
            *(self._key, serial, asked.module, asked.key),
            *(item.generation, item.timestamp_ms, item.value),
        )
        self._spreads[serial] = _Spread(message, self._from, asked.change, self._others())
        for node in sorted(self._others()):
            self._send(node, message)
        self._finish(serial)
        self._wake(now)

    def _accept(self, told: SmdItemIs, now: int) -> None:
        item = SmdItem(told.generation, told.timestamp_ms, told.value)
        self.smd.accept(told.module, {told.key: item})
        self._send(self._from, SmdItemAck(self._key, told.serial))

    def _note_ack(self, ack: SmdItemAck, now: int) -> None:
        if ack.serial in self._spreads:
            self._spreads[ack.serial].waiting.discard(self._from)
            self._finish(ack.serial)

    def _finish(self, serial: int) -> None:
        spread = self._spreads[serial]
        if not spread.waiting:
            del self._spreads[serial]
            self._done[spread.node, spread.change] = None
            if len(self._done) > REMEMBERED:
                del self._done[next(iter(self._done))]
            self._send(spread.node, SmdDone(self._key, spread.change))

    def _answer(self, done: SmdDone, now: int) -> None:
        if self._changes.pop(done.change, None) is not None:
            self._outputs.append(SmdAnswer(done.change, True))

    def _check(self) -> None:
        self.smd._check()
        if self._spreads:
            assert self.state is S.SETTLED
            assert self._principal == self._me


def _rows(items: Items) -> tuple[ItemRow, ...]:
    return tuple((key, i.generation, i.timestamp_ms, i.value) for key, i in items.items())


def _items(rows: tuple[ItemRow, ...]) -> dict[str, SmdItem]:
    return {key: SmdItem(generation, ts, value) for key, generation, ts, value in rows}
