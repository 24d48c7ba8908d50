"""Requests that are passed on: done once whatever the network does, heard of once, refused for
good."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cluster.fabric import FOREVER, Delivered
from cluster.messages import codec
from cluster.outputs import Channel, ClusterChanged, Output, Post
from cluster.replication import forward_codec
from cluster.replication.forward_messages import Forward, Forwarded
from cluster.replication.forwards import AGAIN_MS, REFUSED, WINDOW, Forwards, refuse
from cluster.wire import WireError

CODEC = codec()
ASKER, SERVER = 1, 2
LIFE = 0xA1B2C3D4E5F60718
TIMEOUT_MS = 1000
numbers = st.integers(0, (1 << 64) - 1)


@given(numbers, numbers, numbers, numbers, st.booleans(), st.booleans(), st.binary(max_size=300))
def test_a_request_is_what_the_general_codec_reads(life, key, number, oldest, once, batch, body):
    start = forward_codec.head(life, key)
    payload = forward_codec.request(start, number, oldest, body, once=once, in_batch=batch)
    assert CODEC.decode(payload) == Forward(life, key, number, oldest, once, batch, body)
    assert payload.startswith(start)
    assert forward_codec.opened(payload, start) == (number, oldest, once, batch, body)


@given(numbers, st.booleans(), st.binary(max_size=300))
def test_a_reply_is_what_the_general_codec_reads(number, in_doubt, body):
    payload = forward_codec.reply(number, in_doubt, body)
    assert CODEC.decode(payload) == Forwarded(number, in_doubt, body)
    assert payload.startswith(forward_codec.REPLY_HEAD)
    assert forward_codec.opened_reply(payload) == (number, in_doubt, body)


def test_what_is_cut_short_is_refused_as_bytes_of_a_peer_are():
    start = forward_codec.head(LIFE, 5)
    payload = forward_codec.request(start, 1, 1, b"body", once=True, in_batch=False)
    for end in range(len(start), len(payload)):
        with pytest.raises(WireError):
            forward_codec.opened(payload[:end], start)
    reply = forward_codec.reply(1, False, b"body")
    for end in range(len(forward_codec.REPLY_HEAD), len(reply)):
        with pytest.raises(WireError):
            forward_codec.opened_reply(reply[:end])


class Node:
    """A node whose partitions all the server serves, and what its daemon was told."""

    def __init__(self, me: int, life: int = LIFE) -> None:
        self.me = me
        space = SimpleNamespace(server=lambda partition: self.server)
        self.server: int | None = SERVER
        self.partitions: Any = SimpleNamespace(spaces={"ns": space}, cluster_key=1)
        self.forwards = Forwards(me, life, self.partitions, partition_of=lambda _: 0)
        self.forwards.serve, self.forwards.heard = self.serve, self.hear
        self.heard: list[tuple[int, bytes, bool]] = []
        self.done: list[bytes] = []
        self.answer: bytes | None = b"reply"
        self.under_way: list[int] = []

    def serve(self, node: int, number: int, once: bool, in_batch: bool, body: bytes):
        if self.answer != REFUSED:
            self.done.append(body)
        if self.answer is None and not once:
            return b"reply"
        if self.answer is None:
            self.under_way.append(number)
        return self.answer

    def hear(self, number: int, body: bytes, in_doubt: bool) -> None:
        self.heard.append((number, body, in_doubt))

    def send(self, body: bytes = b"body", *, once: bool = True, now: int = 0):
        return self.forwards.send("ns", b"d" * 20, body, TIMEOUT_MS, now, once=once)

    def change(self, key: int) -> None:
        self.partitions.cluster_key = key
        self.forwards.cluster_changed(ClusterChanged(key, key, SERVER, ()), 0)

    def take(self, node: int, payload: bytes, now: int = 0) -> list[bytes]:
        """As the fabric does it: undecoded if it is known so."""
        outputs = self.forwards.take(node, payload, now)
        if outputs is None:
            came = Delivered(node, CODEC.decode(payload), 0, Channel.REPLICATION)
            outputs = self.forwards.receive(came, now)
        self.forwards._check()
        return payloads(outputs)


def payloads(outputs: list[Output]) -> list[bytes]:
    assert all(isinstance(each, Post) and each.channel is Channel.REPLICATION for each in outputs)
    return [each.payload for each in outputs if isinstance(each, Post)]


def pair() -> tuple[Node, Node]:
    return Node(ASKER), Node(SERVER)


def test_a_request_is_passed_on_and_its_reply_passed_back():
    asker, server = pair()
    for once in (True, False, True):
        number, outputs = asker.send(once=once)
        assert asker.forwards.under_way == 1
        assert asker.forwards.server_of(number) == SERVER
        (reply,) = server.take(ASKER, *payloads(outputs))
        assert asker.take(SERVER, reply) == []
        assert asker.heard.pop() == (number, b"reply", False)
    assert server.done == [b"body"] * 3
    assert asker.forwards.under_way == 0


@pytest.mark.parametrize("server", [None, ASKER])
def test_what_nobody_serves_or_this_node_itself_is_not_passed_on(server):
    asker, _ = pair()
    asker.server = server
    assert asker.send() == (0, [])


def test_a_write_that_comes_twice_is_done_once_and_answered_twice():
    asker, server = pair()
    _, outputs = asker.send()
    (request,) = payloads(outputs)
    replies = [*server.take(ASKER, request), *server.take(ASKER, request)]
    assert server.done == [b"body"]
    for reply in replies:
        asker.take(SERVER, reply)
    assert len(asker.heard) == 1


def test_a_write_under_way_is_answered_when_it_is_over():
    asker, server = pair()
    server.answer = None
    number, outputs = asker.send()
    (request,) = payloads(outputs)
    assert server.take(ASKER, request) == []
    assert server.take(ASKER, request) == [], "it is still under way"
    (reply,) = payloads(server.forwards.reply(ASKER, number, REFUSED, True))
    asker.take(SERVER, reply)
    assert asker.heard == [(number, REFUSED, True)]
    assert server.forwards.reply(ASKER, 99, b"reply") == [], "nobody asked that"


def test_a_refusal_is_final():
    """The first copy is refused and its answer late; the second must not be done, for the asker
    believes the refusal and takes the long way."""
    asker, server = pair()
    server.answer = REFUSED
    number, outputs = asker.send()
    (request,) = payloads(outputs)
    (refusal,) = server.take(ASKER, request)
    server.answer = b"reply"
    assert server.take(ASKER, request) == [refusal]
    asker.take(SERVER, refusal)
    assert asker.heard == [(number, REFUSED, False)]
    assert server.done == []


def test_a_request_of_another_cluster_is_refused_for_good():
    asker, server = pair()
    _, warm = asker.send()
    server.take(ASKER, *payloads(warm))
    number, outputs = asker.send(b"late")
    (request,) = payloads(outputs)
    server.change(2)
    (refusal,) = server.take(ASKER, request)
    assert server.take(ASKER, request) == [refusal]
    asker.take(SERVER, refusal)
    assert asker.heard == [(number, REFUSED, False)]
    assert server.done == [b"body"]


def test_an_answer_is_kept_over_clusters():
    asker, server = pair()
    number, outputs = asker.send()
    (request,) = payloads(outputs)
    server.take(ASKER, request)
    for node in (asker, server):
        node.change(2)
    assert asker.heard == [], "a write is its server's to answer"
    (again,) = payloads(asker.forwards.tick(AGAIN_MS))
    (reply,) = server.take(ASKER, again)
    asker.take(SERVER, reply)
    assert asker.heard == [(number, b"reply", False)]
    assert server.done == [b"body"]


def test_a_new_cluster_gives_reads_back():
    asker, _ = pair()
    number, _ = asker.send(once=False)
    asker.change(2)
    assert asker.heard == [(number, REFUSED, False)]


def test_a_departed_server_leaves_its_writes_in_doubt():
    asker, _ = pair()
    number, _ = asker.send()
    asker.send(once=False)
    assert asker.forwards.departed(3, 0) == []
    asker.forwards.departed(SERVER, 0)
    assert asker.heard == [(number, REFUSED, True)]
    assert asker.forwards.under_way == 1


def test_a_request_is_sent_again_until_its_client_waits_no_more():
    asker, _ = pair()
    number, outputs = asker.send(now=5)
    again = payloads(outputs)
    assert asker.forwards.deadline == 5 + AGAIN_MS
    now, sent = asker.forwards.deadline, 0
    while not asker.heard:
        sent += payloads(asker.forwards.tick(now)) == again
        asker.forwards._check()
        now = asker.forwards.deadline
    assert sent == TIMEOUT_MS // AGAIN_MS
    assert asker.heard == [(number, REFUSED, True)]
    assert asker.forwards.deadline == FOREVER


def test_another_life_of_the_asker_begins_anew():
    asker, server = pair()
    for life in (LIFE, LIFE + 1):
        asker = Node(ASKER, life)
        _, outputs = asker.send()
        server.take(ASKER, *payloads(outputs))
    assert server.done == [b"body"] * 2


def test_the_window_bounds_what_is_under_way_and_what_is_kept():
    asker, server = pair()
    for _ in range(WINDOW):
        _, outputs = asker.send()
        server.take(ASKER, *payloads(outputs))
    assert asker.send() == (0, [])
    head = forward_codec.head(LIFE, 1)
    beyond = forward_codec.request(head, WINDOW + 1, 1, b"", once=True, in_batch=False)
    assert server.take(ASKER, beyond) == []
    assert len(server.done) == WINDOW


def test_without_a_daemon_everything_is_refused():
    assert refuse(1, 1, True, False, b"") == REFUSED


class AnyNetwork(RuleBasedStateMachine):
    """Messages are lost, doubled and reordered; clusters change on either side at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.asker, self.server = pair()
        self.there: list[bytes] = []
        self.back: list[bytes] = []
        self.now = self.sent = 0

    @rule(once=st.booleans())
    def send(self, once: bool) -> None:
        self.sent += 1
        body = b"%d" % self.sent if once else b"read"
        _, outputs = self.asker.send(body, once=once, now=self.now)
        self.there += payloads(outputs)

    @rule(answer=st.sampled_from([b"reply", REFUSED, None]))
    def decide(self, answer: bytes | None) -> None:
        self.server.answer = answer

    @precondition(lambda self: self.there)
    @rule(at=st.integers(0, 20), stays=st.booleans())
    def arrive(self, at: int, stays: bool) -> None:
        at %= len(self.there)
        payload = self.there[at] if stays else self.there.pop(at)
        self.back += self.server.take(ASKER, payload, self.now)

    @precondition(lambda self: self.back)
    @rule(at=st.integers(0, 20), stays=st.booleans())
    def come_back(self, at: int, stays: bool) -> None:
        at %= len(self.back)
        payload = self.back[at] if stays else self.back.pop(at)
        assert self.asker.take(SERVER, payload, self.now) == []

    @precondition(lambda self: self.server.under_way)
    @rule(in_doubt=st.booleans())
    def end(self, in_doubt: bool) -> None:
        number = self.server.under_way.pop(0)
        body = REFUSED if in_doubt else b"reply"
        self.back += payloads(self.server.forwards.reply(ASKER, number, body, in_doubt))

    @rule(elapsed=st.sampled_from([1, AGAIN_MS, TIMEOUT_MS]))
    def wait(self, elapsed: int) -> None:
        self.now += elapsed
        self.there += payloads(self.asker.forwards.tick(self.now))

    @rule(at_asker=st.booleans())
    def change(self, at_asker: bool) -> None:
        node = self.asker if at_asker else self.server
        node.change(node.partitions.cluster_key + 1)

    @invariant()
    def holds(self) -> None:
        writes = [body for body in self.server.done if body != b"read"]
        assert len(set(writes)) == len(writes), "done twice"
        heard = [number for number, _, _ in self.asker.heard]
        assert len(set(heard)) == len(heard), "heard twice"
        for number, body, in_doubt in self.asker.heard:
            done = b"%d" % number in self.server.done
            assert done or not body or b"read" in self.server.done
            assert body or in_doubt or not done, "a refusal is not final"


TestAnyNetwork = AnyNetwork.TestCase
TestAnyNetwork.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
