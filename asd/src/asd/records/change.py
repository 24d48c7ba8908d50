"""What a transaction does to one record, as a value: all that the door to the engine needs."""

from __future__ import annotations

from typing import NamedTuple

from storage.engine import Record


class Change(NamedTuple):
    """One record, before and after.

    `old` is what stands in the store now, dead or alive: the version that the transaction looked
    at, so that nobody has to look it up again; None where there is none (a tombstone is none).
    `new` is the version to come, a tombstone (`storage.engine.TOMBSTONE` in its flags), or None:
    the record goes and leaves nothing.
    """

    digest: bytes
    old: Record | None
    new: Record | None
