"""`Record`: what a read or query gives."""

from __future__ import annotations

from typing import Any, NamedTuple

from aerospike_client.key import Key
from citrusleaf.cf_clock import Clock, SystemClock, epoch_s_to_unix_s


class Record(NamedTuple):
    """A record's key, bins and metadata. (A tuple underneath, because a query makes many.)"""

    key: Key
    #: Bin name to value; empty when only metadata was asked for.
    bins: dict[str, Any]
    #: 1 with the first write, one more with each other.
    generation: int
    #: When the record expires, in seconds since 2010-01-01 UTC; 0 = never.
    void_time: int
    #: What each operation of `operate` has answered, in their order: name of the bin and value.
    #: `bins` has of several values for one bin the last. Empty for other commands.
    results: tuple[tuple[str, Any], ...] = ()

    def expires_at(self) -> int | None:
        """When the record expires, in Unix seconds; None = never."""
        return epoch_s_to_unix_s(self.void_time) if self.void_time else None

    def ttl(self, clock: Clock | None = None) -> int | None:
        """Seconds that the record has to live by this machine's clock, 1 at least; None = never."""
        if not self.void_time:
            return None
        return max(1, self.void_time - (clock or SystemClock()).epoch_s())
