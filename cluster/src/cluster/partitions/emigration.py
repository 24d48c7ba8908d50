"""Emigration: one partition's records on their way to one node.

What is sent
------------
The records that the partition has when the emigration starts (`Survey`), each as it is when its
turn comes (`Load`), and nothing else. What is written meanwhile need not be sent: the target is a
replica of the plan, so each write goes to it by the fast lane, like any other; the target knows
which records it has from there, and takes nothing older for them (`cluster.partitions.namespace`).
So a store keeps no log of changes, and an emigration costs nothing before it starts.

Where the target has a copy of its own it is told what there is first (`EmigrateSummary`: digest,
generation, times, a mark of the bytes, some 40 bytes a record), answers what it wants, and is sent
only that. A node that was away while one record in a hundred changed is sent one in a hundred.

How much at a time
------------------
One batch at a time, of at most `batch_records` and `batch_bytes` (or one record, where one has
more), each acknowledged before the next is loaded; `threads` emigrations of a node at a time. A
batch is little, because requests wait behind it at either end. For each record it rests for
`sleep_us`, and for `ASKED_US` at least while clients ask for something (if it is to rest at all):
a node and its neighbour that migrate all the time make every request wait for the processor.
Rests are put together until there is some sense in them. Whatever is not answered is sent again,
after ever longer: what is late is mostly under way, and to send it again would make all others
later. A target takes anything twice.

The end
-------
The node that serves the partition hands it over with its emigration to the master. It takes no new
write (`Close`), waits until those under way are done and all replicas have them, notes that its
copy is behind from here on where it will be no replica (durably: else, after a crash, it would pass
for one that has all), and only then says `EmigrateDone`, with which the master serves.

Rejected: a position in a log of changes, from which an interrupted emigration goes on. It costs a
number a record at rest, and the summary does the same after any interruption, even in another
cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import auto
from typing import TypeVar

from attrs import frozen

from cluster.messages import (
    EmigrateBatch,
    EmigrateDone,
    EmigrateStart,
    EmigrateSummary,
    ImmigrateAck,
    ImmigrateDone,
    ImmigrateReady,
    ImmigrateWants,
    RecordRow,
    SummaryRow,
)
from cluster.outputs import (
    Channel,
    Close,
    Closed,
    Load,
    Loaded,
    Output,
    Send,
    Survey,
    Surveyed,
    Token,
    VersionsSet,
)
from cluster.partitions.config import MigrateConfig
from cluster.state_machine import Observer, State, StateMachine, table
from cluster.wire import Message


@frozen
class Due:
    """Some time has gone by without an answer."""


@frozen
class Onward:
    """What was under way is done: what is next?"""


class EmigrationState(State):
    """Where an emigration stands."""

    STARTING = auto()
    SURVEYING = auto()
    CHOOSING = auto()
    COMPARING = auto()
    LOADING = auto()
    SENDING = auto()
    RESTING = auto()
    CLOSING = auto()
    DRAINING = auto()
    DISOWNING = auto()
    FINISHING = auto()
    DONE = auto()


E = EmigrationState
T = TypeVar("T")
ASKED_US = 50
LEAST_REST_US = 3000
"""See above."""
Place = tuple[int, str, int]
"""Cluster key, namespace, partition."""


class Rests:
    """How long emigrations have gone on without the rests that they owe, together."""

    def __init__(self, is_asked: Callable[[], bool] = lambda: False) -> None:
        """`is_asked`: have clients asked the node for anything lately?"""
        self.is_asked = is_asked
        self._owed_us = 0

    def due_ms(self, records: int, sleep_us: int) -> int:
        """How long to rest after so many records, of which each asks for `sleep_us`; 0: go on."""
        if sleep_us and self.is_asked():
            sleep_us = max(sleep_us, ASKED_US)
        self._owed_us += records * sleep_us
        if self._owed_us < LEAST_REST_US:
            return 0
        due_ms, self._owed_us = self._owed_us // 1000, 0
        return due_ms


class Emigration(StateMachine):
    """One partition's records on their way to one node."""

    TABLE = table(
        "emigration",
        (E.STARTING, ImmigrateReady, "", E.SURVEYING, "_survey"),
        (E.STARTING, Due, "", E.STARTING, "_ask_to_start"),
        (E.SURVEYING, Surveyed, "", E.CHOOSING, "_note_survey"),
        (E.CHOOSING, Onward, "_has_records_to_send", E.LOADING, "_load"),
        (E.CHOOSING, Onward, "_has_records_to_compare", E.COMPARING, "_compare"),
        (E.CHOOSING, Onward, "_hands_over", E.CLOSING, "_close"),
        (E.CHOOSING, Onward, "", E.FINISHING, "_say_done"),
        (E.COMPARING, ImmigrateWants, "_is_of_this_batch", E.CHOOSING, "_note_wants"),
        (E.COMPARING, Due, "", E.COMPARING, "_send_again"),
        (E.LOADING, Loaded, "_found_some", E.SENDING, "_send_batch"),
        (E.LOADING, Loaded, "", E.CHOOSING, "_go_on"),
        (E.SENDING, ImmigrateAck, "_leaves_some", E.SENDING, "_send_batch"),
        (E.SENDING, ImmigrateAck, "_is_followed_by_rest", E.RESTING, ""),
        (E.SENDING, ImmigrateAck, "_is_of_this_batch", E.CHOOSING, "_go_on"),
        (E.SENDING, Due, "", E.SENDING, "_send_again"),
        (E.RESTING, Due, "_has_rested", E.CHOOSING, "_go_on"),
        (E.CLOSING, Closed, "", E.DRAINING, "_look_whether_drained"),
        (E.DRAINING, Due, "_is_still_written", E.DRAINING, ""),
        (E.DRAINING, Due, "_stays_a_replica", E.FINISHING, "_say_done"),
        (E.DRAINING, Due, "", E.DISOWNING, "_disown"),
        (E.DISOWNING, VersionsSet, "", E.FINISHING, "_say_done"),
        (E.FINISHING, ImmigrateDone, "", E.DONE, ""),
        (E.FINISHING, Due, "", E.FINISHING, "_say_done"),
    )

    def __init__(
        self,
        place: Place,
        target: int,
        token: Token,
        config: MigrateConfig,
        observer: Observer | None = None,
    ) -> None:
        """`token` is what the daemon's answers to this emigration carry."""
        super().__init__(E.STARTING, observer)
        self.place = place
        self.target = target
        self.config = config
        self.outputs: list[Output] = []
        self.compares = False
        """Has the target a copy of its own?"""
        self.hands_over = False
        """Is this the serving node's, to the master?"""
        self.stays = True
        """Is this node a replica afterwards?"""
        self.is_written: Callable[[], bool] = _never
        self.disown: Callable[[Token], None] = _nothing
        self.rests = Rests()
        self.records_sent = 0
        self.rests_until = 0
        self.due = 0
        """When it is asked next whether it waits in vain."""
        self.patience_ms = config.retransmit_ms
        self.token = token
        self._to_compare: list[SummaryRow] = []
        self._to_send: list[bytes] = []
        self._loaded: list[RecordRow] = []
        self._batch = 0
        self._sent: Message | None = None

    @property
    def namespace(self) -> str:
        """The namespace of the partition."""
        return self.place[1]

    @property
    def partition(self) -> int:
        """The partition."""
        return self.place[2]

    def fire(self, event: object, now: int) -> bool:
        """As `StateMachine.fire`. What was not answered in time may take longer."""
        late = type(event) is Due
        config, longer_ms = self.config, 2 * self.patience_ms
        self.patience_ms = min(longer_ms, config.most_ms) if late else config.retransmit_ms
        return super().fire(event, now)

    def begin(self, now: int) -> None:
        """Ask the target to get ready."""
        self._ask_to_start(None, now)

    def _send(self, message: Message) -> None:
        self.outputs.append(Send(self.target, message, Channel.BULK))

    def _ask_to_start(self, _: object, now: int) -> None:
        self._send(EmigrateStart(*self.place))

    # --- what there is -------------------------------------------------------------------------

    def _survey(self, _: ImmigrateReady, now: int) -> None:
        self.outputs.append(Survey(self.namespace, self.token, self.partition))

    def _note_survey(self, surveyed: Surveyed, now: int) -> None:
        # Reversed, so that both are taken from the end.
        if self.compares:
            self._to_compare = list(reversed(surveyed.summaries))
        else:
            self._to_send = [row[0] for row in reversed(surveyed.summaries)]
        self._go_on(None, now)

    def _go_on(self, _: object, now: int) -> None:
        self.fire(Onward(), now)

    # --- what the target wants -----------------------------------------------------------------

    def _has_records_to_compare(self, _: Onward, now: int) -> bool:
        return bool(self._to_compare)

    def _compare(self, _: Onward, now: int) -> None:
        batch = tuple(_take(self._to_compare, self.config.compare_records))
        self._batch += 1
        self._sent = EmigrateSummary(*self.place, self._batch, batch)
        self._send(self._sent)

    def _send_again(self, _: object, now: int) -> None:
        assert self._sent is not None
        self._send(self._sent)

    def _is_of_this_batch(self, answer: ImmigrateWants | ImmigrateAck, now: int) -> bool:
        return answer.batch == self._batch

    def _note_wants(self, wants: ImmigrateWants, now: int) -> None:
        assert isinstance(self._sent, EmigrateSummary)
        told = self._sent.summaries
        places = (place for place in reversed(wants.places) if place < len(told))
        self._to_send = [told[place][0] for place in places]
        self._go_on(None, now)

    # --- records -------------------------------------------------------------------------------

    def _has_records_to_send(self, _: Onward, now: int) -> bool:
        return bool(self._to_send)

    def _load(self, _: Onward, now: int) -> None:
        digests = tuple(_take(self._to_send, self.config.batch_records))
        self.outputs.append(Load(self.namespace, self.token, digests))

    def _found_some(self, loaded: Loaded, now: int) -> bool:
        self._loaded = list(reversed(loaded.rows))
        return bool(loaded.rows)

    def _send_batch(self, _: object, now: int) -> None:
        """As many of those loaded as a batch takes; one at least."""
        room = self.config.batch_bytes
        rows = [self._loaded.pop()]
        room -= len(rows[0][6])
        while self._loaded and len(self._loaded[-1][6]) <= room:
            rows.append(self._loaded.pop())
            room -= len(rows[-1][6])
        self._batch += 1
        self._sent = EmigrateBatch(*self.place, self._batch, tuple(rows))
        self._send(self._sent)
        self.records_sent += len(rows)
        self.rests_until = now + self.rests.due_ms(len(rows), self.config.sleep_us)

    def _leaves_some(self, ack: ImmigrateAck, now: int) -> bool:
        return self._is_of_this_batch(ack, now) and bool(self._loaded)

    def _is_followed_by_rest(self, ack: ImmigrateAck, now: int) -> bool:
        return self._is_of_this_batch(ack, now) and now < self.rests_until

    def _has_rested(self, _: Due, now: int) -> bool:
        return now >= self.rests_until

    # --- the end -------------------------------------------------------------------------------

    def _hands_over(self, _: Onward, now: int) -> bool:
        return self.hands_over

    def _close(self, _: Onward, now: int) -> None:
        self.outputs.append(Close(self.namespace, self.partition, self.token))

    def _look_whether_drained(self, _: Closed, now: int) -> None:
        self.fire(Due(), now)

    def _is_still_written(self, _: Due, now: int) -> bool:
        return self.is_written()

    def _stays_a_replica(self, _: Due, now: int) -> bool:
        return self.stays

    def _disown(self, _: Due, now: int) -> None:
        self.disown(self.token)

    def _say_done(self, _: object, now: int) -> None:
        self._send(EmigrateDone(*self.place))

    def _check(self) -> None:
        assert not (self._to_compare or self._to_send) or self.state is not E.DONE
        assert self.state is not E.SENDING or self._sent is not None
        assert self.hands_over or self.state not in (E.CLOSING, E.DRAINING, E.DISOWNING)


def _take(items: list[T], limit: int) -> list[T]:
    """At most `limit` from the end of a list, the last first."""
    taken = items[: -limit - 1 : -1]
    del items[-limit:]
    return taken


def _never() -> bool:
    return False


def _nothing(token: Token) -> None:
    """Nothing is to be done."""
