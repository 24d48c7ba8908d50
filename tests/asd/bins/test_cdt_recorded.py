"""Rules of lists and maps that were seen on the wire; nothing else would make one expect them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.as_msgpack import INF
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt
from asd.bins.particle import IndexedMap, Particle

INV = 0x10000
A, B, C, D = "\x03a", "\x03b", "\x03c", "\x03d"
ENTRIES = {A: 3, B: 1, C: 2, D: 1}
UNORDERED, ORDERED, INDEXED = 0, 1, 16
PARAMETER, NOT_APPLICABLE = ResultCode.PARAMETER, ResultCode.OP_NOT_APPLICABLE


class NoExpressions:
    """A compiler for tests without path expressions."""

    def compile(self, wire: bytes) -> cdt.PathExpression:
        raise AssertionError("nothing to compile here")


def map_of(flags: int, entries: dict[Any, Any] = ENTRIES) -> Particle:
    bare = Particle(ParticleType.MAP, mp.pack(entries))
    return modify(bare, [64, flags])[0] if flags else bare


def list_of(*items: Any, ordered: bool = False) -> Particle:
    flags = [ExtType(1, b"")] if ordered else []
    return Particle(ParticleType.LIST, mp.pack([*flags, *items]))


def payload(op: Any) -> bytes:
    return bytes.fromhex(op) if isinstance(op, str) else mp.pack(op)


def plain(particle: Particle | None) -> Any:
    if particle is None:
        return None
    if particle.type in (ParticleType.LIST, ParticleType.MAP):
        return mp.unpack_stored(particle.data)
    if particle.type == ParticleType.INTEGER:
        return int.from_bytes(particle.data, signed=True)
    if particle.type == ParticleType.BOOL:
        return particle.data == b"\1"
    return particle


def modify(particle: Particle | None, op: Any) -> tuple[Any, Any]:
    after, result = cdt.modify(particle, payload(op), NoExpressions)
    return after, plain(result)


def read(particle: Particle | None, op: Any) -> Any:
    return plain(cdt.read(particle, payload(op), NoExpressions))


def code(particle: Particle | None, op: Any, *, reads: bool = False) -> ResultCode:
    with pytest.raises(OperationError) as caught:
        (read if reads else modify)(particle, op)
    return ResultCode(caught.value.code)


# -- arguments ------------------------------------------------------------------------------------

REMOVES = [
    *("9205", "9206", "9207", "9208", "930a", "920b", "9320", "9321", "9322", "9323", "9324"),
    *("9325", "9326", "9327", "9328", "934c", "934d", "934e07", "934fa2", "935107c1", "9352"),
    *("9353", "9354", "9355", "9356", "9357", "9358", "9359"),
]


@pytest.mark.parametrize("op", REMOVES)
def test_a_remove_from_a_missing_bin_looks_at_no_argument(op: str) -> None:
    assert modify(None, op) == (None, None)
    assert code(list_of(1) if int(op[2:4], 16) < 64 else map_of(0), op) == PARAMETER


@pytest.mark.parametrize(
    "op", ["9201", "9302", "930301", "9309", "930c", "934301", "934901", "9240"]
)
def test_what_creates_a_bin_looks_at_its_arguments(op: str) -> None:
    assert code(None, op) == PARAMETER


EMPTY = [
    ("956d04ddffffffff0000", []),
    ("936107ddffffffff", None),
    ("936305ddffffffff", 0),
    ("936c07ddffffffff", []),
    ("936b01ddffffffff", []),
    ("93670ddf7fffffff", False),
    ("946907ddffffffff00", []),
    ("946e05ddffffffff00", 0),
]


@pytest.mark.parametrize(("op", "answer"), EMPTY)
def test_what_claims_more_than_there_is_is_compared_with_nothing(op: str, answer: Any) -> None:
    assert read(map_of(0, {}), op) == answer
    for flags in (0, 1):
        assert code(map_of(flags), op, reads=True) == PARAMETER
    unknown = op[:4] + "0e" + op[6:]
    for particle in (map_of(0), map_of(0, {})):
        assert code(particle, unknown, reads=True) == NOT_APPLICABLE


@pytest.mark.parametrize(
    "op", ["936107a5", "936107c1", "93610795", "92c1ddffffffff", "9343ddffffffff01"]
)
def test_cut_arguments_are_refused_by_an_empty_map(op: str) -> None:
    assert code(map_of(0, {}), op, reads=op[2:4] != "43") == PARAMETER


def test_a_path_that_claims_more_than_there_is() -> None:
    for op in (
        "94ccfe92220004ddffffffff",
        "93ccfeddffffffff00",
        "93ccffddffffffff9110",
        "93ccff9222a20361dd7fffffff",
    ):
        assert code(map_of(0), op) == PARAMETER


def test_increment_of_an_ordered_list_looks_at_its_delta_first() -> None:
    ordered = list_of(1, 2, ordered=True)
    assert code(ordered, [12, 9, "\x03x"]) == PARAMETER
    assert code(ordered, [12, -9, "\x03x"]) == PARAMETER
    assert code(ordered, [12, 9, 1]) == NOT_APPLICABLE


def test_a_map_counts_by_one_without_a_delta() -> None:
    assert modify(map_of(0, {A: 4}), [73, A])[1] == 5
    assert modify(map_of(1, {A: 4}), [74, A])[1] == 3
    assert modify(map_of(3, {}), [74, A])[1] == -1
    assert modify(None, [73, A])[1] == 1
    below, _ = modify(map_of(0, {A: 4}), [0xFF, [0x62, B], [73, A]])
    assert plain(below) == {A: 4, B: {A: 1}}


@pytest.mark.parametrize("flags", [3, 7, 255, -1])
def test_a_descending_sort_drops_no_duplicates_unless_all_are_equal(flags: int) -> None:
    assert plain(modify(list_of(2, 2, 2), [13, flags])[0]) == [2]
    assert plain(modify(list_of(A, A), [13, flags])[0]) == [A]
    assert code(list_of(2, 2, 1), [13, flags]) == PARAMETER
    assert code(list_of(1, 1.0), [13, flags]) == PARAMETER
    assert plain(modify(list_of(5), [13, flags])[0]) == [5]


@pytest.mark.parametrize("index", [2**31 - 2, 2**31 - 1])
def test_no_list_has_an_element_at_the_last_indexes(index: int) -> None:
    for op in ([3, index, 1], [4, index, [1, 2]], [9, index, 1]):
        assert code(list_of(1), op) == PARAMETER
    assert code(list_of(1), [3, 2**31, 1]) == NOT_APPLICABLE
    assert code(list_of(1), [3, index, 1, 2]) == NOT_APPLICABLE  # bounded
    assert code(list_of(1, ordered=True), [3, index, 1]) == NOT_APPLICABLE


def test_an_ordered_list_is_checked_as_it_was_sent() -> None:
    """Maps in it stand in the order of the wire while they are compared, and are then sorted."""
    before, behind = {1: 1, 3: 1}, {2: 1, 1: 1}
    flags = ExtType(1, b"")
    stored = [flags, before, {1: 1, 2: 1}]
    sent = mp.pack([flags, before, behind])
    assert mp.unpack_stored(cdt.check_write(ParticleType.LIST, sent)) == stored
    assert plain(modify(None, [1, [flags, before, behind]])[0]) == [stored]
    with pytest.raises(OperationError) as caught:
        cdt.check_write(ParticleType.LIST, mp.pack([flags, behind, before]))
    assert caught.value.code == ResultCode.SERVER_ERROR
    assert code(None, [1, [flags, behind, before]]) == PARAMETER


# -- answers --------------------------------------------------------------------------------------

ANSWERS = [
    # what a list of keys leaves, run by run, each run from its end
    (UNORDERED, [107, INV | 2, [B]], [3, 0, 1]),
    (UNORDERED, [107, INV | 2, [A, D]], [1, 2]),
    (UNORDERED, [107, INV | 2, ["\x03z"]], [0, 1, 2, 3]),
    (UNORDERED, [107, INV | 1, [B]], [0, 2, 3]),
    (ORDERED, [107, INV | 2, ["\x03z"]], [3, 2, 1, 0]),
    (ORDERED, [107, INV | 2, []], [0, 1, 2, 3]),
    (UNORDERED, [107, INV | 2, []], [0, 1, 2, 3]),
    (UNORDERED, [108, INV | 2, []], [0, 1, 2, 3]),
    # keys asked for again
    (UNORDERED, [107, 1, [B, C, B]], [2, 1]),
    (ORDERED, [107, 1, [B, C, B]], [1, 2, 1]),
    (INDEXED, [107, 1, [B, C, B]], [1, 2, 1]),
    # empty intervals of keys
    (UNORDERED, [103, 10, D, B], [1, 0]),
    (UNORDERED, [103, 10, None, None], [4, 0]),
    (UNORDERED, [103, 10, INF, A], [0, 0]),
    (UNORDERED, [103, 9, D, B], [3, 0]),
    (UNORDERED, [103, INV | 2, D, B], [1, 2, 3, 0]),
    (UNORDERED, [103, INV | 1, D, B], [0, 1, 2, 3]),
    (INDEXED, [103, 10, D, B], [3, 0]),
    # ranks of all keys
    (UNORDERED, [103, 3, None, INF], [3, 0, 2, 1]),
    (UNORDERED, [103, 4, None, INF], [0, 3, 1, 2]),
    (UNORDERED, [103, INV | 3, D, B], [3, 0, 2, 1]),
    (ORDERED, [103, 3, None, INF], [0, 1, 2, 3]),
    # a missing key, inverted
    (ORDERED, [97, INV | 7, "\x03z"], None),
    (ORDERED, [97, INV | 1, "\x03z"], -1),
    (ORDERED, [97, INV | 5, "\x03z"], 0),
    (INDEXED, [97, INV | 7, "\x03z"], None),
    # what an inverted range leaves, if that is a range
    (UNORDERED, [104, INV | 9, 0, 2], [2, 2]),
    (UNORDERED, [104, INV | 10, 0, 2], [0, 2]),
    (UNORDERED, [104, INV | 9, 2, 2], [0, 2]),
    (ORDERED, [109, INV | 9, C, 0, 9], [0, 2]),
    (ORDERED, [103, INV | 9, A, C], [2, 2]),
    (INDEXED, [103, INV | 9, A, C], [2, 2]),
    # whether it exists
    (ORDERED, [106, INV | 13, 1, 1], False),
    (ORDERED, [106, INV | 13, 0, 1], True),
    (UNORDERED, [106, INV | 13, 1, 1], False),
    (ORDERED, [103, INV | 13, B, C], True),
    (ORDERED, [104, INV | 13, 1, 1], True),
    (INDEXED, [103, INV | 13, B, C], True),
    (INDEXED, [104, INV | 13, 1, 1], True),
    (INDEXED, [106, INV | 13, 1, 1], False),
    (INDEXED, [107, INV | 2, ["\x03z"]], [3, 2, 1, 0]),
    # lists of nothing
    (UNORDERED, [107, 15, []], None),
    (ORDERED, [108, 15, []], None),
    # relative offsets that overflow
    (UNORDERED, [109, 1, B, 2**63 - 1, -1], [0, 1, 2, 3]),
    (ORDERED, [109, 9, B, 2**63 - 1, 1], [0, 0]),
    (UNORDERED, [110, 5, 2, 2**63 - 1, -1], 4),
    (UNORDERED, [110, 5, 0, 2**63 - 1, -1], 0),
]


@pytest.mark.parametrize(("flags", "op", "answer"), ANSWERS)
def test_answers_about_a_map(flags: int, op: list[Any], answer: Any) -> None:
    assert read(map_of(flags), op) == answer


REFUSED = [
    (UNORDERED, [97, INV | 7, "\x03z"]),
    (UNORDERED, [97, INV | 7, A]),
    (ORDERED, [97, INV | 7, A]),
    (UNORDERED, [104, INV | 9, 1, 2]),
    (INDEXED, [97, INV | 7, A]),
    (ORDERED, [109, INV | 9, B, 0, 1]),
    (UNORDERED, [103, INV | 9, A, C]),
    (UNORDERED, [107, 15, [A]]),
]


@pytest.mark.parametrize(("flags", "op"), REFUSED)
def test_refused_return_types_of_a_map(flags: int, op: list[Any]) -> None:
    assert code(map_of(flags), op, reads=True) == NOT_APPLICABLE


def test_a_missing_key_is_removed_from_a_keyed_map_whatever_is_inverted() -> None:
    particle = map_of(ORDERED)
    assert modify(particle, [76, INV | 1, "\x03z"]) == (particle, -1)
    assert code(particle, [76, INV | 1, A]) == NOT_APPLICABLE


@pytest.mark.parametrize(
    "made",
    [
        [68, ENTRIES, 16],
        [0xFF, [0x162, A], [67, A, 1]],
        [67, A, 1, 16],
        [73, A, 1, 16],
    ],
)
def test_a_map_keeps_its_index(made: list[Any]) -> None:
    indexed, _ = modify(None, made)
    assert type(indexed) is IndexedMap
    assert mp.map_flags(plain(indexed)) == 0
    for op in ([67, B, 2], [68, {C: 1}], [76, 0, A], [75], [0xFF, [0x62, D], [67, A, 1]]):
        indexed, _ = modify(indexed, op)
        assert type(indexed) is IndexedMap, op
    assert type(modify(indexed, [64, 0])[0]) is Particle
    assert type(modify(indexed, [64, 1])[0]) is Particle
    assert type(modify(map_of(1), [64, 16])[0]) is IndexedMap


def test_the_rest_of_an_empty_map_exists() -> None:
    assert read(map_of(0, {}), [103, INV | 13, A, B]) is True
    assert read(map_of(1, {}), [103, INV | 13, A, B]) is False
    assert read(map_of(0, {}), [104, INV | 13, 0, 1]) is False


def test_what_a_list_of_values_leaves() -> None:
    ordered, plain_list = list_of(1, 2, 3, 4, ordered=True), list_of(1, 2, 3, 4, 5)
    for return_type in (2, 4):
        assert read(ordered, [23, INV | return_type, [9]]) == [3, 2, 1, 0]
        assert read(ordered, [23, INV | return_type, []]) == [0, 1, 2, 3]
        assert modify(plain_list, [36, INV | return_type, []])[1] == [0, 1, 2, 3, 4]
    assert read(plain_list, [23, INV | 4, [2, 3]]) == [4, 0, 1]
    assert read(plain_list, [23, INV | 3, [2, 3]]) == [0, 3, 4]
    assert read(plain_list, [23, 15, []]) is None
    assert code(plain_list, [23, 15, [1]], reads=True) == NOT_APPLICABLE


def test_a_rank_that_overflows_in_a_list() -> None:
    for particle in (list_of(1, 2, 3), list_of(1, 2, 3, ordered=True)):
        assert read(particle, [27, 5, 2, 2**63 - 1, -1]) == 3
        assert read(particle, [27, 11, 2, 2**63 - 1, 1]) == [0, 0]
        assert read(particle, [27, 5, 0, 2**63 - 1, -1]) == 0


# -- contexts -------------------------------------------------------------------------------------

EMPTY_AT_Z = {ExtType(1, b""): None, "\x03z": []}


def below(context: list[Any], *op: Any) -> list[Any]:
    return [0xFF, context, list(op)]


def made(context: list[Any], *op: Any) -> Any:
    """What a modify below a context of nothing makes."""
    return plain(modify(None, below(context, *op))[0])


def test_what_a_context_makes_keeps_the_flag_of_an_index() -> None:
    particle, _ = modify(None, below([0xA2, "\x03z"], 0, 16))
    assert particle.data.endswith(bytes.fromhex("a2037a91c70010"))
    flags = {16: 0x10, 17: 0x11, 1: 1}
    for asked, kept in flags.items():
        assert made([0xA2, 1], 0, asked)[1] == [ExtType(kept, b"")]
        assert made([0x50, 0], 64, asked)[0] == {ExtType(kept, b""): None}
    # set on what is there it makes no difference, nor where the bin is there
    assert plain(modify(particle, below([0x22, "\x03z"], 0, 0))[0]) == EMPTY_AT_Z
    assert (
        plain(modify(modify(None, [68, {}, 1])[0], below([0xA2, "\x03z"], 0, 16))[0]) == EMPTY_AT_Z
    )


def test_a_context_that_persists_an_index_does_not_pad() -> None:
    one = list_of(1)
    assert plain(modify(one, below([0x90, 3], 1, 7))[0]) == [1, None, None, [7]]
    assert code(one, below([0x190, 3], 1, 7)) == NOT_APPLICABLE
    assert plain(modify(one, below([0x190, 1], 1, 7))[0]) == [1, [7]]


def test_bits_of_a_context_type_that_are_not_looked_at() -> None:
    nested = list_of([1])
    assert read(nested, below([0x10010, 0], 16)) == 1
    assert read(nested, below([0x7FFF0010, 0], 16)) == 1
    assert plain(modify(nested, below([0x250, 1], 1, 7))[0]) == [[1], [7]]
    assert code(nested, below([0x210, 0], 16), reads=True) == NOT_APPLICABLE
    assert code(nested, below([0x1010, 0], 16), reads=True) == NOT_APPLICABLE


def test_an_index_is_persisted_at_the_first_level_alone() -> None:
    nested = map_of(0, {A: {B: {}}})
    # the first level, where the element is there, where only the innermost has to be made
    assert made([0x1A2, A], 67, B, 1) == {ExtType(1, b""): None, A: {B: 1}}
    assert plain(modify(nested, below([0x122, A, 0x162, B], 67, C, 1))[0]) == {A: {B: {C: 1}}}
    assert plain(modify(nested, below([0x22, A, 0x162, C], 67, C, 1))[0]) == {A: {B: {}, C: {C: 1}}}
    assert read(nested, below([0x122, A, 0x122, B], 96)) == 0
    # a level below it that would have to be made
    for context in ([0x62, C, 0x162, B], [0x22, A, 0x62, D, 0x162, B], [0x162, C, 0x1A2, B]):
        assert code(nested, below(context, 67, C, 1)) == NOT_APPLICABLE
        assert code(None, below(context, 67, C, 1)) == NOT_APPLICABLE


def test_a_negative_index_out_of_range_is_nowhere_until_something_is_put_there() -> None:
    ordered, unordered = list_of([1], [2], ordered=True), list_of([1], [2])
    for particle, kinds in ((ordered, (0x50, 0xD0)), (unordered, (0x90,))):
        for kind in kinds:
            assert modify(particle, below([kind, -5], 11)) == (particle, None)
            assert modify(particle, below([kind, -5], 75)) == (particle, None)
            assert code(particle, below([kind, -5], 1, 7)) == NOT_APPLICABLE
    assert code(unordered, below([0x50, -5], 11)) == NOT_APPLICABLE
    assert code(unordered, below([0x190, -5], 11)) == NOT_APPLICABLE


# -- paths ----------------------------------------------------------------------------------------

DEEP = list_of([[1, 2]])


def test_some_steps_of_a_path_lead_on_only_at_the_front() -> None:
    assert code(DEEP, [0xFE, [16, 0, 17, 0, 16, 0], 1], reads=True) == ResultCode.SERVER_ERROR
    assert read(DEEP, [0xFE, [16, 0, 17, 3, 16, 0], 1]) == []
    assert read(DEEP, [0xFE, [17, 0, 16, 0, 16, 0], 1]) == [1]
    maps = map_of(0, {A: {B: {C: 1}}})
    assert code(maps, [0xFE, [0x22, A, 0x20, 0, 0x22, C], 1], reads=True) == ResultCode.SERVER_ERROR
    assert read(maps, [0xFE, [0x20, 0, 0x22, B, 0x22, C], 1]) == [1]


def test_a_filter_may_be_true() -> None:
    assert read(DEEP, [0xFE, [16, 0, 516, True], 1]) == [[[1, 2]]]
    assert code(DEEP, [0xFE, [16, 0, 516, False], 1], reads=True) == PARAMETER
    assert code(DEEP, [0xFE, [16, 0, 516, True, 516, True], 1], reads=True) == PARAMETER


def test_a_list_has_no_keys_to_step_to() -> None:
    assert read(DEEP, [0xFE, [18, A], 16]) == []
    assert read(DEEP, [0xFE, [18, A], 17]) == []
    assert code(DEEP, [0xFE, [18, A], 0], reads=True) == PARAMETER


# -- a naive model --------------------------------------------------------------------------------

KEYS = st.lists(st.integers(0, 9), unique=True, max_size=8).map(sorted)
OFFSETS = st.one_of(st.integers(-9, 9), st.sampled_from([2**63 - 1, 2**63 - 2, -(2**63)]))


@given(KEYS, st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_what_a_list_of_keys_leaves_of_any_map(keys: list[int], wanted: list[int]) -> None:
    last = len(keys) - 1
    kept = [at for at, key in enumerate(keys) if key not in wanted]
    for flags in (UNORDERED, ORDERED, INDEXED):
        particle = map_of(flags, dict.fromkeys(keys, 7))
        assert read(particle, [107, INV | 1, wanted]) == kept
        assert read(particle, [107, INV | 6, wanted]) == [keys[at] for at in kept]
        found = read(particle, [107, INV | 2, wanted])
        assert sorted(found) == sorted(last - at for at in kept)
        if flags != UNORDERED:
            assert found == [last - at for at in kept]
        else:  # each number follows its neighbour, or a run of higher indexes begins
            assert all(after == before + 1 or after < before for before, after in pairwise(found))


@given(KEYS, st.integers(0, 9), OFFSETS, st.integers(-1, 9))
def test_relative_offsets_are_numbers_of_64_bits(
    keys: list[int], key: int, offset: int, count: int
) -> None:
    start = sum(1 for each in keys if each < key) + offset
    start = (start + 2**63) % 2**64 - 2**63
    stop = start + (count if count >= 0 else 2**64 - 1)
    model = [each for at, each in enumerate(keys) if start <= at < stop]
    for flags in (UNORDERED, ORDERED, INDEXED):
        particle = map_of(flags, dict.fromkeys(keys, 7))
        assert read(particle, [109, 6, key, offset, count]) == model
    for ordered in (False, True):
        numbers = list_of(*keys, ordered=ordered)
        assert sorted(read(numbers, [27, 7, key, offset, count])) == model
