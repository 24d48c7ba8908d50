"""Last ship times between restarts and between nodes.

*Kept* with the records: one item of the engine's metadata for each data center (`x` and its name),
255 bytes: 51 times of 40 bits, the least of 81 partitions each. So a restart may ship a little
twice, and never leaves a change out. An engine that loses its records loses them too.

*Told* to the other nodes, every second: exactly, but only those of the partitions that the telling
node serves. Whoever takes a partition over goes on from there.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Collection, Sequence
from typing import Final

from cluster import PARTITIONS

GROUPS: Final = 51
GROUP: Final = -(-PARTITIONS // GROUPS)
_BYTES: Final = 5
_LAST: Final = (1 << 8 * _BYTES) - 1
_KEY: Final = b"x"
_PACKED_MOST: Final = 8 * PARTITIONS


def key_of(dc: str) -> bytes:
    """The key of the engine's metadata."""
    return _KEY + dc.encode()


def pack_kept(times_ms: Sequence[int]) -> bytes:
    """The least time of each group."""
    return b"".join(
        min(max(0, min(times_ms[first : first + GROUP])), _LAST).to_bytes(_BYTES, "big")
        for first in range(0, PARTITIONS, GROUP)
    )


def unpack_kept(data: bytes) -> list[int] | None:
    """By partition, what `pack_kept` has kept; None for other bytes."""
    if len(data) != GROUPS * _BYTES:
        return None
    of_groups = [
        int.from_bytes(data[at : at + _BYTES], "big") for at in range(0, len(data), _BYTES)
    ]
    return [of_groups[partition // GROUP] for partition in range(PARTITIONS)]


def pack_told(times_ms: Sequence[int], owned: Collection[int]) -> bytes:
    """The times of the partitions that are the teller's; one more than each, 0 for the others'."""
    told = array("Q", bytes(8 * PARTITIONS))
    for partition in owned:
        told[partition] = max(0, times_ms[partition]) + 1
    return zlib.compress(told.tobytes(), 1)


def unpack_told(data: bytes) -> dict[int, int] | None:
    """Partition to time; None for bytes that no node tells."""
    decoder = zlib.decompressobj()
    try:
        plain = decoder.decompress(data, _PACKED_MOST)
    except zlib.error:
        return None
    if len(plain) != _PACKED_MOST or decoder.unconsumed_tail:
        return None
    told = array("Q")
    told.frombytes(plain)
    return {partition: time - 1 for partition, time in enumerate(told) if time}
