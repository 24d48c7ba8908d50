"""A record as expressions and operations see it: metadata at once, bins on demand."""

from __future__ import annotations

from asd.bins.expressions.record import record_size
from asd.bins.particle import Particle
from asd.record import Bins, find_bin, stored_key, unpack_bins
from storage.engine import TOMBSTONE, Record


class RecordView:
    """One record at one moment. With `bins` given, those are seen instead of the stored ones."""

    __slots__ = (
        "_bins",
        "_payload",
        "digest",
        "flags",
        "generation",
        "in_memory",
        "last_update_time",
        "now_ms",
        "set_name",
        "stored_key",
        "void_time",
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
        if record is None:
            self.generation, self.void_time, self.last_update_time, self.flags = 0, 0, now_ms, 0
            self._payload = b"\0\0"
        else:
            self.generation, self.void_time, self.last_update_time, _, self.flags, self._payload = (
                record
            )
        self.stored_key = stored_key(self._payload, self.flags) if key is None else key

    @property
    def has_key(self) -> bool:
        """The user's key is stored with the record."""
        return bool(self.stored_key)

    @property
    def is_tombstone(self) -> bool:
        """The record is a durable delete."""
        return bool(self.flags & TOMBSTONE)

    def key(self) -> Particle | None:
        """The stored key, or None."""
        key = self.stored_key
        return Particle(key[0], key[1:]) if key else None

    def bin(self, name: bytes) -> Particle | None:
        """One bin, or None when it is missing."""
        if self._bins is not None:
            return self._bins.get(name)
        return find_bin(self._payload, name)

    def bin_type(self, name: bytes) -> int:
        """The particle type of a bin; 0 when it is missing."""
        value = self.bin(name)
        return 0 if value is None else value.type

    def bins(self) -> Bins:
        """All bins."""
        return unpack_bins(self._payload) if self._bins is None else self._bins

    def record_size(self) -> int:
        """Bytes the record takes by the rules of the real server, a multiple of 16."""
        return record_size(self.void_time, self.set_name, self.key(), self.bins().items())
