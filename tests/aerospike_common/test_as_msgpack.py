"""as_msgpack: the value model, the strict decoder, storage form and the order of values."""

from __future__ import annotations

import itertools
import struct
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.as_msgpack_decoder import Decoder
from aerospike_common.wire.errors import MessageError

INT64 = st.integers(-(2**63), 2**63 - 1)
SMALL_INT = st.integers(-3, 3)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
STRINGS = TEXT.map(lambda text: "\x03" + text)
BLOBS = st.binary(max_size=6).map(
    lambda raw: (b"\x04" + raw).decode("utf-8", "surrogateescape"),
)
GEOS = TEXT.map(lambda text: "\x17" + text)
KEYS = st.one_of(SMALL_INT, INT64, STRINGS, BLOBS)
SCALARS = st.one_of(
    st.none(), st.booleans(), SMALL_INT, INT64, STRINGS, BLOBS, GEOS, st.floats(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def sample(*parts: str) -> bytes:
    return bytes.fromhex("".join(parts))


@given(VALUES)
def test_values_survive_the_way_to_bytes_and_back(value: Any) -> None:
    data = mp.pack(value)
    assert mp.unpack_stored(data) == value
    assert mp.unpack(data) == value
    assert mp.pack(mp.unpack(data)) == data


@given(VALUES)
def test_the_two_decoders_agree(value: Any) -> None:
    data = mp.pack(value)
    slow = Decoder(data).decode()
    assert slow == mp.unpack(data)
    assert mp.pack(slow) == data


@given(st.dictionaries(KEYS, SCALARS, max_size=40), st.sampled_from([0, 1, 2, 3]))
def test_stored_maps_come_apart_and_together(pairs: dict[Any, Any], flags: int) -> None:
    flagged = {ExtType(flags, b""): None, **pairs} if flags else pairs
    data = mp.pack(flagged)
    stored_flags, count, entries = mp.split_stored(data)
    assert (stored_flags, count) == (flags, len(pairs))
    flat = [part for pair in pairs.items() for part in pair]
    assert mp.unpack_elements(2 * count, entries) == flat
    assert mp.pack_entries(list(pairs), list(pairs.values())) == entries
    assert mp.join_map(flags, count, entries) == data


@given(st.lists(SCALARS, max_size=40), st.sampled_from([0, 1]))
def test_stored_lists_come_apart_and_together(values: list[Any], flags: int) -> None:
    data = mp.pack([ExtType(flags, b""), *values] if flags else values)
    stored_flags, count, elements = mp.split_stored(data)
    assert (stored_flags, count) == (flags, len(values))
    assert mp.unpack_elements(count, elements) == values
    assert mp.pack_elements(values) == elements
    assert mp.join_list(flags, count, elements) == data


@pytest.mark.parametrize("count", [0, 1, 7, 14, 15, 16, 17, 65534, 65535, 65536])
@pytest.mark.parametrize("flags", [0, 1])
def test_headers_of_every_width(count: int, flags: int) -> None:
    mark = ExtType(flags, b"")
    numbers = list(range(count))
    as_list = mp.pack([mark, *numbers] if flags else numbers)
    assert mp.join_list(flags, count, mp.pack_elements(numbers)) == as_list
    assert mp.split_stored(as_list)[:2] == (flags, count)
    pairs: dict[Any, Any] = dict.fromkeys(numbers)
    as_map = mp.pack({mark: None, **pairs} if flags else pairs)
    assert mp.join_map(flags, count, mp.pack_entries(numbers, [None] * count)) == as_map
    assert mp.split_stored(as_map)[:2] == (flags, count)


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ("cfffffffffffffffff", -1),
        ("cf8000000000000000", -(2**63)),
        ("d0 80", -128),
        ("d3 0000000000000005", 5),
        ("ca 3fc00000", 1.5),
        ("c4 03 036162", "\x03ab"),
        ("c5 0003 04ffff", "\x04\udcff\udcff"),
        ("d9 03 036162", "\x03ab"),
        ("c6 00000000", ""),
        ("91 d4ff00", [mp.WILDCARD]),
        ("92 01 d4ff01", [1, mp.INF]),
        ("92 c70001 05", [ExtType(1, b""), 5]),
        ("92 c70201aabb 05", [ExtType(1, b""), 5]),
        ("91 c700ff", [ExtType(0x7F, b"")]),
        ("82 d403ff c0 01 02", {ExtType(3, b""): None, 1: 2}),
    ],
)
def test_forms_that_only_strangers_write(wire: str, value: Any) -> None:
    assert mp.unpack(sample(wire)) == value
    # ... and the same deep inside a long value, where another path reads them.
    padding = [7] * 400
    assert mp.unpack(b"\x92" + sample(wire) + mp.pack(padding)) == [value, padding]


def test_special_values_keep_their_identity_and_bytes() -> None:
    assert mp.unpack(sample("d4ff00")) is mp.WILDCARD
    assert mp.unpack(sample("d4ff01")) is mp.INF
    assert mp.pack([mp.WILDCARD, mp.INF]) == sample("92d4ff00d4ff01")


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "91",
        "c1",
        "0100",
        "92 01",
        "a5 0361",
        "cd 01",
        "dd ffffffff 01",
        "df 80000000 01 01",
        "de ffff",
        "c7 05 01 aa",
        "82 01 01 01 02",
        "82 a20361 01 a20361 02",
        "81 c0 01",
        "81 c3 01",
        "81 cb3ff8000000000000 01",
        "81 90 01",
        "81 80 01",
        "81 d4ff00 01",
        "82 01 01 c70001 c0",
    ],
)
def test_malformed_values_are_refused(wire: str) -> None:
    data = sample(wire)
    with pytest.raises(MessageError):
        mp.unpack(data)
    if data and data != b"\x01\x00":
        with pytest.raises(MessageError):
            mp.unpack(b"\x92" + mp.pack([7] * 400) + data)


@given(st.binary(max_size=64))
@example(b"\xd6\xff\0\0\0\0")
@example(b"\x81\xa1\xff\xc7\x08\xff" + bytes(8))
@settings(max_examples=300)
def test_any_bytes_decode_or_are_refused_alike_by_both_decoders(data: bytes) -> None:
    outcomes = []
    for padded in (data, b"\x92" + data + mp.pack([7] * 400)):
        try:
            outcomes.append(mp.unpack(padded))
        except MessageError:
            outcomes.append(MessageError)
    try:
        slow = Decoder(data).decode()
    except MessageError:
        assert outcomes[0] is MessageError
    else:
        assert repr(outcomes[0]) == repr(slow)
        assert repr(outcomes[1]) == repr([slow, [7] * 400])


def nested(depth: int, head: bytes = b"\x91") -> bytes:
    return head * depth + b"\x01"


@pytest.mark.parametrize("head", [b"\x91", b"\x81\x01", b"\x92\xcf" + b"\xff" * 8])
def test_nesting_is_bounded(head: bytes) -> None:
    deepest = mp.unpack(nested(mp.MAX_DEPTH, head))
    assert mp.pack(mp.unpack(mp.pack(deepest)))
    assert mp.compare(deepest, mp.unpack(nested(mp.MAX_DEPTH, head))) == 0
    assert mp.order_key(deepest) < mp.order_key([deepest, "\x03"] if head == b"\x91" else "\x17")
    assert mp.normalise_for_storage(deepest) == deepest
    for depth in (mp.MAX_DEPTH + 2, 1000, 5000, 200_000):
        with pytest.raises(MessageError):
            mp.unpack(nested(depth, head))


def test_lying_counts_cost_no_memory() -> None:
    evil = b"\xdd\x00\x0f\xff\xff" * 1000 + bytes(1 << 20)
    tracemalloc.start()
    with pytest.raises(MessageError):
        mp.unpack(evil)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


# -- order ----------------------------------------------------------------------------------------

RANKS = {type(None): 1, bool: 2, int: 3, list: 5, dict: 6, float: 8}


def naive_compare(a: Any, b: Any) -> int:
    """The protocol's order, spelled out."""

    def rank(value: Any) -> int:
        if isinstance(value, str):
            return {"\x03": 4, "\x17": 9}.get(value[:1], 7)
        return RANKS[type(value)]

    if rank(a) != rank(b):
        return -1 if rank(a) < rank(b) else 1
    if isinstance(a, str):
        a, b = (text.encode("utf-8", "surrogateescape") for text in (a, b))
    elif isinstance(a, dict):
        if len(a) != len(b):
            return -1 if len(a) < len(b) else 1
        a, b = (flatten(list(pairs.items())) for pairs in (a, b))
    if isinstance(a, list):
        for left, right in zip(a, b, strict=False):
            order = naive_compare(left, right)
            if order:
                return order
        a, b = len(a), len(b)
    return 0 if a is None else (a > b) - (a < b)


def flatten(items: list[Any]) -> list[Any]:
    return [part for item in items for part in item]


@given(VALUES, VALUES)
@example("\x04\udcff", "\x04é")
@example("\x04\udc80", "\x04\uffff")
def test_order_is_the_protocols(a: Any, b: Any) -> None:
    expected = naive_compare(a, b)
    assert mp.compare(a, b) == expected
    key_a, key_b = mp.order_key(a), mp.order_key(b)
    assert (key_a > key_b) - (key_a < key_b) == expected
    assert mp.compare(a, mp.INF) == -1
    assert mp.order_key(a) < mp.order_key(mp.INF)
    assert mp.compare(a, mp.WILDCARD) == mp.compare(mp.WILDCARD, b) == 0


@given(
    st.one_of(
        st.lists(VALUES, max_size=8),
        st.lists(INT64),
        st.lists(STRINGS),
        st.lists(st.one_of(STRINGS, BLOBS, GEOS)),
        st.lists(st.floats(allow_nan=False)),
    )
)
def test_sorting_follows_the_order(values: list[Any]) -> None:
    ordered = mp.sort_values(values)
    assert sorted(map(repr, ordered)) == sorted(map(repr, values))
    assert all(naive_compare(a, b) <= 0 for a, b in itertools.pairwise(ordered))
    assert mp.is_sorted(ordered)
    assert mp.is_sorted(values) == all(
        naive_compare(a, b) <= 0 for a, b in itertools.pairwise(values)
    )


@pytest.mark.parametrize(
    ("pattern", "value", "order"),
    [
        ([1, mp.WILDCARD], [1, 5, 9], 0),
        ([1, mp.WILDCARD], [2], -1),
        ([[1, mp.WILDCARD], 7], [[1, 2, 3], 7], 0),
        ([[1, mp.WILDCARD], 7], [[1, 2, 3], 6], 1),
        ({1: mp.WILDCARD}, {1: "\x03x"}, 0),
        ({1: mp.WILDCARD}, {2: "\x03x"}, -1),
        ([ExtType(1, b""), 1], [1], 0),
        ({ExtType(1, b""): None, 1: 2}, {1: 2}, 0),
    ],
)
def test_wildcards_match_and_flags_do_not_count(pattern: Any, value: Any, order: int) -> None:
    assert mp.compare(pattern, value) == order
    assert mp.compare(value, pattern) == -order


# -- storage form ------------------------------------------------------------------------


@given(VALUES)
def test_stored_maps_are_sorted_everywhere(value: Any) -> None:
    stored = mp.normalise_for_storage(value)
    assert stored == value  # as dicts compare: without regard to order
    assert mp.pack(mp.normalise_for_storage(stored)) == mp.pack(stored)

    def walk(item: Any) -> None:
        if isinstance(item, dict):
            assert mp.is_sorted(list(item))
            item = list(item.values())
        for inner in item if isinstance(item, list) else []:
            walk(inner)

    walk(stored)


@pytest.mark.parametrize(
    ("wire", "stored"),
    [
        ("91c70005", "91c70001"),
        ("92c70002 03", "9103"),
        ("94c70011 020406", "94c70001020406"),
        ("92 93c7001101 02 03", "9293c70001010203"),
        ("81c70008c0", "80"),
        ("82c70009c0 0102", "82c70001c00102"),
        ("83c70002c0 0201 0102", "83c70002c001020201"),
        ("82c70010c0 0102", "810102"),
        ("82 0201 0102", "8201020201"),
        ("91cf0000000000000005", "9105"),
    ],
)
def test_flags_and_order_as_stored(wire: str, stored: str) -> None:
    assert mp.pack(mp.normalise_for_storage(mp.unpack(sample(wire)))) == sample(stored)


@pytest.mark.parametrize(
    "wire",
    [
        "91d4ff00",
        "9201 91d4ff01",
        "81 01 d4ff01",
        "93c70001 02 01",
        "92 93c70001 02 01 05",
        "83c70001c0 0201 0102",
        "9201 c70001",
        "81 a2177b 01",
        "d4ff00",
    ],
)
def test_what_may_not_be_stored(wire: str) -> None:
    value = mp.unpack(sample(wire))
    with pytest.raises(MessageError):
        mp.normalise_for_storage(value)


def test_doubles_keep_their_bits() -> None:
    raw = struct.pack(">Q", 0x7FF8000000000123)
    assert mp.pack(mp.unpack(b"\xcb" + raw)) == b"\xcb" + raw
    assert msgpack.unpackb(mp.pack(-0.0)).hex() == "-0x0.0p+0"


@pytest.mark.parametrize(
    ("wire", "items", "rest", "whole"),
    [
        ("93010203", [1, 2, 3], "", True),
        ("930102c1", [1, 2], "c1", False),
        ("dc0003019201", [1], "9201", False),
        ("dd00000002a4", [], "a4", False),
        ("9201", [1], "", False),
        ("9301ddffffffff02", [1, mp.UNWALKED, 2], "", True),
        ("9301df0000000202c1", [1, mp.UNWALKED, 2], "c1", True),
        ("9201dd000000010203", [1, [2]], "03", True),
        ("9201dcffff", [1], "dcffff", False),
        ("81", [], "", False),
        ("", [], "", False),
    ],
)
def test_the_sound_part_of_a_broken_list(
    wire: str, items: list[Any], rest: str, whole: bool
) -> None:
    assert mp.unpack_sound_part(bytes.fromhex(wire)) == (items, bytes.fromhex(rest), whole)
