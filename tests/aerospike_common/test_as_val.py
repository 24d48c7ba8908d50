"""The order of values: a total order, the protocol's, and the one msgpack values have."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common import (
    NIL,
    AsArraylist,
    AsBoolean,
    AsBytes,
    AsDouble,
    AsGeojson,
    AsHashmap,
    AsInteger,
    AsOrderedmap,
    AsPair,
    AsString,
    as_msgpack,
    from_python,
)
from aerospike_common.as_msgpack_serializer import AsMsgpackSerializer, to_wire
from aerospike_common.wire.codes import ParticleType

# In ascending order, each strictly below the next: the table of the protocol, row by row.
ASCENDING = [
    NIL,
    AsBoolean(False),
    AsBoolean(True),
    AsInteger(-(1 << 63)),
    AsInteger(-1),
    AsInteger(0),
    AsInteger((1 << 63) - 1),
    AsString(""),
    AsString("B"),
    AsString("a"),
    AsString("aa"),
    AsString("é"),
    AsString("\uffff"),
    AsString("\U0001f34b"),  # above U+FFFF in bytes, below it in UTF-16
    AsString("\udcff"),  # the byte ff, above all of UTF-8
    from_python([]),
    from_python([1]),
    from_python([1, 1]),
    from_python([1, "a"]),
    from_python([2]),
    from_python([[]]),
    from_python([0.5]),
    from_python({}),
    from_python({9: 9}),
    from_python({"a": 0}),
    from_python({1: 1, 2: 2}),
    from_python({1: 1, 2: 3}),
    from_python({1: 1, 3: 0}),
    AsBytes(b""),
    AsBytes(b"a"),
    AsBytes(b"a\x00"),
    AsBytes(b"b"),
    AsBytes(b"", ParticleType.PYTHON_BLOB),
    AsBytes(b"", ParticleType.HLL),
    AsDouble(float("nan")),
    AsDouble(float("-inf")),
    AsDouble(-1.5),
    AsDouble(0.0),
    AsDouble(5e-324),
    AsDouble(float("inf")),
    AsGeojson(""),
    AsGeojson("{}"),
]


def test_the_table_of_the_protocol():
    for (i, a), (j, b) in itertools.product(enumerate(ASCENDING), repeat=2):
        assert (a < b, a <= b, a == b, a != b, a >= b, a > b) == (
            i < j,
            i <= j,
            i == j,
            i != j,
            i >= j,
            i > j,
        )


@given(st.data())
def test_order_is_total(any_value, data):
    a, b, c = data.draw(st.tuples(any_value, any_value, any_value))
    assert [a < b, a == b, a > b].count(True) == 1
    assert (a <= b, a >= b, a != b) == (not a > b, not a < b, a < b or a > b)
    assert (a < b) == (b > a)
    low, middle, high = sorted([a, b, c])
    assert low <= middle <= high
    assert low <= high


@given(st.data())
def test_order_is_that_of_the_serialized_form(any_number_value, data):
    serializer = AsMsgpackSerializer()
    a, b = (data.draw(any_number_value) for _ in range(2))
    wire_a, wire_b = (as_msgpack.unpack(serializer.serialize(v)) for v in (a, b))
    key_a, key_b = as_msgpack.order_key(wire_a), as_msgpack.order_key(wire_b)
    assert (a < b, a == b, a > b) == (key_a < key_b, key_a == key_b, key_a > key_b)
    assert as_msgpack.compare(to_wire(a), to_wire(b)) == (a > b) - (a < b)


@given(st.data())
def test_equal_keys_have_equal_hashes(any_key, data):
    a, b = (data.draw(any_key) for _ in range(2))
    assert (hash(a) == hash(b)) or a != b
    assert ({a: 1}.get(b) == 1) == (a == b)


def test_zeros_are_equal_in_hash_too():
    assert hash(AsDouble(0.0)) == hash(AsDouble(-0.0))
    assert AsDouble(0.0) == AsDouble(-0.0)


def test_kinds_of_one_type_are_equal():
    assert AsPair(AsInteger(1), NIL) == from_python([1, None])
    assert AsHashmap([(AsInteger(2), NIL), (AsInteger(1), NIL)]) == AsOrderedmap(
        {AsInteger(1): NIL, AsInteger(2): NIL}
    )
    assert AsArraylist([NIL], ordered=True) == AsArraylist([NIL])


@pytest.mark.parametrize("value", [NIL, AsInteger(1), AsArraylist(), AsHashmap()])
def test_values_meet_only_values(value):
    for other in (None, 1, [], {}, object()):
        assert value != other
        with pytest.raises(TypeError):
            _ = value < other
        with pytest.raises(TypeError):
            _ = other >= value


@pytest.mark.parametrize("value", [AsArraylist(), AsHashmap(), AsOrderedmap()])
def test_what_changes_has_no_hash(value):
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)
    with pytest.raises(TypeError, match="unhashable"):
        hash(AsPair(NIL, value))


def test_a_pair_of_scalars_has_a_hash():
    assert hash(AsPair(NIL, AsInteger(1))) == hash(AsPair(NIL, AsInteger(1)))
