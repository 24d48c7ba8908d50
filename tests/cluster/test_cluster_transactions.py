"""Transactions: the three ways a write goes, and what becomes of it when the cluster changes."""

from __future__ import annotations

from collections import deque

from attrs import evolve

from cluster.fabric import Delivered
from cluster.messages import (
    DuplicateIs,
    DuplicateRead,
    ProxyReply,
    ProxyRequest,
    ReplicaGroup,
    codec,
)
from cluster.outputs import (
    Answered,
    Applied,
    Apply,
    CarriedOut,
    CarryOut,
    Channel,
    ClusterChanged,
    Load,
    Loaded,
    Output,
    Post,
    Replicated,
    Request,
    Respond,
    Send,
    SetVersions,
    VersionsSet,
)
from cluster.partitions.balance import Member, balance
from cluster.partitions.config import MigrateConfig, NamespaceConfig
from cluster.partitions.service import Partitions
from cluster.replication.transactions import Transactions

CODEC = codec()
NS = NamespaceConfig("ns", partitions=1)
DIGEST = b"\x00d"


def row(generation: int, updated_ms: int = 1):
    return (DIGEST, generation, updated_ms, 0, "", 0, b"")


class Pair:
    """Nodes 1 and 2 of one partition; what they ask of the daemon is kept for the test."""

    def __init__(
        self, pending_limit: int = 20, more: tuple[int, ...] = (), factor: int = 2
    ) -> None:
        config = evolve(NS, replication_factor=factor)
        self.partitions = {
            n: Partitions(n, [(config, {})], MigrateConfig(threads=0)) for n in (1, 2, *more)
        }
        self.transactions = {
            n: Transactions(n, p, partition_of=lambda _: 0, pending_limit=pending_limit)
            for n, p in self.partitions.items()
        }
        self.asked: list[tuple[int, Output]] = []
        self.key = self.replies = 0
        self.patience_ms = 0
        self.silent = False
        self.wires: deque[tuple[int, int, object, int]] = deque()
        self.members: set[int] = set()

    def form(self, *ids: int) -> None:
        self.key += 1
        self.members = set(ids)
        rows = tuple((node, 1, 0, False) for node in sorted(ids, reverse=True))
        for node in ids:
            view = ClusterChanged(self.key, self.key, max(ids), rows)
            for service in (self.partitions[node], self.transactions[node]):
                self.sort(node, service.cluster_changed(view, 0))
        self.take(ids[0], [])

    def take(self, node: int, outputs: list[Output]) -> None:
        self.sort(node, outputs)
        while self.wires:
            source, to, message, number = self.wires.popleft()
            if to in self.members:
                self.deliver(source, to, message, number)

    def sort(self, node: int, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case SetVersions(_, token):
                    self.sort(node, self.partitions[node].tell(VersionsSet(token), 0))
                case Send(to, message):
                    self.wires.append((node, to, message, 0))
                case Post(to, payload):
                    message = CODEC.decode(payload)
                    if not (self.silent and isinstance(message, ReplicaGroup)):
                        self.wires.append((node, to, message, 0))
                case Request(to, message, _, timeout_ms, tag):
                    self.replies += 1
                    self.patience_ms = timeout_ms
                    self.waiting = (node, tag)
                    self.wires.append((node, to, message, self.replies))
                case Respond(to, _, message):
                    asker, tag = self.waiting
                    assert asker == to
                    self.sort(to, self.transactions[to].answered(tag, message, 0))
                case _:
                    self.asked.append((node, output))

    def deliver(self, node: int, to: int, message, transaction: int) -> None:
        came = Delivered(node, message, transaction, Channel.REPLICATION)
        kinds = Transactions.MESSAGES
        service = self.transactions if isinstance(message, kinds) else self.partitions
        self.sort(to, service[to].receive(came, 0))
        self.transactions[to]._check()

    def found(self, kind: type) -> list[tuple[int, Output]]:
        """What was asked or told, of a kind; it is taken away."""
        found = [(node, each) for node, each in self.asked if isinstance(each, kind)]
        self.asked = [each for each in self.asked if each not in found]
        return found

    def tell(self, node: int, answer) -> None:
        self.take(node, self.transactions[node].tell(answer, 0))

    @property
    def server(self) -> int:
        server = self.partitions[1].spaces["ns"].acting[0]
        assert self.partitions[server].spaces["ns"].server(0) == server
        return server

    def submit(self, node: int) -> int:
        number, outputs = self.transactions[node].submit("ns", DIGEST, b"body", 1000, 0)
        self.take(node, outputs)
        return number

    def carry_out(self, made) -> CarryOut:
        (node, asked), *_ = self.found(CarryOut)
        self.tell(node, CarriedOut(asked.token, made, b"answer"))
        return asked

    def keep(self) -> None:
        for node, asked in self.found(Apply):
            self.tell(node, Applied(asked.token))


def together(**options) -> Pair:
    pair = Pair(**options)
    pair.form(1, 2)
    return pair


def test_a_daemon_s_own_write_is_over_when_the_replica_has_kept_it():
    pair = together()
    server = pair.server
    commitment = pair.transactions[server].replicate("ns", row(1))
    assert pair.transactions[server].lane.unacknowledged("ns") == [DIGEST]
    assert pair.transactions[server].lane.lag("ns") == {}
    pair.take(server, pair.transactions[server].flush(0))
    lag = pair.transactions[server].lane.lag("ns")[3 - server]
    assert lag.rows == 1
    assert 20 < lag.bytes < 60
    assert pair.found(Replicated) == []
    pair.keep()
    assert pair.transactions[server].lane.lag("ns")[3 - server].bytes == 0
    assert pair.found(Replicated) == [(server, Replicated(commitment, False))]
    assert pair.transactions[server].lane.unacknowledged("ns") == []


def test_a_replica_keeps_what_its_master_sends_whatever_the_conflict_rule_says():
    pair = together()
    server = pair.server
    for generation in (9, 1):  # deleted plainly, and made anew
        pair.transactions[server].replicate("ns", row(generation))
        pair.take(server, pair.transactions[server].flush(0))
    applied = [asked for _, asked in pair.found(Apply)]
    assert [each.rows[0][1] for each in applied] == [9, 1]
    assert not any(each.resolve for each in applied)


def test_a_proxied_write_is_carried_out_once_and_answered_after_the_replica():
    pair = together()
    other = 3 - pair.server
    number = pair.submit(other)
    pair.carry_out((row(1),))
    assert pair.found(Answered) == []
    pair.keep()
    assert pair.found(Answered) == [(other, Answered(number, b"answer", False))]


def test_a_write_that_wrote_nothing_needs_no_replica():
    pair = together()
    number = pair.submit(pair.server)
    pair.carry_out(())
    assert pair.found(Answered) == [(pair.server, Answered(number, b"answer", False))]


def test_a_proxy_goes_on_to_the_node_that_the_one_it_asked_names():
    newcomer = next(
        n for n in range(3, 99) if balance([Member(1), Member(2), Member(n)], 1).master(0) == n
    )
    pair = Pair(more=(newcomer,), factor=1)
    pair.form(1, 2)
    before = pair.server
    pair.form(1, 2, newcomer)
    onlooker = pair.transactions[3 - before]
    _, outputs = onlooker.submit("ns", DIGEST, b"body", 1000, 0)
    assert onlooker.proxied == 1
    (asked,) = outputs
    assert asked.to == before
    assert onlooker.answered(asked.tag, ProxyReply(elsewhere=newcomer), 0) == []
    (asked,) = onlooker.tick(onlooker.deadline)
    assert asked.to == newcomer


def test_a_record_has_a_line_and_a_full_line_is_busy_here_and_by_proxy():
    pair = together(pending_limit=1)
    server = pair.server
    numbers = [pair.submit(server) for _ in range(3)]
    assert pair.transactions[server].has_line("ns", DIGEST)
    assert pair.found(Answered) == [(server, Answered(numbers[2], None, False, True))]
    by_proxy = pair.submit(3 - server)
    assert pair.found(Answered) == [(3 - server, Answered(by_proxy, None, False, True))]
    for _ in range(2):
        pair.carry_out((row(1),))
    pair.keep()
    assert [told.number for _, told in pair.found(Answered)] == numbers[:2]
    assert not pair.transactions[server].has_line("ns", DIGEST)


def after_a_split() -> Pair:
    pair = Pair()
    pair.form(1)
    pair.form(2)
    pair.form(1, 2)
    return pair


def test_where_copies_differ_the_other_s_version_goes_with_the_transaction():
    pair = after_a_split()
    pair.submit(pair.server)
    ((node, asked),) = pair.found(Load)
    assert node != pair.server
    assert pair.found(CarryOut) == [], "it waits for the record, however long"
    pair.tell(node, Loaded(asked.token, (row(7),)))
    assert pair.carry_out((row(8),)).winner == row(7)
    assert pair.transactions[pair.server].duplicates_asked == {"ns": 1}
    assert pair.transactions[node].duplicates_told == {"ns": 1}


def test_what_was_not_carried_out_when_the_cluster_changed_is_not_carried_out():
    pair = together()
    server = pair.server
    number = pair.submit(server)
    ((_, asked),) = pair.found(CarryOut)
    assert pair.transactions[server].is_wanted(asked.token)
    pair.form(1, 2)
    assert not pair.transactions[server].is_wanted(asked.token)
    assert pair.found(Answered) == [(server, Answered(number, None, False))]
    pair.tell(server, CarriedOut(asked.token, (row(1),), b"late"))
    assert pair.found(Answered) == []


def test_a_proxied_write_that_was_not_carried_out_when_the_cluster_changed_is_asked_again():
    """Its server said nothing, and after a second it was in doubt: a planned departure cost it."""
    pair = together()
    other = 3 - pair.server
    number = pair.submit(other)
    (_, first), *_ = pair.found(CarryOut)
    pair.form(1, 2)
    assert pair.found(Answered) == []
    pair.take(other, pair.transactions[other].tick(200))
    assert pair.carry_out(()).token != first.token
    assert pair.found(Answered) == [(other, Answered(number, b"answer", False))]


def test_a_proxied_write_waits_as_long_as_its_client():
    pair = together()
    pair.submit(3 - pair.server)
    assert pair.patience_ms == 1000


def test_who_asked_by_proxy_is_told_of_doubt():
    pair = together()
    server, other = pair.server, 3 - pair.server
    pair.silent = True
    number = pair.submit(other)
    pair.carry_out((row(1),))
    assert pair.found(Answered) == []
    job = next(iter(pair.transactions[server]._by_commitment))
    pair.take(server, pair.transactions[server]._released([Replicated(job, True)], 0))
    assert pair.found(Answered) == [(other, Answered(number, None, True))]


def unacknowledged(pair: Pair) -> tuple[int, int]:
    """The server, and a write of its that the replica never hears of."""
    pair.silent = True
    server = pair.server
    commitment = pair.transactions[server].replicate("ns", row(1))
    pair.take(server, pair.transactions[server].flush(0))
    return server, commitment


def test_a_replica_that_is_gone_holds_nobody_up():
    pair = together()
    server, commitment = unacknowledged(pair)
    assert pair.partitions[server].spaces["ns"].versions[0].vouches
    pair.form(server)
    assert pair.found(Replicated) == [(server, Replicated(commitment, False))]


def test_the_copy_of_an_unfinished_write_vouches_no_more():
    pair = together()
    server, commitment = unacknowledged(pair)
    pair.form(1, 2)
    assert pair.partitions[1].spaces["ns"].plans[0].senders
    (told,) = pair.found(Replicated)
    assert told == (server, Replicated(commitment, pair.server != server))


def test_a_message_of_another_cluster_is_nothing_and_a_question_of_one_is_turned_away():
    pair = together()
    server = pair.server
    for message in (DuplicateRead(99, "ns", DIGEST), ProxyRequest(99, "ns", DIGEST, b"x")):
        came = Delivered(server, message, 5, Channel.REPLICATION)
        (said,) = pair.transactions[3 - server].receive(came, 0)
        assert said.message in (DuplicateIs(False), ProxyReply(elsewhere=server))
    came = Delivered(server, ReplicaGroup(99, "ns", 1, (row(1),)), 0, Channel.LANE)
    assert pair.transactions[3 - server].receive(came, 0) == []
    came = Delivered(server, ReplicaGroup(pair.key, "what", 1, (row(1),)), 0, Channel.LANE)
    assert pair.transactions[3 - server].receive(came, 0) == []
