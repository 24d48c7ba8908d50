"""Values as msgpack: the bytes of the protocol, round trips, and anything a stranger may send."""

import pytest
from hypothesis import example, given
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
from aerospike_common.as_list import AsList
from aerospike_common.as_map import AsMap
from aerospike_common.as_msgpack_serializer import AsMsgpackSerializer, from_wire, to_wire
from aerospike_common.as_val import MAX_NESTING, AsVal
from aerospike_common.wire.errors import MessageError

SERIALIZER = AsMsgpackSerializer()

BYTES = [
    (NIL, "c0"),
    (AsBoolean(False), "c2"),
    (AsBoolean(True), "c3"),
    (AsInteger(0), "00"),
    (AsInteger(127), "7f"),
    (AsInteger(128), "cc80"),
    (AsInteger(65536), "ce00010000"),
    (AsInteger((1 << 63) - 1), "cf7fffffffffffffff"),
    (AsInteger(-32), "e0"),
    (AsInteger(-33), "d0df"),
    (AsInteger(-(1 << 63)), "d38000000000000000"),
    (AsDouble(1.5), "cb3ff8000000000000"),
    (AsString("a"), "a20361"),
    (AsString("\udcff"), "a203ff"),
    (AsString("a" * 31), "d92003" + "61" * 31),
    (AsBytes(b"\xff\x00"), "a304ff00"),
    (AsBytes(b"", 9), "a109"),
    (AsBytes(b"\x01", 18), "a21201"),
    (AsGeojson("{}"), "a3177b7d"),
    (from_python([1, [None]]), "920191c0"),
    (AsPair(AsInteger(1), NIL), "9201c0"),
    (AsArraylist([AsInteger(2), AsInteger(1)], ordered=True), "93c700010102"),
    (AsArraylist(ordered=True), "91c70001"),
    (from_python({"b": 2, 1: 1, b"": 3}), "830101a2036202a10403"),
    (AsOrderedmap({AsInteger(2): NIL, AsInteger(1): NIL}), "83c70001c001c002c0"),
    (AsOrderedmap({AsInteger(1): NIL}, value_ordered=True), "82c70003c001c0"),
    (AsOrderedmap(), "81c70001c0"),
]


@pytest.mark.parametrize(("value", "data"), BYTES)
def test_the_bytes_of_the_protocol(value, data):
    assert SERIALIZER.serialize(value).hex() == data
    back = SERIALIZER.deserialize(bytes.fromhex(data))
    assert SERIALIZER.serialize(back).hex() == data


def kinds(value: AsVal) -> object:
    """The types and flags of a value and of all within."""
    if isinstance(value, AsPair):
        return (AsArraylist, False, [kinds(value.first), kinds(value.second)])
    if isinstance(value, AsList):
        return (AsArraylist, value.ordered, [kinds(item) for item in value.stored()])
    if isinstance(value, AsOrderedmap):
        return (AsOrderedmap, value.value_ordered, [kinds(value[key]) for key in value])
    if isinstance(value, AsMap):
        return (AsHashmap, False, [kinds(value[key]) for key in sorted(value)])
    return type(value)


@given(st.data())
def test_values_come_back(any_value, data):
    value = data.draw(any_value)
    back = SERIALIZER.deserialize(SERIALIZER.serialize(value))
    assert back == value
    assert kinds(back) == kinds(value)
    assert SERIALIZER.serialize(back) == SERIALIZER.serialize(value)


@given(st.data())
def test_what_is_written_may_be_stored(any_number_value, data):
    wire = as_msgpack.unpack(SERIALIZER.serialize(data.draw(any_number_value)))
    stored = as_msgpack.normalise_for_storage(wire)
    assert as_msgpack.pack(stored) == as_msgpack.pack(wire)


@given(st.data())
def test_wire_values_come_back(any_value, data):
    value = data.draw(any_value)
    wire = to_wire(value)
    assert from_wire(wire) == value
    assert as_msgpack.pack(to_wire(from_wire(wire))) == as_msgpack.pack(wire)


@given(st.binary(max_size=40))
@example(b"")
@example(b"\xd4\xff\x00")  # wildcard
@example(b"\x91\xd4\xff\x01")  # infinity
@example(b"\xa0")  # a string without its type byte
@example(b"\xa2\x05a")  # a type byte that is none
@example(b"\x81\xa1\x17\x01")  # GeoJSON as key
@example(b"\x82\x01\x01\x01\x02")  # a key twice
@example(b"\x92\x01\xc7\x00\x01")  # flags that do not come first
@example(b"\xdd\xff\xff\xff\xff")  # more items than bytes
def test_any_bytes_are_a_value_or_refused(data):
    try:
        value = SERIALIZER.deserialize(data)
    except MessageError:
        return
    assert SERIALIZER.deserialize(SERIALIZER.serialize(value)) == value


@pytest.mark.parametrize(
    "data", ["", "d4ff00", "91d4ff01", "a0", "a20561", "81a11701", "8201010102", "9201c70001"]
)
def test_what_is_no_value(data):
    with pytest.raises(MessageError):
        SERIALIZER.deserialize(bytes.fromhex(data))


def test_any_order_of_a_map_is_key_order():
    value = SERIALIZER.deserialize(bytes.fromhex("82c70002c001c0"))
    assert isinstance(value, AsOrderedmap)
    assert value.value_ordered


def nested(depth: int) -> AsVal:
    value: AsVal = NIL
    for _ in range(depth):
        value = AsArraylist([value])
    return value


def test_nesting_has_a_limit():
    assert MAX_NESTING == as_msgpack.MAX_DEPTH
    deepest = nested(MAX_NESTING)
    assert SERIALIZER.deserialize(SERIALIZER.serialize(deepest)) == deepest
    with pytest.raises(ValueError, match="nested"):
        SERIALIZER.serialize(nested(MAX_NESTING + 1))
    with pytest.raises(MessageError):
        SERIALIZER.deserialize(b"\x91" * 10_000 + b"\xc0")


def test_a_list_within_itself():
    value = AsArraylist()
    value.append(value)
    with pytest.raises(ValueError, match="nested"):
        SERIALIZER.serialize(value)
