"""The two expression ops, the form of their value, and the cache of built expressions."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import expressions
from asd.bins.expressions import ExpressionCache
from asd.bins.expressions.payload import split_payload
from asd.bins.particle import Particle

DOUBLE, STRING, BLOB, BOOL, HLL, MAP, LIST = 2, 3, 4, 17, 18, 19, 20


def integer(value: int) -> Particle:
    return Particle(1, struct.pack(">q", value))


def wire(tree: Any) -> bytes:
    return as_msgpack.pack(tree)


BINS = {
    b"i": integer(20),
    b"l": Particle(LIST, wire([5, 1, 3])),
    b"h": Particle(HLL, bytes([0, 4, 0]) + bytes(20)),
}


def bin_data(name: bytes, kind: int) -> bytes | None:
    value = BINS.get(name)
    return value.data if value is not None and value.type == kind else None


def collection(name: bytes, kind: int, decode: Any) -> Any:
    data = bin_data(name, kind)
    return None if data is None else decode(data)


RECORD: Any = SimpleNamespace(
    bin=BINS.get, bin_data=bin_data, collection=collection, look=lambda: None
)


# -- the cache ----------------------------------------------------------------------------------


def test_cache_is_bounded_and_refuses_what_is_no_filter() -> None:
    cache = ExpressionCache(4)
    first = cache.filter(wire([1, 0, 0]))
    assert cache.filter(wire([1, 0, 0])) is first
    for number in range(1, 20):
        cache.filter(wire([1, number, 0]))
    assert len(cache) == 4
    assert cache.filter(wire([1, 0, 0])) is not first
    cache.filter(wire([1, "\x03" + "x" * 5000, "\x03"]))
    assert len(cache) == 0
    with pytest.raises(OperationError):
        cache.filter(wire(5))
    assert len(cache) == 0


# -- expression ops -------------------------------------------------------------------------------

CREATE_ONLY, UPDATE_ONLY, ALLOW_DELETE, POLICY_NO_FAIL, EVAL_NO_FAIL = 1, 2, 4, 8, 16


@pytest.mark.parametrize(
    ("payload", "expression", "flags"),
    [
        ("9200", "00", 0),
        ("9100", "00", 0),
        ("9210c3", "10", 0),
        ("92c010", "c0", 16),
        ("927ea20373", "7e", 0),
        ("9293140102c000", "93140102", 0),
        ("929314010200ff", "93140102", 0),
        ("92c3ff", "c3", -1),
        ("92c3ddffffffff", "c3", 0),
        ("917f02", "7f", 2),
        ("917f10", "7f", 16),
        ("917fc0", "7f", 0),
    ],
)
def test_payload_forms(payload: str, expression: str, flags: int) -> None:
    assert split_payload(bytes.fromhex(payload)) == (bytes.fromhex(expression), flags)


@pytest.mark.parametrize("payload", ["", "c0", "90", "93000000", "92c1", "9293", "c3", "81c3c3"])
def test_other_payloads_are_refused(payload: str) -> None:
    with pytest.raises(OperationError) as caught:
        split_payload(bytes.fromhex(payload))
    assert caught.value.code == ResultCode.PARAMETER


def read(tree: Any, flags: int = 0) -> Any:
    try:
        return expressions.read(RECORD, wire([tree, flags]), ExpressionCache())
    except OperationError as error:
        return error.code


@pytest.mark.parametrize(
    ("tree", "flags", "expected"),
    [
        ([20, [81, 2, "i"], 1], 0, integer(21)),
        (True, 0, Particle(BOOL, b"\x01")),
        (2.5, 0, Particle(DOUBLE, struct.pack(">d", 2.5))),
        ("\x03x", 0, Particle(STRING, b"x")),
        ("\x04x", 0, Particle(BLOB, b"x")),
        ([81, 9, "h"], 0, BINS[b"h"]),
        ([81, 4, "l"], 0, BINS[b"l"]),
        ({2: 0, 1: 0}, 0, Particle(MAP, wire({1: 0, 2: 0}))),
        (None, 0, None),
        ([0], 0, 26),
        ([100], 0, 26),
        ([0], EVAL_NO_FAIL, None),
        ([1, 1], 0, 4),
        (1, CREATE_ONLY, 4),
        (1, -1, 4),
    ],
    ids=str,
)
def test_read(tree: Any, flags: int, expected: Any) -> None:
    assert read(tree, flags) == expected


def modify(tree: Any, flags: int, current: Particle | None) -> Any:
    try:
        return expressions.modify(RECORD, current, wire([tree, flags]), ExpressionCache())
    except OperationError as error:
        return error.code


OLD, NEW = integer(1), integer(5)


@pytest.mark.parametrize(
    ("tree", "flags", "on_missing", "on_existing"),
    [
        (5, 0, NEW, NEW),
        (5, CREATE_ONLY, NEW, 6),
        (5, UPDATE_ONLY, 17, NEW),
        (5, CREATE_ONLY | UPDATE_ONLY, 17, 6),
        (5, CREATE_ONLY | POLICY_NO_FAIL, NEW, OLD),
        (5, UPDATE_ONLY | POLICY_NO_FAIL, None, NEW),
        (None, 0, None, 26),
        (None, ALLOW_DELETE, None, None),
        (None, POLICY_NO_FAIL, None, OLD),
        ([0], 0, 26, 26),
        ([0], ALLOW_DELETE | POLICY_NO_FAIL, 26, 26),
        ([0], EVAL_NO_FAIL, None, OLD),
        ([100], EVAL_NO_FAIL, None, OLD),
        ([0], CREATE_ONLY | EVAL_NO_FAIL, None, 6),
        (5, 32, 4, 4),
        (5, -1, 4, 4),
    ],
    ids=str,
)
def test_modify(tree: Any, flags: int, on_missing: Any, on_existing: Any) -> None:
    assert modify(tree, flags, None) == on_missing
    assert modify(tree, flags, OLD) == on_existing


# -- literals that are none -----------------------------------------------------------------------

BAD_GEOJSON = [
    '{"type":"Blob","coordinates":[1,2]}',
    "not JSON",
    "",
    '{"type":"Point"}',
    '{"type":"Point","coordinates":[500,1]}',
    '{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}',
]


@pytest.mark.parametrize("text", BAD_GEOJSON)
def test_a_geojson_literal_is_parsed_when_the_expression_is_built(text: str) -> None:
    bad = "\x17" + text
    point = '\x17{"type":"Point","coordinates":[1,2]}'
    not_evaluated = [123, False, [8, point, bad], True]
    for tree in ([8, point, bad], not_evaluated, bad):
        with pytest.raises(OperationError) as caught:
            expressions.compile_expression(wire(tree))
        assert caught.value.code == ResultCode.PARAMETER
    empty = '\x17{"type":"Polygon","coordinates":[]}'
    assert expressions.compile_expression(wire([8, point, empty])).evaluate(RECORD) is False


@pytest.mark.parametrize("key", ["c0", "cb3ff8000000000000", "90", "c3"])
def test_a_map_with_a_bad_key_is_the_failure_of_a_call(key: str) -> None:
    bad = "8201" + "01" + key + "02"
    call = f"957f05009244{bad}80"  # put_items into an empty map
    payload = bytes.fromhex(f"92{call}00")
    with pytest.raises(OperationError) as caught:
        expressions.read(RECORD, payload, ExpressionCache(4))
    assert caught.value.code == ResultCode.OP_NOT_APPLICABLE
    assert expressions.read(RECORD, payload[:-1] + b"\x10", ExpressionCache(4)) is None
    for literal in (bad, f"927e91{bad}", f"937b{bad}00"):
        with pytest.raises(OperationError) as caught:
            expressions.compile_expression(bytes.fromhex(literal))
        assert caught.value.code == ResultCode.PARAMETER
