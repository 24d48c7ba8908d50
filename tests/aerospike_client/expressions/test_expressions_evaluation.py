"""Random expressions, built with operators and computed by a server, against plain Python.

Each sample is an expression together with a Python function that says what it should give.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aerospike_client import FilteredOut, Key, ReadPolicy
from aerospike_client.blocking.client import Client
from aerospike_client.expressions import (
    Bin,
    Bool,
    Expression,
    Float,
    Int,
    List,
    RegexFlags,
    Str,
    cond,
    element_value,
    exclusive,
    let,
    literal,
    maximum,
    minimum,
    unknown,
    var,
)
from aerospike_client.operations import ExpressionReadFlags, hlls, read_expression
from aerospike_client.operations.context import all_children, list_index, map_key
from aerospike_common import AsGeojson
from asd import Server

KEY = Key("test", "demo", "evaluated")
LIST = [5, 1, "a", 3, 3, 2.5, [1, 2], -7]
MAP = {"a": 1, "b": 22, "c": "x", 7: 3}
BINS: dict[str, Any] = {
    "i": 7,
    "j": -(1 << 63),
    "k": 0,
    "f": 2.5,
    "g": -1e10,
    "s": "hello",
    "e": "",
    "t": True,
    "n": False,
    "l": LIST,
    "m": MAP,
    "b": b"\x0f\xa5\x00\xff\x81",
    "g2": AsGeojson('{"type": "Point", "coordinates": [1.0, 2.0]}'),
}

Variables = dict[str, Any]


class Unknown(Exception):
    """There is no value."""


class Both(NamedTuple):
    """An expression and what it should give."""

    expression: Any
    value: Callable[[Variables], Any]


def signed(value: int) -> int:
    return ctypes.c_int64(value).value


def unsigned(value: int) -> int:
    return ctypes.c_uint64(value).value


def given_as(value: Any) -> Both:
    return Both(literal(value), lambda _: value)


def bin_of(type_: type[Expression], *names: str) -> st.SearchStrategy[Both]:
    """A bin of the right type, or one that gives no value."""

    def both(name: str) -> Both:
        def value(_: Variables) -> Any:
            found = BINS.get(name)
            if type(found).__name__ != type_.__name__.lower():
                raise Unknown
            return found

        return Both(Bin(name).as_type(type_), value)

    return st.sampled_from([*names, "missing", "l"]).map(both)


def binary(
    build: Callable[[Any, Any], Any], value: Callable[[Any, Any], Any] | None = None
) -> Callable[[Both, Both], Both]:
    compute = value or build

    def both(a: Both, b: Both) -> Both:
        return Both(
            build(a.expression, b.expression),
            lambda variables: compute(a.value(variables), b.value(variables)),
        )

    return both


def unary(
    build: Callable[[Any], Any], value: Callable[[Any], Any] | None = None
) -> Callable[[Both], Both]:
    compute = value or build
    return lambda a: Both(build(a.expression), lambda variables: compute(a.value(variables)))


def decided(build: Callable[[Any, Any], Any], decisive: bool) -> Callable[[Both, Both], Both]:
    """And, or: one decisive value is enough, whatever the other is."""

    def both(a: Both, b: Both) -> Both:
        def value(variables: Variables) -> bool:
            values = [outcome(each, variables) for each in (a, b)]
            if decisive in values:
                return decisive
            if None in values:
                raise Unknown
            return not decisive

        return Both(build(a.expression, b.expression), value)

    return both


def outcome(sample: Both, variables: Variables) -> Any:
    try:
        return sample.value(variables)
    except Unknown:
        return None


def quotient(a: int, b: int) -> int:
    if b == 0:
        raise Unknown
    return signed(abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1))


def remainder(a: int, b: int) -> int:
    if b == 0:
        raise Unknown
    return (abs(a) % abs(b)) * (-1 if a < 0 else 1)


def choice(condition: Both, a: Both, b: Both) -> Both:
    def value(variables: Variables) -> Any:
        return (a if condition.value(variables) else b).value(variables)

    type_ = type(a.expression)
    built = cond(type_, (condition.expression, a.expression), otherwise=b.expression)
    return Both(built, value)


def element(build: Callable[[], Expression], compute: Callable[[], Any]) -> st.SearchStrategy[Both]:
    """What a call on the list or the map gives; None stands for no value."""

    def value(_: Variables) -> Any:
        found = compute()
        if found is None:
            raise Unknown
        return found

    return st.just(Both(build(), value))


def list_call(index: int) -> st.SearchStrategy[Both]:
    found = LIST[index] if -len(LIST) <= index < len(LIST) else None
    return element(
        lambda: Bin("l").list().get(index, Int), lambda: found if type(found) is int else None
    )


def blob_int(offset: int, size: int, negative: bool) -> Both:
    def value(_: Variables) -> int:
        if offset + size > 8 * len(BLOB):
            raise Unknown
        number = int(f"{int.from_bytes(BLOB):040b}"[offset : offset + size], 2)
        return number - (1 << size) if negative and number >> size - 1 else number

    return Both(Bin("b").blob().get_int(offset, size, signed=negative), value)


def bits_set(blob: Both) -> Both:
    return Both(
        blob.expression.count_bits(0, 8 * len(BLOB)),
        lambda variables: int.from_bytes(blob.value(variables)).bit_count(),
    )


def bitwise(name: str, offset: int, size: int, operand: bytes) -> st.SearchStrategy[Both]:
    """A blob with some bits changed by those of another, as on strings of digits."""

    def value(_: Variables) -> bytes:
        digits = f"{int.from_bytes(BLOB):040b}"
        other = f"{int.from_bytes(operand):0{8 * len(operand)}b}"[:size]
        if size > 8 * len(operand) or offset + size > 40:
            raise Unknown
        mine = int(digits[offset : offset + size], 2)
        combined = {
            "or_bits": mine | int(other, 2),
            "and_bits": mine & int(other, 2),
            "xor_bits": mine ^ int(other, 2),
            "set_bits": int(other, 2),
        }[name]
        changed = digits[:offset] + f"{combined:0{size}b}" + digits[offset + size :]
        return int(changed, 2).to_bytes(5)

    return st.just(Both(getattr(Bin("b").blob(), name)(offset, size, operand), value))


BLOB = b"\x0f\xa5\x00\xff\x81"
blobs = st.tuples(
    st.sampled_from(["or_bits", "and_bits", "xor_bits", "set_bits"]),
    st.integers(0, 39),
    st.integers(1, 24),
    st.binary(min_size=1, max_size=3),
).flatmap(lambda drawn: bitwise(*drawn))

LST, MP = Bin("l").list(), Bin("m").map()
INSIDE = LST.at(list_index(6)).list()
OVER_TWO = all_children(element_value(Int) > 2)

ints = st.deferred(
    lambda: (
        st.integers(-(1 << 63), (1 << 63) - 1).map(given_as)
        | st.integers(-3, 3).map(given_as)
        | bin_of(Int, "i", "j", "k")
        | st.integers(-10, 10).flatmap(list_call)
        | element(LST.size, lambda: len(LIST))
        | element(LST.by_value(3).count, lambda: 2)
        | element(lambda: LST.by_value_range(1, 4).inverted().count(), lambda: len(LIST) - 3)
        | element(lambda: LST.by_rank(0).value(Int), lambda: -7)
        | element(lambda: LST.append(9).by_index(-1).value(Int), lambda: 9)
        | element(lambda: LST.by_index_range(0, 2).remove().get(1, Int), lambda: 3)
        | element(MP.size, lambda: len(MAP))
        | st.builds(blob_int, st.integers(0, 39), st.integers(1, 40), st.booleans())
        | st.builds(bits_set, blobs)
        | element(lambda: Bin("h").hll().may_contain(["x", "y"]), lambda: 1)
        | element(lambda: Bin("h").hll().union_count(Bin("h").hll()), lambda: 3)
        | element(lambda: MP.at(map_key("b")).list().size(), lambda: None)
        | element(INSIDE.size, lambda: 2)
        | element(lambda: INSIDE.append(5).get(6, List).size(), lambda: 3)
        | element(lambda: LST.path(OVER_TWO).values().size(), lambda: None)
        | element(lambda: LST.path(OVER_TWO, no_fail=True).values().size(), lambda: 3)
        | element(lambda: MP.get("b", Int), lambda: 22)
        | element(lambda: MP.get("c", Int), lambda: None)
        | element(lambda: MP.put("z", 4).by_key("z").index(), lambda: 4)
        | element(lambda: MP.by_key_range("a", "c").count(), lambda: 2)
        | st.builds(binary(lambda a, b: a + b, lambda a, b: signed(a + b)), ints, ints)
        | st.builds(binary(lambda a, b: a - b, lambda a, b: signed(a - b)), ints, ints)
        | st.builds(binary(lambda a, b: a * b, lambda a, b: signed(a * b)), ints, ints)
        | st.builds(binary(lambda a, b: a / b, quotient), ints, st.integers(-99, 99).map(given_as))
        | st.builds(binary(lambda a, b: a % b, remainder), ints, ints)
        | st.builds(binary(lambda a, b: a & b), ints, ints)
        | st.builds(binary(lambda a, b: a | b), ints, ints)
        | st.builds(binary(lambda a, b: a ^ b), ints, ints)
        | st.builds(unary(lambda a: ~a), ints)
        | st.builds(unary(lambda a: -a, lambda a: signed(-a)), ints)
        | st.builds(unary(abs, lambda a: signed(abs(a))), ints)
        | st.builds(binary(lambda a, b: a << b, lambda a, b: signed(a << b)), ints, shifts)
        | st.builds(binary(lambda a, b: a >> b), ints, shifts)
        | st.builds(
            binary(
                lambda a, b: a.logical_rshift(b), lambda a, b: signed(unsigned(a) >> b)
            ),
            ints,
            shifts,
        )
        | st.builds(unary(Int.bit_count, lambda a: unsigned(a).bit_count()), ints)
        | st.builds(binary(minimum, min), ints, ints)
        | st.builds(binary(maximum, max), ints, ints)
        | st.builds(choice, bools, ints, ints)
        | st.builds(with_variable, ints, ints)
    )
)  # fmt: skip
shifts = st.integers(0, 63).map(given_as)

floats = st.deferred(
    lambda: (
        st.floats(-1e6, 1e6).map(given_as)
        | bin_of(Float, "f", "g")
        | st.builds(unary(Int.to_float, float), ints)
        | st.builds(binary(lambda a, b: a + b), floats, floats)
        | st.builds(binary(lambda a, b: a - b), floats, floats)
        | st.builds(binary(minimum, min), floats, floats)
        | st.builds(choice, bools, floats, floats)
    )
)

strs = st.deferred(
    lambda: (
        st.text(max_size=3).map(given_as)
        | bin_of(Str, "s", "e")
        | element(lambda: MP.by_value("x").keys().get(0, Str), lambda: "c")
        | st.builds(choice, bools, strs, strs)
    )
)

COMPARISONS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a == b,
    lambda a, b: a != b,
    lambda a, b: a < b,
    lambda a, b: a <= b,
    lambda a, b: a > b,
    lambda a, b: a >= b,
]


def in_bytes(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: compare(a.encode(), b.encode())


def comparisons(
    operands: st.SearchStrategy[Both], compare: Callable[[Any], Any] = lambda function: function
) -> st.SearchStrategy[Both]:
    return st.one_of(
        *[st.builds(binary(each, compare(each)), operands, operands) for each in COMPARISONS]
    )


REGION = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]}


def matching(pattern: str) -> Both:
    return Both(
        Bin("s").str().matches(pattern, RegexFlags.EXTENDED),
        lambda _: re.search(pattern, BINS["s"]) is not None,
    )


bools = st.deferred(
    lambda: (
        bin_of(Bool, "t", "n")
        | st.just(Both(unknown(), outcome_unknown))
        | st.sampled_from(["i", "missing"]).map(
            lambda name: Both(Bin(name).exists(), lambda _: name in BINS)
        )
        | element(lambda: LST.contains("a"), lambda: True)
        | st.sampled_from(["h.*o", "^el", "L+"]).map(matching)
        | element(lambda: Bin("g2").geo().within(REGION), lambda: True)
        | element(lambda: Bin("missing").geo().within(REGION), lambda: None)
        | comparisons(blobs)
        | element(lambda: LST.contains(5.0), lambda: False)
        | element(lambda: LST.contains([1, 2]), lambda: True)
        | element(lambda: MP.contains_key(7), lambda: True)
        | element(lambda: MP.contains_value(7), lambda: False)
        | comparisons(ints)
        | comparisons(floats)
        | comparisons(strs, in_bytes)
        | st.builds(decided(lambda a, b: a & b, False), bools, bools)
        | st.builds(decided(lambda a, b: a | b, True), bools, bools)
        | st.builds(unary(lambda a: ~a, lambda a: not a), bools)
        | st.builds(binary(exclusive, lambda a, b: a != b), bools, bools)
        | st.builds(choice, bools, bools, bools)
    )
)


def outcome_unknown(_: Variables) -> Any:
    raise Unknown


def with_variable(definition: Both, body: Both) -> Both:
    """`let v = definition in v + body`, with a name that no `let` inside of it uses."""
    inside = definition.expression.bound | body.expression.bound
    name = f"v{len(inside)}"
    while name in inside:
        name += "_"
    built = let({name: definition.expression}, var(name, Int) + body.expression)

    def value(variables: Variables) -> int:
        return signed(definition.value(variables) + body.value(variables))

    return Both(built, value)


@pytest.fixture(scope="module")
def client(aerospike_session_server: Server) -> Iterator[Client]:
    host, port = aerospike_session_server.address
    with Client(f"{host}:{port}") as client:
        client.put(KEY, BINS)
        client.operate(KEY, [hlls.add("h", ["x", "y", "z"], 10)])
        yield client


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sample=ints | floats | strs | bools)
def test_the_server_gives_what_python_gives(client: Client, sample: Both) -> None:
    read = read_expression("r", sample.expression, ExpressionReadFlags.EVAL_NO_FAIL)

    assert client.operate(KEY, [read]).bins.get("r") == outcome(sample, {})


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sample=bools)
def test_a_filter_passes_what_is_true(client: Client, sample: Both) -> None:
    policy = ReadPolicy(filter_expression=sample.expression)
    if outcome(sample, {}):
        assert {**client.get(KEY, policy).bins, "h": None} == {**BINS, "h": None}
    else:
        with pytest.raises(FilteredOut):
            client.get(KEY, policy)
