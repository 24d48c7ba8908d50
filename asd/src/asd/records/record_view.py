"""A record as expressions and operations see it: metadata at once, bins on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aerospike_common.wire.message import value_head
from asd.bins.effort import HEAVY, Timed
from asd.bins.expressions.record import record_size
from asd.bins.particle import Particle
from asd.records.record import CEMETERY, Bins, find_bin, stored_key, unpack_bins
from cluster.consistency.stamp import time_of
from storage.engine import Record


class RecordView:
    """One record at one moment. With `bins` given, those are seen instead of the stored ones.

    `digest`, `record` and `now_ms` may be set anew, to look at another record of the set.

    `time`   how long may be worked on it, if there is a limit,
    `keeps`  whether big lists and maps stay decoded: for a view that is thrown away after its
             request, in which one bin may be named a thousand times.
    """

    __slots__ = (
        "_bins",
        "_decoded",
        "_key",
        "digest",
        "in_memory",
        "keeps",
        "now_ms",
        "record",
        "set_name",
        "time",
    )

    def __init__(
        self,
        digest: bytes,
        record: Record | None,
        set_name: bytes,
        now_ms: int,
        bins: Bins | None = None,
        key: bytes | None = None,
        in_memory: bool = True,
    ) -> None:
        self.in_memory = in_memory
        self.digest = digest
        self.set_name = set_name
        self.now_ms = now_ms
        self._bins = bins
        self._key = key
        self.record: Record = (0, 0, now_ms, 0, 0, b"\0\0") if record is None else record
        self.time: Timed | None = None
        self.keeps = False
        self._decoded: dict[bytes, tuple[bytes, Any]] | None = None

    @property
    def generation(self) -> int:
        """How many writes have made it, 1-65535; 0 when there is no record."""
        return self.record[0]

    @property
    def void_time(self) -> int:
        """Seconds since 2010, 0 = never expires."""
        return self.record[1]

    @property
    def last_update_time(self) -> int:
        """Milliseconds since 2010."""
        return time_of(self.record[2])

    @property
    def stored_key(self) -> bytes:
        """The user's key, type byte first; empty when none is stored."""
        return stored_key(self.record[5], self.record[4]) if self._key is None else self._key

    @property
    def has_key(self) -> bool:
        """The user's key is stored with the record."""
        return bool(self.stored_key)

    @property
    def is_tombstone(self) -> bool:
        """The record is a durable delete."""
        return self.record[4] >= CEMETERY

    def key(self) -> Particle | None:
        """The stored key, or None."""
        key = self.stored_key
        return Particle(key[0], key[1:]) if key else None

    def bin(self, name: bytes) -> Particle | None:
        """One bin, or None when it is missing."""
        if self._bins is not None:
            return self._bins.get(name)
        return find_bin(self.record[5], name)

    def bin_data(self, name: bytes, kind: int) -> bytes | None:
        """The bytes of a bin of this particle type; None when it is missing or of another."""
        if self._bins is not None:
            value = self._bins.get(name)
            return value.data if value is not None and value.type == kind else None
        # As `find_bin`, but what a filter does with every record makes as few objects as can be.
        payload = self.record[5]
        count = payload[0] << 8 | payload[1]
        end = 2
        while count:
            size, found, name_size = value_head(payload, end)
            start = end + 8 + name_size
            end += 4 + size
            if payload[start - name_size : start] == name:
                return payload[start:end] if found == kind else None
            count -= 1
        return None

    def collection(self, name: bytes, kind: int, decode: Callable[[bytes], Any]) -> Any:
        """A list or map as `decode` makes it, not to be changed; None when the bin is missing or of
        another particle type. Raises OutOfTime."""
        data = self.bin_data(name, kind)
        if data is None:
            return None
        if len(data) < HEAVY:
            return decode(data)
        self.look()
        if not self.keeps:
            return decode(data)
        if self._decoded is None:
            self._decoded = {}
        kept = self._decoded.get(name)
        if kept is not None and kept[0] == data:
            return kept[1]
        self._decoded[name] = (data, decoded := decode(data))
        return decoded

    def look(self) -> None:
        """Heavy work on the record comes. Raises OutOfTime when its time is over."""
        if self.time is not None:
            self.time.look(self.record)

    def bin_type(self, name: bytes) -> int:
        """The particle type of a bin; 0 when it is missing."""
        value = self.bin(name)
        return 0 if value is None else value.type

    def bins(self) -> Bins:
        """All bins."""
        return unpack_bins(self.record[5]) if self._bins is None else self._bins

    def record_size(self) -> int:
        """Bytes the record takes by the rules of the real server, a multiple of 16."""
        return record_size(self.void_time, self.set_name, self.key(), self.bins().items())
