"""What a query asks for: conditions on an indexed bin, partitions, and where to go on."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, Self, SupportsBytes

import attrs

from aerospike_client.errors import InvalidParameter
from aerospike_client.key import Key
from aerospike_client.values import to_particle
from aerospike_common import AsGeojson
from aerospike_common.wire import ParticleType
from citrusleaf.cf_digest import PARTITIONS

_INT64: Final = struct.Struct(">q").pack


class IndexType(IntEnum):
    """What of a bin an index holds."""

    DEFAULT = 0
    LIST = 1
    MAP_KEYS = 2
    MAP_VALUES = 3


@attrs.frozen
class Where:
    """A condition that an index answers. Made by `equals`, `between`, `contains`, ...

    The index is found by bin, kind of value, index type and context; name it (`index`) or give its
    expression to have just that one.
    """

    bin_name: str
    particle_type: int
    begin: bytes
    end: bytes
    index_type: IndexType = IndexType.DEFAULT
    #: Where inside the bin the indexed values are: a packed list of CDT contexts.
    context: SupportsBytes | None = None
    index: str | None = None
    expression: SupportsBytes | None = None


def equals(
    bin_name: str,
    value: int | str | bytes,
    *,
    context: SupportsBytes | None = None,
    index: str | None = None,
) -> Where:
    """The bin is just this integer, string or blob."""
    kind, data = _operand(value)
    return Where(bin_name, kind, data, data, context=context, index=index)


def between(
    bin_name: str,
    begin: int,
    end: int,
    *,
    index_type: IndexType = IndexType.DEFAULT,
    context: SupportsBytes | None = None,
    index: str | None = None,
) -> Where:
    """The bin (or an element of it) is an integer from `begin` to `end`, both included."""
    if begin > end:
        raise InvalidParameter(f"nothing lies between {begin} and {end}")
    ends = (to_particle(begin)[1], to_particle(end)[1])
    return Where(
        bin_name,
        ParticleType.INTEGER,
        *ends,
        index_type=index_type,
        context=context,
        index=index,
    )


def contains(
    bin_name: str,
    value: int | str | bytes,
    index_type: IndexType = IndexType.LIST,
    *,
    context: SupportsBytes | None = None,
    index: str | None = None,
) -> Where:
    """The list has this element, or the map this key or value."""
    kind, data = _operand(value)
    return Where(bin_name, kind, data, data, index_type, context, index)


def geo(
    bin_name: str,
    region_or_point: AsGeojson | str,
    index_type: IndexType = IndexType.DEFAULT,
    *,
    context: SupportsBytes | None = None,
    index: str | None = None,
) -> Where:
    """The bin's point lies in this region, or the bin's region holds this point (GeoJSON)."""
    text = region_or_point.value if isinstance(region_or_point, AsGeojson) else region_or_point
    data = text.encode()
    return Where(bin_name, ParticleType.GEOJSON, data, data, index_type, context, index)


def _operand(value: int | str | bytes) -> tuple[int, bytes]:
    kind, data = to_particle(value)
    if kind not in (ParticleType.INTEGER, ParticleType.STRING, ParticleType.BLOB):
        raise InvalidParameter(f"an index holds integers, strings and blobs: {value!r}")
    return kind, data


@attrs.frozen
class Partitions:
    """The partitions that a query reads: a range of ids, from their beginnings or after a key."""

    begin: int = 0
    count: int = PARTITIONS
    #: Only with one partition: start behind this record, in the order of digests.
    after: bytes | None = None

    def __attrs_post_init__(self) -> None:
        if not (0 <= self.begin < PARTITIONS and 0 < self.count <= PARTITIONS - self.begin):
            raise InvalidParameter(f"partitions are 0 to {PARTITIONS - 1}: {self}")

    @classmethod
    def one(cls, partition_id: int) -> Self:
        """A single partition."""
        return cls(partition_id, 1)

    @classmethod
    def after_key(cls, key: Key) -> Self:
        """What comes behind a record in its partition."""
        return cls(key.partition_id, 1, key.digest)


_CURSOR_MAGIC: Final = b"CLQ1"
_CURSOR_ENTRY: Final = struct.Struct(">HB")


@attrs.define
class QueryCursor:
    """How far a query has come: what is left of each partition.

    Take it from a stream (`stream.cursor`), keep it as bytes for as long as you like, and give it
    to a query of the same kind to go on where the other one stopped.
    """

    #: Partitions that are not through.
    todo: set[int]
    #: Partition -> digest of the record delivered last.
    digests: dict[int, bytes] = attrs.field(factory=dict)
    #: Partition -> where the index had that record.
    bvals: dict[int, int] = attrs.field(factory=dict)

    @classmethod
    def at_start(cls, partitions: Partitions) -> Self:
        """Nothing has been read yet."""
        cursor = cls(set(range(partitions.begin, partitions.begin + partitions.count)))
        if partitions.after is not None:
            cursor.digests[partitions.begin] = partitions.after
        return cursor

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return not self.todo

    def copy(self) -> QueryCursor:
        """One that does not move with the query."""
        return QueryCursor(set(self.todo), dict(self.digests), dict(self.bvals))

    def __bytes__(self) -> bytes:
        """For keeping: 3 bytes a partition, 20 more where records were read, 8 more for indexes."""
        parts = [_CURSOR_MAGIC]
        for pid in sorted(self.todo):
            digest, bval = self.digests.get(pid), self.bvals.get(pid)
            kind = 0 if digest is None else 1 if bval is None else 2
            parts.append(_CURSOR_ENTRY.pack(pid, kind))
            parts.append(digest or b"")
            parts.append(b"" if bval is None else _INT64(bval))
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `bytes`. InvalidParameter for anything else."""
        if data[:4] != _CURSOR_MAGIC:
            raise InvalidParameter("not a query's cursor")
        cursor, at = cls(set()), 4
        while at < len(data):
            if at + _CURSOR_ENTRY.size > len(data):
                raise InvalidParameter("a query's cursor that is cut off")
            pid, kind = _CURSOR_ENTRY.unpack_from(data, at)
            at += _CURSOR_ENTRY.size
            end = at + (0, 20, 28)[kind] if kind < 3 else len(data) + 1
            if pid >= PARTITIONS or end > len(data):
                raise InvalidParameter("a query's cursor that is cut off or damaged")
            cursor.todo.add(pid)
            if kind:
                cursor.digests[pid] = data[at : at + 20]
            if kind == 2:
                cursor.bvals[pid] = int.from_bytes(data[at + 20 : end], "big", signed=True)
            at = end
        return cursor


def names(bins: Iterable[str] | None) -> tuple[str, ...] | None:
    """Bins as a tuple; a lone string is a mistake. InvalidParameter then."""
    if isinstance(bins, str):
        raise InvalidParameter(f"bins is a list of names: [{bins!r}]")
    return None if bins is None else tuple(bins)
