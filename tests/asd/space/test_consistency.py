"""What strong consistency has answers wait for, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.space.commitment import Commitment, Commitments
from asd.space.consistency import Consistency, is_linearizable, takes_unavailable

DIGEST, OTHER = b"d" * 20, b"e" * 20


def message(info1: int = 0, info2: int = 0, info3: int = 0) -> Message:
    fields = {FieldType.DIGEST: DIGEST}
    return Message(info1, info2, info3, 0, 0, 0, 0, 0, fields, [])


READ = message(info1=Info1.READ)
LATEST = message(info1=Info1.READ, info3=Info3.SC_READ_TYPE)
WRITE = message(info2=Info2.WRITE)


class Turns:
    """Turns that end when the test says so."""

    started_ns = 1

    def __init__(self) -> None:
        self.ends: list[Any] = []

    def begin(self) -> int:
        return 1

    def at_end(self, end: Any) -> None:
        self.ends.append(end)


@pytest.fixture
def commitments() -> Commitments:
    turns: Any = Turns()
    return Commitments(turns, lambda: 1)


@pytest.fixture
def consistency(commitments: Commitments) -> Consistency:
    return Consistency(commitments, lambda: 1)


def written(consistency: Consistency, commitments: Commitments) -> Commitment:
    commitments(DIGEST, None)
    turn = commitments.turn
    assert turn is not None
    turn.expect()
    consistency.written(DIGEST, turn)
    return turn


def end(commitment: Commitment, code: ResultCode = ResultCode.OK) -> None:
    commitment.arrive(code)
    commitment.arrive()
    commitment.release(2)


def test_nothing_waits_where_nothing_is_pending(consistency):
    assert consistency.waits_for(READ, DIGEST) is None
    assert consistency.waits_for(WRITE, DIGEST) is None


def test_a_write_waits_for_its_turn(consistency, commitments):
    turn = written(consistency, commitments)
    assert consistency.waits_for(WRITE, DIGEST) is turn


def test_a_read_waits_for_the_write_that_it_has_seen(consistency, commitments):
    turn = written(consistency, commitments)
    waits = consistency.waits_for(READ, DIGEST)
    assert waits is not None
    assert not waits.released
    assert consistency.waits_for(READ, OTHER) is None
    end(turn)
    assert waits.released
    assert waits.code == ResultCode.OK
    assert consistency.waits_for(READ, DIGEST) is None


def test_a_refusal_waits_for_what_it_is_because_of(consistency, commitments):
    first = written(consistency, commitments)
    commitments.turn = None
    waits = consistency.waits_for(WRITE, DIGEST)
    assert waits is not None
    end(first, ResultCode.TIMEOUT)
    assert waits.code == ResultCode.TIMEOUT


def test_a_read_of_a_write_in_doubt_is_in_doubt(consistency, commitments):
    turn = written(consistency, commitments)
    waits = consistency.waits_for(READ, DIGEST)
    end(turn, ResultCode.TIMEOUT)
    assert waits is not None
    assert waits.code == ResultCode.TIMEOUT


def test_the_latest_is_confirmed_after_it_was_read(consistency):
    asked: list[Any] = []
    consistency.confirm = lambda partition, hear: asked.append(hear)
    waits = consistency.waits_for(LATEST, DIGEST)
    assert waits is not None
    asked.pop()(False)
    assert waits.code == ResultCode.TIMEOUT
    consistency.confirm = lambda partition, hear: hear(True)
    assert consistency.waits_for(LATEST, DIGEST) is None


def test_the_latest_is_confirmed_once_the_write_is_safe(consistency, commitments):
    asked: list[Any] = []
    consistency.confirm = lambda partition, hear: asked.append(hear)
    turn = written(consistency, commitments)
    waits = consistency.waits_for(LATEST, DIGEST)
    assert not asked
    end(turn)
    asked.pop()(True)
    assert waits is not None
    assert waits.code == ResultCode.OK


def test_stamps_never_go_back_and_regimes_come_first(consistency):
    consistency.regime = 3
    first = consistency.stamp(1000)
    assert consistency.stamp(400) == first
    consistency.regime = 4
    assert consistency.stamp(1) > first


def test_what_follows_a_tombstone_is_later(consistency):
    consistency.regime = 3
    tombstone = consistency.stamp(1000)
    consistency.seen(tombstone, is_tombstone=True)
    assert consistency.stamp(1000) > tombstone


def test_writes_stop_while_clocks_differ(consistency):
    consistency.skewed = True
    consistency.check(READ)
    with pytest.raises(OperationError) as refused:
        consistency.check(WRITE)
    assert refused.value.code == ResultCode.FORBIDDEN


def test_read_modes():
    assert is_linearizable(LATEST)
    assert not is_linearizable(READ)
    both = message(info1=Info1.READ, info3=Info3.SC_READ_TYPE | Info3.SC_READ_RELAX)
    assert takes_unavailable(both)
    assert not is_linearizable(both)
    assert not takes_unavailable(LATEST)
