"""Keeping indexes exact under the commonest write: one plain bin over the same bin.

What `SecondaryIndexes.changed` does for any change, for a record that has just one bin before and
after, without looking for the bin again.
"""

from __future__ import annotations

from typing import Final

from aerospike_common.wire.codes import ParticleType
from asd.bins.particle import Particle
from asd.sindex.bval import hash_bval
from asd.sindex.indexes import SecondaryIndex, SecondaryIndexes
from asd.sindex.keys import bvals
from citrusleaf.cf_digest import partition_id

LONGEST: Final = 4096
"""Bytes of a payload from which on the values in it take too long to hash twice."""

_TYPE_AT: Final = 7
_NAME_AT: Final = 9  # where its length byte is


class OneBin:
    """The indexes of a set, all of plain bins."""

    __slots__ = ("_by_bin",)

    def __init__(self, indexes: tuple[SecondaryIndex, ...]) -> None:
        self._by_bin: dict[bytes, list[SecondaryIndex]] = {}
        for index in indexes:
            name = index.definition.bin_name
            self._by_bin.setdefault(bytes((len(name),)) + name, []).append(index)

    def exchanged(self, digest: bytes, slot: int, old: bytes, new: bytes, value_at: int) -> None:
        """The record's payload was `old` and is `new`, of the same size.

        Both have just one bin, of the same name and type, whose value begins at `value_at`.
        """
        kind = new[_TYPE_AT]
        partition = partition_id(digest)
        for index in self._by_bin.get(new[_NAME_AT:value_at], ()):
            if partition >= index.built or kind != index.particle_type:
                continue
            if kind == ParticleType.INTEGER:
                was = int.from_bytes(old[value_at:], "big", signed=True)
                now = int.from_bytes(new[value_at:], "big", signed=True)
                index.entries.move(partition, was, now, digest, slot)
            elif kind == ParticleType.GEOJSON:
                for bval in _bvals(old, value_at):
                    index.entries.remove(partition, bval, digest)
                for bval in _bvals(new, value_at):
                    index.entries.add(partition, bval, digest, slot)
            else:
                was, now = hash_bval(old[value_at:]), hash_bval(new[value_at:])
                index.entries.move(partition, was, now, digest, slot)


def _bvals(payload: bytes, value_at: int) -> tuple[int, ...]:
    return tuple(bvals(Particle(payload[_TYPE_AT], payload[value_at:])))


def one_bin(indexes: SecondaryIndexes, set_name: bytes) -> OneBin | None:
    """For the indexes of a set; None when some of them are of more than plain bins."""
    watching = indexes.watching(set_name)
    if not all(index.keys.direct for index in watching):
        return None
    return OneBin(watching)
