"""`AsRec`: a record as a user's function sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aerospike_common.as_val import AsVal


class AsRec(Protocol):
    """Named bins and a little about their record.

    Writing changes this object; `AsAerospike.rec_create` and `rec_update` make it last. A function
    is given one for a record that does not exist, too: without bins, of generation 0.
    """

    def get(self, bin_name: str) -> AsVal | None:
        """The bin's value; None when the record has no such bin."""

    def set(self, bin_name: str, value: AsVal) -> None:
        """Give the bin a value. Raises ValueError for what no bin can hold."""

    def remove(self, bin_name: str) -> None:
        """Take the bin away; nothing happens when there is none."""

    def bin_names(self) -> Sequence[str]:
        """The names of all bins."""

    def numbins(self) -> int:
        """How many bins there are."""

    def digest(self) -> bytes:
        """The record's 20 bytes of digest."""

    def setname(self) -> str | None:
        """The name of its set; None for a record without one."""

    def gen(self) -> int:
        """Its generation, 1 to 65535; 0 when it does not exist."""

    def ttl(self) -> int:
        """The seconds it has yet to live; 0 when it never expires, or has."""

    def set_ttl(self, ttl_s: int) -> None:
        """The time to live it shall have: seconds, or one of the protocol's special values."""


class AsStoredRec(AsRec, Protocol):
    """A record that a server holds: what only the server knows of it."""

    def key(self) -> AsVal | None:
        """The user's key; None when it is not stored with the record."""

    def drop_key(self) -> None:
        """Store the user's key no longer."""

    def last_update_time(self) -> int:
        """When it was last written, in milliseconds since 2010-01-01 UTC."""

    def size(self) -> int:
        """The bytes it takes in storage."""
