"""The fast lane: in order, once, bounded, whatever is lost on the way."""

from __future__ import annotations

from random import Random

import pytest

from cluster.fabric import FOREVER
from cluster.messages import RecordRow, ReplicaAck, ReplicaGroup, codec
from cluster.outputs import Apply, Output, Post, Replicated
from cluster.replication import lane_codec
from cluster.replication.lane import FastLane, LaneConfig, LaneReceiver, LaneSender

CODEC = codec()
CONFIG = LaneConfig(window_bytes=300, queue_bytes=1000)


def row(number: int) -> RecordRow:
    return (b"%02d" % number, 1, 1, 0, "s", 0, b"x" * 20)


def receiver() -> LaneReceiver:
    return LaneReceiver(1, "ns", 9, CONFIG, lambda _, sequence: ("transactions", sequence))


def packed(*rows: RecordRow) -> bytes:
    return lane_codec.packer()(rows)


def message(output: Output) -> ReplicaGroup | ReplicaAck:
    """What was posted, as the general codec reads it."""
    assert isinstance(output, Post)
    found = CODEC.decode(output.payload)
    assert isinstance(found, ReplicaGroup | ReplicaAck)
    return found


class Pair:
    """A sender and a receiver, a wire each way that loses, and a disk that takes its time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.sender = LaneSender(2, "ns", 9, CONFIG)
        self.receiver = receiver()
        self.wire: list[ReplicaGroup] = []
        self.back: list[ReplicaAck] = []
        self.disk: list[int] = []
        self.applied: list[RecordRow] = []
        self.kept: list[int] = []
        self.now = 0

    def take(self, outputs) -> None:
        for output in outputs:
            if isinstance(output, Apply):
                assert not output.resolve
                self.applied += output.rows
                self.disk.append(output.token[1])
            elif isinstance(sent := message(output), ReplicaGroup):
                self.wire.append(sent)
            else:
                self.back.append(sent)

    def step(self, loss: float) -> None:
        self.now += self.random.randrange(200)
        self.take(self.sender.tick(self.now))
        if self.wire:
            group = self.wire.pop(0)
            if self.random.random() >= loss:
                self.take(self.receiver.receive(group, self.now))
        if self.disk and self.random.random() < 0.5:
            done = self.disk.pop(self.random.randrange(len(self.disk)))
            self.take(self.receiver.applied(done, self.now))
        if self.back:
            ack = self.back.pop(0)
            if self.random.random() >= loss:
                kept, outputs = self.sender.receive(ack.sequence, self.now)
                self.kept += kept
                self.take(outputs)
        self.sender._check()
        self.receiver._check()


@pytest.mark.parametrize("seed", range(30))
def test_all_groups_are_applied_once_and_in_order(seed):
    pair = Pair(seed)
    if seed % 2:
        pair.receiver.open(0)
    rows = [row(number) for number in range(40)]
    for number, each in enumerate(rows, 1):
        pair.take(pair.sender.send(number, 1, packed(each), pair.now))
        pair.step(0.3)
    pair.take(pair.receiver.open(pair.now))
    for _ in range(2000):
        pair.step(0.3 if _ < 500 else 0)
    assert pair.applied == rows
    assert pair.kept == list(range(1, 41))
    assert pair.sender.queued_bytes == 0
    assert pair.sender.deadline == FOREVER


def test_no_more_than_a_window_is_under_way():
    sender = LaneSender(2, "ns", 9, CONFIG)
    sent = [sender.send(number, 1, packed(row(number)), 0) for number in range(1, 9)]
    assert [len(each) for each in sent] == [1, 1, 1, 1, 0, 0, 0, 0]
    assert 60 < len(sent[0][0].payload) < 75
    kept, more = sender.receive(2, 5)
    assert (kept, len(more)) == ([1, 2], 2)


def test_a_receiver_that_is_not_ready_holds_no_more_than_a_window():
    late = receiver()
    for number in range(1, 9):
        assert late.receive(ReplicaGroup(9, "ns", number, (row(number),)), 0) == []
    assert [each.rows for each in late.open(0)] == [(row(n),) for n in (1, 2, 3)]
    (again,) = late.receive(ReplicaGroup(9, "ns", 4, (row(4),)), 0)
    assert again.rows == (row(4),)


def test_silence_is_met_with_patience():
    sender = LaneSender(2, "ns", 9, LaneConfig(retransmit_ms=400, most_ms=1600))
    sender.send(1, 1, packed(row(1)), 0)
    times = [now for now in range(8000) if sender.tick(now)]
    assert times == [400, 1200, 2800, 4400, 6000, 7600]


def test_a_turn_s_rows_for_the_same_replicas_are_one_message_and_one_commitment():
    lane = FastLane()
    lane.begin(9)
    first = [lane.add("ns", (2, 3), row(n)) for n in (1, 2)]
    other = lane.add("ns", (2,), row(3))
    assert first[0] == first[1] != other
    sent = lane.flush(0)
    assert [(s.to, message(s).rows) for s in sent] == [
        (2, (row(1), row(2))),
        (3, (row(1), row(2))),
        (2, (row(3),)),
    ]
    assert lane.flush(0) == []
    assert lane.receive(2, ReplicaAck(9, "ns", 2), 0) == [Replicated(other, False)]
    assert sorted(lane.unacknowledged("ns")) == [b"01", b"02"]
    assert lane.receive(3, ReplicaAck(8, "ns", 1), 0) == [], "an older cluster's word"
    assert lane.receive(3, ReplicaAck(9, "ns", 1), 0) == [Replicated(first[0], False)]
    lane._check()
    assert lane.tick(lane.deadline) == [], "all is acknowledged"
    assert lane.deadline == FOREVER


def test_namespaces_do_not_wait_for_one_another():
    lane = FastLane()
    lane.begin(9)
    slow, quick = lane.add("slow", (2,), row(1)), lane.add("quick", (2,), row(1))
    assert [message(s).sequence for s in lane.flush(0)] == [1, 1]
    assert lane.receive(2, ReplicaAck(9, "quick", 1), 0) == [Replicated(quick, False)]
    assert lane.unacknowledged("slow") == [b"01"]
    (broken,) = lane.begin(10)
    assert (broken.commitment, broken.namespace, broken.digests) == (slow, "slow", (b"01",))


def test_a_peer_that_takes_nothing_fills_up():
    lane = FastLane(CONFIG)
    lane.begin(9)
    for number in range(20):
        assert not lane.is_full("ns", (2,)) or number > 10
        lane.add("ns", (2,), row(number))
        lane.flush(0)
    assert lane.is_full("ns", (2,))
    assert not lane.is_full("ns", (3,))


def test_who_answers_after_long_silence_is_sent_to_again_as_soon_as_any_other():
    """The lane went on waiting as long as it had been patient with the silence."""
    lane = FastLane(CONFIG)
    lane.begin(9)
    lane.add("ns", (2,), row(1))
    lane.flush(0)
    while lane.deadline < CONFIG.most_ms:
        now = lane.deadline
        lane.tick(now)
    lane.add("ns", (2,), row(2))
    lane.flush(now)
    lane.receive(2, ReplicaAck(9, "ns", 1), now)
    lane._check()
    assert lane.deadline == now + CONFIG.retransmit_ms
