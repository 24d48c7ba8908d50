"""Fabric: at most once, exactly once, nothing of another life, and bounded queues."""

from __future__ import annotations

from random import Random

import pytest

from cluster.fabric import Delivered, Fabric, FabricFull, Failed, Replied
from cluster.fabric.link import FabricConfig
from cluster.membership.heartbeat import Identity
from cluster.messages import Accepted, FabricHello, Prepare, codec
from cluster.outputs import Channel, Dial, Hangup, Transmit
from cluster.wire import WireError, frame

CODEC = codec()


class Pair:
    """Two fabrics and the connections between them, which break at random."""

    def __init__(self, seed: int, config: FabricConfig, faults: float) -> None:
        self.random = Random(seed)
        self.faults = faults
        self.now = 0
        self.fabrics = {n: Fabric(Identity(n, 10 + n), config, CODEC) for n in (1, 2)}
        self.connections: dict[tuple[int, int], int] = {}  # (dialer, its link) -> peer's link
        self.pipes: dict[tuple[int, int], list[bytes]] = {}
        self.next = 2
        self.delivered: list[tuple[int, int]] = []
        self.results: dict[int, str] = {}
        for node, fabric in self.fabrics.items():
            self.do(node, fabric.arrived(3 - node, 13 - node, ("h", 1), 0))

    def do(self, node: int, outputs) -> None:
        peer = 3 - node
        for output in outputs:
            match output:
                case Dial(_, link, _):
                    if self.random.random() < self.faults:
                        self.do(node, self.fabrics[node].lost(link, self.now))
                        continue
                    self.connections[node, link] = self.next
                    self.pipes[node, link] = []
                    self.fabrics[peer].accepted(self.next, self.now)
                    self.next += 2
                    self.do(node, self.fabrics[node].dialed(link, self.now))
                case Transmit(_, link, data):
                    self.pipes[node, link].append(data)
                case Hangup(_, link):
                    self.connections.pop((node, link), None)
                case Delivered(sender, message, transaction, channel):
                    self.delivered.append((sender, message.sequence))
                    if transaction:
                        answer = Accepted(message.sequence)
                        fabric = self.fabrics[node]
                        self.do(node, fabric.reply(sender, transaction, answer, channel, self.now))
                case Replied(_, number, message):
                    assert number not in self.results, "one outcome for each request"
                    self.results[number] = "replied"
                case Failed(_, number):
                    assert number not in self.results, "one outcome for each request"
                    self.results[number] = "failed"
        self.fabrics[node]._check()

    def carry(self) -> None:
        """Bring everything on its way to the other side, or lose it with its connection."""
        for (node, link), peer_link in list(self.connections.items()):
            if self.random.random() < self.faults:
                self.connections.pop((node, link), None)
                self.fabrics[3 - node].lost(peer_link, self.now)
                self.do(node, self.fabrics[node].lost(link, self.now))
                continue
            data, self.pipes[node, link] = b"".join(self.pipes[node, link]), []
            if data:
                outputs = self.fabrics[3 - node].received(peer_link, data, self.now)
                self.do(3 - node, outputs)

    def pass_time(self) -> None:
        self.now += self.random.choice((20, 60, 300))
        for node, fabric in self.fabrics.items():
            self.do(node, fabric.tick(self.now))


@pytest.mark.parametrize("seed", range(30))
def test_a_request_is_delivered_exactly_once_over_breaking_connections(seed):
    pair = Pair(seed, FabricConfig(connections=(1, 1, 2, 1, 1)), faults=0.25)
    numbers = {}
    for serial in range(1, 60):
        pair.carry()
        pair.pass_time()
        message = Prepare(serial, ())
        number, outputs = pair.fabrics[1].request(2, message, Channel.REPLICATION, 60_000, pair.now)
        numbers[number] = serial
        pair.do(1, outputs)
    for _ in range(600):
        pair.carry()
        pair.pass_time()
    assert set(pair.results.values()) == {"replied"}
    assert sorted(pair.delivered) == [(1, serial) for serial in range(1, 60)]


@pytest.mark.parametrize("seed", range(10))
def test_a_one_way_message_is_delivered_at_most_once_and_in_order(seed):
    pair = Pair(seed, FabricConfig(connections=(1, 1, 1, 1, 1)), faults=0.1)
    for serial in range(1, 80):
        pair.do(1, pair.fabrics[1].send(2, Prepare(serial, ()), Channel.CONTROL, pair.now))
        pair.carry()
        pair.pass_time()
    got = [serial for _, serial in pair.delivered]
    assert got == sorted(set(got))
    assert len(got) > 40


def test_bytes_are_counted_by_channel():
    pair = Pair(1, FabricConfig(), faults=0)
    pair.do(1, pair.fabrics[1].send(2, Prepare(1, (1, 2)), Channel.META, 0))
    pair.carry()
    sent, received = pair.fabrics[1].bytes_sent, pair.fabrics[2].bytes_received
    assert sent[Channel.META] > 0
    assert received[Channel.META] >= sent[Channel.META], "the greeting is not counted as sent"
    assert sum(sent) == sent[Channel.META]
    assert sum(received) == received[Channel.META]
    links = pair.fabrics[1].links(2)
    assert [channel for channel, _ in links].count(Channel.BULK) == 2
    assert pair.fabrics[1].links(9) == ()


def test_a_request_times_out_once():
    pair = Pair(1, FabricConfig(), faults=1)
    _, outputs = pair.fabrics[1].request(2, Prepare(1, ()), Channel.META, 500, pair.now)
    pair.do(1, outputs)
    for _ in range(20):
        pair.pass_time()
    assert list(pair.results.values()) == ["failed"]


def test_open_requests_fail_when_the_node_departs():
    fabric = Fabric(Identity(1, 11), FabricConfig(), CODEC)
    fabric.arrived(2, 12, ("h", 1), 0)
    number, _ = fabric.request(2, Prepare(1, ()), Channel.META, 500, 0)
    outputs = fabric.departed(2, 1)
    assert Failed(2, number) in outputs
    assert any(isinstance(output, Hangup) for output in outputs)
    with pytest.raises(FabricFull):
        fabric.request(2, Prepare(1, ()), Channel.META, 500, 2)
    assert fabric.send(2, Prepare(1, ()), Channel.META, 2) == []


def test_queues_and_windows_are_bounded():
    fabric = Fabric(Identity(1, 11), FabricConfig(queue_bytes=300, window=5), CODEC)
    fabric.arrived(2, 12, ("h", 1), 0)
    size = len(one_way())
    for _ in range(-(-300 // size)):
        fabric.send(2, Prepare(1, ()), Channel.CONTROL, 0)
    with pytest.raises(FabricFull):
        fabric.send(2, Prepare(1, ()), Channel.CONTROL, 0)
    for _ in range(5):
        fabric.request(2, Prepare(1, ()), Channel.META, 500, 0)
    with pytest.raises(FabricFull):
        fabric.request(2, Prepare(1, ()), Channel.META, 500, 0)
    fabric._check()


def greeting(**changes: int) -> bytes:
    fields = {"node": 2, "incarnation": 12, "to_node": 1, "to_incarnation": 11, "channel": 0}
    return frame(CODEC.encode(FabricHello(**{**fields, **changes})))


def one_way() -> bytes:
    return frame(CODEC.encode(Prepare(1, ())))


def test_nothing_of_another_life_is_delivered():
    fabric = Fabric(Identity(1, 11), FabricConfig(), CODEC)
    fabric.arrived(2, 12, ("h", 1), 0)
    for link, changes in ((2, {"incarnation": 11}), (4, {"node": 3})):
        fabric.accepted(link, 0)
        assert fabric.received(link, greeting(**changes) + one_way(), 0) == []
    assert fabric.ignored == 2
    fabric.accepted(6, 0)
    (came,) = fabric.received(6, greeting() + one_way(), 0)
    assert came.node == 2
    fabric.arrived(2, 13, ("h", 1), 0)
    assert fabric.received(6, one_way(), 0) == []


def in_bulk(count: int) -> tuple[Fabric, bytes]:
    """A fabric with a connection, number 2, on which messages in bulk come; and `count` of them."""
    fabric = Fabric(Identity(1, 11), FabricConfig(), CODEC)
    fabric.arrived(2, 12, ("h", 1), 0)
    fabric.accepted(2, 0)
    assert fabric.received(2, greeting(channel=Channel.BULK), 0) == []
    return fabric, b"".join(frame(CODEC.encode(Prepare(n + 1, ()))) for n in range(count))


def test_what_comes_in_bulk_is_taken_a_few_at_a_time():
    fabric, data = in_bulk(9)
    assert fabric.received(2, data[:-1], 0) == []
    assert fabric.received(2, data[-1:], 0) == []
    taken = []
    while fabric.waiting:
        fabric._check()
        taken.append([came.message.sequence for came in fabric.take_waiting(0)])
    assert taken == [[1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert fabric.take_waiting(0) == []


def test_nothing_that_waits_is_taken_of_a_lost_connection():
    fabric, data = in_bulk(2)
    fabric.received(2, data, 0)
    fabric.lost(2, 0)
    assert fabric.take_waiting(0) == fabric.take_waiting(0) == []
    fabric._check()


def test_a_connection_in_bulk_with_what_is_no_message_is_hung_up():
    fabric, data = in_bulk(1)
    fabric.received(2, frame(b"nothing") + data, 0)
    assert any(isinstance(output, Hangup) for output in fabric.take_waiting(0))
    assert fabric.take_waiting(0) == [], "what came behind it is not believed"
    fabric._check()


@pytest.mark.parametrize(
    "first", [greeting(to_incarnation=10), greeting(to_node=3), greeting(channel=9), one_way()]
)
def test_a_connection_that_does_not_begin_with_a_greeting_for_us_is_hung_up(first):
    fabric = Fabric(Identity(1, 11), FabricConfig(), CODEC)
    fabric.accepted(2, 0)
    with pytest.raises(WireError):
        fabric.received(2, first, 0)


def test_no_more_than_seven_connections_a_direction_by_default():
    assert sum(FabricConfig().connections) == 7
