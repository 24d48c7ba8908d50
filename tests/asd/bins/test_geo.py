"""GeoJSON: the cells of recorded shapes, what is refused, which points match which regions."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import geo
from asd.bins.geo import shapes

# text, flags, the cells' ids without their trailing zeros
RECORDED = [
    (
        '{"type":"AeroCircle","coordinates":[[1.0,2.0],5000.0]}',
        1,
        "10036c3 10036dc 10036e4 10036e9 10036ef 10036f1 10036fc 1003704 100371c 1003721 "
        "1003723 1003727",
    ),
    (
        '{"type":"Point","coordinates":[0,0]}',
        0,
        "1000000000000001",
    ),
    (
        '{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{}}',
        0,
        "10036e17ca9fb709",
    ),
    (
        '{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10],[0,0]]]}',
        1,
        "0555555555555555 0fd 0fe4 0ffc 104 1a84 1a9c 1aa4 1aac",
    ),
    (
        '{"type":"Point","coordinates":[-180,-90]}',
        0,
        "b000000000000001",
    ),
    (
        '{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[5,5],[6,5],[6,6],[5,5]]]]}',
        1,
        "0555555555555555 0fffffffffffffff 1001 101555 103ffff 1041 106a7 106ac 1aaa0c "
        "1aaa7 1aaa9 1aaab",
    ),
    (
        '{"type":"Point","coordinates":[10.5,-45.25]}',
        0,
        "b7d4e7ead76fb7af",
    ),
    (
        '{"type": "Point", "coordinates": [-80.604333, 28.608389]}',
        0,
        "88e0ba3950f4a7e5",
    ),
    (
        '{"type":"Point","coordinates":[180,90]}',
        0,
        "5000000000000001",
    ),
    (
        '{"type":"Point","coordinates":[-122.0,37.5]}',
        0,
        "808fb8a247954393",
    ),
    (
        '{"type":"Polygon","coordinates":[[[-122.5,37],[-121,37],[-121,38.08],[-122.5,38.08],[-122.5,37]]]}',
        1,
        "80855 80857 80859 8085a4 808e4 808ef 808f1 808f7 808fc 80904 8091c 809ab",
    ),
    (
        '{"type":"AeroCircle","coordinates":[[1,2],-5]}',
        1,
        "",
    ),
    (
        '{"type":"Point","coordinates":[0.0,0.0]}',
        0,
        "1000000000000001",
    ),
    (
        '{"type":"Point","coordinates":[179.9,0.0]}',
        0,
        "6ffff89d8761e275",
    ),
    (
        '{"type":"Point","coordinates":[-121.5,37.2]}',
        0,
        "8091dc79818e1179",
    ),
    (
        '{"type":"Point","coordinates":[-122.4,37.8]}',
        0,
        "8085805f0d32c5bf",
    ),
    (
        '{"type":"Point","coordinates":[2.35,48.85]}',
        0,
        "47e671e419220557",
    ),
    (
        '{"type":"Polygon","coordinates":[[[-123,37],[-121,37],[-121,38],[-123,38],[-123,37]]]}',
        1,
        "80855 80857 8085c 808e1 808e3 808e5 808ed 808ef 808f4 808fc 80904 8091c",
    ),
    (
        '{"type":"AeroCircle","coordinates":[[-122.0,37.5],30000.0]}',
        1,
        "808e2c 808e34 808e4c 808f9 808fb 808fd 808fe7 808fec 808ff3",
    ),
    (
        '{"type":"AeroCircle","coordinates":[[0.0,0.0],1000.0]}',
        1,
        "05555554 0ffffff9 0ffffffa3 0ffffffb7 0ffffffbc 0ffffffd 0fffffff 10000004 1aaaaaac",
    ),
    (
        '{"type":"AeroCircle","coordinates":[[180.0,0.0],50000.0]}',
        1,
        "6555154 655534 65553c 65555 65557 6fff8c 6fff94 6fffbfc 6fffd 6ffff 70004 7aaac",
    ),
    (
        '{"type":"Polygon","coordinates":[[[0,40],[5,40],[5,50],[0,50],[0,40]]]}',
        1,
        "0d54 0d5c 12b 47c4 47dc 47f 4801 4807 480c",
    ),
    (
        '{"type":"AeroCircle","coordinates":[[-122.0,37.5],1000.0]}',
        1,
        "808fb890b 808fb897 808fb89c 808fb8a4 808fb8a8b 808fb8af 808fb8b1 808fb8bc "
        "808fc758c 808fc75f 808fc761 808fc763",
    ),
]


def text(kind: str, coordinates: Any) -> bytes:
    return json.dumps({"type": kind, "coordinates": coordinates}).encode()


def stored(flags: int, cells: list[int], geojson: bytes) -> bytes:
    ids = b"".join(cell.to_bytes(8, "big") for cell in cells)
    return bytes([flags]) + len(cells).to_bytes(2, "big") + ids + geojson


@pytest.mark.parametrize(("geojson", "flags", "cells"), RECORDED)
def test_recorded_cells(geojson: str, flags: int, cells: str) -> None:
    ids = [int(cell.ljust(16, "0"), 16) for cell in cells.split()]
    expected = stored(flags, ids, geojson.encode())
    assert geo.check_write(b"\0\0\0" + geojson.encode()) == expected
    assert geo.particle_data(geojson.encode()) == expected
    assert geo.text_of(expected) == geojson.encode()
    # What a client sends in front of the text has no meaning.
    assert geo.check_write(b"\1\0\2" + bytes(16) + geojson.encode()) == expected


SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
HOLE = [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]
ELSEWHERE = [[-4, -4], [-3, -4], [-3, -3], [-4, -4]]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0\0",
        b"\0\0\0",
        b"\0\0\1{}",
        b"\0\0\0abc",
        b"\0\0\0{}",
        b"\0\0\0[]",
        b"\0\0\0\xff",
        b'\0\0\0{"type":"Point"}',
        b'\0\0\0{"type":"Point","coordinates":[NaN,0]}',
        b'\0\0\0{"type":"Point","coordinates":[1e999,0]}',
        b'\0\0\0{"type":"Point","coordinates":[1' + b"0" * 400 + b",0]}",
        b'\0\0\0{"type":"Point","coordinates":[1' + b"0" * 5000 + b",0]}",
        b'\0\0\0{"type":"Point","coordinates":[0,0]} x',
        b'\0\0\0{"type":["Point"],"coordinates":[0,0]}',
        b'\0\0\0{"type":"Feature","geometry":null}',
        b"\0\0\0" + b"[" * 200_000,
    ],
)
def test_invalid_values(value: bytes) -> None:
    with pytest.raises(OperationError) as caught:
        geo.check_write(value)
    assert caught.value.code == ResultCode.INVALID_GEOJSON


@pytest.mark.parametrize(
    ("kind", "coordinates"),
    [
        ("Point", []),
        ("Point", [1]),
        ("Point", ["1", "2"]),
        ("Point", [True, False]),
        ("Point", [200, 100]),
        ("Point", [0, 90.001]),
        ("MultiPoint", [[0, 0], [1, 1]]),
        ("LineString", [[0, 0], [1, 1]]),
        ("GeometryCollection", []),
        ("Circle", [1, 2]),
        ("AeroCircle", [[1, 2]]),
        ("AeroCircle", [[1, 2], "5"]),
        ("Polygon", [[[0, 0], [1, 1]]]),
        ("Polygon", [SQUARE[:-1]]),
        ("Polygon", [[[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]]),
        ("Polygon", [[[0, 0], [0, 0], [1, 1], [0, 1], [0, 0]]]),
        ("Polygon", [SQUARE, [[5, 5], [15, 5], [15, 6], [5, 5]]]),
        ("Polygon", [[[x, 0], [x + 0.1, 0], [x, 0.1], [x, 0]] for x in range(1001)]),
        ("MultiPolygon", []),
        ("MultiPolygon", [[]]),
    ],
)
def test_invalid_shapes(kind: str, coordinates: Any) -> None:
    with pytest.raises(OperationError) as caught:
        geo.parse(text(kind, coordinates))
    assert caught.value.code == ResultCode.INVALID_GEOJSON


def test_longer_than_any_record() -> None:
    with pytest.raises(OperationError) as caught:
        geo.parse(b" " * (shapes.TEXT_MAX + 1))
    assert caught.value.code == ResultCode.RECORD_TOO_BIG


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "s2", None)
    with pytest.raises(OperationError) as caught:
        geo.parse(text("Point", [0, 0]))
    assert caught.value.code == ResultCode.UNSUPPORTED_FEATURE


def test_a_ring_may_be_drawn_either_way_round() -> None:
    one, other = geo.parse(text("Polygon", [SQUARE])), geo.parse(text("Polygon", [SQUARE[::-1]]))
    assert one.cells() == other.cells()


def matches(a: bytes, b: bytes) -> bool:
    assert geo.regions_match(a, b) == geo.regions_match(b, a)
    return geo.regions_match(a, b)


def test_regions_match_points_only() -> None:
    point, region = text("Point", [5, 5]), text("Polygon", [SQUARE])
    assert matches(point, region)
    assert matches(text("Point", [0, 0]), region)
    assert not matches(point, text("Polygon", [SQUARE, HOLE]))
    assert matches(text("Point", [3, 3]), text("Polygon", [SQUARE, HOLE]))
    assert matches(text("Point", [5, 5]), text("MultiPolygon", [[ELSEWHERE], [SQUARE]]))
    assert not matches(point, point)
    assert not matches(region, region)
    assert not matches(text("AeroCircle", [[5, 5], 10]), region)
    assert not matches(b"{", region)


@given(
    st.floats(-180, 180),
    st.floats(-85, 85),
    st.floats(1, 1e6),
    st.floats(0, 2 * math.pi),
    st.floats(0, 1.9),
)
def test_circles_contain_what_is_nearer_than_the_radius(
    longitude: float, latitude: float, radius: float, bearing: float, distance: float
) -> None:
    angle = radius * distance / shapes.EARTH_RADIUS_METERS
    start, along = math.radians(latitude), math.radians(longitude)
    end = math.asin(
        math.sin(start) * math.cos(angle) + math.cos(start) * math.sin(angle) * math.cos(bearing)
    )
    along += math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(start),
        math.cos(angle) - math.sin(start) * math.sin(end),
    )
    place = [math.remainder(math.degrees(along), 360), math.degrees(end)]
    circle = text("AeroCircle", [[longitude, latitude], radius])
    if abs(distance - 1) * radius > 0.1:  # meters; a leaf cell is about a centimeter
        assert matches(text("Point", place), circle) == (distance < 1)


kinds = st.sampled_from(["Point", "Polygon", "MultiPolygon", "AeroCircle", "LineString"])
coordinates = st.recursive(
    st.one_of(st.integers(-181, 181), st.floats(-180, 180), st.none(), st.text(max_size=2)),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=30,
)
positions = st.lists(st.integers(-3, 3), min_size=2, max_size=2)
rings = st.lists(positions, min_size=3, max_size=6).map(lambda ring: [*ring, ring[0]])
globe_rings = st.lists(
    st.tuples(st.sampled_from([-180, -90, 0, 90, 180]), st.sampled_from([-90, -45, 0, 45, 90])),
    min_size=3,
    max_size=6,
).map(lambda ring: [*ring, ring[0]])


@given(
    st.one_of(
        st.binary(max_size=30),
        st.builds(text, kinds, coordinates),
        st.builds(text, st.just("Polygon"), st.lists(st.one_of(rings, globe_rings), max_size=4)),
    )
)
def test_any_text_gives_cells_or_an_operation_error(data: bytes) -> None:
    with suppress(OperationError):
        particle = geo.check_write(b"\0\0\0" + data)
        assert geo.text_of(particle) == data
        assert len(particle) - len(data) - 3 == 8 * len(geo.parse(data).cells())
    with suppress(OperationError):
        geo.check_write(data)


def test_a_polygon_without_rings_may_be_written() -> None:
    text = b'{"type":"Polygon","coordinates":[]}'
    assert geo.check_write(b"\0\0\0" + text) == b"\1\0\0" + text
    assert not geo.regions_match(text, b'{"type":"Point","coordinates":[1,2]}')
