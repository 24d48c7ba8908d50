"""Every row of every transition table is taken, and what the machines promise holds on the way.

Single machines are walked through random events; paxos and metadata run among each other over a
network that loses, doubles and reorders; the rest is taken by short simulations.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from cluster.fabric import Delivered
from cluster.fabric import link as fabric_link
from cluster.fabric.link import FabricConfig, FabricLink, LinkState
from cluster.link_events import Empty, Full, Lost, Up
from cluster.membership import mesh
from cluster.membership.heartbeat import Identity, Standing
from cluster.membership.paxos import Paxos
from cluster.membership.paxos_events import PaxosConfig
from cluster.membership.peer import Heard, HeardBoth, HeartbeatConfig, NewLife, Peer, Silence
from cluster.messages import (
    Accept,
    Accepted,
    Committed,
    Prepare,
    Promise,
    Pulse,
    Reject,
)
from cluster.metadata.smd import MemoryStore, Smd
from cluster.metadata.sync import SmdSync
from cluster.outputs import (
    Channel,
    ClusterChanged,
    Hangup,
    Send,
    SmdAnswer,
    Transmit,
)
from cluster.simulation import ClusterChecks, simulate
from cluster.state_machine import Row

MACHINES = (*(Peer, mesh.Target, Paxos, FabricLink, SmdSync),)
WALKS = 60


class Neighbours:
    """A neighbourhood that a test sets."""

    def __init__(self) -> None:
        self.heard: dict[int, frozenset[int]] = {}
        self.shown: dict[int, Standing] = {}
        self.answers_after = 0

    def graph(self):
        return self.heard

    def standing(self, node):
        return self.shown.get(node, Standing())

    def hears_one_way(self):
        return False

    def awaits_answer(self, now):
        return now < self.answers_after


class PaxosNet:
    """Paxos cores and the messages between them, in a random order."""

    def __init__(self, seed: int, rows: Counter[Row]) -> None:
        self.random = Random(seed)
        self.nodes = range(1, 5)
        self.checks = ClusterChecks()
        self.now = 0
        self.loss = self.random.choice((0, 0.1, 0.3))
        self.patience = self.random.choice((20, 200))
        self.wires: list[tuple[int, int, object]] = []
        self.up = {node: set(self.nodes) for node in self.nodes}
        self.around = {node: Neighbours() for node in self.nodes}
        if self.random.random() < 0.3:  # one comes later, and waits for its seeds
            self.up = {node: {1} if node == 1 else {2, 3, 4} for node in self.nodes}
            self.around[1].answers_after = 100
        config = PaxosConfig(
            interval_ms=10,
            patience_intervals=self.patience,
            settling_intervals=self.random.choice((0, 10)),
            departure_intervals=self.random.choice((0, 2)),
        )
        self.cores = {
            node: Paxos(Identity(node, 7), config, self.around[node], lambda r: rows.update([r]))
            for node in self.nodes
        }
        self.see()
        for node, core in self.cores.items():
            core.start(self.now)
            for other in self.up[node] - {node}:
                core.arrived(other, 7, self.now)

    def see(self) -> None:
        """Everybody sees who hears whom, and who shows what, at once."""
        for node in self.nodes:
            near = self.up[node]
            self.around[node].heard = {each: frozenset(self.up[each]) for each in near}
            views = {each: self.cores[each].view for each in near}
            self.around[node].shown = {
                each: Standing(view.principal, view.cluster_key)
                for each, view in views.items()
                if view is not None
            }

    def take(self, node: int, outputs) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self.wires.append((node, output.to, output.message))
            elif isinstance(output, ClusterChanged):
                self.checks.committed((node, 7), output)
        self.cores[node]._check()

    def change_links(self) -> None:
        one, other = self.random.sample(list(self.nodes), 2)
        if other in self.up[one]:
            self.up[one].discard(other)
            self.up[other].discard(one)
            self.see()
            for a, b in ((one, other), (other, one)):
                self.take(a, self.cores[a].departed(b, self.now))
        else:
            self.up[one].add(other)
            self.up[other].add(one)
            self.see()
            for a, b in ((one, other), (other, one)):
                self.take(a, self.cores[a].arrived(b, 7, self.now))

    def step(self, faults: bool) -> None:
        if faults and self.random.random() < 0.02:
            self.change_links()
        if self.wires and self.random.random() < 0.8:
            index = self.random.randrange(len(self.wires))
            source, target, message = self.wires[index]
            if not (faults and self.random.random() < 0.1):  # now and then it comes again
                self.wires.pop(index)
            lost = faults and self.random.random() < self.loss
            if not lost and target in self.up[source]:
                self.take(target, self.cores[target].receive(source, message, self.now))
            return
        self.now += self.random.randrange(1, 15)
        self.see()
        for node in self.random.sample(list(self.nodes), 4):
            if self.cores[node].deadline <= self.now:
                self.take(node, self.cores[node].tick(self.now))


def run_paxos(seed: int, rows: Counter[Row]) -> None:
    net = PaxosNet(seed, rows)
    for _ in range(1500):
        net.step(faults=True)
    for node in net.nodes:
        for other in set(net.nodes) - net.up[node]:
            net.up[node].add(other)
            net.see()
            net.take(node, net.cores[node].arrived(other, 7, net.now))
    if seed % 2:
        net.take(4, net.cores[4].recluster(net.now))
    for _ in range(3000):
        net.step(faults=False)
    keys = {core.view.cluster_key for core in net.cores.values()}
    assert len(keys) == 1, f"seed {seed}"
    assert all(core.view.nodes == (4, 3, 2, 1) for core in net.cores.values())
    assert all(core.has_integrity for core in net.cores.values())


@pytest.mark.parametrize("seed", range(20))
def test_paxos_agrees_over_a_bad_network(seed):
    run_paxos(seed, Counter())


class SmdNet:
    """Metadata services and the messages between them, in a random order."""

    def __init__(self, seed: int, rows: Counter[Row]) -> None:
        self.random = Random(seed)
        self.nodes = (1, 2, 3)
        self.now = self.key = 0
        self.wires: list[tuple[int, Send]] = []
        self.asked: dict[tuple[int, int], bool | None] = {}
        self.parts = {
            node: SmdSync(Smd(MemoryStore(), ["m"]), node, lambda r: rows.update([r]))
            for node in self.nodes
        }

    def take(self, node: int, outputs) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self.wires.append((node, output))
            elif isinstance(output, SmdAnswer):
                assert self.asked[node, output.change] is None, "one answer for each change"
                self.asked[node, output.change] = output.done
        self.parts[node]._check()

    def form(self, members, principal: int) -> None:
        self.key += 1
        rows = tuple((node, 1, 0, False) for node in sorted(members, reverse=True))
        for node in self.random.sample(members, len(members)):
            view = ClusterChanged(self.key, self.key, principal, rows)
            self.take(node, self.parts[node].cluster_changed(view, self.now))

    def change(self) -> None:
        node, value = self.random.choice(self.nodes), self.random.choice((None, "v", "w"))
        part = self.parts[node]
        self.asked[node, part._next_change] = None
        key = f"k{self.random.randrange(3)}"
        self.take(node, part.change("m", key, value, self.now, 900, self.now)[1])

    def deliver(self, loss: float) -> None:
        index = self.random.randrange(len(self.wires))
        source, sent = self.wires[index]
        if self.random.random() >= loss:  # else it comes again
            self.wires.pop(index)
        if self.random.random() >= loss:
            came = Delivered(source, sent.message, 0, Channel.META)
            self.take(sent.to, self.parts[sent.to].receive(came, self.now))

    def pass_time(self) -> None:
        self.now += 150
        for node in self.nodes:
            if self.parts[node].deadline <= self.now:
                self.take(node, self.parts[node].tick(self.now))


def run_smd(seed: int, rows: Counter[Row]) -> None:
    net = SmdNet(seed, rows)
    for _ in range(300):
        choice = net.random.random()
        if choice < 0.05:
            members = net.random.sample(net.nodes, net.random.randrange(1, 4))
            net.form(members, net.random.choice(members))
        elif choice < 0.15:
            net.change()
        elif net.wires and choice < 0.8:
            net.deliver(0.2)
        else:
            net.pass_time()
    net.form(list(net.nodes), 3)
    for _ in range(2000):
        if net.wires:
            net.deliver(0)
        else:
            net.pass_time()
    assert all(part.is_settled for part in net.parts.values())
    contents = {str(sorted(part.smd.items("m").items())) for part in net.parts.values()}
    assert len(contents) == 1
    assert None not in net.asked.values()


@pytest.mark.parametrize("seed", range(15))
def test_metadata_comes_to_one_content_over_a_bad_network(seed):
    run_smd(seed, Counter())


def walk_link(seed: int, rows: Counter[Row]) -> None:
    """A fabric connection under random events never loses its place, nor its bounds."""
    random, now = Random(seed), 0
    config = FabricConfig(queue_bytes=200)
    link = FabricLink(1, ("h", 1), b"hello", config, lambda row: rows.update([row]))
    wants = (Up, Lost, Full, Empty)
    for _ in range(200):
        choice = random.random()
        now += random.choice((0, 40, 400, 1600))
        if choice < 0.3:
            link.push(bytes(40), now)
        elif choice < 0.5:
            link.fire(fabric_link.Tick(), now)
        elif choice < 0.55:
            link.clear()
            link.fire(fabric_link.Dropped(), now)
        else:
            link.fire(random.choice(wants)(), now)
        assert link.queued_bytes <= config.queue_bytes + 40
        open_now = link.state in (LinkState.OPEN, LinkState.CLOGGED)
        assert not any(isinstance(o, Transmit) for o in link.outputs) or open_now
        link.outputs.clear()
        link._check()


def walk_target(seed: int, rows: Counter[Row]) -> None:
    """A mesh under random events keeps its links and its targets together."""
    random, now = Random(seed), 0
    net = mesh.Mesh(("me", 1), [("a", 1), ("b", 1)], 10, lambda row: rows.update([row]))
    for _ in range(300):
        now += random.choice((5, 20, 60))
        links = [target.link for target in net._targets.values() if target.link is not None]
        choice = random.random()
        if links and choice < 0.5:
            link = random.choice(links)
            random.choice((net.up, net.lost))(link, now)
        elif links and choice < 0.75:
            net.writable(random.choice(links), random.random() < 0.3)
        doubtful = [("a", 1)] if seed % 2 or random.random() < 0.5 else []
        for output in net.tick(now, doubtful):
            assert not isinstance(output, Hangup) or output.link in links
        net._check()


def walk_peer(seed: int, rows: Counter[Row]) -> None:
    """A peer under random events arrives and departs by turns."""
    random, now = Random(seed), 0
    peer = Peer(HeartbeatConfig(interval_ms=10), Pulse(2, 1, 1), lambda row: rows.update([row]))
    events = (Heard, HeardBoth, Silence, NewLife)
    weights = random.choice(((1, 9, 3, 1), (4, 4, 1, 1), (1, 20, 1, 0)))
    told = []
    for _ in range(300):
        now += random.choice((10, 60))
        peer.fire(random.choices(events, weights)[0](), now)
        told += peer.outputs
        peer.outputs.clear()
    kinds = [type(event).__name__ for event in told]
    assert kinds == ["NodeArrived", "NodeDeparted"] * (len(kinds) // 2) + kinds[:1] * (
        len(kinds) % 2
    )


def walk_proposer(seed: int, rows: Counter[Row]) -> None:
    """A proposer is asked by others, lower and higher, wherever it is in its round."""
    random = Random(seed)
    around = Neighbours()
    around.heard = {node: frozenset({1, 2, 3}) for node in (1, 2, 3)}
    config = PaxosConfig(interval_ms=10)
    core = Paxos(Identity(3, 7), config, around, lambda row: rows.update([row]))
    core.start(0)
    core.arrived(1, 7, 0)
    core.arrived(2, 7, 0)
    core.tick(60)
    sequence = core._promised[0]
    answers = [Promise(sequence, 7), Accepted(sequence), Committed(sequence)]
    for answer in answers[: random.randrange(3)]:
        for node in (1, 2):
            core.receive(node, answer, 60)
    ballot = random.choice((0, sequence + 1))
    outputs = core.receive(random.choice((1, 2)), Prepare(ballot, (1, 2, 3)), 60)
    assert [type(output.message) for output in outputs] == [Reject]
    core._check()
    if random.random() < 0.5:  # somebody does not go along
        core.receive(1, Reject(sequence, sequence + 2), 60)
    else:  # a higher node has come, and asks us
        around.heard = {node: frozenset({1, 2, 3, 4}) for node in (1, 2, 3, 4)}
        core.arrived(4, 7, 60)
        (promise,) = core.receive(4, Prepare(sequence + 2, (1, 2, 3, 4)), 60)
        assert isinstance(promise.message, Promise)
    core._check()


def walk_participant(seed: int, rows: Counter[Row]) -> None:
    """A node that takes part in its principal's round turns others away."""
    around = Neighbours()
    around.heard = {node: frozenset({1, 2, 3}) for node in (1, 2, 3)}
    core = Paxos(Identity(1, 7), PaxosConfig(), around, lambda row: rows.update([row]))
    core.start(0)
    assert isinstance(core.receive(3, Prepare(5, (1, 2, 3)), 0)[0].message, Promise)
    if seed % 2:
        members = tuple((node, 7, 0, False) for node in (3, 2, 1))
        assert isinstance(core.receive(3, Accept(5, 99, members), 0)[0].message, Accepted)
    (refusal,) = core.receive(2, Prepare(6, (1, 2)), 0)
    assert refusal.message == Reject(6, 5, 3)
    (refusal,) = core.receive(3, Prepare(4, (1, 2, 3)), 0)
    assert refusal.message == Reject(4, 5)
    core._check()


MACHINE_WALKS = (
    *(walk_link, walk_target, walk_peer),
    *(walk_proposer, walk_participant),
)


@pytest.mark.parametrize("walk", MACHINE_WALKS)
def test_random_walks(walk):
    for seed in range(WALKS):
        walk(seed, Counter())


def test_every_row_of_every_table_is_taken():
    rows: Counter[Row] = Counter()
    for seed in range(WALKS):
        for walk in MACHINE_WALKS:
            walk(seed, rows)
    for seed in range(40):
        run_smd(seed, rows)
    missing: list[str] = []
    for seed in range(60):
        rows += simulate(seed, 3, 0.05).rows if seed % 3 == 0 else Counter()
        run_paxos(seed, rows)
        missing = [str(row) for each in MACHINES for row in each.TABLE if row not in rows]
        if not missing:
            return
    pytest.fail("rows never taken:\n" + "\n".join(missing))
