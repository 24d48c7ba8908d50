"""What an expression sees of a record, and the size formula that `record_size` reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from aerospike_common.wire.codes import ParticleType
from asd.bins.particle import Particle

EPOCH_2010_S: Final = 1262304000
"""Seconds from the Unix epoch to 2010-01-01, the zero of void-times and last-update-times."""


class RecordView(Protocol):
    """One record at one moment. Everything is read lazily: an expression touches what it names."""

    @property
    def digest(self) -> bytes:
        """20 bytes."""
        ...

    @property
    def set_name(self) -> bytes:
        """The set, empty when the record has none."""
        ...

    @property
    def void_time(self) -> int:
        """Seconds since 2010, 0 = never expires."""
        ...

    @property
    def last_update_time(self) -> int:
        """Milliseconds since 2010."""
        ...

    @property
    def now_ms(self) -> int:
        """The clock of this evaluation, milliseconds since 2010."""
        ...

    @property
    def is_tombstone(self) -> bool:
        """True for what a durable delete left behind."""
        ...

    @property
    def has_key(self) -> bool:
        """True when the user key is stored with the record."""
        ...

    def key(self) -> Particle | None:
        """The stored user key, None when it is not stored."""
        ...

    @property
    def in_memory(self) -> bool:
        """Whether the record's namespace keeps its data in memory alone."""
        ...

    def record_size(self) -> int:
        """Bytes the record takes at rest, see `record_size`."""
        ...

    def bin(self, name: bytes) -> Particle | None:
        """The bin's value, None when there is no such bin."""
        ...

    def bin_data(self, name: bytes, kind: int) -> bytes | None:
        """The bytes of the bin's value if it is of this particle type, None otherwise."""
        ...

    def collection(self, name: bytes, kind: int, decode: Callable[[bytes], Any]) -> Any:
        """The list or map in a bin as `decode` makes it, None when it is missing or of another
        type. Not to be changed: it may be kept for the next that asks. Raises OutOfTime."""
        ...

    def look(self) -> None:
        """Heavy work on the record comes. Raises OutOfTime."""
        ...


FIXED_SIZE: Final = 40
VOID_TIME_SIZE: Final = 4
SIZE_UNIT: Final = 16
VALUE_HEADER_SIZE: Final = 4
"""Length prefix of every value that is neither a number nor a boolean."""


def record_size(
    void_time: int, set_name: bytes, key: Particle | None, bins: Iterable[tuple[bytes, Particle]]
) -> int:
    """Bytes a record takes at rest: its parts, rounded up to a multiple of 16.

    `void_time` in seconds since 2010 (0 takes no room), `bins` as (name, value) pairs. O(bins).
    """
    size = FIXED_SIZE
    if void_time:
        size += VOID_TIME_SIZE
    if set_name:
        size += 1 + len(set_name)
    if key is not None:
        # The size of a key is a varint of what follows: its type byte and its value.
        stored = 1 + len(key.data)
        size += (stored.bit_length() + 6) // 7 + stored
    for name, value in bins:
        size += 2 + len(name) + _value_size(value)
    return -(-size // SIZE_UNIT) * SIZE_UNIT


def _value_size(value: Particle) -> int:
    if value.type == ParticleType.INTEGER:
        # One length byte, then the smallest unsigned width; negative numbers take all eight.
        number = int.from_bytes(value.data, "big")
        if number < 1 << 8:
            return 2
        if number < 1 << 16:
            return 3
        return 5 if number < 1 << 32 else 9
    if value.type in (ParticleType.DOUBLE, ParticleType.BOOL):
        return len(value.data)
    return VALUE_HEADER_SIZE + len(value.data)
