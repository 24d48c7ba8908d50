"""Reads through a filter: the plan gives the answers of the general way, whatever is unknown."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgpack import packb

from aerospike_common.wire.codes import ParticleType, ResultCode
from asd.bins.particle import Particle
from asd.fastpath.cache import FastPaths
from asd.records.record import find_bin, pack_bins
from asd.records.record_view import RecordView
from citrusleaf.cf_clock import VirtualClock

FILTER, KEY = 43, 2
A, MISSING, TEXT = [81, 2, "a"], [81, 2, "none"], [81, 3, "z"]
UNKNOWN: list[Any] = [1, MISSING, 1]
LEAVES = st.sampled_from(
    [
        *(True, False, UNKNOWN, [0]),
        *([3, A, 3], [4, [20, A, 5], 10], [1, [21, A, 2], 1], [2, [82, "z"], 3]),
        *([1, TEXT, "\x03text"], [5, [81, 7, "d"], 1.0], [1, A, [20, A]], [6, [81, 2, "z"], 9]),
        *([3, [68], 0], [5, [69], 7], [3, [66], 10], [1, [70], "\x03demo"], [71], [5, [67], 2500]),
    ]
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([16, 17, 19]), inner, inner).map(list),
        inner.map(lambda one: [18, one]),
        st.tuples(inner, inner, inner).map(lambda three: [123, *three]),
    ),
    max_leaves=4,
)


class NoPaths(FastPaths):
    """Learns nothing: every request takes the general way."""

    def wants(self, head: bytes, body: bytes) -> bool:
        return False


def integer(value: int) -> bytes:
    return struct.pack(">q", value)


def fill(kit: Any, wire: Any) -> None:
    """Records with the bin first, last, of another type, missing; one that ends; one with a key."""
    number = (b"a", ParticleType.INTEGER, integer(5))
    text = (b"z", ParticleType.STRING, b"text")
    real = (b"d", ParticleType.DOUBLE, struct.pack(">d", 0.5))
    wire.send(kit.put(1, number))
    wire.send(kit.put(2, text, real, number))
    wire.send(kit.put(3, (b"a", ParticleType.STRING, b"5"), real))
    wire.send(kit.put(4, text))
    wire.send(kit.put(5, number, record_ttl=10))
    wire.send(kit.put(6, number, fields={KEY: b"\x03user"}))


@given(st.lists(FILTERS, min_size=1, max_size=4))
def test_both_ways_answer_alike(kit: Any, filters: list[Any]) -> None:
    clock = VirtualClock()
    node = kit.make_node(clock)
    node.paths = NoPaths(node)
    planned, general = kit.Wire(kit.make_node(clock)), kit.Wire(node)
    fill(kit, planned)
    fill(kit, general)
    for _ in range(2):  # before and after the plans are made
        for tree in filters:
            for number in range(1, 8):
                data = kit.get(number, fields={FILTER: packb(tree)})
                assert planned.send(data) == general.send(data), (number, tree)
        clock.advance(4)
    counts = [wire.node.namespaces[b"test"].statistics.client for wire in (planned, general)]
    assert counts[0] == counts[1]


def test_another_field_of_the_same_size_is_no_filter(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    wire.send(kit.put(1, (b"a", ParticleType.INTEGER, integer(5))))
    for _ in range(2):
        assert wire.call(kit.get(1, fields={FILTER: b"\xc3"})).result_code == ResultCode.OK
    reply = wire.call(kit.get(1, fields={FILTER: b"\xc2"}))
    assert reply.result_code == ResultCode.FILTERED_OUT
    assert wire.call(kit.get(1, fields={KEY: b"\xc2"})).result_code == ResultCode.OK


def test_a_plan_that_has_seen_many_filters(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    wire.send(kit.put(1, (b"a", ParticleType.INTEGER, integer(5))))
    for _ in range(2):
        for bound in range(100):
            reply = wire.call(kit.get(1, fields={FILTER: packb([3, A, bound])}))
            assert reply.result_code == (ResultCode.OK if bound < 5 else ResultCode.FILTERED_OUT)
    reads = wire.node.namespaces[b"test"].statistics.client
    assert (reads.read_success, reads.read_filtered_out) == (10, 190)


NAMES = st.sampled_from([b"a", b"b", b"ab", b"\1"])
PARTICLES = st.builds(Particle, st.integers(1, 4), st.binary(max_size=12))


@given(st.dictionaries(NAMES, PARTICLES), NAMES, st.integers(1, 4), st.booleans())
def test_the_bytes_of_a_bin(
    bins: dict[bytes, Particle], name: bytes, kind: int, at_rest: bool
) -> None:
    payload = pack_bins(bins)
    view = RecordView(bytes(20), (1, 0, 1, 1, 0, payload), b"", 1, None if at_rest else bins)
    found = find_bin(payload, name)
    expected = found.data if found is not None and found.type == kind else None
    assert view.bin_data(name, kind) == expected
