"""Strong consistency, case by case: who may serve, by which copies, after what was lost."""

from __future__ import annotations

from collections import deque
from itertools import combinations

import pytest

from cluster.consistency.agreement import Agreement
from cluster.consistency.confirmation import Confirmation, Confirmations
from cluster.consistency.rules import find_rosters, is_available
from cluster.consistency.stamp import stamp, time_of
from cluster.fabric import Delivered
from cluster.messages import RegimeCheck, RegimeIs, RegimeStep
from cluster.outputs import (
    Apply,
    Channel,
    Close,
    ClusterChanged,
    Compare,
    Confirmed,
    Drop,
    KeepState,
    KeptState,
    Load,
    Request,
    Respond,
    Send,
    SetVersions,
    Survey,
    VersionsSet,
)
from cluster.partitions.config import NamespaceConfig
from cluster.partitions.roster import Roster, from_flat
from cluster.partitions.service import Partitions
from cluster.partitions.version import PartitionVersion
from cluster.partitions.view import Ownership
from cluster.records import ConflictPolicy
from cluster.simulation.store import PARTITIONS, SimulatedStore, partition_of
from store_answers import carry_out


def roster(*nodes: int, generation: int = 1, founded: bool = True) -> Roster:
    return Roster(generation, tuple((node, 0) for node in nodes), founded)


class Net:
    """Partition services of strong nodes, their stores, and messages that nothing disturbs."""

    def __init__(self, *nodes: int, factor: int = 2) -> None:
        self.config = NamespaceConfig(
            "ns",
            strong=True,
            policy=ConflictPolicy.LAST_UPDATE_TIME,
            replication_factor=factor,
            partitions=PARTITIONS,
        )
        self.roster: Roster | None = None
        self.nodes: dict[int, Partitions] = {}
        self.stores: dict[int, SimulatedStore] = {}
        self.kept: dict[int, KeptState] = {}
        self.members: tuple[int, ...] = ()
        self.wires: deque[tuple[int, int, object]] = deque()
        self.key = self.now = 0
        self.deaf: set[int] = set()
        """Nodes whose disks answer nothing."""
        self.start(*nodes)

    def start(self, *nodes: int) -> None:
        """Start nodes, or start them again on what they had."""
        for node in nodes:
            store = self.stores.setdefault(node, SimulatedStore(self.config.policy))
            found = [(self._config(), dict(store.versions))]
            self.nodes[node] = Partitions(node, found)
            self.space(node).kept = self.kept.get(node, KeptState())

    def wipe(self, *nodes: int) -> None:
        """They come back, and have lost everything."""
        for node in nodes:
            self.stores.pop(node)
            self.kept.pop(node, None)
        self.start(*nodes)

    def _config(self) -> NamespaceConfig:
        kept = self.config
        return NamespaceConfig(
            kept.name,
            kept.replication_factor,
            kept.policy,
            strong=True,
            roster=self.roster,
            partitions=PARTITIONS,
        )

    def want(self, wanted: Roster) -> None:
        self.roster = wanted
        for partitions in self.nodes.values():
            partitions.reconfigure(self._config())

    def form(self, *ids: int, run: bool = True) -> None:
        """A new cluster of these; messages of the old one are lost."""
        self.key += 1
        self.wires.clear()
        rows = tuple((node, 1, 0, False) for node in sorted(ids, reverse=True))
        self.members = ids
        for node in ids:
            view = ClusterChanged(self.key, self.key, max(ids), rows)
            self.take(node, self.nodes[node].cluster_changed(view, self.now))
        if run:
            self.run()

    def take(self, node: int, outputs) -> None:
        for output in outputs:
            match output:
                case Send(to, message):
                    self.wires.append((node, to, message))
                case SetVersions() | KeepState() if node in self.deaf:
                    pass
                case KeepState(_, token, state):
                    self.kept[node] = state
                    self.take(node, self.nodes[node].tell(VersionsSet(token), self.now))
                case Apply() | SetVersions() | Load() | Survey() | Compare() | Close() | Drop():
                    self.answer(node, output)

    def answer(self, node: int, asked) -> None:
        told = carry_out(self.stores[node], asked)
        if told is not None:
            self.take(node, self.nodes[node].tell(told, self.now))

    def run(self) -> None:
        for _ in range(3000):
            while self.wires:
                source, to, message = self.wires.popleft()
                if to in self.members:
                    came = Delivered(source, message, 0, Channel.BULK)
                    self.take(to, self.nodes[to].receive(came, self.now))
                    self.nodes[to]._check()
            self.now += 400
            for node in self.members:
                if self.nodes[node].deadline <= self.now:
                    self.take(node, self.nodes[node].tick(self.now))
            if all(self.nodes[node].is_settled for node in self.members) or self.deaf:
                return
        pytest.fail("not settled")

    def space(self, node: int):
        return self.nodes[node].spaces["ns"]

    def served(self) -> set[int]:
        """Partitions that exactly one node serves."""
        found = set()
        for partition in range(PARTITIONS):
            servers = [n for n in self.members if self.space(n).server(partition) == n]
            assert len(servers) <= 1
            if servers:
                found.add(partition)
        return found


ALL = set(range(PARTITIONS))


def founded(*nodes: int, factor: int = 2) -> Net:
    """A cluster whose roster is founded, and that serves."""
    net = Net(*nodes, factor=factor)
    net.form(*nodes)
    assert net.served() == set()
    net.want(roster(*nodes, founded=False))
    net.form(*nodes)
    assert net.served() == set()
    assert all(net.space(node).rosters.founds for node in nodes)
    net.want(roster(*nodes))
    net.form(*nodes)
    assert net.served() == ALL
    return net


# --- who may serve ------------------------------------------------------------------------------


def test_nothing_is_served_before_there_is_a_roster_that_is_founded():
    founded(1, 2, 3)


def test_regimes_rise_and_are_told_to_clients():
    net = founded(1, 2, 3)
    before = net.space(1).regime
    net.form(1, 2, 3)
    assert net.space(1).regime == before + 1
    assert {net.space(node).regime for node in (1, 2, 3)} == {before + 1}


def test_a_minority_serves_only_what_has_all_its_replicas_there():
    net = founded(1, 2, 3, 4, 5)
    net.form(1, 2)
    for partition in ALL:
        made = net.space(1)._told[partition]
        whole = [n for n in (1, 2) if not made[n].witnesses]
        assert (partition in net.served()) == (len(whole) == 2)
    gone = ALL - net.served()
    assert gone
    assert {net.space(1).ownership[p] for p in gone} == {Ownership.UNAVAILABLE}
    assert not net.space(1).dead


def test_both_sides_of_a_split_never_serve_one_partition():
    net = founded(1, 2, 3, 4, 5)
    net.form(4, 5)
    few = net.served()
    net.form(1, 2, 3)
    many = net.served()
    assert not few & many
    assert few | many == ALL
    net.form(1, 2, 3, 4, 5)
    assert net.served() == ALL


def test_one_node_of_three_may_be_missing_and_not_two():
    net = founded(1, 2, 3)
    net.form(1, 2)
    assert net.served() == ALL
    net.form(2)
    assert net.served() == set()
    net.form(2, 3)
    assert net.served() == ALL, "of what 1 and 2 wrote 2 has all"


def test_fewer_nodes_than_copies_serve_nothing():
    net = founded(1, 2)
    net.form(1)
    assert net.served() == set()


def forget(net: Net, *nodes: int) -> None:
    """Nodes without a copy forget the regime that they have witnessed."""
    for node in nodes:
        versions = net.space(node).versions
        old = PartitionVersion(1, False, witnesses=True)
        versions[:] = [old if each is None or each.witnesses else each for each in versions]


def served_by_who_was_away(gone: int, rest: tuple[int, int], *, forgets: bool) -> set[int]:
    """One node is away while the others serve; then it is there with two of them. Partitions that
    are served then although those two have no copy, so that it has the only one, an old one."""
    net = founded(1, 2, 3, 4, 5)
    net.form(*{1, 2, 3, 4, 5} - {gone})
    alone = {
        partition
        for partition in net.served()
        if set(rest).isdisjoint(net.space(rest[0]).plans[partition].replicas)
    }
    if forgets:
        forget(net, *rest)
    net.form(gone, *rest)
    return alone & net.served()


CASES = [(gone, rest) for gone in (5, 1) for rest in combinations({2, 3, 4}, 2)]


def test_a_copy_that_was_away_is_no_full_one():
    assert not any(served_by_who_was_away(*case, forgets=False) for case in CASES)


def test_it_is_witnesses_that_keep_it_from_serving():
    assert any(served_by_who_was_away(*case, forgets=True) for case in CASES)


# --- what is lost -------------------------------------------------------------------------------


def test_a_node_that_has_lost_its_disk_does_not_count_until_it_has_everything():
    net = founded(1, 2, 3)
    net.wipe(3)
    net.form(1, 3)
    assert net.served() < ALL, "2 is missing and 3 knows nothing"
    net.form(1, 2, 3)
    assert net.served() == ALL
    net.form(1, 3)
    assert net.served() == ALL


def test_partitions_whose_copies_are_all_lost_are_dead_until_they_are_revived():
    net = founded(1, 2, 3)
    both = {p for p in ALL if set(net.space(1).plans[p].replicas) == {2, 3}}
    assert both
    net.wipe(2, 3)
    net.form(1, 2, 3)
    assert net.space(1).dead >= both
    assert not both & net.served()
    net.form(1, 2, 3)
    assert not both & net.served()
    net.space(2).revives = True
    net.form(1, 2, 3)
    assert net.served() == ALL
    assert not net.space(2).revives


def test_an_unclean_stop_is_healed_by_the_other_copy():
    net = founded(1, 2, 3)
    store = net.stores[3]
    doubted = tuple(
        (p, PartitionVersion(v.cluster_key, False, evades=True))
        for p, v in store.versions.items()
        if not v.witnesses
    )
    store.set_versions(doubted)
    net.start(3)
    net.form(1, 2, 3)
    assert net.served() == ALL
    assert not any(v.evades for v in store.versions.values())


# --- the roster changes --------------------------------------------------------------------------


def test_a_node_that_is_not_on_the_roster_has_no_copy():
    net = founded(1, 2)
    net.start(3)
    net.form(1, 2, 3)
    assert net.served() == ALL
    assert all(3 not in net.space(1).plans[p].replicas for p in ALL)
    net.want(roster(1, 2, 3, generation=2))
    net.form(1, 2, 3)
    assert net.served() == ALL
    assert any(3 in net.space(1).plans[p].replicas for p in ALL)
    assert net.kept[1].rosters == (roster(1, 2, 3, generation=2),)


def test_a_roster_that_not_all_know_of_holds_together_with_the_old_one():
    net = founded(1, 2, 3, 4, 5)
    net.want(roster(1, 2, generation=2))
    net.deaf = {3, 4, 5}
    net.form(1, 2, 3, 4, 5, run=False)
    net.run()
    assert net.served() == set()
    assert len(net.kept[1].rosters) == 2
    net.deaf = set()
    net.form(1, 2)
    mine = net.served()
    net.roster = roster(1, 2, 3, 4, 5)
    for node in (3, 4, 5):
        net.nodes[node].reconfigure(net._config())
    net.form(3, 4, 5)
    assert not mine & net.served()


def test_a_node_removed_from_the_roster_gives_what_it_has():
    net = founded(1, 2, factor=1)
    row = (b"\x01\x00", 1, stamp(9, 9), 0, "s", 0, b"x")
    owner = net.space(1).plans[partition_of(row[0])].master
    net.stores[owner].put(row)
    other = 3 - owner
    net.want(roster(other, generation=2))
    net.form(1, 2)
    assert net.served() == ALL
    assert net.stores[other].live == {row[0]: row}


def test_rosters_of_a_cluster():
    old, new = roster(1, 2), roster(1, 2, 3, generation=2)
    plain = ("ns", 2, 0, 2, new.flat(), ())
    assert find_rosters([plain], [("ns", 4, False, (old.flat(),))]).all == (old, new)
    joint = ("ns", 4, False, (old.flat(), new.flat()))
    assert find_rosters([plain], [joint]).all == (old, new)
    done = ("ns", 4, False, (new.flat(),))
    assert find_rosters([plain], [joint, done]).all == (new,)
    assert find_rosters([("ns", 2, 0, 2, (), ())], [("ns", 0, False, ())]).all == ()
    assert from_flat(old.flat()) == old
    assert from_flat((1, 1, 5, 0, 5, 0)) is None
    assert from_flat((0, 1, 5, 0)) is None


def test_the_rules_on_what_nodes_know():
    full, behind = PartitionVersion(7, True), PartitionVersion(6, True)
    witness = PartitionVersion(7, False, witnesses=True)
    lost = PartitionVersion(7, True, evades=True)
    five, rows = (roster(1, 2, 3, 4, 5),), ((5, 4),)

    def available(**told: PartitionVersion) -> bool:
        nodes = {int(name[1:]): version for name, version in told.items()}
        return is_available(nodes, five, rows, 2)

    assert available(n5=full, n4=full)
    assert available(n5=full, n1=witness, n2=witness)
    assert not available(n5=behind, n1=witness, n2=witness)
    assert not available(n5=lost, n1=witness, n2=witness)
    assert not available(n1=witness, n2=witness, n3=witness)
    assert available(n1=witness, n2=witness, n3=witness, n5=behind), "one is missing"
    assert not is_available({5: full}, (), (), 2)


# --- steps, questions, stamps --------------------------------------------------------------------


def test_no_step_before_all_have_taken_the_one_before():
    agreement = Agreement(1, "ns", 7, (1, 2, 3))
    assert agreement.begin_next() == 1
    assert agreement.begin_next() == 0
    assert len(agreement.took()) == 2
    agreement.hear(2, RegimeStep(7, "ns", 1))
    assert agreement.begin_next() == 0
    assert agreement.hear(3, RegimeStep(7, "ns", 3, asks=True)) == [
        Send(3, RegimeStep(7, "ns", 1), Channel.META)
    ]
    assert agreement.begin_next() == 2
    assert agreement.hear(9, RegimeStep(7, "ns", 3)) == []
    assert not agreement.is_over


def test_one_replica_that_has_gone_on_says_no():
    question = Confirmation(5, (7, "ns", 0), (2, 3))
    assert [each.to for each in question.ask() if isinstance(each, Request)] == [2, 3]
    assert question.answered(2, RegimeIs(True), True) == []
    assert question.answered(3, RegimeIs(False), True) == [Confirmed(5, False)]
    assert Confirmation(6, (7, "ns", 0), ()).ask() == [Confirmed(6, True)]
    silent = Confirmation(7, (7, "ns", 0), (2,))
    silent.ask()
    assert silent.answered(2, None, True) == [Confirmed(7, False)]
    late = Confirmation(8, (7, "ns", 0), (2,))
    late.ask()
    assert late.answered(2, RegimeIs(True), False) == [Confirmed(8, False)]


def test_replicas_of_the_regime_confirm_and_others_do_not():
    net = founded(1, 2, 3)
    made = net.space(1).plans[0]
    prole = next(node for node in made.replicas if node != made.acting)
    other = next(node for node in (1, 2, 3) if node not in made.replicas)

    def answer(node: int, key: int, partition: int = 0) -> bool:
        service = Confirmations(node, net.nodes[node])
        came = Delivered(9, RegimeCheck(key, "ns", partition), 4, Channel.REPLICATION)
        [told] = service.receive(came, 0)
        assert isinstance(told, Respond)
        assert isinstance(told.message, RegimeIs)
        return told.message.current

    assert answer(prole, net.key)
    assert not answer(prole, net.key - 1)
    assert not answer(other, net.key)
    assert not answer(prole, net.key, partition=1 << 40)
    master = Confirmations(made.acting, net.nodes[made.acting])
    _, outputs = master.confirm("ns", 0)
    assert [each.to for each in outputs if isinstance(each, Request)] == [prole]
    _, outputs = Confirmations(other, net.nodes[other]).confirm("ns", 0)
    assert outputs == [Confirmed(1, False)]


def test_stamps():
    assert time_of(stamp(5, 1234)) == 1234
    assert stamp(5, 10) > stamp(4, 1 << 39)
    assert stamp(5, 10, stamp(5, 20)) == stamp(5, 20)
    assert time_of(99) == 99
