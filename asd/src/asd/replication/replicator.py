"""A namespace's writes on their way to its replicas: an observer of the door, and a stage of its
commitments.

    door  a record has changed here -> a row is given to the fast lane (`Transactions.replicate`)
    turn end   the lane is flushed: one message to each replica, whatever the turn wrote
    release    when all replicas of a turn's rows have them; the replies go out

Theory of operation
-------------------
The lane answers `replicate` with the number of the turn's
commitment there. There is one such number for each group of replicas that the turn's writes go to:
two on a node of three with two copies. Our own commitment (`asd.space.commitment`) waits for all of
them, and for whatever else the namespace's writes wait for (a sync). Where a partition has no
replicas the number is 0, and nothing waits.

What must hold:

- The observer is there before a partition's byte says `REPLICATED` (`asd.replication.ownership`),
  or a fast path made before would write past it. Where no partition has replicas it is not there,
  and a write costs nothing.
- A row is made in the step in which the record was written, so no other write of the record and no
  message of the cluster comes between.
- Writes that come from other nodes are not sent on: the door does not tell of them.
- What the slow lane carries out (`collecting`) is not given to the fast lane here: the library does
  that itself with what it is told, in the same step.
- Nobody writes to a partition that this node does not serve. Whoever does not come by
  `asd.transactions.dispatch` asks the partition's byte first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aerospike_common.wire.codes import ResultCode
from asd.replication.rows import removal, row_flags, set_text
from asd.space.commitment import Commitment
from asd.space.namespace import Namespace
from cluster.messages import RecordRow
from storage.engine import Record


class Replicator:
    """The replication of one namespace's writes."""

    def __init__(
        self,
        namespace: Namespace,
        replicate: Callable[[str, RecordRow], int],
        flush: Callable[[], None],
    ) -> None:
        """`replicate` and `flush` are the fast lane's."""
        self._namespace = namespace
        self._replicate = replicate
        self._flush = flush
        self._collected: list[RecordRow] | None = None
        self._set_texts: dict[int, str] = {}
        self._name = namespace.name
        self._waiting: dict[int, Commitment] = {}
        self._noted = 0
        """The commitment of the lane that was last given a write."""
        self._observes = False
        self.made = 0
        """Versions that were made here, and given to the lane."""
        namespace.commitments.add_stage(self._end_turn)

    # -------------------------------------------------------------- the observer

    def observe(self, wanted: bool) -> bool:
        """Be an observer of the door from now on, or no more; True when that has changed."""
        if wanted == self._observes:
            return False
        self._observes = wanted
        door = self._namespace.door
        if wanted:
            door.observe(self)
        else:
            door.forget(self)
        return True

    def __call__(self, digest: bytes, new: Record | None) -> None:
        """A record has this version now; None: it has gone and left nothing."""
        if new is None:
            row = removal(digest, self._namespace.clock.epoch_ms())
        else:  # `row_of`, spelled out: each replicated write comes through here
            generation, void_time, updated_ms, set_id, flags, payload = new
            text = self._set_texts.get(set_id)
            if text is None:
                text = self._learn(set_id)
            flags = flags and row_flags(flags)
            row = digest, generation, updated_ms, void_time, text, flags, payload
        if self._collected is not None:
            self._collected.append(row)
            return
        self.made += 1
        number = self._replicate(self._name, row)
        if number != self._noted or self._namespace.consistency is not None:
            self._wait(number, digest, new)

    def again(self, row: RecordRow) -> None:
        """Give a version that stands here to all replicas, which may not have it."""
        self._wait(self._replicate(self._name, row), row[0], None)

    def _wait(self, number: int, digest: bytes, new: Record | None) -> None:
        """The turn's writes are acknowledged when the lane's commitment, if any, is over."""
        self._noted = number
        if not number:
            return
        if number not in self._waiting:
            commitments = self._namespace.commitments
            commitments(digest, new)
            assert commitments.turn is not None
            commitments.turn.expect()
            self._waiting[number] = commitments.turn
        if self._namespace.consistency is not None:
            self._namespace.consistency.written(digest, self._waiting[number])

    def _learn(self, set_id: int) -> str:
        text = self._set_texts[set_id] = set_text(self._namespace.set_names[set_id])
        return text

    @contextmanager
    def collecting(self, rows: list[RecordRow]) -> Iterator[None]:
        """What is written inside is added to `rows`, and is for the library to send."""
        self._collected = rows
        was_observing = self._observes
        self.observe(True)
        try:
            yield
        finally:
            self._collected = None
            self.observe(was_observing)

    # ------------------------------------------------------------------ the stage

    def _end_turn(self, commitment: Commitment) -> None:
        self._flush()

    def released(self, number: int, in_doubt: bool) -> None:
        """The lane's commitment is over."""
        commitment = self._waiting.pop(number, None)
        if commitment is not None:
            commitment.arrive(ResultCode.TIMEOUT if in_doubt else ResultCode.OK)
            self._namespace.commitments.settle()

    def _check(self) -> None:
        """Assert every invariant."""
        assert not any(each.released for each in self._waiting.values())
        assert self._observes == (self in self._namespace.door.observers)
