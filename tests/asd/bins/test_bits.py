"""Bit operations against a model that works on strings of '0' and '1'."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import bits
from asd.bins.particle import Particle

NO_FAIL = 4
PARTIAL = 8

blobs = st.binary(min_size=1, max_size=12)
int64s = st.integers(-(2**63), 2**63 - 1)


def blob(value: bytes) -> str:
    return "\x04" + value.decode("utf-8", "surrogateescape")


def payload(*op: Any) -> bytes:
    return as_msgpack.pack(list(op))


def change(value: bytes | None, *op: Any) -> bytes | None:
    particle = None if value is None else Particle(ParticleType.BLOB, value)
    changed, result = bits.modify(particle, payload(*op))
    assert result is None
    assert bits.evaluate(value, list(op), True) == (changed and changed.data)
    return changed and changed.data


def look(value: bytes, *op: Any) -> int | bytes:
    particle = bits.read(Particle(ParticleType.BLOB, value), payload(*op))
    assert particle is not None
    result = bits.evaluate(value, list(op), False)
    if isinstance(result, int):
        assert particle == (ParticleType.INTEGER, result.to_bytes(8, "big", signed=True))
    else:
        assert particle == (ParticleType.BLOB, result)
    assert result is not None
    return result


def code_of(value: bytes | None, *op: Any, modify: bool = True) -> ResultCode:
    with pytest.raises(OperationError) as caught:
        bits.evaluate(value, list(op), modify)
    return caught.value.code


def text(value: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in value)


def untext(digits: str) -> bytes:
    return bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8))


@st.composite
def ranges(draw: st.DrawFn, size_max: int = 96) -> tuple[bytes, int, int]:
    """A blob, and offset and size of a range inside it; the offset may count from the end."""
    value = draw(blobs)
    n_bits = len(value) * 8
    offset = draw(st.integers(0, n_bits - 1))
    size = draw(st.integers(1, min(size_max, n_bits - offset)))
    return value, offset - n_bits * draw(st.integers(0, 1)), size


def split(value: bytes, offset: int, size: int) -> tuple[str, str, str]:
    digits = text(value)
    start = offset % len(digits)
    return digits[:start], digits[start : start + size], digits[start + size :]


@given(ranges(), st.binary(min_size=12, max_size=12), st.sampled_from([3, 4, 5, 6]))
def test_set_or_xor_and(where: tuple[bytes, int, int], operand: bytes, code: int) -> None:
    before, middle, after = split(*where)
    rule = {
        3: lambda a, b: b,
        4: max,
        5: lambda a, b: "01"[a != b],
        6: min,
    }[code]
    expected = "".join(map(rule, middle, text(operand)))
    value, offset, size = where
    assert change(value, code, offset, size, blob(operand)) == untext(before + expected + after)


@given(ranges(), st.integers(0, 100))
def test_not_and_shifts(where: tuple[bytes, int, int], shift: int) -> None:
    before, middle, after = split(*where)
    value, offset, size = where
    inverse = middle.translate({48: "1", 49: "0"})
    left = middle[shift:].ljust(size, "0")
    right = middle[: max(0, size - shift)].rjust(size, "0")
    assert change(value, 7, offset, size) == untext(before + inverse + after)
    assert change(value, 8, offset, size, shift) == untext(before + left + after)
    assert change(value, 9, offset, size, shift) == untext(before + right + after)


@given(ranges())
def test_reads(where: tuple[bytes, int, int]) -> None:
    value, offset, size = where
    _, middle, _ = split(*where)
    padded = middle.ljust((size + 7) // 8 * 8, "0")
    assert look(value, 50, offset, size) == untext(padded)
    assert look(value, 51, offset, size) == middle.count("1")
    assert look(value, 52, offset, size, True) == middle.find("1")
    assert look(value, 52, offset, size, False) == middle.find("0")


@given(ranges(), st.booleans())
def test_scan_from_the_right_searches_the_whole_first_byte(
    where: tuple[bytes, int, int], wanted: bool
) -> None:
    value, offset, size = where
    before, middle, _ = split(*where)
    start = len(before)
    found = (before + middle).rfind("01"[wanted], start // 8 * 8)
    assert look(value, 53, offset, size, wanted) == (-1 if found < 0 else found - start)


@given(ranges(size_max=64), int64s)
def test_integers(where: tuple[bytes, int, int], number: int) -> None:
    value, offset, size = where
    before, middle, after = split(*where)
    unsigned = int(middle, 2)
    signed = unsigned - (int(middle[0]) << size)
    assert look(value, 54, offset, size) == (signed if size == 64 else unsigned)
    assert look(value, 54, offset, size, 1) == signed
    digits = f"{number % 2**size:0{size}b}"
    assert change(value, 12, offset, size, number) == untext(before + digits + after)


@given(ranges(size_max=64), int64s, st.sampled_from([10, 11]), st.integers(0, 7))
def test_arithmetic(where: tuple[bytes, int, int], number: int, code: int, subflags: int) -> None:
    assume(subflags & 6 != 6)
    value, offset, size = where
    before, middle, after = split(*where)
    signed = bool(subflags & 1)
    span = 2**size
    low, high = (-span // 2, span // 2 - 1) if signed else (0, span - 1)

    def seen(bits_: int) -> int:
        return bits_ - span if bits_ > high else bits_

    first, second = seen(int(middle, 2)), seen(number % span)
    if code == 11 and signed:  # subtracting is adding the negative, as far as there is one
        second = seen(-second % span)
    exact = first - second if code == 11 and not signed else first + second
    if low <= exact <= high or (signed and exact == -span) or subflags & 4:
        expected = exact % span
    elif subflags & 2:
        expected = (high if exact > high else low) % span
    else:
        assert code_of(value, code, offset, size, number, 0, subflags) == 26
        assert change(value, code, offset, size, number, NO_FAIL, subflags) == value
        return
    result = untext(before + f"{expected:0{size}b}" + after)
    assert change(value, code, offset, size, number, 0, subflags) == result


@given(st.binary(max_size=12), st.integers(0, 20), st.integers(0, 7))
def test_resize(value: bytes, size: int, subflags: int) -> None:
    if subflags & 6 == 6:
        assert code_of(value, 0, size, 0, subflags) == ResultCode.PARAMETER
    elif (subflags & 2 and size < len(value)) or (subflags & 4 and size > len(value)):
        assert code_of(value, 0, size, 0, subflags) == ResultCode.PARAMETER
        assert change(value, 0, size, NO_FAIL, subflags) == value
    elif subflags & 1:
        expected = value.rjust(size, b"\0")
        assert change(value, 0, size, 0, subflags) == expected[len(expected) - size :]
    else:
        assert change(value, 0, size, 0, subflags) == value.ljust(size, b"\0")[:size]


@given(st.binary(max_size=12), st.integers(0, 20), st.binary(min_size=1, max_size=5))
def test_insert(value: bytes, offset: int, piece: bytes) -> None:
    padded = value.ljust(offset, b"\0")
    assert change(value, 1, offset, blob(piece)) == padded[:offset] + piece + padded[offset:]


@given(blobs, st.integers(-12, 11), st.integers(1, 12))
def test_remove(value: bytes, offset: int, size: int) -> None:
    if not -len(value) <= offset < len(value):
        assert code_of(value, 2, offset, size) == ResultCode.PARAMETER
        return
    start = offset % len(value)
    expected = value[:start] + value[start + size :]
    assert change(value, 2, offset, size, PARTIAL) == expected
    if start + size <= len(value):
        assert change(value, 2, offset, size) == expected
    else:
        assert code_of(value, 2, offset, size) == ResultCode.PARAMETER
        assert change(value, 2, offset, size, NO_FAIL) == value


@given(ranges(), st.integers(1, 40), st.sampled_from([7, 8, 9]))
def test_partial_cuts_the_range_at_the_end(
    where: tuple[bytes, int, int], excess: int, code: int
) -> None:
    value, offset, _ = where
    inside = len(value) * 8 - offset % (len(value) * 8)
    arguments = () if code == 7 else (2,)
    beyond = (code, offset, inside + excess, *arguments)
    assert code_of(value, *beyond, 0) == ResultCode.OP_NOT_APPLICABLE
    assert change(value, *beyond, NO_FAIL) == value
    assert change(value, *beyond, PARTIAL) == change(value, code, offset, inside, *arguments)


SET = (3, 0, 8, blob(b"\xff"))


@pytest.mark.parametrize(
    ("value", "op", "code"),
    [
        (None, SET, ResultCode.BIN_NOT_FOUND),
        (None, (0, 4, 2), ResultCode.BIN_NOT_FOUND),
        (b"a", (0, 4, 1), ResultCode.BIN_EXISTS),
        (b"a", (0, 4, 3), ResultCode.PARAMETER),
        (b"a", (*SET, 1), ResultCode.PARAMETER),
        (b"a", (*SET, 16), ResultCode.PARAMETER),
        (b"a", (10, 0, 8, 1, PARTIAL), ResultCode.PARAMETER),
        (b"a", (10, 0, 65, 1), ResultCode.PARAMETER),
        (b"a", (10, 0, 8, 1, 0, 6), ResultCode.PARAMETER),
        (b"a", (3, 0, 9, blob(b"a")), ResultCode.PARAMETER),
        (b"a", (3, 0, 8, blob(b"")), ResultCode.PARAMETER),
        (b"a", (3, 0, 0, blob(b"a")), ResultCode.PARAMETER),
        (b"a", (3, -9, 8, blob(b"a")), ResultCode.PARAMETER),
        (b"a", (3, 8, 8, blob(b"a")), ResultCode.OP_NOT_APPLICABLE),
        (b"a", (3, True, 8, blob(b"a")), ResultCode.PARAMETER),
        (b"a", (0, 134217728), ResultCode.PARAMETER),
        (b"a", (1, 134217728, blob(b"a")), ResultCode.PARAMETER),
        (b"a", (1, 134217729, blob(b"a")), ResultCode.PARAMETER),
        (b"a", (13, 0, 8), ResultCode.PARAMETER),
        (b"a", (255, [], list(SET)), ResultCode.PARAMETER),
        (b"a", (50, 0, 8), ResultCode.PARAMETER),
        (b"a", (), ResultCode.PARAMETER),
    ],
)
def test_refusals(value: bytes | None, op: tuple[Any, ...], code: ResultCode) -> None:
    assert code_of(value, *op) == code


def test_missing_bins() -> None:
    assert change(None, 0, 3) == bytes(3)
    assert change(None, 1, 2, blob(b"ab")) == b"\0\0ab"
    assert change(None, 0, 0) is None
    assert change(None, *SET, NO_FAIL) is None
    assert code_of(None, 1, -1, blob(b"ab"), NO_FAIL) == ResultCode.PARAMETER
    assert bits.read(None, payload(50, 0, 8)) is None
    assert bits.read(None, b"\xc1") is None


def test_no_fail_leaves_the_same_particle() -> None:
    particle = Particle(ParticleType.BLOB, b"abc")
    changed, _ = bits.modify(particle, payload(0, 9, 1 | NO_FAIL))
    assert changed is particle


def test_another_type_is_refused_after_wrong_arguments() -> None:
    number = Particle(ParticleType.INTEGER, bytes(8))
    for op, code in (((51, 0, 8), ResultCode.BIN_TYPE), ((51, 0, 0), ResultCode.PARAMETER)):
        with pytest.raises(OperationError) as caught:
            bits.read(number, payload(*op))
        assert caught.value.code == code
    with pytest.raises(OperationError) as caught:
        bits.modify(number, payload(*SET, NO_FAIL))
    assert caught.value.code == ResultCode.BIN_TYPE


arguments = st.one_of(
    st.integers(-3, 100),
    int64s,
    st.sampled_from([2**27, 2**30, -(2**30)]),
    st.none(),
    st.booleans(),
    st.floats(),
    st.binary(max_size=9).map(blob),
    st.just([]),
)
op_lists = st.tuples(st.integers(-1, 60), st.lists(arguments, max_size=6)).map(
    lambda pair: payload(pair[0], *pair[1])
)
particles = st.one_of(
    st.none(),
    st.binary(max_size=20).map(lambda data: Particle(ParticleType.BLOB, data)),
    st.just(Particle(ParticleType.STRING, b"text")),
)


@given(particles, st.one_of(st.binary(max_size=40), op_lists))
def test_any_payload_gives_a_value_or_an_operation_error(
    particle: Particle | None, data: bytes
) -> None:
    for function in (bits.read, bits.modify):
        with suppress(OperationError):
            function(particle, data)


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_small_range_of_a_large_blob_is_one_copy_at_most() -> None:
    size = 1 << 20
    large = bytes(size)
    for op in ([3, 4_000_003, 8, blob(b"\xff")], [10, -77, 64, 12345, 0, 1], [1, 9, blob(b"x")]):
        assert peak_bytes(lambda op=op: bits.evaluate(large, op, True)) < size + 10_000
    for op in ([50, 4_000_003, 80], [51, -80, 64], [53, 7, 9, True]):
        assert peak_bytes(lambda op=op: bits.evaluate(large, op, False)) < 10_000
