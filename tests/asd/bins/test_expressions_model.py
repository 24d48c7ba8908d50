"""Evaluation against a naive interpreter of the same trees, written from the rules alone."""

from __future__ import annotations

import ctypes
import math
import struct
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from asd.bins.expressions import UNKNOWN, compile_expression
from asd.bins.particle import Particle

BOOL, INT, STR, FLOAT, BLOB = 1, 2, 3, 7, 6

INTS = {"i": 7, "j": -(1 << 63), "k": 0}
FLOATS = {"f": 2.5, "g": -0.0}
STRS = {"s": b"hello", "t": b""}
BOOLS = {"p": True, "q": False}

BINS: dict[bytes, Particle] = {
    **{name.encode(): Particle(1, struct.pack(">q", value)) for name, value in INTS.items()},
    **{name.encode(): Particle(2, struct.pack(">d", value)) for name, value in FLOATS.items()},
    **{name.encode(): Particle(3, value) for name, value in STRS.items()},
    **{name.encode(): Particle(17, bytes([value])) for name, value in BOOLS.items()},
}


def bin_data(name: bytes, kind: int) -> bytes | None:
    value = BINS.get(name)
    return value.data if value is not None and value.type == kind else None


def collection(name: bytes, kind: int, decode: Any) -> Any:
    data = bin_data(name, kind)
    return None if data is None else decode(data)


RECORD: Any = SimpleNamespace(
    digest=bytes(range(20)),
    set_name=b"demo",
    void_time=0,
    last_update_time=1_000,
    now_ms=5_000,
    is_tombstone=False,
    in_memory=True,
    has_key=False,
    key=lambda: None,
    record_size=lambda: 160,
    bin=BINS.get,
    bin_data=bin_data,
    collection=collection,
    look=lambda: None,
)

# -- the interpreter ------------------------------------------------------------------------------


class Unknown(Exception):
    """Ends the evaluation of an operand."""


def signed(value: int) -> int:
    return ctypes.c_int64(value).value


def unsigned(value: int) -> int:
    return ctypes.c_uint64(value).value


def bits_of(value: int) -> str:
    return format(unsigned(value), "064b")


def interpret(tree: Any, variables: dict[str, Any]) -> Any:
    """The value of a tree, or raises Unknown."""
    if not isinstance(tree, list):
        return tree[1:].encode() if isinstance(tree, str) else tree
    op, *arguments = tree
    if op in LAZY:
        return LAZY[op](arguments, variables)
    return STRICT[op](*[interpret(argument, variables) for argument in arguments])


def truth(tree: Any, variables: dict[str, Any]) -> bool | None:
    try:
        return bool(interpret(tree, variables))
    except Unknown:
        return None


def decided(trees: list[Any], variables: dict[str, Any], decisive: bool) -> bool:
    values = [truth(tree, variables) for tree in trees]
    if decisive in values:
        return decisive
    if None in values:
        raise Unknown
    return not decisive


def exclusive(trees: list[Any], variables: dict[str, Any]) -> bool:
    trues = 0
    for tree in trees:
        value = truth(tree, variables)
        if value is None:
            raise Unknown
        trues += value
        if trues == 2:
            return False
    return trues == 1


def cond(trees: list[Any], variables: dict[str, Any]) -> Any:
    while len(trees) > 1:
        if interpret(trees[0], variables):
            return interpret(trees[1], variables)
        trees = trees[2:]
    return interpret(trees[0], variables)


def let(trees: list[Any], variables: dict[str, Any]) -> Any:
    inner = dict(variables)
    while len(trees) > 1:
        try:
            inner[trees[0]] = interpret(trees[1], inner)
        except Unknown:
            inner[trees[0]] = None
        trees = trees[2:]
    return interpret(trees[0], inner)


def var(trees: list[Any], variables: dict[str, Any]) -> Any:
    if variables[trees[0]] is None:
        raise Unknown
    return variables[trees[0]]


def bin_value(trees: list[Any], variables: dict[str, Any]) -> Any:
    type_, name = trees
    values: Any = {INT: INTS, FLOAT: FLOATS, STR: STRS, BOOL: BOOLS}[type_]
    if name not in values:
        raise Unknown
    return values[name]


def unknown(trees: list[Any], variables: dict[str, Any]) -> Any:
    raise Unknown


def quotient(dividend: Any, *divisors: Any) -> Any:
    product = dividend
    if divisors:
        product = divisors[0]
        for divisor in divisors[1:]:
            product = signed(product * divisor) if type(product) is int else product * divisor
    else:
        dividend = type(dividend)(1)
    if type(dividend) is float:
        return c_divide(dividend, product)
    if product == 0:
        raise Unknown
    sign = -1 if (dividend < 0) != (product < 0) else 1
    return signed(sign * (abs(dividend) // abs(product)))


def c_divide(a: float, b: float) -> float:
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.inf if (a > 0) == (math.copysign(1, b) > 0) else -math.inf


def difference(first: Any, *rest: Any) -> Any:
    if not rest:
        return signed(-first) if type(first) is int else 0.0 - first
    for value in rest:
        first = signed(first - value) if type(first) is int else first - value
    return first


def total(*values: Any) -> Any:
    result = values[0]
    for value in values[1:]:
        result = signed(result + value) if type(result) is int else result + value
    return result


def product(*values: Any) -> Any:
    result = values[0]
    for value in values[1:]:
        result = signed(result * value) if type(result) is int else result * value
    return result


def remainder(a: int, b: int) -> int:
    if b == 0:
        raise Unknown
    return signed(int(math.copysign(1, a)) * (abs(a) % abs(b)))


def to_int(value: float) -> int:
    if math.isfinite(value) and -(2**63) <= int(value) < 2**63:
        return int(value)
    return -(2**63)


def scan(value: int, wanted: bool, last: bool) -> int:
    text, digit = bits_of(value), "1" if wanted else "0"
    return text.rfind(digit) if last else text.find(digit)


def fold(step: Any) -> Any:
    def run(*values: int) -> int:
        result = values[0]
        for value in values[1:]:
            result = step(result, value)
        return result

    return run


LAZY = {
    0: unknown,
    16: lambda trees, variables: decided(trees, variables, False),
    17: lambda trees, variables: decided(trees, variables, True),
    19: exclusive,
    81: bin_value,
    123: cond,
    124: var,
    125: let,
}
STRICT: dict[int, Any] = {
    1: lambda a, b: a == b,
    2: lambda a, b: a != b,
    3: lambda a, b: a > b,
    4: lambda a, b: a >= b,
    5: lambda a, b: a < b,
    6: lambda a, b: a <= b,
    18: lambda a: not a,
    20: total,
    21: difference,
    22: product,
    23: quotient,
    26: remainder,
    27: lambda a: signed(abs(a)) if type(a) is int else abs(a),
    30: to_int,
    31: float,
    32: fold(lambda a, b: a & b),
    33: fold(lambda a, b: a | b),
    34: fold(lambda a, b: a ^ b),
    35: lambda a: -a - 1,
    36: lambda a, n: signed(unsigned(a) << (n % 64)),
    37: lambda a, n: signed(unsigned(a) >> (n % 64)),
    38: lambda a, n: a >> (n % 64),
    39: lambda a: bits_of(a).count("1"),
    40: lambda a, wanted: scan(a, wanted, False),
    41: lambda a, wanted: scan(a, wanted, True),
    50: lambda *values: min(values),
    51: lambda *values: max(values),
    66: lambda: (1_000 + 1_262_304_000_000) * 1_000_000,
    67: lambda: 4_000,
    68: lambda: -1,
    69: lambda: -1,
    70: lambda: b"demo",
    74: lambda: 160,
}

# -- trees ----------------------------------------------------------------------------------------

INT_LITERALS = st.one_of(
    st.integers(-3, 70), st.integers(-(1 << 63), (1 << 63) - 1), st.just(-(1 << 63))
)
FLOAT_LITERALS = st.floats(allow_nan=False, width=64)


def node(op: int, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*arguments).map(lambda values: [op, *values])


def some(ops: list[int], argument: st.SearchStrategy[Any], least: int) -> Any:
    arguments = st.lists(argument, min_size=least, max_size=3)
    return st.builds(lambda op, values: [op, *values], st.sampled_from(ops), arguments)


def choice(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        node(123, bools, value, value),
        node(123, bools, st.just([0]), bools, value, value),
        node(125, st.just("x"), value, st.just([124, "x"])),
    ).filter(lambda tree: str(tree).count("'x'") <= 2)  # a name is bound once


def bins(type_: int, names: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([[81, type_, name] for name in names])


ints: st.SearchStrategy[Any] = st.deferred(
    lambda: st.one_of(
        INT_LITERALS,
        bins(INT, "ijkzs"),
        st.sampled_from([[66], [67], [68], [69], [74]]),
        some([20, 21, 22, 23, 32, 33, 34, 50, 51], ints, 1),
        st.builds(lambda op, a, b: [op, a, b], st.sampled_from([26, 36, 37, 38]), ints, ints),
        st.builds(lambda op, a: [op, a], st.sampled_from([27, 35, 39]), ints),
        st.builds(lambda op, a, b: [op, a, b], st.sampled_from([40, 41]), ints, bools),
        node(30, floats),
        choice(ints),
    )
)
floats: st.SearchStrategy[Any] = st.deferred(
    lambda: st.one_of(
        FLOAT_LITERALS,
        bins(FLOAT, "fgz"),
        some([20, 21, 22, 23], floats, 1),
        node(27, floats),
        node(31, ints),
        choice(floats),
    )
)
strs: st.SearchStrategy[Any] = st.deferred(
    lambda: st.one_of(
        st.text("abé", max_size=3).map("\x03".__add__),
        bins(STR, "stz"),
        st.just([70]),
        choice(strs),
    )
)
bools: st.SearchStrategy[Any] = st.deferred(
    lambda: st.one_of(
        st.booleans(),
        bins(BOOL, "pqz"),
        st.just([0]),
        some([16, 17, 19], bools, 2),
        node(18, bools),
        *[
            st.builds(lambda op, a, b: [op, a, b], st.integers(1, 6), values, values)
            for values in (ints, floats, strs, bools)
        ],
        choice(bools),
    )
)


def same(a: Any, b: Any) -> bool:
    if type(a) is float and type(b) is float and math.isnan(a):
        return math.isnan(b)
    return type(a) is type(b) and a == b


@given(st.one_of(ints, floats, strs, bools))
def test_agrees_with_the_interpreter(tree: Any) -> None:
    try:
        expected = interpret(tree, {})
    except Unknown:
        expected = UNKNOWN
    got = compile_expression(as_msgpack.pack(tree)).evaluate(RECORD)
    assert same(got, expected), (got, expected)


@given(bools)
def test_metadata_never_contradicts_the_whole(tree: Any) -> None:
    expression = compile_expression(as_msgpack.pack(tree))
    decision = expression.matches_metadata(RECORD)
    assert decision in (None, expression.matches(RECORD))
    if expression.metadata_only:
        assert decision is not None
