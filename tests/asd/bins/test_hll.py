"""HyperLogLog operations: recorded sketches, a naive model, and the laws of estimates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import mmh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import hll, op_table
from asd.bins.hll import lanes, packed_elements, sketch
from asd.bins.hll import registers as loops
from asd.bins.particle import Particle

INIT, ADD, SET_UNION, REFRESH_COUNT, FOLD = range(5)
GET_COUNT, GET_UNION, GET_UNION_COUNT, GET_INTERSECT_COUNT, GET_SIMILARITY = range(50, 55)
DESCRIBE, MAY_CONTAIN = 55, 56

CREATE_ONLY, UPDATE_ONLY, NO_FAIL, ALLOW_FOLD = 1, 2, 4, 8

elements = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=8).map("\x03".__add__),
)
element_lists = st.lists(elements, min_size=1, max_size=20)
sizes = st.sampled_from([(4, 0), (5, 4), (8, 0), (8, 13), (10, 5), (13, 51)])


def new(index_bits: int, minhash_bits: int, values: Iterable[Any] = ()) -> bytes:
    data = hll.evaluate(None, [INIT, index_bits, minhash_bits, 0], True)
    assert isinstance(data, bytes)
    values = list(values)
    return change(data, ADD, values) if values else data


def change(value: bytes | None, *op: Any) -> bytes:
    result = hll.evaluate(value, list(op), True)
    assert isinstance(result, bytes)
    assert hll.check_write(result) == result
    return result


def look(value: bytes, *op: Any) -> Any:
    return hll.evaluate(value, list(op), False)


def argument(data: bytes) -> str:
    return "\x12" + data.decode("utf-8", "surrogateescape")


def payload(*op: Any) -> bytes:
    return as_msgpack.pack(list(op))


def registers(data: bytes) -> list[int]:
    """Register by register from the bits, the slow way."""
    _, index_bits, minhash_bits = data[:3]
    digits = "".join(f"{byte:08b}" for byte in data[11:])
    width = 6 + minhash_bits
    return [int(digits[i * width : (i + 1) * width], 2) for i in range(1 << index_bits)]


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        (b"", (0, 0)),
        (b"hello", (0xCBD8A7B341BD9B02, 0x5B1E906A48AE1D19)),
        (
            b"The quick brown fox jumps over the lazy dog",
            (0xE34BBC7BBC071B6C, 0x7A433CA9C49A9347),
        ),
    ],
)
def test_murmur3_vectors(text: bytes, halves: tuple[int, int]) -> None:
    assert mmh3.mmh3_x64_128_utupledigest(text, 0) == halves


@pytest.mark.parametrize(
    ("add", "stored"),
    [
        (
            "950195d2ffff7fffa603c3a974c3a9a703616279787a7a0103060000",
            "0006000000000000000000000000000000040000000000000001000040003000000000000000"
            "000000000000000000000000001000000000000000",
        ),
        (
            "950195120d300d23040800",
            "000408000000000000000004e00000000000000000007e829a000000000000000a5c0000000000",
        ),
        (
            "95019504c006cf46cfc0d094dd6e6aff040800",
            "0004080000000000000000000000000001970000000000028900003ae000000008381a20000000",
        ),
        (
            "950195c00a08cb4050686ba364146603040000",
            "0004000000000000000000000000003002043000000040",
        ),
        (
            "950195a603c3a974c3a9000108cb3fb999999999999a050000",
            "0005000000000000000000000000000000040001000000000000001040000000000040",
        ),
        (
            "950191a403763531050400",
            "0005040000000000000000000000000000000000000000000000000000000000000000000000"
            "0000000b800000000000000000",
        ),
    ],
)
def test_recorded_sketches(add: str, stored: str) -> None:
    particle, result = hll.modify(None, bytes.fromhex(add))
    assert particle == (ParticleType.HLL, bytes.fromhex(stored))
    assert result is not None
    assert result.type == ParticleType.INTEGER


@given(sizes, element_lists)
def test_add_raises_registers_as_the_model_does(size: tuple[int, int], values: list[Any]) -> None:
    index_bits, minhash_bits = size
    model = [0] * (1 << index_bits)
    rises = 0
    for value in values:
        low, high = mmh3.mmh3_x64_128_utupledigest(as_msgpack.pack(value), 0)
        rank = len(f"{high:064b}") - len(f"{high:064b}".rstrip("0")) + 1
        minhash = low // 2**index_bits % 2**minhash_bits
        rises += (rank, minhash) > divmod(model[low % 2**index_bits], 2**minhash_bits)
        index = low % 2**index_bits
        model[index] = max(model[index], rank * 2**minhash_bits + minhash)
    particle, result = hll.modify(None, payload(ADD, values, index_bits, minhash_bits, 0))
    assert particle is not None
    assert registers(particle.data) == model
    assert result == (ParticleType.INTEGER, rises.to_bytes(8, "big"))
    assert look(particle.data, MAY_CONTAIN, values) == 1
    assert look(particle.data, DESCRIBE) == [index_bits, minhash_bits]
    again, result = hll.modify(particle, payload(ADD, values))
    assert again == particle
    assert result == (ParticleType.INTEGER, bytes(8))


@given(sizes, element_lists)
def test_registers_survive_packing(size: tuple[int, int], values: list[Any]) -> None:
    data = new(*size, values)
    parsed = sketch.parse(data)
    assert parsed is not None
    assert list(parsed.registers()) == registers(data)
    assert sketch.from_registers(*size, parsed.registers()).to_bytes() == data


@given(sizes, element_lists, element_lists)
def test_union_laws(size: tuple[int, int], some: list[Any], others: list[Any]) -> None:
    a, b = new(*size, some), new(*size, others)
    both = change(a, SET_UNION, [argument(b)])
    assert both == new(*size, some + others)
    assert both == change(b, SET_UNION, [argument(a)])
    assert both == look(a, GET_UNION, [argument(b), argument(a)])
    assert change(a, SET_UNION, [argument(a)]) == a
    assert change(None, SET_UNION, [argument(a), argument(b)]) == both
    assert look(a, GET_UNION_COUNT, [argument(b)]) == look(both, GET_COUNT)


@given(element_lists, st.integers(4, 11))
def test_fold_is_what_a_smaller_sketch_would_have_seen(values: list[Any], bits: int) -> None:
    folded = change(new(11, 0, values), FOLD, bits)
    assert folded == new(bits, 0, values)
    assert change(new(11, 7, values), SET_UNION, [argument(folded)], ALLOW_FOLD) == folded


@pytest.mark.parametrize("n", [0, 1, 50, 1000, 20_000])
@pytest.mark.parametrize(("index_bits", "minhash_bits"), [(4, 0), (10, 0), (10, 8), (14, 0)])
def test_count_is_within_its_error(index_bits: int, minhash_bits: int, n: int) -> None:
    count = look(new(index_bits, minhash_bits, range(n)), GET_COUNT)
    standard_error = 1.04 / math.sqrt(1 << index_bits)
    assert abs(count - n) <= 4 * standard_error * n


@pytest.mark.parametrize("minhash_bits", [0, 12])
def test_intersection_and_similarity(minhash_bits: int) -> None:
    a = new(12, minhash_bits, range(4000))
    b = new(12, minhash_bits, range(2000, 6000))
    c = new(12, minhash_bits, range(3000, 9000))
    assert look(a, GET_INTERSECT_COUNT, [argument(b)]) == pytest.approx(2000, rel=0.15)
    assert look(a, GET_SIMILARITY, [argument(b)]) == pytest.approx(1 / 3, rel=0.15)
    assert look(a, GET_INTERSECT_COUNT, [argument(b), argument(c)]) == pytest.approx(1000, rel=0.4)
    assert look(a, GET_SIMILARITY, [argument(b), argument(c)]) == pytest.approx(1 / 9, rel=0.4)
    assert look(a, GET_SIMILARITY, [argument(a)]) == pytest.approx(1.0, abs=0.001)
    empty = new(12, minhash_bits)
    assert look(a, GET_SIMILARITY, [argument(empty)]) == 0.0
    assert math.isnan(look(empty, GET_SIMILARITY, [argument(empty)]))
    assert look(empty, GET_INTERSECT_COUNT, [argument(empty)]) == 0


def test_more_than_three_sets_need_minhash() -> None:
    plain, hashed = new(8, 0, range(99)), new(8, 9, range(99))
    three = [argument(hashed)] * 3
    assert look(hashed, GET_INTERSECT_COUNT, three) == pytest.approx(99, rel=0.2)
    assert code_of(plain, GET_INTERSECT_COUNT, three) == ResultCode.OP_NOT_APPLICABLE
    assert code_of(hashed, GET_SIMILARITY, [argument(plain)] * 3) == ResultCode.PARAMETER


def test_the_cached_count_is_used_and_dropped() -> None:
    data = new(8, 0, range(500))
    estimate = look(data, GET_COUNT)
    refreshed, result = hll.modify(Particle(ParticleType.HLL, data), payload(REFRESH_COUNT))
    assert result == (ParticleType.INTEGER, estimate.to_bytes(8, "big"))
    assert refreshed is not None
    assert refreshed.data[3:11] == estimate.to_bytes(8, "little")
    doctored = data[:3] + (7).to_bytes(8, "little") + data[11:]
    assert look(doctored, GET_COUNT) == 7
    assert change(doctored, ADD, list(range(500))) == doctored
    assert change(doctored, ADD, list(range(500, 900)))[3:11] == bytes(8)


def code_of(value: bytes | None, *op: Any) -> ResultCode:
    with pytest.raises(OperationError) as caught:
        hll.evaluate(value, list(op), op[0] < GET_COUNT)
    return caught.value.code


SMALL = new(4, 0, [1])
LARGE = new(6, 0, [1])
HASHED = new(6, 5, [1])


@pytest.mark.parametrize(
    ("value", "op", "code"),
    [
        (None, (INIT,), ResultCode.OP_NOT_APPLICABLE),
        (None, (ADD, [1]), ResultCode.OP_NOT_APPLICABLE),
        (None, (INIT, 3), ResultCode.PARAMETER),
        (None, (INIT, 17), ResultCode.PARAMETER),
        (None, (INIT, 8, 3), ResultCode.PARAMETER),
        (None, (INIT, 16, 49), ResultCode.PARAMETER),
        (None, (INIT, 8, 0, ALLOW_FOLD), ResultCode.PARAMETER),
        (None, (INIT, 8, 0, UPDATE_ONLY), ResultCode.BIN_NOT_FOUND),
        (None, (REFRESH_COUNT,), ResultCode.BIN_NOT_FOUND),
        (None, (FOLD, 4), ResultCode.BIN_NOT_FOUND),
        (None, (SET_UNION, [argument(SMALL)], UPDATE_ONLY), ResultCode.BIN_NOT_FOUND),
        (SMALL, (INIT, 8, 0, CREATE_ONLY), ResultCode.BIN_EXISTS),
        (SMALL, (ADD, [], 4), ResultCode.PARAMETER),
        (SMALL, (ADD, [[1]], 4), ResultCode.PARAMETER),
        (SMALL, (ADD, [{}], 4), ResultCode.PARAMETER),
        (SMALL, (ADD, [1], 4, 0, UPDATE_ONLY), ResultCode.PARAMETER),
        (SMALL, (SET_UNION, []), ResultCode.PARAMETER),
        (SMALL, (SET_UNION, [argument(SMALL)[:-1]]), ResultCode.PARAMETER),
        (LARGE, (SET_UNION, [argument(SMALL)]), ResultCode.OP_NOT_APPLICABLE),
        (LARGE, (SET_UNION, [argument(SMALL)], NO_FAIL), ResultCode.OP_NOT_APPLICABLE),
        (HASHED, (SET_UNION, [argument(LARGE)]), ResultCode.OP_NOT_APPLICABLE),
        (HASHED, (FOLD, 4), ResultCode.OP_NOT_APPLICABLE),
        (SMALL, (FOLD, 5), ResultCode.OP_NOT_APPLICABLE),
        (SMALL, (MAY_CONTAIN, []), ResultCode.PARAMETER),
        (SMALL, (57,), ResultCode.PARAMETER),
        (SMALL[:-1], (DESCRIBE,), ResultCode.SERVER_ERROR),
    ],
)
def test_refusals(value: bytes | None, op: tuple[Any, ...], code: ResultCode) -> None:
    assert code_of(value, *op) == code


def test_no_fail() -> None:
    assert hll.modify(None, payload(INIT, 8, 0, UPDATE_ONLY | NO_FAIL)) == (None, None)
    bin_ = Particle(ParticleType.HLL, SMALL)
    assert hll.modify(bin_, payload(ADD, [2], 4, 0, CREATE_ONLY | NO_FAIL)) == (bin_, None)


def test_init_keeps_what_is_not_given() -> None:
    assert change(HASHED, INIT) == new(6, 5)
    assert change(HASHED, INIT, 8) == new(8, 5)
    assert change(HASHED, INIT, -1, 0) == new(6, 0)
    assert change(None, INIT, 8) == new(8, 0)


def test_an_unknown_op_code_comes_before_the_type_and_arguments_after() -> None:
    number = Particle(ParticleType.INTEGER, bytes(8))
    for function, data, code in [
        (hll.read, payload(DESCRIBE), ResultCode.BIN_TYPE),
        (hll.read, payload(MAY_CONTAIN), ResultCode.BIN_TYPE),
        (hll.read, payload(MAY_CONTAIN, [1])[:-1], ResultCode.BIN_TYPE),
        (hll.read, payload(ADD, [1]), ResultCode.PARAMETER),
        (hll.read, b"", ResultCode.PARAMETER),
        (hll.modify, b"\xdc\x00\x01\xcc\x03", ResultCode.BIN_TYPE),
        (hll.modify, b"\xdc\x00\x01\xcc", ResultCode.PARAMETER),
    ]:
        with pytest.raises(OperationError) as caught:
            function(number, data)
        assert caught.value.code == code
    assert hll.read(None, b"\xc1") is None


@given(st.binary(max_size=40))
def test_check_write_accepts_sketches_only(data: bytes) -> None:
    with pytest.raises(OperationError) as caught:
        hll.check_write(b"\x01" + data)
    assert caught.value.code == ResultCode.PARAMETER
    for good in (SMALL, HASHED):
        with pytest.raises(OperationError):
            hll.check_write(good + data + b"\0")


arguments = st.one_of(
    st.integers(-2, 70),
    st.sampled_from([SMALL, LARGE, HASHED, b"", SMALL[:-1]]).map(argument),
    st.lists(st.sampled_from([SMALL, LARGE, HASHED]).map(argument), max_size=4),
    st.lists(st.one_of(elements, st.just([]), st.just({})), max_size=4),
    elements,
)
op_lists = st.tuples(st.integers(-1, 60), st.lists(arguments, max_size=5)).map(
    lambda pair: payload(pair[0], *pair[1])
)
particles = st.one_of(
    st.none(),
    st.sampled_from([SMALL, LARGE, HASHED, b"", SMALL[:-1]]).map(
        lambda data: Particle(ParticleType.HLL, data)
    ),
    st.just(Particle(ParticleType.BLOB, SMALL)),
)


@settings(max_examples=200)
@given(particles, st.one_of(st.binary(max_size=40), op_lists))
def test_any_payload_gives_a_value_or_an_operation_error(
    particle: Particle | None, data: bytes
) -> None:
    for function in (hll.read, hll.modify):
        with suppress(OperationError):
            function(particle, data)


# -- sizes that do not fit ------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [0, NO_FAIL])
def test_too_many_bits_are_a_wrong_argument_only_if_both_are_given(flags: int) -> None:
    wide, deep = new(16, 0), new(4, 51)
    for bits in (51, 50):
        assert code_of(wide, INIT, -1, bits, flags) == ResultCode.OP_NOT_APPLICABLE
        assert code_of(wide, INIT, 16, bits, flags) == ResultCode.PARAMETER
        assert code_of(None, INIT, 16, bits, flags) == ResultCode.PARAMETER
        assert code_of(wide, ADD, [1], 16, bits, flags) == ResultCode.PARAMETER
    assert code_of(deep, INIT, 16, -1, flags) == ResultCode.OP_NOT_APPLICABLE
    assert hll.evaluate(wide, [INIT, -1, 48, flags], True) == new(16, 48)


@pytest.mark.parametrize("flags", [0, NO_FAIL])
def test_no_fail_does_not_stand_in_for_index_bits(flags: int) -> None:
    for bits in (-1, 0, 51):
        assert code_of(None, INIT, -1, bits, flags) == ResultCode.OP_NOT_APPLICABLE
        assert code_of(None, ADD, [1], -1, bits, flags) == ResultCode.OP_NOT_APPLICABLE


# -- many elements, and all registers at once -----------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(0, 10**6), st.integers(1, 3000))
def test_many_elements_at_once_are_as_one_by_one(
    size: tuple[int, int], first: int, count: int
) -> None:
    values = [*range(first, first + count), *(f"\x03v{i}\udcff" for i in range(count // 7)), None]
    at_once = sketch.add(sketch.empty(*size), values)
    one_by_one, changes = sketch.empty(*size), 0
    for value in values:
        one_by_one, changed = sketch.add(one_by_one, [value])
        changes += changed
    assert at_once == (one_by_one, changes)
    assert sketch.may_contain(one_by_one, values)
    assert sketch.add(one_by_one, values) == (one_by_one, 0)


@settings(deadline=None)
@given(st.sampled_from([(4, 4), (5, 5), (8, 13), (6, 50), (7, 51), (9, 49)]), st.data())
def test_lanes_are_as_lists_of_registers(size: tuple[int, int], data: st.DataObject) -> None:
    index_bits, minhash_bits = size
    width, count = 6 + minhash_bits, 1 << index_bits
    one = st.one_of(st.just(0), st.integers(0, (1 << width) - 1), st.just((1 << width) - 1))
    rows = data.draw(
        st.lists(st.lists(one, min_size=count, max_size=count), min_size=1, max_size=3)
    )
    made = [sketch.from_registers(index_bits, minhash_bits, row) for row in rows]
    assert [list(each.registers()) for each in made] == rows
    assert [list(each.ranks()) for each in made] == [[v >> minhash_bits for v in r] for r in rows]
    merged = sketch.union(index_bits, minhash_bits, made)
    assert list(merged.registers()) == list(map(max, *rows, [0] * count))
    folded = sketch.union(4, minhash_bits, made[:1])
    assert list(folded.registers()) == [max(rows[0][at::16]) for at in range(16)]
    columns = list(zip(*rows, strict=True))
    used = sum(any(column) for column in columns)
    equal = sum(column[0] != 0 and len(set(column)) == 1 for column in columns)
    wide = [each.lanes(index_bits, minhash=True) for each in made]
    assert lanes.used_and_equal(wide) == (used, equal)


@given(element_lists, element_lists, sizes)
def test_all_ways_of_adding_elements_are_alike(
    first: list[Any], second: list[Any], size: tuple[int, int]
) -> None:
    """One register after the other, as compiled servers do it, or all of them taken apart."""
    one = apart = sketch.empty(*size)
    for values in (first, second):
        data = as_msgpack.pack_elements(values)
        digests = loops.hashes(data, len(values))
        assert digests == b"".join(map(mmh3.mmh3_x64_128_digest, map(as_msgpack.pack, values)))
        packed = bytearray(one.packed)
        changes = loops.raised(packed, digests, *size)
        one = one._replace(packed=bytes(packed))
        assert (apart := sketch._add_many(apart, values)[0]).packed == one.packed
        assert changes <= len(values)
    counts = loops.histogram(one.packed, 6 + size[1], 64)
    assert counts == [one.ranks().count(rank) for rank in range(65)]


@pytest.mark.parametrize("bits", [0, 1, 2, 61, 62])
def test_the_rank_is_the_place_of_the_lowest_bit(bits: int) -> None:
    assert loops.rank_of(5 << bits & (1 << 64) - 1) == bits + 1


def test_a_hash_of_nothing_but_zeros_has_the_highest_rank() -> None:
    assert loops.rank_of(0) == 63


@given(st.lists(st.one_of(elements, st.just([1]), st.just({1: 2})), max_size=20), st.booleans())
def test_elements_stay_packed_if_they_may(values: list[Any], cut: bool) -> None:
    payload = as_msgpack.pack([ADD, values, -1, -1, 0])[: -1 if cut else None]

    def outcome(decode: Any) -> Any:
        try:
            return decode(payload)
        except OperationError as error:
            return error.code

    found, plain = outcome(packed_elements.decode), outcome(op_table.decode)
    if type(found) is list and type(found[1]) is packed_elements.PackedElements:
        assert not {list, dict} & set(map(type, values))
        assert found[1] == (as_msgpack.pack_elements(values), len(values))
        one = sketch.empty(8, 13)
        assert sketch.add(one, found[1]) == sketch.add(one, values)
        found[1] = values
    assert found == plain
