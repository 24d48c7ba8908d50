"""Values for property tests: every type, every kind of container, nested."""

import pytest
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
)
from aerospike_common.as_bytes import BYTES_TYPES

# Text that is valid, and text whose bytes are not.
TEXTS = st.text(max_size=4) | st.binary(max_size=4).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
# Small numbers beside any, so that equal ones meet.
INTEGERS = (st.integers(-2, 2) | st.integers(-(1 << 63), (1 << 63) - 1)).map(AsInteger)
STRINGS = TEXTS.map(AsString)
BYTES = st.builds(AsBytes, st.binary(max_size=4), st.sampled_from(sorted(BYTES_TYPES)))
KEYS = INTEGERS | STRINGS | BYTES


def values(*, nan: bool) -> st.SearchStrategy:
    doubles = st.sampled_from([0.0, -0.0, 1.0]) | st.floats(allow_nan=nan)
    scalars = (
        st.just(NIL)
        | st.booleans().map(AsBoolean)
        | INTEGERS
        | STRINGS
        | BYTES
        | doubles.map(AsDouble)
        | TEXTS.map(AsGeojson)
    )
    return st.recursive(scalars, _containers, max_leaves=8)


def _containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    items = st.lists(inner, max_size=4)
    pairs = st.lists(st.tuples(KEYS, inner), max_size=4)
    return (
        st.builds(AsArraylist, items, ordered=st.booleans())
        | st.builds(AsPair, inner, inner)
        | st.builds(AsHashmap, pairs)
        | st.builds(AsOrderedmap, pairs, value_ordered=st.booleans())
    )


@pytest.fixture(scope="session")
def any_value() -> st.SearchStrategy:
    """Any value at all."""
    return values(nan=True)


@pytest.fixture(scope="session")
def any_number_value() -> st.SearchStrategy:
    """Any value without NaN, which msgpack carries but no protocol orders."""
    return values(nan=False)


@pytest.fixture(scope="session")
def any_key() -> st.SearchStrategy:
    """Anything that a map may have as key."""
    return KEYS
