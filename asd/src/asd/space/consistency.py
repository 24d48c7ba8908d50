"""What strong consistency asks of one namespace's transactions.

A write is *pending* until all replicas of the regime have it. Nobody is told of it before: not who
wrote it, not who reads the record, nor who is refused because of what the record is now. A
linearizable read is answered when the replicas say moreover that no other node serves.

Last-update-times are stamps (`cluster.consistency.stamp`): the regime first, then the time; and on
one node never earlier than what it has seen, so that versions of one regime are in order whatever
its clock does.

What is refused (`strong-consistency-allow-expunge false`): deletes that leave no tombstone, and
records that expire. Either could come back with a copy that was away. All writes are refused while
the clocks of the cluster differ by more than the heartbeat allows for; nothing here relies on them,
but who reads times does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aerospike_common.wire.codes import Info2, Info3, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.space.commitment import Commitment, Commitments
from citrusleaf.cf_digest import partition_id
from cluster.consistency.stamp import stamp

_WRITE: Final = int(Info2.WRITE)
_MODES: Final = int(Info3.SC_READ_TYPE | Info3.SC_READ_RELAX)
_LINEARIZE: Final = int(Info3.SC_READ_TYPE)

Confirm = Callable[[int, Callable[[bool], None]], None]
"""Ask the replicas of a partition whether this node still serves it; tells the answer."""


def is_linearizable(message: Message) -> bool:
    """Must a read have the latest value for all clients?"""
    return message.info3 & _MODES == _LINEARIZE and not message.info2 & _WRITE


def takes_unavailable(message: Message) -> bool:
    """May a read be answered from a partition that nobody may serve?"""
    return message.info3 & _MODES == _MODES and not message.info2 & _WRITE


class Consistency:
    """The state of one namespace. Belongs to the loop's thread."""

    def __init__(self, commitments: Commitments, now_ns: Callable[[], int]) -> None:
        self.regime = 0
        """That of the cluster in which the namespace is served."""
        self.latest = 0
        """No version here has a later stamp."""
        self.skewed = False
        """Do the clocks of the cluster differ too far for writes?"""
        self.confirm: Confirm = lambda partition, hear: hear(True)
        self._commitments = commitments
        self._now_ns = now_ns
        self._pending: dict[bytes, Commitment] = {}

    def stamp(self, now_ms: int) -> int:
        """The last-update-time of what is written now."""
        self.latest = stamp(self.regime, now_ms, self.latest)
        return self.latest

    def seen(self, stamped: int, is_tombstone: bool) -> None:
        """A version is here. What is written over a tombstone begins with generation 1, so that it
        must have a later time."""
        self.latest = max(self.latest, stamped + is_tombstone)

    def check(self, message: Message) -> None:
        """Raise FORBIDDEN for a write while clocks differ too far."""
        if self.skewed and message.info2 & _WRITE:
            raise OperationError(ResultCode.FORBIDDEN, "the clocks of the cluster differ too far")

    # ------------------------------------------------------------------- waiting

    def written(self, digest: bytes, commitment: Commitment) -> None:
        """A record was written, and its replicas have it when the commitment is released."""
        if self._pending.get(digest) is commitment:
            return
        self._pending[digest] = commitment

        def over() -> None:
            if self._pending.get(digest) is commitment:
                del self._pending[digest]

        commitment.when_released(over)

    def waits_for(self, message: Message, digest: bytes) -> Commitment | None:
        """What the answer to a transaction that has just been run waits for."""
        pending, turn = self._pending.get(digest), self._commitments.turn
        if message.info2 & _WRITE and pending in (None, turn):
            return turn
        confirms = is_linearizable(message)
        if pending is None and not confirms:
            return None
        own = Commitment(self._now_ns())

        def confirmed(yes: bool) -> None:
            own.arrive(ResultCode.OK if yes else ResultCode.TIMEOUT)
            own.release(self._now_ns())

        def settled() -> None:
            if confirms and (pending is None or pending.code == ResultCode.OK):
                self.confirm(partition_id(digest), confirmed)
            else:
                confirmed(pending is None or pending.code == ResultCode.OK)

        if pending is None:
            settled()
        else:
            pending.when_released(settled)
        return None if own.released and own.code == ResultCode.OK else own
