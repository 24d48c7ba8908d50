"""GeoJSON text as shapes on the sphere: points, and regions covered by S2 cells.

The only module that knows the S2 library. Coordinates in GeoJSON are [longitude, latitude] in
degrees; a cell id is an unsigned 64-bit integer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError

try:
    import s2geometry as s2  # type: ignore[import-untyped]
except ImportError:  # there are no binaries of it for some platforms
    s2 = None

EARTH_RADIUS_METERS: Final = 6_371_000.0

CELLS_MAX: Final = 12
"""Cells that cover a region, at most, unless the smallest level needs more."""
LEVEL_MIN: Final = 1
LEVEL_MAX: Final = 30

TEXT_MAX: Final = 8 << 20
"""Bytes; no record can be larger."""
RINGS_MAX: Final = 1000
"""Rings of one region. Whether they cross is found out in quadratic time."""

_CELL_MASK: Final = (1 << 64) - 1


class Point(NamedTuple):
    """A place, known by the smallest cell it is in."""

    cell: int

    def cells(self) -> list[int]:
        """The one leaf cell."""
        return [self.cell]


class Region(NamedTuple):
    """An area: a polygon with its holes, several of them, or a circle."""

    area: Any

    def cells(self) -> list[int]:
        """Ids of the cells that cover the area, ascending."""
        coverer = s2.S2RegionCoverer()
        coverer.set_min_level(LEVEL_MIN)
        coverer.set_max_level(LEVEL_MAX)
        coverer.set_max_cells(CELLS_MAX)
        return [cell.id() & _CELL_MASK for cell in coverer.GetCovering(self.area)]

    def contains(self, point: Point) -> bool:
        """Whether the middle of the point's cell is in the area, exactly."""
        return bool(self.area.Contains(s2.S2CellId(point.cell).ToPoint()))


Shape: TypeAlias = Point | Region


def parse(text: bytes) -> Shape:
    """The shape a GeoJSON text describes.

    Raises INVALID_GEOJSON for anything else, RECORD_TOO_BIG for what no record could hold, and
    UNSUPPORTED_FEATURE where the S2 library is missing.
    """
    kind, coordinates = _read(text)
    return _SHAPES[kind](coordinates)


def parse_point(text: bytes) -> Point | None:
    """The point a GeoJSON text describes; None when it is of a region, which is not looked at any
    further. Raises as `parse`."""
    kind, coordinates = _read(text)
    return _point(coordinates) if kind == "Point" else None


def _read(text: bytes) -> tuple[str, Any]:
    """The type of a shape, one of `_SHAPES`, and its coordinates as they are."""
    if s2 is None:
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "no S2 library on this platform")
    if len(text) > TEXT_MAX:
        raise OperationError(ResultCode.RECORD_TOO_BIG)
    try:
        tree = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _invalid("not JSON") from None
    if not isinstance(tree, dict):
        raise _invalid("not an object")
    if tree.get("type") == "Feature":
        tree = tree.get("geometry")
        if not isinstance(tree, dict):
            raise _invalid("a feature without geometry")
    kind = tree.get("type")
    if not isinstance(kind, str) or kind not in _SHAPES:
        raise _invalid("not a type that can be stored")
    return kind, tree.get("coordinates")


def _invalid(message: str) -> OperationError:
    return OperationError(ResultCode.INVALID_GEOJSON, message)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _list(value: Any, at_least: int) -> list[Any]:
    if not isinstance(value, list) or len(value) < at_least:
        raise _invalid(f"an array of {at_least} or more is wanted")
    return value


def _number(value: Any) -> float:
    if type(value) is not int and type(value) is not float:
        raise _invalid("a number is wanted")
    try:
        return float(value)
    except OverflowError:
        raise _invalid("a number is too large") from None


def _lat_lng(position: Any) -> Any:
    longitude, latitude, *_ = _list(position, 2)
    place = s2.S2LatLng.FromDegrees(_number(latitude), _number(longitude))
    if not place.is_valid():
        raise _invalid("the position is not on the globe")
    return place


def _point(coordinates: Any) -> Point:
    return Point(s2.S2CellId(_lat_lng(coordinates)).id() & _CELL_MASK)


def _polygon(coordinates: Any) -> Region:
    return _area(_list(coordinates, 0))  # one without rings holds nothing


def _multi_polygon(coordinates: Any) -> Region:
    return _area([ring for rings in _list(coordinates, 1) for ring in _list(rings, 1)])


def _area(rings: list[Any]) -> Region:
    """The region inside `rings`; a ring within another is a hole in it."""
    if len(rings) > RINGS_MAX:
        raise _invalid("too many rings")
    polygon = s2.S2Polygon()
    polygon.InitNested([_loop(ring) for ring in rings])
    if not polygon.IsValid():
        raise _invalid("the rings cross each other")
    return Region(polygon)


def _loop(ring: Any) -> Any:
    places = [_lat_lng(position) for position in _list(ring, 4)]
    if ring[0] != ring[-1]:
        raise _invalid("the ring is not closed")
    loop = s2.S2Loop()
    loop.Init([place.ToPoint() for place in places[:-1]])
    if not loop.IsValid():
        raise _invalid("the ring crosses itself")
    # Whichever way round it was drawn, the smaller side is the inside.
    loop.Normalize()
    return loop


def _circle(coordinates: Any) -> Region:
    center, radius, *_ = _list(coordinates, 2)
    axis = _lat_lng(center).ToPoint()
    angle = _number(radius) / EARTH_RADIUS_METERS
    if angle < 0:
        return Region(s2.S2Cap.Empty())
    height = 2 * math.sin(min(angle, math.pi) / 2) ** 2
    return Region(s2.S2Cap.FromCenterHeight(axis, height))


_SHAPES: Final[Mapping[str, Callable[[Any], Shape]]] = MappingProxyType(
    {
        "Point": _point,
        "Polygon": _polygon,
        "MultiPolygon": _multi_polygon,
        "AeroCircle": _circle,
    }
)
