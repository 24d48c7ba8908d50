"""Heavy commands: what is worked out elsewhere, and how a transaction goes on with it.

A command on a big value may take longer than everybody else can be kept waiting. What takes its
time, the filter and the ops, are pure functions of the record and the request, so another process
can do it (`asd.process.workers`) while the loop goes on:

    weigh     a transaction that has looked at its record asks what filter and ops will cost; over
              `effort.MOST` it raises `Leave`, and has changed nothing. So does one that was taken
              for light when it has worked for LONGEST_NS at one of its looks at the clock.
    hold      whoever ran the transaction has its work done (`asd.transactions.elsewhere`). A write
              holds its digest meanwhile (`asd.space.held_digests`): other writes of the record
              wait, in the order in which they came; reads have the record as it is.
    go on     the transaction is run again, from the start, with what was `Worked` handed in. It
              checks all that it checks otherwise, and where filter and ops would run it takes what
              was worked out, if that was of the very record that it has found. Else it leaves
              again: what changes records without a transaction (a replica's rows, expiry) does
              not wait. A read is answered from the record as it was when it left.

What must hold: a command comes to the same whether it leaves or not; nothing is changed before it
goes on; between the end of the hold and the commit nobody else runs; a worker that fails costs its
command a result code, by the way of every refusal, so that it is counted like one.

Rejected: a process for every command on big values (the way there and back costs more than most of
them do), and threads (`asd.process.workers`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from aerospike_common.wire.message import Message
from asd.bins.expressions import ExpressionCache
from asd.records.mask import Mask
from asd.records.record import Bins
from asd.records.record_view import RecordView
from storage.engine import Record

if TYPE_CHECKING:
    from asd.space.namespace import Namespace
    from asd.transactions.transaction import Transaction

LONGEST_NS: Final = 4_000_000
"""How long a transaction may work on the loop that was taken for a light one."""

MOST_ROUNDS: Final = 8
"""How often a record may have changed under a write before its client is told to try again."""


class Leave(Exception):
    """The transaction is heavy: it is to be run again with what was worked out elsewhere. Nothing
    has happened."""

    def __init__(self, transaction: Transaction, round: int) -> None:
        super().__init__("heavy")
        self.transaction = transaction
        self.round = round


class Occupied(Exception):
    """The record is being worked on elsewhere: the write is to be run again when that is over.
    Nothing has happened."""

    def __init__(self, namespace: Namespace, digest: bytes) -> None:
        super().__init__("occupied")
        self.namespace = namespace
        self.digest = digest


class Bench(Protocol):
    """What ops are applied on: a transaction, or what a worker has of one."""

    @property
    def message(self) -> Message:
        """The request."""

    @property
    def expressions(self) -> ExpressionCache:
        """Expressions compiled lately."""

    @property
    def most_bytes(self) -> int:
        """What any value may have, in bytes."""

    @property
    def mask(self) -> Mask | None:
        """What is to be seen of the record; None: all of it."""

    def view(self, record: Record | None, bins: Bins | None = None) -> RecordView:
        """The record as expressions see it; `bins` overrides what is stored."""

    def look(self, about: object = None) -> None:
        """Heavy work comes. Raises OutOfTime."""
