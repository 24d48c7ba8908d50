"""`AsAerospike`: the database as a user's function sees it."""

from __future__ import annotations

from typing import Protocol

from aerospike_common.as_logger import AsLogLevel
from aerospike_common.as_rec import AsRec


class AsAerospike(Protocol):
    """What a function may ask of the database it runs in.

    The methods that write return the code that the function's author reads: 0 when it is done,
    another number when it is not. They raise nothing for a request that is refused.
    """

    def rec_create(self, record: AsRec) -> int:
        """Store a new record. 1: it exists; 4: its set or the node refuse it; -1: other."""

    def rec_update(self, record: AsRec) -> int:
        """Store a record's changes; without any, touch it. -2: no such record; -1: refused."""

    def rec_remove(self, record: AsRec) -> int:
        """Delete a record. 1: no such record."""

    def rec_exists(self, record: AsRec) -> bool:
        """Whether the record exists."""

    def log(self, level: AsLogLevel, message: str) -> None:
        """Write a line to the server's log."""

    def get_current_time(self) -> int:
        """Now, in milliseconds since 1970-01-01 UTC."""
