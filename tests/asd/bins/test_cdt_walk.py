"""Operations that find elements in the bytes beside those that decode all of them: the same bins,
results and errors, step for step. (Compiled servers take the first way, plain ones the second.)"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.wire.codes import ParticleType
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt
from asd.bins.cdt import containers
from asd.bins.particle import Particle

KEYS = st.sampled_from([-70000, -1, 0, 1, 200, 2**40, "\x03", "\x03a", "\x03ab", "\x04a", "\x03é"])
SCALARS = st.one_of(
    KEYS,
    st.integers(-3, 6),
    st.sampled_from([None, True, False, 0.5, -0.0, "\x17{}", "\x03" + "x" * 40]),
    st.just(b"\x04" + bytes(40)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(mp.sort_values).map(lambda all_: [ExtType(1, b""), *all_]),
        st.dictionaries(KEYS, inner, max_size=5),
    ),
    max_leaves=12,
)
ARGUMENTS = st.one_of(st.integers(-4, 8), VALUES, st.sampled_from([5, 7, 8, 13, 0x10007]))
OPERATIONS = st.builds(
    lambda code, args: [code, *args],
    st.sampled_from([*cdt.LIST_OPS, *cdt.MAP_OPS]),
    st.lists(ARGUMENTS, min_size=1, max_size=4),
)
CONTEXTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([0x10, 0x11, 0x20, 0x21, 0x50, 0xD0]), st.integers(-4, 6)),
        st.tuples(st.sampled_from([0x22, 0x22, 0x13, 0x23, 0x62, 0xA2]), KEYS),
    ),
    min_size=1,
    max_size=3,
).map(lambda pairs: [part for pair in pairs for part in pair])


def no_paths() -> cdt.PathCompiler:
    """No operation here is a path."""
    raise AssertionError("an operation without path expressions asked to compile one")


def outcome(walks: bool, run: Any) -> Any:
    """What comes of an operation by one of the ways; of an error its code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containers, "WALKS", walks)
        patch.setattr(containers, "MOST_WALKS", 3)  # so that both ways are gone in one command
        try:
            return run()
        except OperationError as error:
            return error.code


class Ways(RuleBasedStateMachine):
    """One list and one map, changed by operations both ways."""

    def __init__(self) -> None:
        super().__init__()
        ordered = mp.pack([ExtType(1, b""), 1, 3, "\x03b"])
        nested = mp.pack({1: {"\x03a": [1, 2]}, "\x03a": {1: 2, 200: [3, [4]]}})
        self.bins: list[Particle | None] = [
            Particle(ParticleType.LIST, mp.pack([5, [1, 2], {1: 2}])),
            Particle(ParticleType.LIST, ordered),
            Particle(ParticleType.MAP, nested),
        ]

    def play(self, at: int, payload: bytes) -> None:
        """Reads and modifies agree; the bin becomes what the modify made of it."""
        particle = self.bins[at]
        for run in (cdt.read, cdt.modify):
            by_walking = outcome(True, lambda run=run: run(particle, payload, no_paths))
            by_decoding = outcome(False, lambda run=run: run(particle, payload, no_paths))
            assert by_walking == by_decoding
            if type(by_walking) is tuple and by_walking[0] is not None:
                assert by_walking[0].type == by_decoding[0].type
                self.bins[at] = by_walking[0]

    @rule(at=st.integers(0, 2), op=OPERATIONS)
    def operate(self, at: int, op: list[Any]) -> None:
        self.play(at, mp.pack(op))

    @rule(at=st.integers(0, 2), way=CONTEXTS, op=OPERATIONS)
    def operate_below(self, at: int, way: list[Any], op: list[Any]) -> None:
        self.play(at, mp.pack([0xFF, way, op]))

    @rule(at=st.integers(0, 2), ops=st.lists(OPERATIONS, min_size=2, max_size=4))
    def operate_on_the_open_bin(self, at: int, ops: list[list[Any]]) -> None:
        """Several operations of one command: packed once, at the end."""
        particle = self.bins[at]
        if particle is None:
            return

        def run() -> tuple[Any, list[Any]]:
            assert particle is not None
            root = cdt.from_particle(particle)
            assert root is not None
            results: list[Any] = []
            for op in ops:
                try:
                    results.append(cdt.modify_open(root, mp.pack(op), no_paths))
                    results.append(cdt.read_open(root, mp.pack([op[0] % 64 // 16, 1]), no_paths))
                except OperationError as error:
                    results.append(error.code)
                    break
            else:
                return cdt.packed(root, particle), results
            return None, results

        by_walking, by_decoding = outcome(True, run), outcome(False, run)
        assert by_walking == by_decoding
        if by_walking[0] is not None:
            self.bins[at] = by_walking[0]

    @invariant()
    def bins_are_canonical(self) -> None:
        for particle in self.bins:
            if particle is not None:
                value = mp.normalise_for_storage(mp.unpack_stored(particle.data))
                assert mp.pack(value) == cdt.check_write(particle.type, particle.data)


TestWays = Ways.TestCase
TestWays.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)


def test_many_operations_of_one_command_walk_a_few_times_only() -> None:
    """Whatever a command asks again and again of a large list or map is decoded in the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containers, "WALKS", True)
        numbers, pairs = list(range(50)), {number: number for number in range(50)}
        values = containers.ListValue.stored(mp.pack(numbers))
        entries = containers.MapValue.stored(mp.pack(pairs))
        for number in numbers:
            assert values.value_at(number) == entries.value_at(entries.find(number)) == number
        assert values._values is not None
        assert type(entries._packed) is containers.PackedMap
