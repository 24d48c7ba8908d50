"""Whatever bytes arrive: a result or an OperationError, in bounded time, and storable bins."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.as_msgpack import INF, WILDCARD
from aerospike_common.wire.codes import ParticleType
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt
from asd.bins.cdt.path import REMOVE, UNKNOWN
from asd.bins.particle import Particle

INTS = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([2**31, 2**32, 2**63 - 1, -(2**63), 0x10007, 0x10001, 255, 254]),
)
FLAGS = st.sampled_from([ExtType(code, b"") for code in (0, 1, 2, 3, 8, 16, 17, 127)])
SCALARS = st.one_of(
    INTS,
    st.none(),
    st.booleans(),
    st.floats(),
    st.sampled_from(["", "\x03", "\x03a", "\x04\udcff", "\x17{}", "raw", WILDCARD, INF]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.builds(lambda flag, items: [flag, *items], FLAGS, st.lists(inner, max_size=3)),
        st.dictionaries(st.one_of(INTS, st.sampled_from(["\x03a", "\x04b"])), inner, max_size=4),
    ),
    max_leaves=8,
)
OPERATIONS = st.builds(
    lambda code, args: [code, *args],
    st.one_of(st.sampled_from([*cdt.LIST_OPS, *cdt.MAP_OPS]), INTS),
    st.lists(VALUES, max_size=5),
)
CONTEXTS = st.lists(
    st.tuples(
        st.sampled_from(
            [0x10, 0x11, 0x13, 0x20, 0x21, 0x22, 0x23, 0x50, 0x90, 0xD0, 0x62, 0xA2, 0xE2, 4, 0x204]
        ),
        VALUES,
    ),
    max_size=4,
).map(lambda pairs: [part for pair in pairs for part in pair])
REQUESTS = st.one_of(
    OPERATIONS,
    st.tuples(st.just(0xFF), CONTEXTS, OPERATIONS).map(list),
    st.tuples(st.just(0xFE), CONTEXTS, st.integers(0, 21)).map(list),
    st.tuples(st.just(0xFE), CONTEXTS, st.just(4), st.just(["\x03x"])).map(list),
)
PAYLOADS = st.one_of(
    REQUESTS.map(mp.pack),
    st.tuples(REQUESTS.map(mp.pack), st.integers(0, 30), st.binary(max_size=2)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]
    ),
    st.binary(max_size=40),
)


class Weather:
    """An expression that gives something else every time."""

    def __init__(self) -> None:
        self._turn = 0

    def evaluate(self, key: Any, value: Any, index: int | None) -> Any:
        self._turn += 1
        return [True, UNKNOWN, [value], REMOVE, INF, False, 7][self._turn % 7]


class Compiler:
    def compile(self, wire: bytes) -> cdt.PathExpression:
        return Weather()


@st.composite
def bins(draw: st.DrawFn) -> Particle | None:
    kind = draw(st.sampled_from([ParticleType.LIST, ParticleType.MAP]))
    data = mp.pack(draw(VALUES))
    try:
        return Particle(kind, cdt.check_write(kind, data))
    except OperationError:
        pass  # not storable: another kind of bin, then
    return draw(st.sampled_from([None, Particle(ParticleType.INTEGER, bytes(8))]))


@given(bins(), PAYLOADS)
@settings(max_examples=600, deadline=None)
def test_only_operation_errors_come_out(particle: Particle | None, payload: bytes) -> None:
    try:
        result = cdt.read(particle, payload, Compiler)
    except OperationError:
        result = None
    if result is not None and result.type in (ParticleType.LIST, ParticleType.MAP):
        mp.unpack_stored(result.data)
    try:
        after, result = cdt.modify(particle, payload, Compiler)
    except OperationError:
        return
    if after is None or after is particle:
        return
    # Whatever is stored is canonical, the nested index flag apart.
    stored = cdt.check_write(after.type, after.data)
    assert mp.pack(mp.normalise_for_storage(mp.unpack_stored(after.data))) == stored


@given(bins(), REQUESTS)
@settings(max_examples=200, deadline=None)
def test_evaluate_agrees_with_the_bytes(particle: Particle | None, request: list[Any]) -> None:
    if particle is not None and particle.type == ParticleType.INTEGER:
        return
    value = None if particle is None else mp.unpack_stored(particle.data)
    payload = mp.pack(request)
    if payload[:1] == b"\0":
        return

    def outcome(run: Any) -> Any:
        try:
            return run()
        except OperationError as error:
            return error.code

    def by_bytes() -> Any:
        after, result = cdt.modify(particle, payload, Compiler)
        return after, result

    def by_value() -> Any:
        after, result = cdt.evaluate(value, mp.unpack(payload), modify=True, paths=Compiler)
        stored = None
        if after is not None:
            kind = ParticleType.LIST if type(after) is list else ParticleType.MAP
            stored = Particle(kind, mp.pack(after))
        return stored, cdt.answers.result_particle(result)

    assert outcome(by_bytes) == outcome(by_value)


def test_hostile_sizes_are_answered_at_once() -> None:
    small = Particle(ParticleType.LIST, mp.pack([1, 2, 3]))
    for payload in (
        b"\x92\x01\xdd\xff\xff\xff\xff",
        b"\x92\x01" + b"\xdd\x00\x0f\xff\xff" * 100_000,
        b"\x91" * 1_000_000,
        b"\x93\xff" + b"\x91" * 100_000,
        mp.pack([3, 2**62, 1]),
        mp.pack([9, 2**31 - 2, 1]),
        mp.pack([0xFF, [0x90, 2**40], [1, 1]]),
        mp.pack([0xFF, [0x90, 2**27], [1, 1]]),
    ):
        for particle in (small, None):
            try:
                cdt.modify(particle, payload, Compiler)
            except OperationError:
                continue
            raise AssertionError("accepted")
