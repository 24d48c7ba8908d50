"""A turn's writes and their acknowledgement by the replicas."""

from __future__ import annotations

from typing import Any

from aerospike_common.wire.codes import ResultCode
from asd.records.change import Change
from asd.replication.rows import removal
from cluster import REMOVAL
from cluster.messages import RecordRow

ONE, TWO = bytes([1]) * 20, bytes([2]) * 20


def test_a_turn_is_released_when_all_replicas_have_its_rows(bench: Any) -> None:
    assert bench.replicator.observe(True)
    bench.put(ONE)
    bench.put(TWO)
    turn = bench.namespace.commitments.turn
    assert turn is not None
    assert [row[0] for row in bench.sent] == [ONE, TWO]
    assert bench.flushes == 0
    bench.end_turn()
    assert bench.flushes == 1
    assert not turn.released
    bench.replicator.released(1, False)
    assert turn.released
    assert turn.code == ResultCode.OK
    bench.replicator._check()


def test_turns_are_released_in_order(bench: Any) -> None:
    bench.replicator.observe(True)
    turns = []
    for digest in (ONE, TWO):
        bench.put(digest)
        turns.append(bench.namespace.commitments.turn)
        bench.end_turns()
    bench.replicator.released(2, False)
    assert not turns[1].released
    bench.replicator.released(1, True)
    assert turns[0].released
    assert turns[1].released
    assert [turn.code for turn in turns] == [ResultCode.TIMEOUT, ResultCode.OK]


def test_while_a_commitment_is_under_way_the_next_takes_the_writes_of_two_turns(bench: Any) -> None:
    bench.replicator.observe(True)
    bench.put(ONE)
    bench.end_turn()
    assert bench.flushes == 1, "it does not wait for others"
    bench.put(ONE)
    first = bench.namespace.commitments.turn
    bench.end_turn()
    assert bench.flushes == 1
    bench.put(TWO)
    assert bench.namespace.commitments.turn is first
    bench.end_turn()
    assert bench.flushes == 2
    bench.put(TWO)
    assert bench.namespace.commitments.turn is not first


def test_without_replicas_nothing_waits(bench: Any) -> None:
    bench.replicas = False
    bench.replicator.observe(True)
    bench.put(ONE)
    assert bench.namespace.commitments.turn is None


def test_a_delete_is_a_removal(bench: Any) -> None:
    bench.put(ONE)
    bench.replicator.observe(True)
    bench.namespace.commit(Change(ONE, bench.namespace.find(ONE), None))
    assert [row[5] for row in bench.sent] == [REMOVAL]


def test_what_comes_from_other_nodes_is_not_sent_on(bench: Any) -> None:
    bench.replicator.observe(True)
    assert bench.store.apply((removal(ONE, 1),), resolve=False, migrates=False) == 1
    bench.namespace.door.adopt(ONE, None, (1, 0, 7, 0, 0, b"\0\0"))
    assert bench.namespace.find(ONE) is not None
    assert bench.sent == []
    assert bench.namespace.commitments.turn is None


def test_what_the_slow_lane_does_is_collected(bench: Any) -> None:
    rows: list[RecordRow] = []
    with bench.replicator.collecting(rows):
        bench.put(ONE)
    assert [row[0] for row in rows] == [ONE]
    assert bench.sent == []
    assert bench.namespace.door.observers == ()


def test_a_door_that_nobody_observes_has_no_observer(bench: Any) -> None:
    assert not bench.replicator.observe(False)
    bench.put(ONE)
    assert bench.sent == []
