"""What each scalar takes and refuses, and that it stays as it is."""

import enum

import attrs
import pytest

from aerospike_common import (
    NIL,
    AsBoolean,
    AsBytes,
    AsDouble,
    AsGeojson,
    AsInteger,
    AsPair,
    AsString,
)
from aerospike_common.as_bytes import BYTES_TYPES
from aerospike_common.wire.codes import ParticleType


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (AsBoolean, [0, None, "true"]),
        (AsInteger, [True, 1.0, "1", None, Colour.RED]),
        (AsDouble, [1, True, "1.0", None]),
        (AsString, [b"a", 1, None]),
        (AsGeojson, [b"{}", {}, None]),
        (AsBytes, ["a", bytearray(b"a"), [1], None]),
    ],
)
def test_only_its_own_type(kind, wrong):
    for value in wrong:
        with pytest.raises(TypeError, match=kind.__name__):
            kind(value)


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1])
def test_integers_of_more_than_64_bits(value):
    with pytest.raises(OverflowError):
        AsInteger(value)


@pytest.mark.parametrize("kind", [AsString, AsGeojson])
def test_text_without_bytes(kind):
    with pytest.raises(UnicodeEncodeError):
        kind("\ud800")


def test_types_of_bytes():
    for particle in ParticleType:
        if particle in BYTES_TYPES:
            assert AsBytes(b"", int(particle)).type is particle
        else:
            with pytest.raises(ValueError, match="do not hold bytes"):
                AsBytes(b"", particle)
    with pytest.raises(ValueError, match="5"):
        AsBytes(b"", 5)
    assert sorted(BYTES_TYPES) == [4, 7, 8, 9, 10, 11, 12, 18]


@pytest.mark.parametrize(
    "value", [AsBoolean(True), AsInteger(1), AsDouble(1.0), AsString("a"), AsBytes(b"")]
)
def test_scalars_do_not_change(value):
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.value = value.value


def test_a_pair_holds_values():
    first, second = AsPair(NIL, AsInteger(2))
    assert (first, second) == (NIL, AsInteger(2))
    with pytest.raises(TypeError, match="from_python"):
        AsPair(NIL, 2)
