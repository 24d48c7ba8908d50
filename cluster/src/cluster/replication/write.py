"""A transaction on one record where its partition is served: the slow lane.

The nodes that may have a newer version are asked for theirs (only while copies differ); the best of
their answers goes with the transaction to the daemon, which carries it out in one step and says
which versions it made; those take the fast lane to the replicas like any other write; then it is
done.

The new version need not win over anything: it is in its place because it was made from the winner,
and the lane's order puts it in its place on the replicas. The daemon may take as long as it likes,
for a record that is not in memory or a slow disk; only transactions on the same record wait
meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import auto

from attrs import frozen

from cluster.messages import DuplicateRead, RecordRow
from cluster.outputs import CarriedOut, CarryOut, Channel, Output, Request, Token
from cluster.records import ConflictPolicy, wins
from cluster.state_machine import Observer, State, StateMachine, table

TIMEOUT_MS = 1500
"""How long the fabric asks again before we hear that there was no answer."""


class WriteState(State):
    """Where a write stands."""

    NEW = auto()
    RESOLVING = auto()
    CARRYING = auto()
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
    rows: tuple[RecordRow, ...]


@frozen
class NoAnswer:
    """A node did not answer, or is in another cluster."""

    node: int


@frozen
class ReplicasHaveIt:
    """All replicas have kept what it made."""


@frozen
class NobodyKnows:
    """The cluster has changed, and another node serves: which replicas have it is not known."""


@frozen
class BrokenOff:
    """The cluster has changed before it was carried out: it will not be."""


W = WriteState


class RecordWrite(StateMachine):
    """One transaction on one record. `answer` is what the client is told once it is done."""

    TABLE = table(
        "record write",
        (W.NEW, Begin, "_has_duplicates", W.RESOLVING, "_ask_duplicates"),
        (W.NEW, Begin, "", W.CARRYING, "_carry_out"),
        (W.RESOLVING, DuplicateCame, "_is_the_last", W.CARRYING, "_note_and_carry_out"),
        (W.RESOLVING, DuplicateCame, "", W.RESOLVING, "_note"),
        (W.RESOLVING, NoAnswer, "", W.RESOLVING, "_ask_duplicate_again"),
        (W.CARRYING, CarriedOut, "_is_for_replicas", W.REPLICATING, "_replicate"),
        (W.CARRYING, CarriedOut, "", W.DONE, "_note_answer"),
        (W.REPLICATING, ReplicasHaveIt, "", W.DONE, ""),
        (W.REPLICATING, NobodyKnows, "", W.BROKEN, "_be_in_doubt"),
        (W.NEW, BrokenOff, "", W.BROKEN, ""),
        (W.RESOLVING, BrokenOff, "", W.BROKEN, ""),
        (W.CARRYING, BrokenOff, "", W.BROKEN, ""),
    )

    def __init__(
        self,
        place: tuple[int, str, bytes],
        body: bytes,
        token: Token,
        policy: ConflictPolicy,
        replicate: Callable[[tuple[RecordRow, ...]], int],
        observer: Observer | None = None,
    ) -> None:
        """`place`: cluster key, namespace, digest. `replicate` gives rows to the fast lane and
        returns their commitment (0: there is no replica)."""
        super().__init__(W.NEW, observer)
        self.place = place
        self.duplicates: tuple[int, ...] = ()
        self.unproven = False
        self.answer = b""
        self.in_doubt = False
        self.commitment = 0
        self.outputs: list[Output] = []
        self._body = body
        self.token = token
        self._policy = policy
        self._send = replicate
        self._waiting: set[int] = set()
        self._best: RecordRow | None = None

    def _has_duplicates(self, _: Begin, now: int) -> bool:
        return bool(self.duplicates)

    def _ask(self, node: int) -> None:
        asked = DuplicateRead(*self.place)
        self.outputs.append(Request(node, asked, Channel.REPLICATION, TIMEOUT_MS, (self, node)))

    def _ask_duplicates(self, _: Begin, now: int) -> None:
        self._waiting = set(self.duplicates)
        for node in self.duplicates:
            self._ask(node)

    def _ask_duplicate_again(self, silent: NoAnswer, now: int) -> None:
        if silent.node in self._waiting:
            self._ask(silent.node)

    def _is_the_last(self, came: DuplicateCame, now: int) -> bool:
        return self._waiting <= {came.node}

    def _note(self, came: DuplicateCame, now: int) -> None:
        self._waiting.discard(came.node)
        for row in came.rows:
            if wins(row, self._best, self._policy):
                self._best = row

    def _note_and_carry_out(self, came: DuplicateCame, now: int) -> None:
        self._note(came, now)
        self._carry_out(came, now)

    def _carry_out(self, _: object, now: int) -> None:
        _, namespace, digest = self.place
        asked = CarryOut(namespace, self.token, digest, self._body, self._best, self.unproven)
        self.outputs.append(asked)

    def _is_for_replicas(self, carried: CarriedOut, now: int) -> bool:
        self.commitment = self._send(carried.rows) if carried.rows else 0
        return bool(self.commitment)

    def _replicate(self, carried: CarriedOut, now: int) -> None:
        self._note_answer(carried, now)

    def _note_answer(self, carried: CarriedOut, now: int) -> None:
        self.answer = carried.answer

    def _be_in_doubt(self, _: NobodyKnows, now: int) -> None:
        self.in_doubt = True
