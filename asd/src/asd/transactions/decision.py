"""What a transaction decides, before anything is done.

The functions of this room (`read`, `write`, `delete`, `udf`) look at the record and at the request
and return a `Decision`; they change nothing. `asd.transactions.outcome.perform` has the change
committed and the end counted. So a transaction that must wait for its record, or is refused, has
left nothing behind; and what happens between a decision and its effect (copies to other nodes,
locks, quotas) has one place.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from asd.records.change import Change
from asd.transactions.transaction import Reply
from storage.engine import Record


class Effect(Enum):
    """What a transaction comes to, for the counters that look closer than its result code."""

    NONE = auto()
    """Nothing but its reply."""
    WRITTEN = auto()
    RENEWED = auto()
    """A read has given the record new time."""
    NOT_RENEWED = auto()
    """A read might have, but the record had time enough."""
    DELETED = auto()
    EMPTIED = auto()
    """A write has left no bin, so the record goes."""
    FAILED = auto()
    """A function failed."""


class Decision(NamedTuple):
    """The reply to send once the change, if there is one, is committed.

    `echo` is the live record whose generation and void-time a refusal of the change tells; None
    where a refusal tells nothing.
    """

    reply: Reply
    change: Change | None = None
    effect: Effect = Effect.NONE
    echo: Record | None = None
