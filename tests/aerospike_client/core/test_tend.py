"""The tend: tables of rounds, and a cluster that changes at random under it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aerospike_client.core.addresses import Address, Seed
from aerospike_client.core.tend import FAILURES_TO_REMOVE, Tend
from aerospike_client.core.tend_events import (
    Answered,
    Ask,
    Failed,
    NodeAdded,
    NodeRemoved,
    Output,
    PartitionsChanged,
    RoundOver,
    TendOptions,
)
from aerospike_client.core.view import ClusterView

PARTITIONS = 4096


@attrs.define
class FakeNode:
    """What a node would answer."""

    name: str
    address: Address
    up: bool = True
    peers_generation: int = 1
    partition_generation: int = 1
    rebalance_generation: int = 1
    rack: int = 0
    #: How those reach it who are behind translation, and what it calls that.
    outside: Address | None = None


@attrs.define
class FakeCluster:
    """Nodes that know each other, each with a part of the partitions of `test`."""

    nodes: dict[str, FakeNode] = attrs.field(factory=dict)
    #: Partition -> names, the master first.
    owners: list[tuple[str, ...]] = attrs.field(factory=lambda: [()] * PARTITIONS)
    copies: int = 2
    name: str = "cluster"

    def add(self, name: str) -> FakeNode:
        node = FakeNode(name, Address("10.0.0." + str(int(name, 16) % 200), 3000))
        self.nodes[name] = node
        self.balance()
        return node

    def remove(self, name: str) -> None:
        del self.nodes[name]
        self.balance()

    def balance(self) -> None:
        """Divide the partitions anew among the nodes that are up."""
        names = sorted(name for name, node in self.nodes.items() if node.up)
        count = len(names)
        if count:
            self.owners = [
                tuple(names[(pid + k) % count] for k in range(min(self.copies, count)))
                for pid in range(PARTITIONS)
            ]
        for node in self.nodes.values():
            node.peers_generation += 1
            node.partition_generation += 1
            node.rebalance_generation += 1

    def at(self, address: Address) -> FakeNode | None:
        return next(
            (n for n in self.nodes.values() if address in (n.address, n.outside) and n.up), None
        )

    def answer(self, ask: Ask) -> Answered | Failed:
        node = self.at(ask.address)
        if node is None:
            return Failed(ask.number, "refused the connection")
        return Answered(ask.number, {c: self._value(node, c) for c in ask.commands})

    def _value(self, node: FakeNode, command: str) -> str:
        values: dict[str, Callable[[], str]] = {
            "node": lambda: node.name,
            "build": lambda: "8.1.2.0",
            "cluster-name": lambda: self.name,
            "peers-generation": lambda: str(node.peers_generation),
            "partition-generation": lambda: str(node.partition_generation),
            "rebalance-generation": lambda: str(node.rebalance_generation),
            "service-clear-std": lambda: str(node.address),
            "service-clear-alt": lambda: str(node.outside),
            "peers-clear-std": lambda: self._peers(node),
            "peers-clear-alt": lambda: self._peers(node, outside=True),
            "replicas": lambda: self._replicas(node),
            "rack-ids": lambda: f"test:{node.rack}",
        }
        return values[command]() if command in values else "ok"

    def _peers(self, node: FakeNode, *, outside: bool = False) -> str:
        others = [n for n in self.nodes.values() if n is not node and n.up]
        places = [(n.name, (n.outside or n.address) if outside else n.address) for n in others]
        peers = ",".join(f"[{name},,[{place}]]" for name, place in places)
        return f"{node.peers_generation},3000,[{peers}]"

    def _replicas(self, node: FakeNode) -> str:
        columns = []
        for place in range(self.copies):
            bits = bytearray(PARTITIONS // 8)
            for pid, owners in enumerate(self.owners):
                if place < len(owners) and owners[place] == node.name:
                    bits[pid >> 3] |= 0x80 >> (pid & 7)
            columns.append(base64.b64encode(bits).decode())
        return f"test:0,{len(columns)},{','.join(columns)}"


def run_round(tend: Tend, cluster: FakeCluster) -> list[Output]:
    """A whole round; everything but the questions."""
    news: list[Output] = []
    outputs = tend.begin()
    while outputs:
        output = outputs.pop(0)
        if isinstance(output, Ask):
            outputs += tend.receive(cluster.answer(output))
        else:
            news.append(output)
    tend._check()
    return news


def names(tend: Tend) -> set[str]:
    return {node.name for node in tend.view.active_nodes()}


def cluster_of(*nodes: str) -> FakeCluster:
    cluster = FakeCluster()
    for name in nodes:
        cluster.add(name)
    return cluster


def tend_of(cluster: FakeCluster, options: TendOptions | None = None) -> Tend:
    seed = Seed(next(iter(cluster.nodes.values())).address)
    return Tend(ClusterView(), (seed,), options)


def masters(tend: Tend) -> list[str | None]:
    table = tend.view.tables["test"]
    found = [table.master(pid) for pid in range(PARTITIONS)]
    return [node and node.name for node in found]


def test_one_round_finds_a_whole_cluster_from_one_seed() -> None:
    cluster = cluster_of("A1", "A2", "A3")
    tend = tend_of(cluster)
    news = run_round(tend, cluster)
    assert [n.node.name for n in news if isinstance(n, NodeAdded)] == ["A1", "A2", "A3"]
    assert PartitionsChanged("test") in news
    assert news[-1] == RoundOver(())
    assert masters(tend) == [owners[0] for owners in cluster.owners]


def test_a_quiet_round_asks_each_node_one_thing() -> None:
    cluster = cluster_of("A1", "A2", "A3")
    tend = tend_of(cluster)
    run_round(tend, cluster)
    asks = tend.begin()
    assert len(asks) == 3
    rest = [
        output
        for ask in asks
        if isinstance(ask, Ask)
        for output in tend.receive(cluster.answer(ask))
    ]
    assert rest == [RoundOver(())]


def test_a_node_that_joins_is_found_and_one_that_leaves_is_dropped() -> None:
    cluster = cluster_of("A1", "A2")
    tend = tend_of(cluster)
    run_round(tend, cluster)
    cluster.add("A3")
    assert any(isinstance(n, NodeAdded) for n in run_round(tend, cluster))
    cluster.remove("A2")
    news = run_round(tend, cluster)
    assert [n.node.name for n in news if isinstance(n, NodeRemoved)] == ["A2"]
    assert masters(tend) == [owners[0] for owners in cluster.owners]


def test_a_node_that_does_not_answer_stays_while_others_name_it() -> None:
    cluster = cluster_of("A1", "A2", "A3")
    tend = tend_of(cluster)
    run_round(tend, cluster)
    silent = cluster.nodes["A2"]
    answer = cluster.answer

    def deaf(ask: Ask) -> Answered | Failed:
        if ask.address == silent.address:
            return Failed(ask.number, "did not answer in time")
        return answer(ask)

    outputs = tend.begin()
    while outputs:
        output = outputs.pop(0)
        if isinstance(output, Ask):
            outputs += tend.receive(deaf(output))
    assert names(tend) == {"A1", "A2", "A3"}
    assert tend.view.nodes["A2"].failures == 1


def test_when_nobody_answers_nodes_go_after_some_rounds_and_seeds_are_asked_again() -> None:
    cluster = cluster_of("A1", "A2")
    tend = tend_of(cluster)
    run_round(tend, cluster)
    for node in cluster.nodes.values():
        node.up = False
    for _ in range(FAILURES_TO_REMOVE - 1):
        run_round(tend, cluster)
    assert names(tend) == {"A1", "A2"}
    run_round(tend, cluster)
    assert names(tend) == set()
    for node in cluster.nodes.values():
        node.up = True
    run_round(tend, cluster)
    assert names(tend) == {"A1", "A2"}


def test_an_address_with_another_node_behind_it_is_another_node() -> None:
    cluster = cluster_of("A1")
    tend = tend_of(cluster)
    run_round(tend, cluster)
    cluster.nodes["B1"] = attrs.evolve(cluster.nodes.pop("A1"), name="B1")
    cluster.balance()
    run_round(tend, cluster)
    run_round(tend, cluster)
    assert names(tend) == {"B1"}


def test_a_seed_of_another_cluster_is_refused() -> None:
    cluster = cluster_of("A1")
    tend = tend_of(cluster, TendOptions(cluster_name="mine"))
    (over,) = run_round(tend, cluster)
    assert isinstance(over, RoundOver)
    assert "is of the cluster 'cluster' and not 'mine'" in over.failures[0]


def test_a_seed_that_is_not_ready_is_left_alone() -> None:
    cluster = cluster_of("A1")
    cluster.nodes["A1"].partition_generation = -1
    tend = tend_of(cluster)
    (over,) = run_round(tend, cluster)
    assert isinstance(over, RoundOver)
    assert "is not ready" in over.failures[0]


def test_a_seed_behind_a_load_balancer_gives_the_real_address() -> None:
    cluster = cluster_of("A1")
    balancer = Address("10.9.9.9", 3000)
    real = cluster.nodes["A1"].address
    tend = Tend(ClusterView(), (Seed(balancer),))
    outputs = tend.begin()
    while outputs:
        output = outputs.pop(0)
        if isinstance(output, Ask):
            asked = attrs.evolve(output, address=real)
            outputs += tend.receive(cluster.answer(asked))
    assert tend.view.nodes["A1"].address == real


def translated() -> FakeCluster:
    """Three nodes behind one address, a port for each."""
    cluster = cluster_of("A1", "A2", "A3")
    for number, node in enumerate(cluster.nodes.values()):
        node.outside = Address("192.0.2.1", 4000 + number)
    return cluster


def test_alternate_addresses_are_used_when_asked_for() -> None:
    cluster = translated()
    (seed, *_) = [node.outside for node in cluster.nodes.values()]
    assert seed is not None
    tend = Tend(ClusterView(), (Seed(seed),), TendOptions(alternate=True))
    run_round(tend, cluster)

    found = {node.name: node.address for node in tend.view.active_nodes()}
    assert found == {node.name: node.outside for node in cluster.nodes.values()}


def test_addresses_are_translated_by_host_or_place() -> None:
    cluster = translated()
    (first, second, third) = cluster.nodes.values()
    third.outside = Address("192.0.2.9", third.address.port)
    ip_map = {str(second.address): str(second.outside), third.address.host: "192.0.2.9"}
    tend = Tend(ClusterView(), (Seed(first.address),), TendOptions(ip_map=ip_map))
    run_round(tend, cluster)

    found = {node.name: node.address for node in tend.view.active_nodes()}
    assert found == {"A1": first.address, "A2": second.outside, "A3": third.outside}


def test_racks_are_fetched_when_asked_for() -> None:
    cluster = cluster_of("A1", "A2")
    cluster.nodes["A2"].rack = 7
    tend = tend_of(cluster, TendOptions(racks=True))
    run_round(tend, cluster)
    assert {n.name: n.racks for n in tend.view.nodes.values()} == {
        "A1": {"test": 0},
        "A2": {"test": 7},
    }


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("node", ""),
        ("partition-generation", "many"),
        ("replicas", "test:0,1,AAAA"),
        ("replicas", "ERROR:4:no"),
        ("peers-clear-std", "1,3000,[[A2,,[10.0.0.2]"),
    ],
)
def test_a_node_that_answers_nonsense_is_complained_of(command: str, value: str) -> None:
    cluster = cluster_of("A1")
    tend = tend_of(cluster)
    outputs, failures = tend.begin(), ()
    while outputs:
        output = outputs.pop(0)
        if isinstance(output, Ask):
            answered = cluster.answer(output)
            assert isinstance(answered, Answered)
            if command in answered.answers:
                answered.answers[command] = value
            outputs += tend.receive(answered)
        elif isinstance(output, RoundOver):
            failures = output.failures
    assert len(failures) == 1
    tend._check()


def test_the_breaker_is_reset_with_its_window() -> None:
    cluster = cluster_of("A1")
    tend = tend_of(cluster, TendOptions(error_rate_window=2))
    run_round(tend, cluster)
    node = tend.view.nodes["A1"]
    node.errors = 5
    run_round(tend, cluster)
    assert node.errors == 0
    node.errors = 5
    run_round(tend, cluster)
    assert node.errors == 5


class ChangingCluster(RuleBasedStateMachine):
    """Nodes join, leave, fall silent, come back; answers come in any order, some never.

    Whatever happened: once the cluster stands still and answers, the picture becomes true.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cluster = cluster_of("A1")
        self.tend = tend_of(self.cluster)
        self.open: list[Ask] = []
        self.numbers = 1

    def take(self, outputs: list[Output]) -> None:
        self.open += [output for output in outputs if isinstance(output, Ask)]

    @rule()
    @precondition(lambda self: len(self.cluster.nodes) < 5)
    def join(self) -> None:
        self.numbers += 1
        self.cluster.add(f"A{self.numbers:X}")

    @rule(data=st.data())
    @precondition(lambda self: len(self.cluster.nodes) > 1)
    def leave(self, data: st.DataObject) -> None:
        self.cluster.remove(data.draw(st.sampled_from(sorted(self.cluster.nodes))))

    @rule(data=st.data())
    def blink(self, data: st.DataObject) -> None:
        node = self.cluster.nodes[data.draw(st.sampled_from(sorted(self.cluster.nodes)))]
        node.up = not node.up
        self.cluster.balance()

    @rule()
    @precondition(lambda self: not self.open)
    def begin(self) -> None:
        self.take(self.tend.begin())

    @rule(data=st.data(), lost=st.booleans())
    @precondition(lambda self: self.open)
    def answer(self, data: st.DataObject, lost: bool) -> None:
        ask = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        answer = Failed(ask.number, "is lost") if lost else self.cluster.answer(ask)
        self.take(self.tend.receive(answer))

    @invariant()
    def holds(self) -> None:
        for node in self.tend.view.nodes.values():
            assert node.failures >= 0
        assert len(self.tend._pending) == len(self.open)

    def teardown(self) -> None:
        while self.open:
            self.take(self.tend.receive(self.cluster.answer(self.open.pop())))
        for node in self.cluster.nodes.values():
            node.up = True
        self.cluster.balance()
        self.tend._seeds = tuple(Seed(node.address) for node in self.cluster.nodes.values())
        for _ in range(FAILURES_TO_REMOVE + 3):
            run_round(self.tend, self.cluster)
        assert names(self.tend) == set(self.cluster.nodes)
        assert masters(self.tend) == [owners[0] for owners in self.cluster.owners]


TestChangingCluster = ChangingCluster.TestCase
TestChangingCluster.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
