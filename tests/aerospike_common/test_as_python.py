"""Plain Python to values and back."""

import collections
import enum
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common import (
    NIL,
    AsArraylist,
    AsBytes,
    AsGeojson,
    AsInteger,
    AsString,
    from_python,
    to_python,
)
from aerospike_common.as_val import MAX_NESTING
from aerospike_common.wire.codes import ParticleType

KEYS = st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=4) | st.binary(max_size=4)
PLAIN = st.recursive(
    st.none() | st.booleans() | KEYS | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


def same(a, b):
    """Equal and of equal types all the way down: in Python 1 == 1.0 == True."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    return a == b


@given(PLAIN)
def test_python_comes_back(plain):
    assert same(to_python(from_python(plain)), plain)


@given(st.data())
def test_values_come_back(any_value, data):
    value = data.draw(any_value)
    assert from_python(to_python(value)) == value


def test_what_python_has_no_type_for_stays():
    for value in (AsGeojson("{}"), AsBytes(b"", ParticleType.HLL)):
        assert from_python(value) is value
        assert to_python(value) is value
    assert to_python(from_python([AsGeojson("{}")])) == [AsGeojson("{}")]


def test_what_is_like_a_plain_type_is_taken_as_one():
    class Fruit(enum.StrEnum):
        LEMON = "lemon"

    class Number(enum.IntEnum):
        ONE = 1

    point = collections.namedtuple("point", "x y")(1, 2)
    assert from_python(Fruit.LEMON) == AsString("lemon")
    assert from_python(Number.ONE) == AsInteger(1)
    assert from_python(point) == AsArraylist([AsInteger(1), AsInteger(2)])
    assert from_python(types.MappingProxyType({1: None})) == from_python({1: None})
    assert from_python(bytearray(b"a")) == from_python(memoryview(b"a")) == AsBytes(b"a")


@pytest.mark.parametrize("plain", [object(), {1, 2}, 1j, range(3), [object()], {1: object()}])
def test_what_stands_for_no_value(plain):
    with pytest.raises(TypeError, match="no value for"):
        from_python(plain)


@pytest.mark.parametrize("key", [None, True, 1.0, (1,), AsGeojson("{}")])
def test_what_is_no_key(key):
    with pytest.raises(TypeError, match="keys"):
        from_python({key: 1})


def test_too_large_an_integer():
    with pytest.raises(OverflowError):
        from_python([1 << 64])


def nested(depth):
    plain = 0
    for level in range(depth):
        plain = [plain] if level % 2 else {"a": plain}
    return plain


def test_nesting_has_a_limit():
    deepest = from_python(nested(MAX_NESTING))
    assert to_python(deepest) == nested(MAX_NESTING)
    with pytest.raises(ValueError, match="nested"):
        from_python(nested(MAX_NESTING + 1))
    with pytest.raises(ValueError, match="nested"):
        to_python(AsArraylist([deepest]))


def test_a_list_within_itself():
    plain = []
    plain.append(plain)
    with pytest.raises(ValueError, match="nested"):
        from_python(plain)
    value = AsArraylist([NIL])
    value.append(value)
    with pytest.raises(ValueError, match="nested"):
        to_python(value)
