"""The lane's messages, spelled out: the general codec reads them alike, and nonsense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.messages import RecordRow, ReplicaAck, ReplicaGroup, codec
from cluster.outputs import Applied, Apply, Output, Post, Replicated
from cluster.replication import lane_codec
from cluster.replication.lane import (
    FastLane,
    LaneConfig,
    LaneReceiver,
    LaneReceivers,
    asked,
)
from cluster.wire import WireError

KEY = 0xA1B2C3D4E5F60718
ROW = (b"d" * 20, 65535, 1 << 40, 7, "s\xff", 512, b"\x00\x01body")

rows = st.lists(
    st.tuples(
        st.binary(min_size=2, max_size=20),
        st.integers(1, 0xFFFF),
        st.integers(0, (1 << 64) - 1),
        st.integers(0, (1 << 32) - 1),
        st.text(st.characters(max_codepoint=255), max_size=63),
        st.integers(0, 0xFFFF),
        st.binary(max_size=300),
    ),
    min_size=1,
    max_size=20,
).map(tuple)
names = st.text(st.characters(max_codepoint=127), min_size=1, max_size=40)


def group_of(namespace: str, sequence: int, wanted: tuple[RecordRow, ...]) -> bytes:
    start = lane_codec.head(ReplicaGroup, KEY, namespace)
    return lane_codec.group(start, sequence, lane_codec.packer()(wanted))


@given(names, st.integers(1, (1 << 64) - 1), rows)
def test_a_group_is_what_the_general_codec_reads(namespace, sequence, wanted):
    payload = group_of(namespace, sequence, wanted)
    assert codec().decode(payload) == ReplicaGroup(KEY, namespace, sequence, wanted)
    start = lane_codec.head(ReplicaGroup, KEY, namespace)
    assert payload.startswith(start)
    assert lane_codec.opened(payload, start) == (sequence, wanted)


@given(names, st.integers(0, (1 << 64) - 1))
def test_an_acknowledgement_is_what_the_general_codec_reads(namespace, sequence):
    start = lane_codec.head(ReplicaAck, KEY, namespace)
    payload = lane_codec.ack(start, sequence)
    assert codec().decode(payload) == ReplicaAck(KEY, namespace, sequence)
    assert payload[: -lane_codec.ACK_END] == start
    assert lane_codec.sequence_of(payload) == sequence


def test_a_group_that_is_cut_short_or_changed_is_refused_as_bytes_of_a_peer_are():
    payload, start = group_of("test", 5, (ROW,)), lane_codec.head(ReplicaGroup, KEY, "test")
    for end in range(len(start), len(payload)):
        with pytest.raises(WireError):
            lane_codec.opened(payload[:end], start)
    with pytest.raises(WireError):
        lane_codec.opened(group_of("test", 5, ((b"d" * 21, *ROW[1:]),)), start)


def test_a_newer_peer_s_longer_rows_are_cut():
    longer = lane_codec.packer()([(*ROW, "more"), ROW])
    start = lane_codec.head(ReplicaGroup, KEY, "test")
    assert lane_codec.opened(lane_codec.group(start, 1, longer), start) == (1, (ROW, ROW))


def receivers() -> LaneReceivers:
    return LaneReceivers(LaneReceiver, LaneConfig(), lambda _, sequence: ("transactions", sequence))


def test_only_lanes_that_are_there_take_bytes():
    taken = receivers()
    assert taken.take(1, group_of("test", 1, (ROW,)), 0) is None, "its first group comes decoded"
    assert len(taken.receive(1, ReplicaGroup(KEY, "test", 1, (ROW,)), True, 0)) == 1
    assert taken.take(2, group_of("test", 2, (ROW,)), 0) is None, "another node's lane"
    assert taken.take(1, group_of("tes", 2, (ROW,)), 0) is None
    (asks,) = taken.take(1, group_of("test", 2, (ROW,)), 0) or []
    assert asks == Apply("test", ("transactions", 2), (ROW,), False)
    taken.clear()
    assert taken.take(1, group_of("test", 3, (ROW,)), 0) is None, "another cluster's"


def test_an_acknowledgement_is_taken_by_its_lane_alone():
    lane = FastLane()
    lane.begin(KEY)
    number = lane.add("test", (2,), ROW)
    (sent,) = lane.flush(0)
    assert isinstance(sent, Post)
    ack = lane_codec.ack(lane_codec.head(ReplicaAck, KEY, "test"), 1)
    assert lane.take(3, ack, 0) is None
    assert lane.take(2, lane_codec.ack(lane_codec.head(ReplicaAck, KEY + 1, "test"), 1), 0) is None
    assert lane.take(2, b"", 0) is None
    assert lane.take(2, ack, 0) == [Replicated(number, False)]
    lane.begin(KEY + 1)
    assert lane.take(2, ack, 0) is None


def test_a_daemon_is_asked_directly_only_if_it_wants_to_be():
    apply, over, post = Apply("test", ("t", 1), (ROW,), False), Replicated(1, False), Post(2, b"")
    outputs: list[Output] = [apply, post, over]
    heard: list[Output] = []

    def answer(output: Output) -> Applied | None:
        heard.append(output)
        return Applied(output.token) if isinstance(output, Apply) else None

    assert asked(outputs, None, lambda answer: []) == outputs
    assert asked(outputs, answer, lambda applied: [Post(3, b"kept")]) == [Post(3, b"kept"), post]
    assert heard == [apply, over]
