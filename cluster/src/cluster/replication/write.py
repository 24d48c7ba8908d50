"""A replicated write where its partition is served: resolve duplicates, apply, replicate."""

from __future__ import annotations

from collections.abc import Callable
from enum import auto

from attrs import frozen

from cluster.machine import Machine, Observer, State, table
from cluster.messages import DuplicateRead, ReplicaWrite
from cluster.outputs import Channel, Output, Request
from cluster.records import Record, RecordStore, from_row
from cluster.wire import Message

TIMEOUT_MS = 1500
"""How long the fabric asks again before we hear that there was no answer."""


class WriteState(State):
    """Where a write stands."""

    NEW = auto()
    RESOLVING = auto()
    REPLICATING = auto()
    DONE = auto()
    BROKEN = auto()


@frozen
class Begin:
    """Its turn has come."""


@frozen
class DuplicateCame:
    """A node's version of the record: none, or one."""

    node: int
    records: tuple[Record, ...]


@frozen
class ReplicaHasIt:
    """A replica has kept the new version."""

    node: int


@frozen
class NoAnswer:
    """A node did not answer, or is in another cluster."""

    node: int


@frozen
class BrokenOff:
    """The cluster has changed, or the client waits no more."""


W = WriteState
Change = Callable[[Record | None], Record | None]
"""From the record that is there (a tombstone included) to its new version; None: write nothing."""


class RecordWrite(Machine):
    """One write. `outcome` is the new version once it is done: None when nothing was written."""

    TABLE = table(
        "replica write",
        (W.NEW, Begin, "_has_duplicates", W.RESOLVING, "_ask_duplicates"),
        (W.NEW, Begin, "", W.REPLICATING, "_apply"),
        (W.RESOLVING, DuplicateCame, "_is_the_last", W.REPLICATING, "_note_and_apply"),
        (W.RESOLVING, DuplicateCame, "", W.RESOLVING, "_note"),
        (W.RESOLVING, NoAnswer, "", W.RESOLVING, "_ask_duplicate_again"),
        (W.RESOLVING, BrokenOff, "", W.BROKEN, ""),
        (W.REPLICATING, ReplicaHasIt, "_is_the_last", W.DONE, ""),
        (W.REPLICATING, ReplicaHasIt, "", W.REPLICATING, "_note_replica"),
        (W.REPLICATING, NoAnswer, "", W.REPLICATING, "_replicate_again"),
        (W.REPLICATING, BrokenOff, "", W.BROKEN, "_say_unfinished"),
        (W.NEW, BrokenOff, "", W.BROKEN, ""),
    )

    def __init__(
        self,
        cluster_key: int,
        digest: bytes,
        change: Change,
        store: RecordStore,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(W.NEW, observer)
        self.digest = digest
        self.outcome: Record | None = None
        self.duplicates: tuple[int, ...] = ()
        self.targets: tuple[int, ...] = ()
        self.is_unfinished = False
        self.outputs: list[Output] = []
        self._key = cluster_key
        self._change = change
        self._store = store
        self._waiting: set[int] = set()
        self._best: Record | None = None

    def _has_duplicates(self, _: Begin, now: int) -> bool:
        return bool(self.duplicates)

    def _request(self, node: int, message: Message, channel: Channel) -> None:
        self.outputs.append(Request(node, message, channel, TIMEOUT_MS, (self, node)))

    def _ask_duplicates(self, _: Begin, now: int) -> None:
        self._waiting = set(self.duplicates)
        for node in self.duplicates:
            self._request(node, DuplicateRead(self._key, self.digest), Channel.REPLICATION)

    def _ask_duplicate_again(self, silent: NoAnswer, now: int) -> None:
        if silent.node in self._waiting:
            asked = DuplicateRead(self._key, self.digest)
            self._request(silent.node, asked, Channel.REPLICATION)

    def _is_the_last(self, came: DuplicateCame | ReplicaHasIt, now: int) -> bool:
        return self._waiting <= {came.node}

    def _note(self, came: DuplicateCame, now: int) -> None:
        self._waiting.discard(came.node)
        for record in came.records:
            if self._store.wins(record, self._best):
                self._best = record

    def _note_and_apply(self, came: DuplicateCame, now: int) -> None:
        self._note(came, now)
        self._apply(came, now)

    def _apply(self, _: object, now: int) -> None:
        """Make the new version here, then on the others. All of it is ours alone: we are first in
        the digest's line."""
        current = self._store.get(self.digest)
        if self._best is not None and self._store.wins(self._best, current):
            # Not applied by itself: our copy may vouch that the replicas have all it has.
            current = self._best
        new = self._change(current)
        self._waiting = set(self.targets) if new is not None else set()
        if new is not None:
            kept = self._store.apply(new)
            assert kept, "a new version replaces the one it was made from"
            self.outcome = new
        for node in sorted(self._waiting):
            self._replicate(node)
        if not self._waiting:
            self.fire(ReplicaHasIt(0), now)

    def _replicate(self, node: int) -> None:
        assert self.outcome is not None
        message = ReplicaWrite(self._key, (self.outcome.row(),))
        self._request(node, message, Channel.REPLICATION)

    def _note_replica(self, came: ReplicaHasIt, now: int) -> None:
        self._waiting.discard(came.node)

    def _replicate_again(self, silent: NoAnswer, now: int) -> None:
        if silent.node in self._waiting:
            self._replicate(silent.node)

    def _say_unfinished(self, _: BrokenOff, now: int) -> None:
        self.is_unfinished = True

    def answered(self, node: int, records: tuple[Record, ...] | None, now: int) -> None:
        """A node's answer to what `outputs` asked; None: it has none for this cluster."""
        if records is None:
            self.fire(NoAnswer(node), now)
        elif self.state is W.RESOLVING:
            self.fire(DuplicateCame(node, records), now)
        else:
            self.fire(ReplicaHasIt(node), now)


def records_of(rows: tuple[tuple[bytes, int, int, bool, bytes], ...]) -> tuple[Record, ...]:
    """The records of a message."""
    return tuple(from_row(row) for row in rows)
