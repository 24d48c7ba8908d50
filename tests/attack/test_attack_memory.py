"""Small requests that took memory out of all proportion."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import OpType, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Op

MEGABYTE = 1 << 20
LIST, BLOB, BOOL = 4, 6, 1
BIN, LET, VAR, CALL = 81, 125, 124, 127
TOO_BIG = ResultCode.RECORD_TOO_BIG


def test_blobs_are_not_resized_beyond_any_record(attack: Any) -> None:
    target = attack.Target()
    target.store(1, b=bytes(100))
    grow = attack.bits(b"b", 0, 127 << 20)
    shrink = attack.bits(b"b", 0, 100)
    peak, answer = target.peak(attack.operate(1, *[grow, attack.bits(b"b", 7, 0, 8)] * 5, shrink))
    assert attack.code(answer) == TOO_BIG
    assert peak < MEGABYTE
    insert = attack.bits(b"b", 1, 2 << 20, "\x04a")
    peak, answer = target.peak(attack.operate(1, insert, shrink))
    assert attack.code(answer) == TOO_BIG
    assert peak < MEGABYTE


def test_blobs_are_not_resized_beyond_any_record_in_expressions(attack: Any) -> None:
    target = attack.Target()
    target.store(1, b=bytes(100))
    grown = [CALL, BLOB, 0x41, [0, 127 << 20], [BIN, BLOB, "b"]]
    peak, answer = target.peak(attack.operate(1, attack.compute([CALL, 2, 1, [51, 0, 8], grown])))
    assert attack.code(answer) == ResultCode.OP_NOT_APPLICABLE
    assert peak < MEGABYTE


def test_lists_are_not_doubled_without_end(attack: Any) -> None:
    target = attack.Target()
    target.store(1, a=[1] * 100)
    bindings: list[Any] = ["v0", [BIN, LIST, "a"]]
    for at in range(24):
        doubled = [CALL, LIST, 0x40, [2, [VAR, f"v{at}"]], [VAR, f"v{at}"]]
        bindings += [f"v{at + 1}", doubled]
    body = [CALL, 2, 0, [16], [VAR, "v24"]]
    peak, answer = target.peak(attack.operate(1, attack.compute([LET, *bindings, body])))
    assert attack.code(answer) == ResultCode.OP_NOT_APPLICABLE
    assert peak < 300 * MEGABYTE


def test_one_big_bin_is_not_answered_without_end(attack: Any) -> None:
    target = attack.Target()
    target.store(1, b=bytes(MEGABYTE - 1000))
    read = Op(OpType.READ, 0, b"b", b"")
    for request in (
        attack.operate(1, *[read] * 400),
        attack.kit.request(1, info1=1, ops=[read] * 400),
    ):
        peak, answer = target.peak(request)
        assert attack.code(answer) == TOO_BIG
        assert peak < 40 * MEGABYTE


def test_what_no_record_can_hold_is_refused_before_it_is_decoded(attack: Any) -> None:
    target = attack.Target()
    huge = as_msgpack.pack([1] * 6_000_000)
    for op in (
        Op(OpType.WRITE, ParticleType.LIST, b"a", huge),
        Op(OpType.WRITE, ParticleType.GEOJSON, b"a", huge),
        Op(OpType.APPEND, ParticleType.STRING, b"a", huge),
        Op(OpType.INCR, ParticleType.LIST, b"a", huge),
    ):
        peak, answer = target.peak(attack.operate(1, op))
        assert attack.code(answer) == TOO_BIG
        assert peak < 4 * len(huge)  # the frame, its message, its op


def test_a_value_does_not_grow_beyond_any_record_in_one_command(attack: Any) -> None:
    target = attack.Target()
    target.store(1, a=[1], s="x")
    half = 600_000
    for ops in (
        [Op(OpType.APPEND, ParticleType.STRING, b"s", b"x" * half)] * 20,
        [attack.modify(b"a", 1, "\x03" + "x" * half)] * 20,
        [attack.modify(b"a", 3, 3_000_000, 1)],
    ):
        peak, answer = target.peak(attack.operate(1, *ops))
        assert attack.code(answer) == TOO_BIG
        assert peak < 100 * MEGABYTE
    assert attack.code(target.held(attack.kit.get(1))[1]) == 0


def test_replies_that_nobody_reads_are_bounded_in_bytes(attack: Any) -> None:
    target = attack.Target()
    target.store(1, b=bytes(MEGABYTE - 1000))
    transport, connection = target.wire.transport, target.wire.connection
    connection.data_received(attack.kit.get(1))
    transport.written = b""

    def write(data: bytes) -> None:
        transport.written += data
        connection.pause_writing()

    connection._write = write
    connection.data_received(attack.kit.get(1) * 50)
    assert len(transport.written) < 2 * MEGABYTE


def test_compiled_regexes_are_kept_by_what_they_hold(attack: Any) -> None:
    target = attack.Target()
    target.store(1, s="x")
    cache = target.node.expressions
    for number in range(200):
        pattern = [7, 1, f"({number}|a[ab]{{9}})+c", [BIN, 3, "s"]]
        cache.filter(as_msgpack.pack(pattern))
    assert len(cache) <= 64


def test_unfinished_frames_are_bounded_in_time_and_bytes(attack: Any, monkeypatch: Any) -> None:
    from asd.service import connections

    target = attack.Target()
    wires = [attack.kit.Wire(target.node) for _ in range(4)]
    for at, wire in enumerate(wires):
        wire.send(b"\x02\x03" + (100 << 20).to_bytes(6, "big") + bytes((at + 1) * 1000))
    monkeypatch.setattr(connections, "PARTIAL_MAX", 7_000)
    target.node.connections._end_partial_frames()
    assert [wire.transport.closed for wire in wires] == [False, False, False, True]
    target.node.clock.advance(connections.FRAME_TIME_MS / 1000 + 1)
    target.node.connections._end_partial_frames()
    assert all(wire.transport.closed for wire in wires)
    assert not target.wire.transport.closed


def test_truncations_of_unknown_sets_are_not_remembered_without_end(attack: Any) -> None:
    from asd.space.truncation import MODULE, MOST_THRESHOLDS

    target = attack.Target()
    target.store(1, b=b"x")
    truncations, metadata = target.node.truncations, target.node.metadata
    for number in range(MOST_THRESHOLDS):
        truncations.truncate("test", f"unknown{number}", 5)
    for namespace in ("test", "nowhere"):
        with pytest.raises(OperationError):
            truncations.truncate(namespace, "another", 5)
    truncations.truncate("test", "unknown7", 6)
    truncations.truncate("test", "demo", 5)
    truncations.truncate("test", None, 5)
    assert len(metadata.items(MODULE)) == MOST_THRESHOLDS + 2
