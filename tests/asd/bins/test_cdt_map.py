"""Map operations against plain dictionaries and brute-force searching."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.as_msgpack import INF, compare
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt
from asd.bins.particle import Particle

KEYS = st.one_of(st.integers(-2, 5), st.sampled_from(["\x03a", "\x03b", "\x04a", "\x03é"]))
VALUES = st.one_of(st.integers(-3, 4), st.sampled_from(["\x03a", None, 1.5, True, [1], {1: 2}]))
MAPS = st.dictionaries(KEYS, VALUES, max_size=7)
ORDERS = st.sampled_from([0, 1, 3])
INVERTED = 0x10000
BY_KEY = cmp_to_key(compare)


class NoExpressions:
    """A compiler for tests without path expressions."""

    def compile(self, wire: bytes) -> cdt.PathExpression:
        raise AssertionError("nothing to compile here")


def by_key(pairs: dict[Any, Any]) -> dict[Any, Any]:
    return {key: pairs[key] for key in sorted(pairs, key=BY_KEY)}


def flagged(flags: int, pairs: dict[Any, Any]) -> dict[Any, Any]:
    return {ExtType(flags, b""): None, **pairs} if flags else pairs


def map_particle(pairs: dict[Any, Any], flags: int = 0) -> Particle:
    return Particle(ParticleType.MAP, mp.pack(flagged(flags, by_key(pairs))))


def value_of(particle: Particle | None) -> Any:
    if particle is None:
        return None
    if particle.type in (ParticleType.LIST, ParticleType.MAP):
        return mp.unpack_stored(particle.data)
    if particle.type == ParticleType.INTEGER:
        return int.from_bytes(particle.data, signed=True)
    if particle.type == ParticleType.BOOL:
        return particle.data == b"\1"
    return (bytes([particle.type]) + particle.data).decode("utf-8", "surrogateescape")


def read(particle: Particle | None, *op: Any) -> Any:
    return value_of(cdt.read(particle, mp.pack(list(op)), NoExpressions))


def modify(particle: Particle | None, *op: Any) -> tuple[Any, Any]:
    after, result = cdt.modify(particle, mp.pack(list(op)), NoExpressions)
    return value_of(after), value_of(result)


def code_of(particle: Particle | None, *op: Any) -> ResultCode:
    with pytest.raises(OperationError) as caught:
        modify(particle, *op)
    return caught.value.code


class Map(RuleBasedStateMachine):
    """A map bin beside a dictionary."""

    @initialize(pairs=MAPS, flags=ORDERS)
    def start(self, pairs: dict[Any, Any], flags: int) -> None:
        self.model, self.flags = dict(pairs), flags
        self.bin: Particle | None = map_particle(pairs, flags)

    def modify(self, *op: Any) -> Any:
        self.bin, result = cdt.modify(self.bin, mp.pack(list(op)), NoExpressions)
        return value_of(result)

    @rule(key=KEYS, value=VALUES)
    def put(self, key: Any, value: Any) -> None:
        self.model[key] = value
        assert self.modify(67, key, value, 0) == len(self.model)

    @rule(pairs=st.dictionaries(KEYS, VALUES, max_size=11))
    def put_items(self, pairs: dict[Any, Any]) -> None:
        self.model.update(pairs)
        assert self.modify(68, pairs, 0) == len(self.model)

    @rule(key=KEYS, value=VALUES)
    def add(self, key: Any, value: Any) -> None:
        if key in self.model:
            assert self.modify(67, key, value, 0, 1 | 4) == len(self.model)
            assert code_of(self.bin, 65, key, value) is ResultCode.ELEMENT_EXISTS
        else:
            self.model[key] = value
            assert self.modify(65, key, value) == len(self.model)

    @rule(key=KEYS, value=VALUES)
    def replace(self, key: Any, value: Any) -> None:
        if key in self.model:
            self.model[key] = value
            assert self.modify(69, key, value) == len(self.model)
        else:
            assert self.modify(67, key, value, 0, 2 | 4) == len(self.model)
            assert code_of(self.bin, 69, key, value) is ResultCode.ELEMENT_NOT_FOUND

    @rule(key=KEYS, delta=st.one_of(st.none(), st.integers(-3, 3)))
    def increment(self, key: Any, delta: int | None) -> None:
        old = self.model.get(key, 0)
        if type(old) is not int:
            return
        self.model[key] = old + (1 if delta is None else delta)
        assert self.modify(73, key, delta) == self.model[key]

    @rule(key=KEYS)
    def remove(self, key: Any) -> None:
        found = key in self.model
        self.model.pop(key, None)
        assert self.modify(76, 13, key) is found

    @rule(flags=ORDERS)
    def set_type(self, flags: int) -> None:
        self.flags = flags
        assert self.modify(64, flags | 0x10) is None

    @rule()
    def clear(self) -> None:
        self.model = {}
        self.modify(75)

    @invariant()
    def same_bytes(self) -> None:
        assert self.bin == map_particle(self.model, self.flags)


Map.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_map = Map.TestCase


# -- selecting ---------------------------------------------------------------------------


def naive_keys(pairs: dict[Any, Any], code: int, args: list[Any]) -> list[Any]:
    """The keys of the entries that an operation means, in key order, brute force."""
    keys = list(by_key(pairs))
    if code == 104:
        start = args[0] + len(keys) if args[0] < 0 else args[0]
        return keys[max(0, start) : max(0, start + args[1])]
    if code == 109:
        start = sum(compare(key, args[0]) < 0 for key in keys) + args[1]
        return keys[max(0, start) : max(0, start + args[2])]
    if code == 107:
        return [key for key in keys if key in args[0]]
    if code == 103:
        return [key for key in keys if compare(key, args[0]) >= 0 > compare(key, args[1])]
    if code == 102:
        return [key for key in keys if compare(pairs[key], args[0]) == 0]
    if code == 108:
        return [key for key in keys if any(compare(pairs[key], v) == 0 for v in args[0])]
    return [key for key in keys if compare(pairs[key], args[0]) >= 0 > compare(pairs[key], args[1])]


SELECTIONS = st.one_of(
    st.tuples(st.just(104), st.tuples(st.integers(-9, 9), st.integers(0, 9))),
    st.tuples(st.just(109), st.tuples(KEYS, st.integers(-4, 4), st.integers(0, 9))),
    st.tuples(st.just(107), st.tuples(st.lists(KEYS, max_size=4))),
    st.tuples(st.just(103), st.tuples(KEYS, st.one_of(KEYS, st.just(INF)))),
    st.tuples(st.just(102), st.tuples(VALUES)),
    st.tuples(st.just(108), st.tuples(st.lists(VALUES, max_size=3))),
    st.tuples(st.just(105), st.tuples(VALUES, st.one_of(VALUES, st.just(INF)))),
)
REMOVE = {104: 85, 109: 88, 107: 81, 103: 84, 102: 82, 108: 83, 105: 86}


@given(MAPS, ORDERS, st.booleans(), SELECTIONS)
@settings(max_examples=300)
def test_selections(
    pairs: dict[Any, Any], flags: int, inverted: bool, selection: tuple[int, tuple[Any, ...]]
) -> None:
    particle = map_particle(pairs, flags)
    code, args = selection
    order = list(by_key(pairs))
    expected = naive_keys(pairs, code, list(args))
    flag = 0
    if inverted:
        flag = INVERTED
        expected = [key for key in order if key not in expected]

    def answer(return_type: int) -> Any:
        return read(particle, code, flag | return_type, *args)

    chosen = {key: pairs[key] for key in expected}
    assert answer(5) == len(expected)
    assert answer(6) == expected
    assert answer(7) == list(chosen.values())
    assert list(answer(8).items()) == [(ExtType(8, b""), None), *chosen.items()]
    assert list(answer(16).items()) == list(chosen.items())
    assert list(answer(17).items()) == [(ExtType(1, b""), None), *chosen.items()]
    assert set(answer(1)) == {order.index(key) for key in expected}
    after, result = cdt.modify(particle, mp.pack([REMOVE[code], flag | 6, *args]), NoExpressions)
    assert value_of(result) == expected
    kept = {key: value for key, value in pairs.items() if key not in chosen}
    assert after == map_particle(kept, flags)


@given(MAPS, ORDERS, st.integers(-8, 8), st.integers(0, 8), VALUES)
def test_ranks(pairs: dict[Any, Any], flags: int, rank: int, count: int, value: Any) -> None:
    particle = map_particle(pairs, flags)
    ranked = sorted(by_key(pairs), key=lambda key: BY_KEY(pairs[key]))  # stable: key order
    start = rank + len(ranked) if rank < 0 else rank
    expected = ranked[max(0, start) : max(0, start + count)]
    assert read(particle, 106, 6, rank, count) == expected
    assert read(particle, 106, 3, rank, count) == [ranked.index(key) for key in expected]
    for at, key in enumerate(ranked):
        assert read(particle, 100, 6, at) == key
        assert read(particle, 97, 3, key) == at
        assert read(particle, 97, 4, key) == len(ranked) - 1 - at
        assert read(particle, 97, 2, key) == len(ranked) - 1 - list(by_key(pairs)).index(key)
    start = rank + sum(compare(other, value) < 0 for other in pairs.values())
    expected = ranked[max(0, start) : max(0, start + count)]
    assert read(particle, 110, 6, value, rank, count) == expected
    after, _ = cdt.modify(particle, mp.pack([89, 0, value, rank, count]), NoExpressions)
    kept = {key: held for key, held in pairs.items() if key not in expected}
    assert after == map_particle(kept, flags)


# -- codes, creation, flags --------------------------------------------------------------

SAMPLE = {"\x03a": 1, "\x03b": 2, 7: "\x03x"}


@pytest.mark.parametrize(
    ("op", "code"),
    [
        ([65, "\x03a", 1], ResultCode.ELEMENT_EXISTS),
        ([69, "\x03z", 1], ResultCode.ELEMENT_NOT_FOUND),
        ([68, {"\x03a": 5, "\x03z": 6}, 0, 2], ResultCode.ELEMENT_NOT_FOUND),
        ([67, 1.5, 1], ResultCode.PARAMETER),
        ([67, None, 1], ResultCode.PARAMETER),
        ([67, "\x17{}", 1], ResultCode.PARAMETER),
        ([67, [1], 1], ResultCode.PARAMETER),
        ([67, 1, {1: INF}], ResultCode.PARAMETER),
        ([68, [1]], ResultCode.PARAMETER),
        ([73, 7, 1], ResultCode.PARAMETER),
        ([73, 8, "\x03x"], ResultCode.PARAMETER),
        ([64, 8], ResultCode.OP_NOT_APPLICABLE),
        ([76, INVERTED | 7, 7], ResultCode.OP_NOT_APPLICABLE),
        ([77, 7, 3], ResultCode.OP_NOT_APPLICABLE),
        ([81, 3, [7]], ResultCode.OP_NOT_APPLICABLE),
        ([81, 9, [7]], ResultCode.OP_NOT_APPLICABLE),
        ([85, 11, 0, 1], ResultCode.OP_NOT_APPLICABLE),
        ([87, 9, 0, 1], ResultCode.OP_NOT_APPLICABLE),
        ([76, 14, 7], ResultCode.OP_NOT_APPLICABLE),
        ([1, 1], ResultCode.BIN_TYPE),
        ([96], ResultCode.PARAMETER),
        ([71], ResultCode.PARAMETER),
    ],
)
def test_refused_modifies(op: list[Any], code: ResultCode) -> None:
    assert code_of(map_particle(SAMPLE), *op) is code


@pytest.mark.parametrize(
    ("op", "after", "result"),
    [
        ([67, 1, 2, 1], flagged(1, {1: 2}), 1),
        ([68, {2: 1, 1: 2}, 0x13], flagged(3, {1: 2, 2: 1}), 2),
        ([68, {}, 3], flagged(3, {}), 0),
        ([73, 5, None], {5: 1}, 1),
        ([74, 5, 2, 1], flagged(1, {5: -2}), -2),
        ([74, 5, -(2**63)], {5: -(2**63)}, -(2**63)),
        ([64, 2], flagged(2, {}), None),
        ([68, {1: 2}, 0, 2 | 4 | 8], {1: 2}, 1),
        ([76, 7, 1], None, None),
        ([75], None, None),
    ],
)
def test_modifies_of_nothing(op: list[Any], after: Any, result: Any) -> None:
    assert modify(None, *op) == (after, result)


def test_replace_needs_something() -> None:
    for op in ([69, 1, 2], [70, {1: 2}]):
        assert code_of(None, *op) is ResultCode.ELEMENT_NOT_FOUND


@pytest.mark.parametrize(
    ("return_type", "answer"),
    [
        (0, None),
        (1, -1),
        (3, -1),
        (5, 0),
        (6, None),
        (7, None),
        (8, flagged(8, {})),
        (9, [-1, 0]),
        (13, False),
        (16, {}),
        (17, flagged(1, {})),
    ],
)
def test_a_key_that_is_not_there(return_type: int, answer: Any) -> None:
    assert read(map_particle(SAMPLE), 97, return_type, "\x03zz") == answer


def test_key_lists_answer_indexes_in_item_order() -> None:
    particle = map_particle(SAMPLE, 1)  # 7, a, b
    assert read(particle, 107, 1, ["\x03b", 7, "\x03nope", "\x03b"]) == [2, 0, 2]
    assert read(particle, 107, 2, ["\x03b", 7]) == [0, 2]
    assert read(particle, 107, 6, ["\x03b", 7]) == [7, "\x03b"]


# -- plain writes ------------------------------------------------------------------------


@given(MAPS, st.randoms(use_true_random=False))
def test_written_maps_are_stored_in_key_order(pairs: dict[Any, Any], random: Any) -> None:
    shuffled = list(pairs.items())
    random.shuffle(shuffled)
    stored = cdt.check_write(ParticleType.MAP, mp.pack(dict(shuffled)))
    assert stored == map_particle(pairs).data
    assert cdt.check_write(ParticleType.MAP, stored) == stored


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        (ParticleType.MAP, "90"),
        (ParticleType.LIST, "80"),
        (ParticleType.LIST, ""),
        (ParticleType.LIST, "9000"),
        (ParticleType.LIST, "91d4ff00"),
        (ParticleType.LIST, "93c700010201"),
        (ParticleType.MAP, "8101d4ff01"),
        (ParticleType.MAP, "8201020103"),
        (ParticleType.MAP, "83c70001c002010102"),
        (ParticleType.MAP, "81c001"),
        (ParticleType.LIST, "91" * 500 + "01"),
    ],
)
def test_refused_writes(kind: ParticleType, wire: str) -> None:
    with pytest.raises(OperationError) as caught:
        cdt.check_write(kind, bytes.fromhex(wire))
    assert caught.value.code is ResultCode.SERVER_ERROR
