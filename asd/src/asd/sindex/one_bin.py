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
from storage.engine import Exchanges
from storage.index import PrimaryIndex

_TYPE_AT: Final = 7
_NAME_AT: Final = 9  # where its length byte is


class OneBin:
    """The indexes of a set, all of plain bins."""

    __slots__ = ("_by_bin", "_primary")

    def __init__(self, primary: PrimaryIndex, indexes: tuple[SecondaryIndex, ...]) -> None:
        self._primary = primary
        self._by_bin: dict[bytes, list[SecondaryIndex]] = {}
        for index in indexes:
            name = index.definition.bin_name
            self._by_bin.setdefault(bytes((len(name),)) + name, []).append(index)

    def written(self, digest: bytes, old: bytes | None, new: bytes, value_at: int) -> None:
        """The record's payload is `new`; it was `old`, or the record was not there.

        Both payloads have just one bin, of the same name, whose value begins at `value_at`.
        """
        for index in self._by_bin.get(new[_NAME_AT:value_at], ()):
            partition = partition_id(digest)
            if partition >= index.built:
                continue
            wanted = index.definition.key_type.particle_type
            had = () if old is None or old[_TYPE_AT] != wanted else _bvals(old, value_at)
            has = _bvals(new, value_at) if new[_TYPE_AT] == wanted else ()
            if had == has:
                continue
            slot = 0
            for bval in had:
                slot = index.entries.remove(partition, bval, digest)
            slot = slot or self._primary.find(digest)
            for bval in has:
                index.entries.add(partition, bval, digest, slot)

    def overwrite(
        self,
        engine: Exchanges,
        digest: bytes,
        last_update_time: int,
        set_id: int,
        start: bytes,
        payload: bytes,
    ) -> int:
        """Do as `storage.engine.Overwrites.overwrite`, and keep the indexes exact."""
        done = engine.exchange(digest, last_update_time, set_id, start, payload)
        if done is None:
            return 0
        generation, slot, old = done
        if old != payload:
            kind = start[_TYPE_AT]
            if kind == ParticleType.GEOJSON:
                self.written(digest, old, payload, len(start))
                return generation
            partition = int.from_bytes(digest[:2], "little") & 0xFFF
            for index in self._by_bin.get(start[_NAME_AT:], ()):
                if partition < index.built and kind == index.particle_type:
                    value_at = len(start)
                    if kind == ParticleType.INTEGER:
                        was = int.from_bytes(old[value_at:], "big", signed=True)
                        now = int.from_bytes(payload[value_at:], "big", signed=True)
                    else:
                        was, now = hash_bval(old[value_at:]), hash_bval(payload[value_at:])
                    index.entries.move(partition, was, now, digest, slot)
        return generation


def _bvals(payload: bytes, value_at: int) -> tuple[int, ...]:
    return tuple(bvals(Particle(payload[_TYPE_AT], payload[value_at:])))


def one_bin(primary: PrimaryIndex, indexes: SecondaryIndexes, set_name: bytes) -> OneBin | None:
    """For the indexes of a set; None when some of them are of more than plain bins."""
    watching = indexes.watching(set_name)
    if not all(index.keys.direct for index in watching):
        return None
    return OneBin(primary, watching)
