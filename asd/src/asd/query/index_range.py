"""What an index query looks for: its range field, and the index that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from attrs import frozen

from aerospike_common.wire.codes import FieldType, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import geo
from asd.sindex import IndexDefinition, KeyType, SecondaryIndex, SecondaryIndexes, Source
from asd.sindex.bval import hash_bval, signed
from asd.transactions.ops import MAX_BIN_NAME

MAX_INDEX_NAME: Final = 63
MAX_STRING: Final = 2048
"""Bytes of a string or blob looked for are fewer."""
MAX_GEOJSON: Final = 1 << 20
"""Bytes of a GeoJSON text looked for are fewer."""

_KEY_TYPES: Final = {key_type.particle_type: key_type for key_type in KeyType}
_SOURCES: Final = (Source.DEFAULT, Source.LIST, Source.MAPKEYS, Source.MAPVALUES)
_LEAF_LEVEL: Final = 30


class Span(NamedTuple):
    """Index values from `low` to `high`, both included."""

    low: int
    high: int


@frozen
class IndexRange:
    """What is looked for."""

    bin_name: bytes
    key_type: KeyType
    spans: tuple[Span, ...]
    """Index values that may match, in order, not overlapping."""
    value: bytes = b""
    """The string, blob or GeoJSON text."""
    shape: geo.Shape | None = None
    """What `value` describes, in a query of regions."""

    def matches(self, value: bytes) -> bool:
        """Is this indexed value one that is looked for, and not just alike?"""
        if self.shape is None:
            return value == self.value
        try:
            if isinstance(self.shape, geo.Region):
                point = geo.parse_point(value)
                return point is not None and self.shape.contains(point)
            region = geo.parse(value)
        except OperationError:
            return False
        return isinstance(region, geo.Region) and region.contains(self.shape)


def parse_range(data: bytes) -> IndexRange:
    """The range field of a query. Raises PARAMETER for what is none."""
    try:
        count, name_size = data[0], data[1]
        name = data[2 : 2 + name_size]
        at = 2 + name_size
        particle_type = data[at]
        begin, at = _sized(data, at + 1)
        end, at = _sized(data, at)
    except IndexError:
        raise _bad("a range that is cut off") from None
    if count != 1 or at != len(data):
        raise _bad("not one range")
    if name_size > MAX_BIN_NAME:
        raise _bad(f"a bin name of {name_size} bytes")
    key_type = _KEY_TYPES.get(ParticleType(particle_type)) if _known(particle_type) else None
    if key_type is None:
        raise _bad(f"a range of type {particle_type}")
    if key_type is KeyType.NUMERIC:
        return IndexRange(name, key_type, (_integers(begin, end),))
    if key_type is KeyType.GEO2DSPHERE:
        return _geo_range(name, begin)
    if len(begin) >= MAX_STRING:
        raise _bad(f"{len(begin)} bytes are looked for")
    bval = hash_bval(begin)
    return IndexRange(name, key_type, (Span(bval, bval),), begin)


def find_index(
    indexes: SecondaryIndexes, fields: Mapping[int, bytes], wanted: IndexRange
) -> SecondaryIndex:
    """The index that a query goes by, named or described.

    Raises SINDEX_NOT_FOUND, SINDEX_NOT_READABLE, or PARAMETER for a query that contradicts itself.
    """
    name = fields.get(FieldType.INDEX_NAME)
    expression = fields.get(FieldType.INDEX_EXPRESSION, b"")
    source = _source(fields)
    if name is not None:
        if wanted.bin_name:
            raise _bad("an index and a bin are named")
        if len(name) > MAX_INDEX_NAME:
            raise _bad(f"an index name of {len(name)} bytes")
        index = indexes.find(name.decode("utf-8", "surrogateescape"))
        if index is not None and index.definition.key_type is not wanted.key_type:
            raise _bad("the index is of another type")
    elif source is None:
        index = None
    else:
        if bool(wanted.bin_name) == bool(expression):
            raise _bad("either a bin or an expression is named")
        index = indexes.find_by_subject(
            IndexDefinition(
                "",
                fields.get(FieldType.SET, b""),
                wanted.bin_name,
                wanted.key_type,
                source,
                fields.get(FieldType.INDEX_CONTEXT, b""),
                expression,
            )
        )
    if index is None or index.definition.source is Source.SET:
        raise OperationError(ResultCode.SINDEX_NOT_FOUND, "no such index")
    if not index.readable:
        raise OperationError(ResultCode.SINDEX_NOT_READABLE, "the index is being built")
    return index


def _source(fields: Mapping[int, bytes]) -> Source | None:
    data = fields.get(FieldType.INDEX_TYPE, b"\0")
    number = int.from_bytes(data, "big")
    return _SOURCES[number] if number < len(_SOURCES) else None


def _known(particle_type: int) -> bool:
    return particle_type in ParticleType._value2member_map_


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    start = at + 4
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data):
        raise IndexError
    return data[start:end], end


def _integers(begin: bytes, end: bytes) -> Span:
    if len(begin) != 8 or len(end) != 8:
        raise _bad("integers have 8 bytes")
    span = Span(int.from_bytes(begin, "big", signed=True), int.from_bytes(end, "big", signed=True))
    if span.low > span.high:
        raise _bad("the range ends before it begins")
    return span


def _bad(message: str) -> OperationError:
    return OperationError(ResultCode.PARAMETER, message)


# ------------------------------------------------------------------------- GeoJSON


def _geo_range(name: bytes, text: bytes) -> IndexRange:
    if len(text) >= MAX_GEOJSON:
        raise _bad(f"{len(text)} bytes are looked for")
    try:
        shape = geo.parse(text)
    except OperationError as error:
        raise _bad(str(error)) from None
    if isinstance(shape, geo.Region):
        spans = sorted(_cell_span(cell) for cell in shape.cells())
    else:
        spans = sorted(Span(cell, cell) for cell in map(signed, _cells_around(shape.cell)))
    return IndexRange(name, KeyType.GEO2DSPHERE, tuple(spans), text, shape)


def _cell_span(cell: int) -> Span:
    """The leaf cells within a cell. A cell's lowest set bit says how large it is."""
    reach = (cell & -cell) - 1
    return Span(signed(cell - reach), signed(cell + reach))


def _cells_around(leaf: int) -> list[int]:
    """A leaf cell and all larger ones that it lies in."""
    cells = []
    for level in range(_LEAF_LEVEL + 1):
        lowest = 1 << 2 * (_LEAF_LEVEL - level)
        cells.append(leaf & -lowest | lowest)
    return cells


assert _cells_around(1)[0] == 1 << 60  # a cube's face: three bits, then the lowest set bit
