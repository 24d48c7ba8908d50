"""Index values: what the real server hashes to, and which values of a record are indexed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ParticleType
from aerospike_common.wire.errors import OperationError
from asd.bins import geo
from asd.bins.particle import Particle
from asd.records.record import pack_bins
from asd.records.record_view import RecordView
from asd.sindex import IndexDefinition, KeyType, Source
from asd.sindex.bval import hash_bval
from asd.sindex.keys import Keys

# As the real server sends them with the records of an index query.
RECORDED = {
    b"": "2dae707d752134da",
    b"a": "a07906141534f84b",
    b"c": "f91f6aee4cec43b1",
    b"k1": "b02b46b44542597a",
    b"\0": "4a2a6cce1200cb28",
    b"x": "bd552c7870762b6e",
}
# Of the bytes 1, 2, 3, ... up to a length: one for each way through the hash.
BY_LENGTH = {
    0: 0xDA3421757D70AE2D,
    1: 0x9C0AFF191D7C3766,
    4: 0x038571ADFBB334DE,
    16: 0x3C7A010B466E670B,
    25: 0xA6CF3DE1FB1B7F86,
    100: 0xD43F79C77A71BC77,
}


def number(value: int) -> Particle:
    return Particle(ParticleType.INTEGER, value.to_bytes(8, "big", signed=True))


def keys(definition: IndexDefinition, **bins: Particle) -> frozenset[int]:
    payload = pack_bins({name.encode(): value for name, value in bins.items()})
    return Keys(definition).of_record(RecordView(bytes(20), (1, 0, 0, 0, 0, payload), b"s", 0))


def definition(
    key_type: KeyType, source: Source = Source.DEFAULT, **more: bytes
) -> IndexDefinition:
    return IndexDefinition("i", b"s", b"b", key_type, source, **more)


def packed(kind: ParticleType, value: object) -> Particle:
    return Particle(kind, as_msgpack.pack(value))


@pytest.mark.parametrize("data", RECORDED)
def test_strings_hash_as_recorded(data: bytes) -> None:
    assert hash_bval(data).to_bytes(8, "little", signed=True).hex() == RECORDED[data]


@pytest.mark.parametrize("size", BY_LENGTH)
def test_every_length_hashes_right(size: int) -> None:
    data = bytes(i + 1 for i in range(size))
    assert hash_bval(data) % (1 << 64) == BY_LENGTH[size]


@given(st.binary(max_size=300))
def test_every_hash_is_a_signed_number(data: bytes) -> None:
    assert -(1 << 63) <= hash_bval(data) < 1 << 63


def test_only_values_of_the_type_are_indexed() -> None:
    text = Particle(ParticleType.STRING, b"a")
    assert keys(definition(KeyType.NUMERIC), b=number(-5)) == {-5}
    assert keys(definition(KeyType.NUMERIC), b=text) == frozenset()
    assert keys(definition(KeyType.STRING), b=text) == {hash_bval(b"a")}
    assert keys(definition(KeyType.BLOB), b=text) == frozenset()
    assert keys(definition(KeyType.STRING), other=text) == frozenset()


def test_elements_of_lists_and_maps() -> None:
    in_list = packed(ParticleType.LIST, [1, "\x03a", 1, 2.5, True, "\x04x", [3]])
    in_map = packed(ParticleType.MAP, {1: "\x03v", "\x03k": 7})
    assert keys(definition(KeyType.NUMERIC, Source.LIST), b=in_list) == {1}
    assert keys(definition(KeyType.STRING, Source.LIST), b=in_list) == {hash_bval(b"a")}
    assert keys(definition(KeyType.BLOB, Source.LIST), b=in_list) == {hash_bval(b"x")}
    assert keys(definition(KeyType.NUMERIC, Source.MAPKEYS), b=in_map) == {1}
    assert keys(definition(KeyType.STRING, Source.MAPKEYS), b=in_map) == {hash_bval(b"k")}
    assert keys(definition(KeyType.NUMERIC, Source.MAPVALUES), b=in_map) == {7}
    assert keys(definition(KeyType.NUMERIC, Source.MAPVALUES), b=in_list) == frozenset()
    assert keys(definition(KeyType.NUMERIC, Source.LIST), b=number(1)) == frozenset()


def test_below_a_context() -> None:
    value = packed(ParticleType.MAP, {"\x03deep": [4, 5]})
    to_list = as_msgpack.pack([0x22, "\x03deep"])
    to_element = as_msgpack.pack([0x22, "\x03deep", 0x10, -1])
    nowhere = as_msgpack.pack([0x22, "\x03deep", 0x10, 9])
    on_a_list = as_msgpack.pack([0x10, 0])
    numeric = KeyType.NUMERIC
    assert keys(definition(numeric, Source.LIST, context=to_list), b=value) == {4, 5}
    assert keys(definition(numeric, context=to_element), b=value) == {5}
    assert keys(definition(numeric, context=nowhere), b=value) == frozenset()
    assert keys(definition(numeric, context=on_a_list), b=value) == frozenset()


def test_an_expression() -> None:
    doubled = as_msgpack.pack([22, [81, 2, "b"], 2])
    by_expression = IndexDefinition("i", b"s", b"", KeyType.NUMERIC, expression=doubled)
    assert keys(by_expression, b=number(21)) == {42}
    assert keys(by_expression, b=Particle(ParticleType.STRING, b"a")) == frozenset()


def test_points_and_regions() -> None:
    place = b'{"type":"Point","coordinates":[1.5,2.5]}'
    circle = b'{"type":"AeroCircle","coordinates":[[1.5,2.5],1000.0]}'
    by_place = definition(KeyType.GEO2DSPHERE)
    particles = [Particle(ParticleType.GEOJSON, geo.particle_data(t)) for t in (place, circle)]
    assert len(keys(by_place, b=particles[0])) == 1
    assert 1 < len(keys(by_place, b=particles[1])) <= 12


@pytest.mark.parametrize(
    "broken",
    [
        definition(KeyType.NUMERIC, context=b"\x92\x01"),
        definition(KeyType.NUMERIC, context=as_msgpack.pack([0x77, 1])),
        IndexDefinition("i", b"s", b"", KeyType.NUMERIC, expression=b"\x91\x01"),
        IndexDefinition("i", b"s", b"", KeyType.STRING, expression=as_msgpack.pack([81, 2, "b"])),
    ],
)
def test_a_definition_that_is_none(broken: IndexDefinition) -> None:
    with pytest.raises(OperationError):
        Keys(broken)


@given(
    st.builds(
        IndexDefinition,
        st.just("name"),
        st.binary(max_size=8),
        st.binary(max_size=8),
        st.sampled_from(KeyType),
        st.sampled_from(Source),
        st.binary(max_size=8),
        st.binary(max_size=8),
    )
)
def test_a_definition_survives_as_text(some: IndexDefinition) -> None:
    assert IndexDefinition.from_text("name", some.to_text()) == some


def test_an_element_behind_a_bin_header_is_the_same_value() -> None:
    """It is indexed as behind a string's header; a query that looks at the bin sees it."""
    text = b"\x03" + b"a" * 40
    for header in (b"\xd9\x29", b"\xc4\x29"):
        particle = Particle(ParticleType.LIST, b"\x91" + header + text)
        of_strings = definition(KeyType.STRING, Source.LIST)
        assert keys(of_strings, b=particle) == {hash_bval(text[1:])}
        payload = pack_bins({b"b": particle})
        view = RecordView(bytes(20), (1, 0, 0, 0, 0, payload), b"s", 0)
        assert list(Keys(of_strings).values(view)) == [text[1:]]
