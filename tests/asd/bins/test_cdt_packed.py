"""Lists and maps changed in their bytes: the same as unpacking, changing and packing them."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from asd.bins.cdt.containers import ListValue, MapValue
from asd.bins.cdt.packed import PackedMap, replaced

TEXTS = st.text(alphabet="abé\udc80", max_size=40)
KEYS = st.one_of(
    st.integers(-300, 70000),
    st.integers(-2, 3),
    TEXTS.map("\x03".__add__),
    TEXTS.map("\x04".__add__),
)
VALUES = st.one_of(
    KEYS, st.none(), st.booleans(), st.floats(allow_nan=False), st.just([1, {2: 3}]), st.just({})
)
BY_ORDER = cmp_to_key(mp.compare)


def sorted_pairs(pairs: dict[Any, Any]) -> dict[Any, Any]:
    return {key: pairs[key] for key in sorted(pairs, key=BY_ORDER)}


@given(st.lists(VALUES, max_size=20), st.integers(0, 20), st.integers(0, 5), st.lists(VALUES))
def test_replacing_elements(values: list[Any], at: int, gone: int, new: list[Any]) -> None:
    at = min(at, len(values))
    gone = min(gone, len(values) - at)
    body = replaced(mp.pack_elements(values), values, at, gone, new)
    assert body == mp.pack_elements(values[:at] + new + values[at + gone :])


@given(
    st.lists(VALUES, max_size=18),
    st.sampled_from([0, 1]),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2), st.lists(VALUES, max_size=2))),
    st.booleans(),
)
def test_lists_are_spliced(
    values: list[Any], flags: int, splices: list[tuple[int, int, list[Any]]], looks: bool
) -> None:
    def packed(values: list[Any]) -> bytes:
        return mp.pack([ExtType(flags, b""), *values] if flags else values)

    container = ListValue.stored(packed(values))
    model = list(values)
    for at, gone, new in splices:
        at = min(at, len(model))
        gone = min(gone, len(model) - at)
        container.splice(at, gone, new)
        model[at : at + gone] = new
        assert container.size == len(model)
        assert container.pack() == packed(model)
        if looks:
            assert container.elements == model
    container.values.append(1)
    assert container.pack() == packed([*model, 1])


@given(
    st.dictionaries(KEYS, VALUES, max_size=18),
    st.sampled_from([0, 1, 3]),
    st.lists(st.tuples(st.sampled_from(["put", "remove", "find"]), KEYS, VALUES), max_size=6),
)
@settings(max_examples=200)
def test_maps_are_changed_entry_by_entry(
    pairs: dict[Any, Any], flags: int, steps: list[tuple[str, Any, Any]]
) -> None:
    def packed(pairs: dict[Any, Any]) -> bytes:
        pairs = sorted_pairs(pairs)
        return mp.pack({ExtType(flags, b""): None, **pairs} if flags else pairs)

    container = MapValue.stored(packed(pairs))
    model = dict(pairs)
    known = list(pairs)
    for step, key, value in steps:
        if known and type(value) is int:
            key = known[value % len(known)]
        at = container.find(key)
        assert (at >= 0) is (key in model)
        if at >= 0:
            assert list(sorted_pairs(model)).index(key) == at
            assert container.value_at(at) == model[key]
        if step == "put":
            container.put(key, value)
            model[key] = value
        elif step == "remove" and at >= 0:
            container.remove([at])
            del model[key]
        assert container.size == len(model)
        assert container.pack() == packed(model)
    assert container.keys == list(sorted_pairs(model))
    assert container.values == list(sorted_pairs(model).values())


def test_an_entry_whose_place_does_not_show_is_left_alone() -> None:
    pairs = {1: 1, 2: "\x03x"}
    packed = PackedMap(2, mp.pack_entries(list(pairs), list(pairs.values())))
    assert packed.exchanged(0, 1, [1, 5]) is None  # 1 is also the value
    changed = packed.exchanged(1, 1, [2, 5])
    assert changed is not None
    assert changed.columns() == ([1, 2], [1, 5])


def test_a_nested_value_is_not_looked_for() -> None:
    nested = MapValue.stored(mp.pack({1: [2], 5: 6}))
    assert nested.value_at(nested.find(1)) == [2]
    nested.put(1, 3)
    assert nested.pack() == mp.pack({1: 3, 5: 6})
