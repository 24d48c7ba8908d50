"""Building expressions and evaluating them on a record."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins.cdt import path
from asd.bins.expressions import (
    UNKNOWN,
    ExpressionCache,
    ExpType,
    RecordPaths,
    compile_expression,
    record_size,
)
from asd.bins.expressions.compiler import DEPTH_MAX, SIZE_MAX
from asd.bins.expressions.table import OPERATIONS
from asd.bins.particle import Particle

INT, DOUBLE, STRING, BLOB, BOOL, HLL, MAP, LIST, GEOJSON = 1, 2, 3, 4, 17, 18, 19, 20, 23
POINT = '{"type":"Point","coordinates":[-122.0,37.5]}'
SQUARE = '{"type":"Polygon","coordinates":[[[-123,37],[-121,37],[-121,38],[-123,38],[-123,37]]]}'
EPOCH_2010_S = 1_262_304_000


def integer(value: int) -> Particle:
    return Particle(INT, struct.pack(">q", value))


def collection(kind: int, value: Any) -> Particle:
    return Particle(kind, as_msgpack.pack(value))


BINS = {
    b"i": integer(20),
    b"d": Particle(DOUBLE, struct.pack(">d", 2.5)),
    b"s": Particle(STRING, b"hello"),
    b"bl": Particle(BLOB, b"\x01\x02\xff"),
    b"t": Particle(BOOL, b"\x01"),
    b"l": collection(LIST, [5, 1, 3]),
    b"m": collection(MAP, {"\x03a": 1, "\x03b": 2}),
    b"g": Particle(GEOJSON, b"\0\0\1" + bytes(8) + POINT.encode()),
    b"h": Particle(HLL, bytes([0, 4, 0]) + bytes(20)),
}


def record(bins: dict[bytes, Particle] | None = None, **fields: Any) -> Any:
    """A record in memory; any field of a RecordView can be set."""
    bins = BINS if bins is None else bins
    key = fields.pop("key", None)
    view = {
        "digest": bytes(16) + (1000).to_bytes(4, "little"),
        "set_name": b"demo",
        "void_time": 0,
        "last_update_time": 7_000,
        "now_ms": 10_000,
        "is_tombstone": False,
        "in_memory": True,
    }

    def bin_data(name: bytes, kind: int) -> bytes | None:
        value = bins.get(name)
        return value.data if value is not None and value.type == kind else None

    def collection(name: bytes, kind: int, decode: Any) -> Any:
        data = bin_data(name, kind)
        return None if data is None else decode(data)

    return SimpleNamespace(
        **(view | fields),
        bin_data=bin_data,
        collection=collection,
        look=lambda: None,
        has_key=key is not None,
        key=lambda: key,
        bin=bins.get,
        record_size=lambda: record_size(0, b"demo", key, bins.items()),
    )


def wire(tree: Any) -> bytes:
    return as_msgpack.pack(tree)


def evaluate(tree: Any, view: Any = None) -> Any:
    return compile_expression(wire(tree)).evaluate(view or record())


def refused(data: bytes) -> bool:
    try:
        compile_expression(data)
    except OperationError as error:
        return error.code == ResultCode.PARAMETER
    return False


# -- building -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tree",
    [
        [],
        [99],
        [-1],
        [None],
        ["x"],
        "raw",
        "\x07java",
        as_msgpack.WILDCARD,
        [1, 1],
        [1, 1, 1, 1],
        [1, 1, "\x03a"],
        [1, None, 1],
        [1, as_msgpack.WILDCARD, 1],
        [1, "\x04a", "\x03a"],
        [5, "\x17" + POINT, "\x17" + POINT],
        [1, "\x12" + "\0" * 23, [81, 9, "h"]],
        [7, 0, "a", [81, 2, "i"]],
        [7, 1, "(", "\x03a"],
        [8, "\x03x", "\x03y"],
        [9, 1, {}],
        [16, True],
        [16, True, 5],
        [18, "\x03x"],
        [20, 1, 2.5],
        [20],
        [24, 2, 3],
        [26, 2.5, 1.0],
        [30, 1],
        [40, 2.5, True],
        [50, 1, "\x03a"],
        [64, 0],
        [64, [81, 2, "i"]],
        [71, 1],
        [80, 4],
        [80, 99],
        [81, 99, "i"],
        [81, 2, 5],
        [81, 2, "x" * 16],
        [82],
        [122, 2, 3],
        [122, 3, 2],
        [123, True, 1],
        [123, 5, 1, 2],
        [123, True, 1, "\x03s"],
        [123, True, 1, True, 2],
        [124, "x"],
        [125, "x", 1, 2, 3],
        [125, "1x", 1, 2],
        [125, "x-", 1, 2],
        [125, "x", 1, [125, "x", 2, 3]],
        [125, "x", [125, "x", 1, 2], 3],
        [125, "x", [124, "x"], 3],
        [126],
        [126, 5],
        [126, [1], [2]],
        [127, 2, 0, [16]],
        [127, 10, 0, [16], [81, 4, "l"]],
        [127, 2, 3, [16], [81, 4, "l"]],
        [127, 2, 128, [16], [81, 4, "l"]],
        [127, 2, 0, [], [81, 4, "l"]],
        [127, 2, 0, [16], [81, 2, "i"]],
        [127, 2, 1, [51, 0, 8], [81, 4, "l"]],
        [127, 2, 2, [50], [81, 6, "bl"]],
        [20, [100], 1],
        [20, [123, True, [100], 1], 1],
        [127, 1, 0, [22, 13, [100]], [81, 4, "l"]],
        [126, [as_msgpack.WILDCARD]],
        [126, [[as_msgpack.INF]]],
    ],
    ids=str,
)
def test_ill_formed_trees_are_refused(tree: Any) -> None:
    assert refused(wire(tree))


@pytest.mark.parametrize(
    "data", ["", "c1", "9314", "93140102c0", "ddffffffff", "81c001", "820101c0"]
)
def test_broken_bytes_are_refused(data: str) -> None:
    assert refused(bytes.fromhex(data))


def test_size_and_depth_are_bounded() -> None:
    assert refused(b"\xdb" + (SIZE_MAX - 5).to_bytes(4) + b"\x03" * (SIZE_MAX - 5))
    deep = b"\x92\x12" * DEPTH_MAX + b"\xc3"
    assert compile_expression(deep).evaluate(record()) is True
    assert refused(b"\x92\x12" + deep)
    assert refused(b"\x92\x12" * 300_000 + b"\xc3")


def test_every_operation_has_its_own_name() -> None:
    names = [operation.name for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))


@given(st.binary(max_size=60))
def test_any_bytes_are_an_expression_or_refused(data: bytes) -> None:
    if not refused(data):
        compile_expression(data).evaluate(record())


LEAVES = st.one_of(
    st.sampled_from([None, True, False, 0, 1, 2, 3, 4, 5, 64, 255, 254, -1, 1 << 62, 2.5, 0.0]),
    st.sampled_from(["i", "s", "l", "m", "\x03a", "\x04a", "\x17" + POINT, "x"]),
    st.sampled_from([[81, 2, "i"], [81, 4, "l"], [81, 5, "m"], [81, 9, "h"], [81, 6, "bl"]]),
    st.sampled_from([[126, [1, "\x03a"]], [81, 8, "g"], [74], [80, 3], {1: 2}]),
)
TREES = st.recursive(
    LEAVES,
    lambda trees: st.builds(
        lambda op, arguments: [op, *arguments],
        st.one_of(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 110)),
        st.lists(trees, max_size=4),
    ),
    max_leaves=12,
)


@given(TREES)
def test_evaluating_never_raises(tree: Any) -> None:
    if not refused(wire(tree)):
        expression = compile_expression(wire(tree))
        for view in (record(), record({}), record(key=integer(5), void_time=9)):
            expression.evaluate(view)
            expression.matches_metadata(view)


@given(st.integers(0, 64), st.lists(LEAVES, max_size=4), st.sampled_from([0, 64, 1, 65, 2, 66]))
def test_calls_never_raise(op: int, arguments: list[Any], system: int) -> None:
    for subject in ([81, 4, "l"], [81, 5, "m"], [81, 6, "bl"], [81, 9, "h"], None):
        for type_ in (ExpType.INT, ExpType.LIST, ExpType.BLOB):
            tree = [127, int(type_), system, [op, *arguments], subject]
            if not refused(wire(tree)):
                evaluate(tree)


# -- records --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ([81, 1, "t"], True),
        ([81, 2, "i"], 20),
        ([81, 3, "s"], b"hello"),
        ([81, 4, "l"], [5, 1, 3]),
        ([81, 5, "m"], {"\x03a": 1, "\x03b": 2}),
        ([81, 6, "bl"], b"\x01\x02\xff"),
        ([81, 7, "d"], 2.5),
        ([81, 8, "g"], POINT.encode()),
        ([81, 2, "s"], UNKNOWN),
        ([81, 2, "none"], UNKNOWN),
        ([82, "l"], 20),
        ([82, "none"], 0),
        ([80, 3], UNKNOWN),
        ([64, 7], 1000 % 7),
        ([64, -7], 1000 % 7),
        ([65], 0),
        ([66], (7 + EPOCH_2010_S) * 1_000_000_000),
        ([67], 3_000),
        ([68], -1),
        ([69], -1),
        ([70], b"demo"),
        ([71], False),
        ([72], False),
        ([122, 2, 0], UNKNOWN),
    ],
    ids=str,
)
def test_what_is_read_of_a_record(tree: Any, expected: Any) -> None:
    assert evaluate(tree) == expected


def test_expiry_and_key() -> None:
    view = record(void_time=60, key=Particle(STRING, b"k1"), in_memory=False)
    assert evaluate([68], view) == (60 + EPOCH_2010_S) * 1_000_000_000
    assert evaluate([69], view) == 50
    assert evaluate([71], view) is True
    assert evaluate([80, 3], view) == b"k1"
    assert evaluate([80, 2], view) is UNKNOWN
    assert evaluate([65], view) == evaluate([74], view) == view.record_size()
    assert evaluate([73], view) == 0


@pytest.mark.parametrize(
    ("void_time", "set_name", "key", "bins", "size"),
    [
        (0, b"", None, {}, 40),
        (1, b"", None, {}, 44),
        (0, b"demo", None, {}, 45),
        (0, b"", Particle(STRING, b"k" * 9), {}, 51),
        (0, b"", Particle(STRING, b"k" * 200), {}, 40 + 2 + 201),
        (0, b"", None, {b"a": integer(255)}, 40 + 3 + 2),
        (0, b"", None, {b"a": integer(256)}, 40 + 3 + 3),
        (0, b"", None, {b"a": integer(1 << 16)}, 40 + 3 + 5),
        (0, b"", None, {b"a": integer(1 << 32)}, 40 + 3 + 9),
        (0, b"", None, {b"a": integer(-1)}, 40 + 3 + 9),
        (0, b"", None, {b"abc": Particle(DOUBLE, bytes(8))}, 40 + 5 + 8),
        (0, b"", None, {b"a": Particle(BOOL, b"\1"), b"b": Particle(BLOB, bytes(30))}, 40 + 4 + 37),
    ],
)
def test_record_size(
    void_time: int, set_name: bytes, key: Particle | None, bins: dict[bytes, Particle], size: int
) -> None:
    assert record_size(void_time, set_name, key, bins.items()) == -(-size // 16) * 16


# -- values ---------------------------------------------------------------------------------------


def ordered(pairs: dict[Any, Any]) -> Any:
    """A map flagged key ordered."""
    return as_msgpack.unpack(b"\x82\xc7\x00\x01\xc0" + wire(pairs)[1:])


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ([1, None, None], True),
        ([3, None, None], False),
        ([6, None, None], True),
        ([5, "\x03ab", "\x03b"], True),
        ([5, "\x03a", "\x03ab"], True),
        ([1, [126, [1, 2]], [126, [1, 2]]], True),
        ([5, [126, [1, 2]], [126, [1, 2, 0]]], True),
        ([3, [126, [2, {1: 1}]], [126, [1, {1: 1}]]], True),
        ([1, [126, [1, {1: 1}]], [126, [1, {1: 1}]]], UNKNOWN),
        ([1, [126, [1]], [126, [{1: 1}]]], UNKNOWN),
        ([1, {}, {}], True),
        ([1, {1: 1}, {}], UNKNOWN),
        ([1, ordered({1: 2}), ordered({1: 2})], True),
        ([5, ordered({1: 2}), ordered({1: 3})], True),
        ([3, ordered({1: 2}), {}], True),
        ([9, 1, [126, [1.0, True, 1]]], True),
        ([9, 1, [126, [1.0, True]]], False),
        ([9, True, [126, [1]]], False),
        ([9, None, [126, [0, None]]], True),
        ([9, "\x03a", [126, ["\x04a", "\x03a"]]], True),
        ([9, [126, [1]], [126, [[2], [1]]]], True),
        ([9, 3, [81, 4, "l"]], True),
        ([101, [81, 5, "m"]], ["\x03a", "\x03b"]),
        ([102, [81, 5, "m"]], [1, 2]),
        ([101, [126, [1]]], UNKNOWN),
        ([8, [81, 8, "g"], "\x17" + SQUARE], True),
        ([8, "\x17" + SQUARE, [81, 8, "g"]], True),
        ([8, [81, 8, "g"], "\x17" + POINT], False),
        ([7, 0, "l*o$", [81, 3, "s"]], True),
        ([7, 0, "l*o$", [81, 3, "none"]], UNKNOWN),
        ([26, -7, 2], -1),
        ([23, -7, 2], -3),
        ([23, -(1 << 63), -1], -(1 << 63)),
        ([20, (1 << 63) - 1, 1], -(1 << 63)),
        ([30, 1e300], -(1 << 63)),
        ([36, 1, 64], 1),
        ([25, 8.0, 2.0], 3.0),
        ([28, -2.5], -3.0),
        ([29, 2.1], 3.0),
    ],
    ids=str,
)
def test_values(tree: Any, expected: Any) -> None:
    got = evaluate(tree)
    assert (type(got), got) == (type(expected), expected)


@pytest.mark.parametrize(
    ("tree", "bits"),
    [
        ([24, -2.0, 0.5], "fff8000000000000"),
        ([25, -1.0, 2.0], "fff8000000000000"),
        ([23, 0.0, 0.0], "fff8000000000000"),
        ([23, 4.0, [21, 0.0]], "7ff0000000000000"),
        ([23, 1.0, -0.0], "fff0000000000000"),
        ([24, -0.0, -3.0], "fff0000000000000"),
        ([24, -10.0, 309.0], "fff0000000000000"),
        ([24, -10.0, 310.0], "7ff0000000000000"),
        ([25, 0.0, 2.0], "fff0000000000000"),
        ([29, -0.5], "8000000000000000"),
        ([27, -0.0], "0000000000000000"),
    ],
    ids=str,
)
def test_floats_are_those_of_the_c_library(tree: Any, bits: str) -> None:
    assert struct.pack(">d", evaluate(tree)).hex() == bits


def test_let_binds_anew_for_every_evaluation() -> None:
    expression = compile_expression(wire([125, "x", [81, 2, "i"], [20, [124, "x"], [124, "x"]]]))
    assert expression.evaluate(record()) == 40
    assert expression.evaluate(record({})) is UNKNOWN
    assert expression.evaluate(record({b"i": integer(1)})) == 2


# -- filters ------------------------------------------------------------------------------------


def test_metadata_decides_first() -> None:
    both = compile_expression(wire([16, [71], [3, [81, 2, "i"], 10]]))
    assert not both.metadata_only
    assert both.matches_metadata(record()) is False
    assert both.matches_metadata(record(key=integer(1))) is None
    assert both.matches(record(key=integer(1))) is True
    assert both.matches(record()) is False

    alone = compile_expression(wire([71]))
    assert alone.metadata_only
    assert alone.matches_metadata(record(key=integer(1))) is True

    bins = compile_expression(wire([3, [81, 2, "i"], 10]))
    assert bins.matches_metadata(record()) is None
    assert compile_expression(wire([0])).matches_metadata(record()) is False
    assert compile_expression(wire([72])).matches(record(is_tombstone=True)) is False


# -- calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ([127, 2, 0, [16], [81, 4, "l"]], 3),
        ([127, 2, 0, [19, 7, [21, 3, 2]], [81, 4, "l"]], 1),
        ([127, 3, 0, [19, 7, 0], [81, 4, "l"]], UNKNOWN),
        ([127, 2, 0, [17, 99], [81, 4, "l"]], UNKNOWN),
        ([127, 2, 0, [17, [81, 2, "none"]], [81, 4, "l"]], UNKNOWN),
        ([127, 2, 0, [999], [81, 4, "l"]], UNKNOWN),
        ([127, 4, 64, [1, [81, 3, "s"]], [81, 4, "l"]], [5, 1, 3, "\x03hello"]),
        ([127, 4, 64, [1, [126, [9]]], [81, 4, "l"]], [5, 1, 3, [9]]),
        ([127, 4, 64, [255, [16, 0], [1, [20, 1, 1]]], [126, [[1]]]], [[1, 2]]),
        ([127, 4, 64, [255, [16, 0], [1, 2]], [126, [[1]]]], [[1, 2]]),
        ([127, 2, 0, [97, 7, "\x03b"], [81, 5, "m"]], 2),
        ([127, 5, 64, [67, "\x03c", 3, 0], {}], {"\x03c": 3}),
        ([127, 1, 0, [22, 13, 5], [81, 4, "l"]], True),
        ([127, 1, 0, [22, 13, [126, [1, as_msgpack.WILDCARD]]], [126, [[1, 2]]]], True),
        ([127, 4, 0, [25, 7, [126, [1]], [126, [1, as_msgpack.INF]]], [126, [[1, 2]]]], [[1, 2]]),
        ([127, 4, 64, [1, [126, [as_msgpack.WILDCARD]]], [81, 4, "l"]], UNKNOWN),
        ([127, 2, 0, [16], None], UNKNOWN),
        ([127, 2, 1, [51, 0, 24], [81, 6, "bl"]], 10),
        ([127, 6, 1, [50, 8, 8], [81, 6, "bl"]], b"\x02"),
        ([127, 6, 65, [7, 0, 8, 0], [81, 6, "bl"]], b"\xfe\x02\xff"),
        ([127, 4, 2, [55], [81, 9, "h"]], [4, 0]),
        ([127, 2, 2, [50], [81, 9, "h"]], 0),
        ([127, 9, 2, [50], [81, 9, "h"]], UNKNOWN),
    ],
    ids=str,
)
def test_calls(tree: Any, expected: Any) -> None:
    assert evaluate(tree) == expected


def test_a_call_leaves_literals_and_the_record_alone() -> None:
    view = record()
    expression = compile_expression(wire([127, 4, 64, [1, 9], [126, [1]]]))
    assert [expression.evaluate(view) for _ in range(2)] == [[1, 9], [1, 9]]
    assert evaluate([127, 4, 64, [1, 9], [81, 4, "l"]], view) == [5, 1, 3, 9]
    assert evaluate([81, 4, "l"], view) == [5, 1, 3]


def test_elements_of_a_path() -> None:
    paths = RecordPaths(record(), ExpressionCache(8).path)
    bigger = paths.compile(wire([3, [122, 2, 1], [81, 2, "i"]]))
    assert bigger.evaluate(None, 21, 0) is True
    assert bigger.evaluate(None, 20, 0) is False
    assert bigger.evaluate(None, "\x03x", 0) is path.UNKNOWN
    assert paths.compile(wire([122, 3, 0])).evaluate("\x03key", 1, 0) == "\x03key"
    assert paths.compile(wire([20, [122, 2, 2], 1])).evaluate(None, None, 4) == 5
    drop = paths.compile(wire([123, [3, [122, 2, 1], 3], [100], [0]]))
    assert drop.evaluate(None, 4, 0) is path.REMOVE
    assert drop.evaluate(None, 3, 0) is path.UNKNOWN
    with pytest.raises(OperationError):  # to remove is no value, so it cannot stand beside one
        paths.compile(wire([123, [3, [122, 2, 1], 3], [100], [122, 2, 1]]))
    with pytest.raises(OperationError):
        paths.compile(b"\xc1")
