"""Heartbeat: what it ignores, and what it tells of clocks, doubles and lives."""

from __future__ import annotations

import pytest

from cluster.membership.heartbeat import Heartbeat, Identity
from cluster.membership.peer import HeartbeatConfig
from cluster.messages import Hello, Pulse, codec
from cluster.outputs import (
    Datagram,
    Dial,
    DuplicateNode,
    GraphChanged,
    Hangup,
    MovedOn,
    NodeArrived,
    NodeDeparted,
)
from cluster.wire import WireError, frame

CODEC = codec()
CONFIG = HeartbeatConfig(interval_ms=100, timeout_intervals=5, multicast=True)


def beat(**changes) -> Heartbeat:
    core = Heartbeat(Identity(1, 50, "blue"), HeartbeatConfig(100, 5, multicast=True), CODEC)
    core.start(1000)
    return core


def pulse(sequence: int, **changes) -> bytes:
    fields = {"node": 2, "incarnation": 60, "cluster_name": "blue", "heard": (1,), **changes}
    return CODEC.encode(Pulse(sequence=sequence, **fields))


def test_a_peer_arrives_and_departs():
    core = beat()
    told = core.datagram(pulse(1), 1000, 0)
    assert told == [NodeArrived(2, 60, ("", 0)), GraphChanged()]
    assert core.graph() == {1: frozenset({2, 1}) - {1}, 2: frozenset({1})}
    core.tick(1000, 0)
    for now in range(1100, 1500, 100):
        assert [type(o) for o in core.tick(now, 0)] == [Datagram]
    told = core.tick(1500, 0)
    assert told[:2] == [NodeDeparted(2, 60), GraphChanged()]
    assert core.adjacent == []


def test_a_departure_is_noticed_when_the_timeout_is_over_and_told_at_once():
    core = beat()
    core.datagram(pulse(1), 1000, 0)
    now = 1030
    while core.adjacent:
        told = core.tick(now, 0)
        assert now < core.deadline <= now + 100
        now = core.deadline
    assert told[0] == NodeDeparted(2, 60)
    assert CODEC.decode(told[-1].data).heard == ()
    assert now == 1500 + 100


def test_a_node_that_lists_us_no_more_and_shows_another_cluster_has_moved_on():
    core = beat()
    core.datagram(pulse(1), 1000, 0)
    core.stand(2, 77)

    def told(sequence: int, key: int, heard: tuple[int, ...]) -> list[MovedOn]:
        outputs = core.datagram(pulse(sequence, cluster_key=key, heard=heard), 1000, 0)
        return [output for output in outputs if isinstance(output, MovedOn)]

    assert told(2, 76, (1,)) == [], "it may commit later than we"
    assert told(3, 76, ()) == [MovedOn(2, True)]
    assert told(4, 76, ()) == []
    assert told(5, 0, (1,)) == []
    assert told(6, 77, (1,)) == [MovedOn(2, False)], "that was an old pulse"
    assert told(7, 78, ()) == [MovedOn(2, True)]
    core.stand(2, 78)
    assert told(8, 78, (1,)) == []


def test_pulses_say_whom_we_hear():
    core = beat()
    core.stand(9, 77)
    core.datagram(pulse(1), 1000, 0)
    (sent,) = core.tick(1000, 4321)
    shown = CODEC.decode(sent.data)
    assert (shown.heard, shown.principal, shown.cluster_key) == ((2,), 9, 77)
    assert shown.wall_ms == 4321


@pytest.mark.parametrize(
    "late",
    [pulse(1), pulse(0), pulse(9, incarnation=59), pulse(9, cluster_name="red"), b"noise"],
    ids=["double", "overtaken", "old life", "another cluster", "noise"],
)
def test_what_is_ignored(late):
    core = beat()
    core.datagram(pulse(1), 1000, 0)
    assert core.datagram(late, 1010, 0) == []
    assert core.ignored == 1


def test_a_new_life_departs_and_arrives():
    core = beat()
    core.datagram(pulse(1), 1000, 0)
    told = core.datagram(pulse(0, incarnation=61), 1010, 0)
    assert told[:2] == [NodeDeparted(2, 60), NodeArrived(2, 61, ("", 0))]


def test_a_node_whose_clock_went_back_is_let_in_after_the_old_life_fell_silent():
    core = beat()
    core.datagram(pulse(1), 1000, 0)
    for now in range(1000, 1700, 100):
        core.tick(now, 0)
    told = core.datagram(pulse(0, incarnation=40), 1700, 0)
    assert told[0] == NodeArrived(2, 40, ("", 0))


def test_another_node_with_our_id_is_told():
    core = beat()
    assert core.datagram(pulse(1, node=1, incarnation=50), 1000, 0) == []
    assert core.datagram(pulse(1, node=1, incarnation=51), 1000, 0) == [DuplicateNode(51)]


def test_clock_skew_is_the_widest_distance():
    core = beat()
    core.datagram(pulse(1, wall_ms=900), 1000, 1000)
    core.datagram(pulse(1, node=3, wall_ms=1400), 1000, 1000)
    assert core.clock_skew_ms() == 500


def test_its_own_sleep_is_not_the_others_silence():
    core = beat()
    core.datagram(pulse(1), 1000, 0)
    core.tick(1000, 0)
    assert [type(o) for o in core.tick(9000, 0)] == [Datagram]
    assert core.adjacent == [2]
    told = core.tick(9100, 0)
    assert told[0] == NodeDeparted(2, 60)


def test_a_mesh_peer_of_another_cluster_is_hung_up_on():
    core = Heartbeat(Identity(1, 50, "blue"), HeartbeatConfig(seeds=(("h", 1),)), CODEC)
    core.accepted(2, 0)
    with pytest.raises(WireError, match="red"):
        core.received(2, frame(CODEC.encode(Hello(2, 60, "red"))), 0, 0)


def test_a_seed_that_leads_back_to_us_is_dialed_no_more():
    core = Heartbeat(Identity(1, 50), HeartbeatConfig(seeds=(("localhost", 1),)), CODEC)
    core.tick(1000, 0)
    core.accepted(2, 1000)
    core.received(2, frame(CODEC.encode(Hello(1, 50, "", ("localhost", 1)))), 1000, 0)
    assert core.mesh.hosts == ()


def test_other_times_hold_at_once():
    core = Heartbeat(Identity(1, 50, "blue"), HeartbeatConfig(600_000, 10, multicast=True), CODEC)
    core.start(1000)
    core.datagram(pulse(1), 1000, 0)
    core.tick(1000, 0)
    assert core.deadline == 601_000
    core.go_by(HeartbeatConfig(100, 3), 1100)
    assert core.deadline == 1200
    assert core.config.multicast
    told = [output for now in (1200, 1300) for output in core.tick(now, 0)]
    assert NodeDeparted(2, 60) in told


def test_a_tip_is_dialed_until_it_is_cleared():
    core = Heartbeat(Identity(1, 50), HeartbeatConfig(seeds=(("seed", 1),)), CODEC)
    core.tip(("there", 2))
    dialed = [output for output in core.tick(1000, 0) if isinstance(output, Dial)]
    assert [output.endpoint for output in dialed] == [("seed", 1), ("there", 2)]
    assert core.tips == {("there", 2)}
    assert core.clear_tip(("there", 2)) == [Hangup("heartbeat", dialed[1].link)]
    assert core.clear_tip(("seed", 1)) == [], "seeds are the configuration's"
    assert core.mesh.hosts == (("seed", 1),)
    core._check()


def test_who_is_there_is_dialed_after_its_tip_is_cleared():
    core = Heartbeat(Identity(1, 50, "blue"), HeartbeatConfig(), CODEC)
    core.tip(("there", 2))
    core.accepted(2, 1000)
    core.received(2, frame(pulse(1, heartbeat=("there", 2))), 1000, 0)
    assert core.clear_tip(("there", 2)) == []
    assert core.mesh.hosts == (("there", 2),)


def test_pulses_are_counted_ours_apart():
    core = beat()
    core.datagram(pulse(1), 1000, 0)
    core.datagram(pulse(2), 1000, 0)
    core.datagram(pulse(1, node=1, incarnation=50), 1000, 0)
    assert (core.received_foreign, core.received_self) == (2, 1)
