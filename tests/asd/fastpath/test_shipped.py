"""Shipped writes have the same effect and answer by their path as by the general way."""

from __future__ import annotations

import struct
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aerospike_common.wire.codes import (
    FieldType,
    Info3,
    OpType,
    ParticleType,
    ResultCode,
)
from aerospike_common.wire.frame import deflate
from aerospike_common.wire.message import Op
from asd.records.record import XDR_WRITE
from asd.service import tsvc
from citrusleaf.cf_clock import VirtualClock
from without_paths import NoShippedWrites

FOREVER: Final = 0xFFFFFFFF
INT: Final = ParticleType.INTEGER

values = st.one_of(
    st.tuples(st.just(INT), st.sampled_from([bytes(8), b"\1" * 8, b"\1\2", b"", bytes(7)])),
    st.tuples(st.just(ParticleType.DOUBLE), st.sampled_from([bytes(8), bytes(4)])),
    st.tuples(st.just(ParticleType.STRING), st.binary(max_size=30)),
    st.tuples(st.just(ParticleType.BLOB), st.binary(max_size=30)),
    st.tuples(st.just(ParticleType.LIST), st.sampled_from([b"\x92\x01\x02", b"\x92\x01"])),
    st.tuples(st.just(ParticleType.NULL), st.just(b"")),
    st.tuples(st.just(ParticleType.BOOL), st.sampled_from([b"\0", b"\2"])),
)
names = st.sampled_from([b"a", b"b", b"c", b"n" * 15, b"n" * 16, b"", b"\0"])
ops = st.builds(
    lambda kind, name, value: Op(kind, value[0], name, value[1]),
    st.sampled_from([OpType.WRITE] * 8 + [OpType.READ, OpType.APPEND]),
    names,
    values,
)


@st.composite
def messages(draw: st.DrawFn) -> tuple[int, dict[str, Any]]:
    """The number of a digest, and what `kit.shipped` takes."""
    fields = {}
    if draw(st.booleans()):
        keys = [b"\3user", b"\3other", b"\1" + bytes(8), b"\1" + bytes(3), b""]
        fields[FieldType.KEY] = draw(st.sampled_from(keys))
    return draw(st.integers(1, 3)), {
        "fields": fields,
        "set_name": draw(st.sampled_from([b"demo", b"demo", b"other", b"s" * 70, None])),
        "info3": draw(st.sampled_from([0] * 8 + [Info3.UPDATE_ONLY])),
        "generation": draw(st.integers(0, 3)),
        "record_ttl": draw(st.sampled_from([FOREVER, FOREVER, 0, 5, 1000, 1 << 30])),
        "ops": draw(st.lists(ops, min_size=1, max_size=4)),
    }


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(messages(), st.sampled_from([0, 0, 0, 6, -3]), st.integers(0, 60)), max_size=12
    )
)
def test_the_path_does_what_the_general_way_does(
    kit: Any, rows: list[tuple[Any, int, int]]
) -> None:
    nodes = kit.make_node(VirtualClock()), kit.make_node(VirtualClock())
    nodes[1].paths.shipped = NoShippedWrites(nodes[1])
    wires = [kit.Wire(node) for node in nodes]
    for wire in wires:
        wire.send(kit.shipped(9, (b"a", INT, bytes(8))))
    for (number, more), pause_s, cut in rows:
        message = kit.shipped(number, **more)
        if cut < 10:  # a body that ends too early, in a frame that says so
            body = message[8 : len(message) - cut - 1]
            message = b"\x02\x03" + len(body).to_bytes(6, "big") + body
        replies = [wire.send(message) for wire in wires]
        assert replies[0] == replies[1]
        for node in nodes:
            node.clock.set_wall_s(node.clock.wall_ns() / 1e9 + pause_s)  # it may be set back
    spaces = [node.namespaces[b"test"] for node in nodes]
    for number in (1, 2, 3, 9):
        digest = kit.digest(number)
        assert spaces[0].engine.get(digest) == spaces[1].engine.get(digest)
    for name in ("client", "xdr_client"):
        counts = [getattr(space.statistics, name).write_success for space in spaces]
        assert counts[0] == counts[1]


@pytest.mark.parametrize("compress", [False, True])
def test_records_that_differ_in_all_but_their_set_share_a_path(
    kit: Any, monkeypatch: pytest.MonkeyPatch, compress: bool
) -> None:
    node = kit.make_node()
    wire = kit.Wire(node)
    taken: list[bytes] = []
    real = tsvc.answer
    monkeypatch.setattr(tsvc, "answer", lambda *all: taken.append(all[2]) or real(*all))
    for number in range(1, 50):
        name = b"name", ParticleType.STRING, b"x" * number
        one = b"n", INT, struct.pack(">q", number)
        message = kit.shipped(number, name, one, generation=number, record_ttl=100 + number)
        if compress:
            message = deflate(message[8:], 1)
        assert wire.call(message).result_code == ResultCode.OK
    assert len(taken) == 1
    assert node.namespaces[b"test"].statistics.xdr_client.write_success == 49
    record = node.namespaces[b"test"].engine.get(kit.digest(7))
    assert record is not None
    assert record[0] == 1, "the generation is that of this place"
    assert record[1] == node.clock.epoch_s() + 107
    assert record[4] == XDR_WRITE
