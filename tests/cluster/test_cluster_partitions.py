"""Partitions from a new cluster to rest: what is served, listed, sent, dropped, and by whom."""

from __future__ import annotations

from collections import Counter, deque

import pytest

from cluster.fabric import Delivered
from cluster.messages import EmigrateBatch, EmigrateStart
from cluster.outputs import (
    Balanced,
    Channel,
    ClusterChanged,
    OwnershipChanged,
    Send,
    SetVersions,
)
from cluster.partitions.config import MigrateConfig, NamespaceConfig
from cluster.partitions.service import Partitions
from cluster.partitions.view import Ownership, Role
from cluster.records import ConflictPolicy
from cluster.simulation.store import PARTITIONS, SimulatedStore, partition_of
from store_answers import carry_out

FROZEN = MigrateConfig(threads=0)
NS = NamespaceConfig("ns", partitions=PARTITIONS)


def record(number: int, generation: int = 1):
    return (number.to_bytes(2, "little"), generation, 1000 + generation, 0, "s", 0, b"%d" % number)


class Net:
    """Partition services, their stores, and messages between them that nothing disturbs."""

    def __init__(self, *configs: NamespaceConfig, migrate: MigrateConfig | None = None) -> None:
        self.configs = configs or (NS,)
        self.migrate = migrate if migrate is not None else MigrateConfig()
        self.nodes: dict[int, Partitions] = {}
        self.stores: dict[int, dict[str, SimulatedStore]] = {}
        self.members: set[int] = set()
        self.wires: deque[tuple[int, int, object]] = deque()
        self.sent: Counter[type] = Counter()
        self.records_sent = 0
        self.held: list[tuple[int, SetVersions]] = []
        self.slow = ""
        self.key = self.now = 0
        self.events: list[tuple[int, object]] = []

    def start(self, *ids: int, configs=None) -> None:
        """Start nodes, or start them again on what they had."""
        for node in ids:
            stores = self.stores.setdefault(node, {})
            found = []
            for config in configs if configs is not None else self.configs:
                store = stores.setdefault(config.name, SimulatedStore(ConflictPolicy.GENERATION))
                found.append((config, dict(store.versions)))
            self.nodes[node] = Partitions(node, found, self.migrate)

    def form(self, *ids: int) -> None:
        """A new cluster of these; messages of the old one are lost."""
        self.key += 1
        self.wires.clear()
        rows = tuple((node, 1, 0, False) for node in sorted(ids, reverse=True))
        self.members = set(ids)
        for node in ids:
            view = ClusterChanged(self.key, self.key, max(ids), rows)
            self.take(node, self.nodes[node].cluster_changed(view, self.now))

    def take(self, node: int, outputs) -> None:
        for output in outputs:
            match output:
                case Send(to, message):
                    self.sent[type(message)] += 1
                    if isinstance(message, EmigrateBatch):
                        self.records_sent += len(message.records)
                    self.wires.append((node, to, message))
                case SetVersions(namespace) if namespace == self.slow:
                    self.held.append((node, output))
                case Balanced() | OwnershipChanged():
                    self.events.append((node, output))
                case _:
                    self.answer(node, output)

    def answer(self, node: int, asked) -> None:
        told = carry_out(self.stores[node][asked.namespace], asked)
        if told is not None:
            self.take(node, self.nodes[node].tell(told, self.now))

    def step(self) -> bool:
        """Deliver a message, or let time pass; False when nothing is to be done."""
        if self.wires:
            source, to, message = self.wires.popleft()
            if to in self.members:
                came = Delivered(source, message, 0, Channel.BULK)
                self.take(to, self.nodes[to].receive(came, self.now))
                self.nodes[to]._check()
            return True
        self.now += 400
        for node in self.members:
            if self.nodes[node].deadline <= self.now:
                self.take(node, self.nodes[node].tick(self.now))
        return bool(self.wires)

    def run(self, steps: int = 100_000) -> None:
        while steps and self.step():
            steps -= 1

    def settle(self) -> None:
        for _ in range(100_000):
            self.step()
            if all(self.nodes[node].is_settled for node in self.members):
                return
        pytest.fail("not settled")

    def spaces(self, name: str = "ns"):
        return {node: self.nodes[node].spaces[name] for node in sorted(self.members)}

    def listed(self, partition: int, name: str = "ns") -> list[tuple[int, int]]:
        """(column, node) of everything that clients are told of a partition."""
        spaces = self.spaces(name).items()
        return sorted((c, node) for node, space in spaces for c in space.columns(partition))

    def write(self, rows, name: str = "ns") -> None:
        """Put records on all their replicas."""
        for row in rows:
            plan = self.nodes[max(self.members)].spaces[name].plans[partition_of(row[0])]
            for node in plan.replicas:
                self.stores[node][name].put(row)


def three_with(records: int, *configs: NamespaceConfig) -> Net:
    net = Net(*configs)
    net.start(1, 2, 3)
    net.form(1, 2, 3)
    net.settle()
    net.write(record(number) for number in range(records))
    return net


def test_a_fresh_cluster_serves_at_once_and_has_nothing_to_migrate():
    net = three_with(0)
    assert net.sent[EmigrateStart] == 0
    for node, space in net.spaces().items():
        assert net.nodes[node].generation == 0
        for partition in range(PARTITIONS):
            mine = space.table.master(partition) == node
            wanted = Ownership.WITH_REPLICAS if mine else Ownership.ELSEWHERE
            assert space.ownership[partition] == wanted
    for partition in range(PARTITIONS):
        replicas = net.spaces()[1].plans[partition].replicas
        assert net.listed(partition) == list(enumerate(replicas))


def test_before_the_first_cluster_nothing_is_listed():
    net = Net()
    net.start(1)
    space = net.nodes[1].spaces["ns"]
    assert net.nodes[1].generation == -1
    assert set(space.ownership) == {Ownership.LOCKED}
    assert space.columns(0) == ()
    assert space.partition_map().columns == (bytes(512),)


def joined_frozen() -> tuple[Net, list[int]]:
    """A fourth node has joined, migrations are frozen; each partition's old replicas' row."""
    net = three_with(200)
    for node in net.members:
        net.nodes[node].configure(FROZEN, 0)
    before = net.spaces()[1].plans.copy()
    net.migrate = FROZEN
    net.start(4)
    net.form(1, 2, 3, 4)
    net.run()
    return net, [made.replicas for made in before]


def test_while_a_copy_is_on_its_way_its_holder_lists_both_and_the_newcomer_nothing():
    net, before = joined_frozen()
    kinds = Counter()
    for partition, old in enumerate(before):
        views = {node: space.show_all()[partition] for node, space in net.spaces().items()}
        new = net.spaces()[1].plans[partition].replicas
        kinds[new.index(4) if 4 in new else -1] += 1
        if 4 not in new:
            assert net.listed(partition) == list(enumerate(old))
            assert [views[node].state for node in new] == ["S", "S"]
            continue
        holder = old[0]
        assert net.listed(partition) == [(0, holder), (1, holder)]
        assert (views[4].state, views[4].immigrates, views[4].columns) == ("D", 1, ())
        assert views[4].version.evades
        assert (views[holder].state, views[holder].emigrates) == ("S", 1)
        assert views[holder].lead_emigrates == 1
        assert views[holder].ownership == Ownership.WITH_REPLICAS
        assert {view.working_master for view in views.values()} == {holder}
        gone = next(node for node in old if node not in new)
        assert (views[gone].state, views[gone].replica) == ("Z", -1)
        assert 4 in net.spaces()[holder].targets[partition], "it gets every write"
    assert kinds[0]
    assert kinds[1]


def test_a_node_that_comes_back_does_not_serve_what_it_missed():
    net = three_with(100)
    net.start(2)  # it keeps its disk
    net.form(1, 3)
    net.settle()
    for node in (1, 3):
        for partition in range(PARTITIONS):
            net.nodes[node].spaces["ns"].left_unfinished(partition)
        net.nodes[node].configure(FROZEN, 0)
    net.migrate = FROZEN
    net.start(2)
    net.form(1, 2, 3)
    net.run()
    assert 2 in {net.spaces()[1].table.master(partition) for partition in range(PARTITIONS)}
    assert set(net.spaces()[1].acting) == {1, 3}


def test_handover_is_partition_by_partition_with_one_server_at_a_time():
    net, _ = joined_frozen()
    for node in sorted(net.members):
        net.take(node, net.nodes[node].configure(MigrateConfig(threads=2, max_incoming=2), net.now))
    moved = set()
    while not all(net.nodes[node].is_settled for node in net.members):
        net.step()
        for partition in range(PARTITIONS):
            serving = [n for n, s in net.spaces().items() if s.server(partition) == n]
            assert len(serving) <= 1
            masters = [node for column, node in net.listed(partition) if column == 0]
            assert len(masters) <= 1
            moved.add((partition, *masters))
    assert len(moved) > PARTITIONS
    for partition in range(PARTITIONS):
        replicas = net.spaces()[1].plans[partition].replicas
        assert net.listed(partition) == list(enumerate(replicas))
        alike = [net.stores[node]["ns"].in_partition(partition) for node in replicas]
        assert alike[0] == alike[1]
        others = net.members - set(replicas)
        assert not any(net.stores[node]["ns"].in_partition(partition) for node in others)


def check_sketch(space) -> None:
    """The picture shows what `show_all` shows."""
    sketch, views = space.sketch(), space.show_all()
    assert list(sketch.masters) == [view.working_master for view in views]
    assert sketch.moving == {v.partition for v in views if v.emigrates or v.immigrates}
    for role, view in zip(sketch.roles, views, strict=True):
        serves = view.ownership != Ownership.ELSEWHERE
        assert role == (Role.MASTER if serves else Role.REPLICA if view.replica >= 0 else Role.NONE)


def test_all_partitions_at_a_glance():
    net, _ = joined_frozen()
    for space in net.spaces().values():
        check_sketch(space)
        assert space.sketch().moving or not space.expects
        assert space.racks == dict.fromkeys((1, 2, 3, 4), 0)
    for node in sorted(net.members):
        net.take(node, net.nodes[node].configure(MigrateConfig(threads=2), net.now))
    net.settle()
    net.run()
    for space in net.spaces().values():
        check_sketch(space)
        assert not space.sketch().moving
    for nothing in ("is_ready", "is_behind"):
        setattr(net.nodes[1].spaces["ns"], nothing, nothing == "is_behind")
        assert net.nodes[1].spaces["ns"].sketch() is None
        setattr(net.nodes[1].spaces["ns"], nothing, nothing != "is_behind")


def test_migrations_are_counted_against_what_was_planned():
    net, _ = joined_frozen()
    spaces = net.spaces().values()
    assert sum(space.moved.planned_out for space in spaces) >= len(net.spaces()[4].expects) > 0
    for space in spaces:
        assert space.moved.done_out == space.moved.records_out == 0
        assert space.moved.planned_in == len(space.expects)
    for node in sorted(net.members):
        net.take(node, net.nodes[node].configure(MigrateConfig(), net.now))
    net.settle()
    for space in spaces:
        assert space.moved.done_out == space.moved.planned_out
        assert not space.expects
    records = [(space.moved.records_out, space.moved.records_in) for space in spaces]
    assert sum(out for out, _ in records) == sum(come for _, come in records) == net.records_sent
    net.form(1, 2, 3, 4)
    assert net.spaces()[4].moved.records_in == 0, "another cluster, another count"


def test_a_node_without_a_part_in_a_partition_learns_who_serves_it():
    net, _ = joined_frozen()
    for node in sorted(net.members):
        net.take(node, net.nodes[node].configure(MigrateConfig(), net.now))
    net.settle()
    net.run()
    bystanders = 0
    for node, space in net.spaces().items():
        for partition, made in enumerate(space.plans):
            assert space.server(partition) == made.master
            bystanders += node in made.bystanders and made.acting != made.master
    assert bystanders, "some node looked on while a partition moved"


def test_a_node_without_a_part_in_a_partition_believes_only_who_may_serve_it():
    net, _ = joined_frozen()
    node, space, partition, made = next(
        (node, space, partition, made)
        for node, space in net.spaces().items()
        for partition, made in enumerate(space.plans)
        if node in made.bystanders and made.acting != made.master
    )
    space.hear_of(partition, node)
    assert space.server(partition) == made.acting
    space.hear_of(partition, made.master)
    assert space.server(partition) == made.master
    space.hear_of(partition, made.acting)
    assert space.server(partition) == made.acting


def test_a_node_that_comes_back_gets_only_what_it_missed():
    net = three_with(2000)
    net.form(1, 2)
    net.settle()
    net.write(record(number, 2) for number in range(0, 2000, 100))
    net.start(3)  # with what its disk has
    net.records_sent = 0
    net.form(1, 2, 3)
    net.settle()
    # 3 is in most partitions; others moved to 1 and 2 when it went, and go again.
    missed = sum(
        3 in net.spaces()[1].plans[partition_of(record(number)[0])].replicas
        for number in range(0, 2000, 100)
    )
    assert net.records_sent <= missed + 20
    assert net.records_sent >= missed
    for partition in range(PARTITIONS):
        replicas = net.spaces()[1].plans[partition].replicas
        alike = [net.stores[node]["ns"].in_partition(partition) for node in replicas]
        assert alike[0] == alike[1]


def test_nodes_without_a_copy_wait_for_the_fill_delay():
    net = three_with(500)
    for node in net.members:
        net.nodes[node].configure(MigrateConfig(fill_delay_ms=60_000), net.now)
    net.form(1, 2)
    net.run()
    assert net.records_sent == 0
    net.now += 60_000
    net.settle()


def test_a_replica_is_listed_by_the_master_until_it_is_filled_after_a_death():
    net = three_with(100)
    for node in net.members:
        net.nodes[node].configure(FROZEN, 0)
    held = {node: set(net.stores[node]["ns"].versions) for node in (1, 2)}
    net.form(1, 2)
    net.run()
    for partition in range(PARTITIONS):
        listed = net.listed(partition)
        assert [column for column, _ in listed] == [0, 1]
        for node in {node for _, node in listed}:
            assert partition in held[node], "only who has it is listed"


def test_a_split_is_resolved_by_asking_and_then_by_migration():
    net = three_with(0)
    net.form(1, 2)
    net.form(3)
    net.members = {1, 2, 3}
    for node in net.members:
        net.nodes[node].configure(FROZEN, 0)
    net.form(1, 2, 3)
    net.run()
    for partition in range(PARTITIONS):
        for node, space in net.spaces().items():
            if space.server(partition) == node:
                view = space.show_all()[partition]
                assert view.duplicates == len(space.duplicates(partition))
                asks = Ownership.WITH_DUPLICATES if view.duplicates else Ownership.WITH_REPLICAS
                assert space.ownership[partition] == asks
        assert len(net.listed(partition)) == 2


def test_namespaces_have_their_own_replication_and_do_not_wait_for_one_another():
    slow = NamespaceConfig("slow", replication_factor=3, partitions=PARTITIONS)
    quick = NamespaceConfig("quick", replication_factor=1, partitions=PARTITIONS)
    net = Net(slow, quick)
    net.slow = "slow"
    net.start(1, 2, 3)
    net.form(1, 2, 3)
    net.run()
    assert [space.is_ready for space in net.spaces("slow").values()] == [False] * 3
    assert net.listed(0, "slow") == []
    assert {space.is_settled for space in net.spaces("quick").values()} == {True}
    net.slow = ""
    for node, asked in net.held:
        net.answer(node, asked)
    net.settle()
    assert len(net.listed(0, "slow")) == 3
    assert len(net.listed(0, "quick")) == 1
    told = [event.namespace for _, event in net.events if isinstance(event, Balanced)]
    assert told == ["quick"] * 3 + ["slow"] * 3


def test_a_namespace_is_spread_over_the_nodes_that_have_it():
    net = Net(NS)
    only = NamespaceConfig("only", partitions=PARTITIONS)
    net.start(1, 2, configs=(NS, only))
    net.start(3)
    net.form(1, 2, 3)
    net.settle()
    table = net.nodes[1].spaces["only"].table
    assert {node for row in table.rows for node in row} == {1, 2}
    assert {node for row in net.nodes[1].spaces["ns"].table.rows for node in row} == {1, 2, 3}


def test_where_nodes_differ_the_highest_one_s_word_holds():
    net = Net()
    net.start(1, 2, configs=(NamespaceConfig("ns", 1, partitions=PARTITIONS),))
    net.start(3, configs=(NamespaceConfig("ns", 3, partitions=PARTITIONS),))
    net.form(1, 2, 3)
    net.settle()
    assert {space.table.replication_factor for space in net.spaces().values()} == {3}


def test_a_replication_factor_is_changed_by_the_next_balance():
    net = three_with(30)
    for node in net.members:
        net.nodes[node].reconfigure(NamespaceConfig("ns", 3, partitions=PARTITIONS))
    assert {space.table.replication_factor for space in net.spaces().values()} == {2}
    net.form(1, 2, 3)
    net.settle()
    stores = [net.stores[node]["ns"].live for node in (1, 2, 3)]
    assert len(stores[0]) == 30
    assert stores[0] == stores[1] == stores[2]


def test_a_copy_that_was_full_is_a_subset_on_disk_before_it_takes_anything():
    net = three_with(50)
    net.form(1)
    net.settle()
    net.form(2, 3)
    net.settle()
    net.slow = "ns"
    net.members = {1, 2, 3}
    net.form(1, 2, 3)
    net.run()
    assert net.sent[EmigrateBatch] == 0 or all(not s.is_ready for s in net.spaces().values())
    for node, asked in net.held:
        space = net.spaces()[node]
        for partition, version in asked.versions:
            made = space.plans[partition]
            if node in made.replicas and node not in (*made.in_step, made.acting):
                assert not version.full
