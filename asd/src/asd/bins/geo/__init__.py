"""GeoJSON bins: what is stored of a GeoJSON text, and which regions hold which points.

    check_write(data)           -> the bytes to store for a plain WRITE
    particle_data(text)         -> the bytes to store for a GeoJSON text
    text_of(data)               -> the GeoJSON text in a particle's bytes
    parse(text)                 -> Point | Region, with .cells() and Region.contains(point)
    is_valid(text)              -> whether it is a GeoJSON text that can be parsed
    parse_point(text)           -> Point | None, without building a region
    regions_match(a, b)         -> whether one text is a point inside the other one's region

The bytes are described in docs/formats/geojson.md.
"""

from __future__ import annotations

from struct import pack, unpack_from
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins.geo.shapes import Point, Region, Shape, parse, parse_point

__all__ = [
    "Point",
    "Region",
    "Shape",
    "check_write",
    "is_valid",
    "parse",
    "parse_point",
    "particle_data",
    "regions_match",
    "text_of",
]

_REGION: Final = 1
_HEADER_SIZE: Final = 3
_CELL_SIZE: Final = 8


def check_write(data: bytes) -> bytes:
    """The bytes to store for a client's value, whose own flags and cells are ignored.

    Raises INVALID_GEOJSON, or what else `parse` raises.
    """
    return particle_data(text_of(data))


def particle_data(text: bytes) -> bytes:
    """Flags, cells and `text`, as a particle holds them. Raises what `parse` raises."""
    shape = parse(text)
    cells = shape.cells()
    flags = _REGION if isinstance(shape, Region) else 0
    return pack(f">BH{len(cells)}Q", flags, len(cells), *cells) + text


def text_of(data: bytes) -> bytes:
    """The GeoJSON text behind flags and cells; INVALID_GEOJSON when there is none."""
    n_cells = unpack_from(">H", data, 1)[0] if len(data) > _HEADER_SIZE else 0
    text = data[_HEADER_SIZE + _CELL_SIZE * n_cells :]
    if not text:
        raise OperationError(ResultCode.INVALID_GEOJSON, "no text")
    return text


def is_valid(text: bytes) -> bool:
    """Whether `parse` takes the text, as far as that can be known on this platform."""
    try:
        parse(text)
    except OperationError as error:
        return error.code == ResultCode.UNSUPPORTED_FEATURE
    return True


def regions_match(a: bytes, b: bytes) -> bool:
    """Whether one of two GeoJSON texts is a point and the other a region that contains it.

    Two points never match, nor do two regions; a text that is not valid matches nothing.
    """
    try:
        first, second = parse(a), parse(b)
    except OperationError:
        return False
    if isinstance(first, Region):
        first, second = second, first
    return isinstance(first, Point) and isinstance(second, Region) and second.contains(first)
