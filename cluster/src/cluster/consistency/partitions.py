"""One strongly consistent namespace's partitions on one node.

Theory of operation
-------------------
Every cluster that serves a partition does so by a *regime*, a number. What must hold:

1. *Regimes of a partition that are served rise.* Two clusters that may serve it have a node in
   common that counts in both (the rules of `cluster.partitions.roster`). Before a partition is
   served all nodes have promised the regime, one more than the highest that any of them had
   promised. So the node in common carries it into every later cluster, or has not promised it, and
   never will: then it is never served.
2. *A later cluster knows.* Before a partition is served every node notes its regime beside its
   copy, or, without a copy, as a witness (`PartitionVersion.witnesses`). So the node in common
   knows the last regime that was served, and a copy that has not taken part in it is no full copy,
   whoever was away, for how long, and whatever its clock says.
3. *A full copy has everything acknowledged.* A write is acknowledged when all replicas of the
   regime have it, and a replica that is in another cluster takes nothing. Copies that have all
   (`in_step`) say so by the regime before it is served (step 2), ahead of the witnesses (step 3):
   who knows of a regime knows that there is a copy of it, so a regime that is broken off costs no
   copy.
4. *What is lost is not taken for what never was.* A node that has lost what it had, a disk or the
   end of an unclean stop, *evades*: it does not count in the rules, and its copy is no full one,
   until the partition is settled.
5. *A roster changes under both.* Until every node of a cluster knows of the new roster, partitions
   must be available by the old one and by the new one.
6. *Records of different copies compare by regime first* (`cluster.consistency.stamp`). Where copies
   differ all of them are asked before a record is read or written.
7. *Nothing is read that could be lost again.* Where nobody vouches that all writes were finished, a
   partition is *unproven* until it is settled: what is read is given to all replicas first.

Where no copy is full, but fewer nodes are missing than a record has copies, one of those that are
there has each record; then all are asked, as in availability mode.

A partition that is not available keeps what it has, and nothing of it moves. It is *dead* when all
nodes of the roster are there and it is still not available; an operator who has no more to bring
back revives it: the best copies there are serve.

The founding cluster of a roster serves nothing yet. It only notes the regime; that it has done so
is noted in the system metadata, and the next cluster serves. Else nodes that have lost everything
would look like new ones.

Rejected: the time, or a regime of a few bits, as the order of versions. A process that is stopped
for longer than either bears then loses acknowledged writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from cluster.consistency.agreement import COPIES, PROMISE, WITNESSES, Agreement
from cluster.consistency.rules import (
    Rosters,
    find_rosters,
    is_available,
    is_whole,
    regime_of,
)
from cluster.messages import NamespaceRow, StateRow
from cluster.outputs import ClusterChanged, KeepState, KeptState, Output, Token
from cluster.partitions.balance import Member, Row, balance
from cluster.partitions.config import NamespaceConfig
from cluster.partitions.map import PartitionMap
from cluster.partitions.namespace import UNIFORM, NamespacePartitions, Versions
from cluster.partitions.plan import PartitionPlan, plan
from cluster.partitions.version import PartitionVersion, unpack
from cluster.state_machine import Observer

_EMPTY = PartitionVersion(0, full=True, vouches=True)
"""A copy of nothing, where nothing ever was."""


class StrongPartitions(NamespacePartitions):
    """The state; `Partitions` carries messages, migrations and steps."""

    is_strong = True

    def __init__(
        self,
        me: int,
        config: NamespaceConfig,
        versions: Versions,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(me, config, versions, observer)
        self.kept = KeptState()
        """What this node has kept; the daemon hands it in before the first cluster."""
        self.revives = False
        """Shall dead partitions be served again from the next balance on?"""
        self.regime = 0
        self.rosters = Rosters()
        self.dead: set[int] = set()
        """Those of `unavailable` that no missing node of the roster will bring back."""
        self.observed: dict[int, int] = {}
        """Nodes of the cluster that have the namespace, and the rack that each says it is in."""
        self.agreement: Agreement | None = None
        self.states: Mapping[int, StateRow] = {}
        """What each node of the cluster has kept, from the exchange."""
        self._steps: dict[int, dict[int, PartitionVersion]] = {}
        self._is_complete = False
        self._unproven: set[int] = set()

    def state_row(self) -> StateRow:
        """What the exchange tells besides `row`."""
        rosters = tuple([roster.flat() for roster in self.kept.rosters])
        return self.config.name, self.kept.promised, self.revives, rosters

    def begin(self, view: ClusterChanged) -> None:
        """Forget the plans of the cluster before."""
        super().begin(view)
        self.agreement = None
        self.dead.clear()
        self._unproven.clear()

    def is_unproven(self, partition: int) -> bool:
        """Nobody knows whether all replicas have what the one that serves has: not all writes were
        finished when the cluster before ended, or who served then is not there."""
        return partition in self._unproven

    # --- the plans -----------------------------------------------------------------------------

    def make_plans(
        self, view: ClusterChanged, rows: Mapping[int, NamespaceRow]
    ) -> dict[int, PartitionVersion]:
        """All members have told: plan, and begin to agree. The versions to set come step by step
        (`for_step`); what is returned is to be set whenever it suits."""
        count, factor = self.config.partitions, max(1, rows[max(rows)][1])
        states = [row for node, row in self.states.items() if node in rows]
        self.regime = self._version_key = 1 + max([row[1] for row in states], default=0)
        self.rosters = find_rosters(rows.values(), states)
        members = self._draw_table(view, rows, factor)
        self._told = [{} for _ in range(count)]
        for node, row in rows.items():
            for partition, version in unpack(row[5], count):
                self._told[partition][node] = version
        self._judge_all(members, factor, any(row[2] for row in states))
        self._is_complete = not self.unavailable or len(self.rosters.all) == 1
        if self.rosters.founds:
            self.unavailable = set(range(count))
        self.agreement = Agreement(self._me, self.config.name, self._key, rows)
        changes, self.unsaved = self.unsaved, {}
        return changes

    def _draw_table(
        self, view: ClusterChanged, rows: Mapping[int, NamespaceRow], factor: int
    ) -> list[int]:
        """Balance over the nodes of the newest roster that are here; which these are."""
        newest = self.rosters.newest
        roster = dict(newest.nodes) if newest is not None else {}
        self.observed = {node: row[2] for node, row in rows.items()}
        self.racks = {node: roster.get(node) or row[2] for node, row in rows.items()}
        quiesced = {row[0]: row[3] for row in view.members}
        here = [node for node in rows if node in roster]
        members = [Member(node, self.racks[node], quiesced[node]) for node in here]
        self.is_uniform = bool(rows[max(rows)][3] & UNIFORM)
        self._leaves = quiesced.get(self._me, False)
        count = self.config.partitions
        table = members or [Member(self._me)]
        self.table = balance(table, factor, uniform=self.is_uniform, partitions=count)
        return here

    def _judge_all(self, here: Sequence[int], factor: int, revives: bool) -> None:
        """Which partitions are available, and the plans of all."""
        assert self.table is not None
        newest = self.rosters.newest
        tables = self.rosters.tables(factor, self.config.partitions)
        is_all = newest is not None and newest.ids <= set(here)
        forced = self.rosters.founds or (revives and is_all)
        self._steps = {COPIES: {}, WITNESSES: {}}
        known: dict[object, tuple[PartitionPlan, Versions] | None] = {}
        for partition, line in enumerate(self.table.rows):
            told, replicas = self._told[partition], tuple([t.replicas(partition) for t in tables])
            # Few nodes: many partitions are in the same case.
            case = line, tuple(told.items()), replicas
            if case not in known:
                known[case] = None
                if len(here) >= factor:
                    copies = self._serving(told, line[:factor], replicas, factor, forced)
                    known[case] = self._planned(line, copies) if copies else None
            found = known[case]
            if found is None:
                self._leave(partition, line, is_all)
            else:
                self._add(partition, found[0])
                self._adopt(partition, *found)
                self._expect(partition, found[0])

    def _serving(
        self,
        told: Versions,
        kept_by: Row,
        replicas: Sequence[Row],
        factor: int,
        forced: bool,
    ) -> Versions:
        """The copies by which a partition may be served; none: it may not."""
        copies = {node: each for node, each in told.items() if not each.witnesses}
        if is_available(told, self.rosters.all, replicas, factor):
            regime = regime_of(told)
        elif forced:
            copies = {node: evolve(each, evades=False) for node, each in copies.items()}
            regime = regime_of(copies)
        else:
            return {}
        if not copies:
            return dict.fromkeys(kept_by, _EMPTY)
        return {n: v if is_whole(v, regime) else v.as_subset() for n, v in copies.items()}

    def _planned(self, line: Row, copies: Versions) -> tuple[PartitionPlan, Versions]:
        """The plan for these copies. Copies on nodes that are not of the row are sent too, and
        every node is told when the partition is settled: one that evades waits for it."""
        outside = tuple([node for node in self.states if node not in line])
        made = plan((*line, *outside), len(self._replicas_of(line)), copies)
        return evolve(made, members=(*line, *outside), bystanders=()), copies

    def _replicas_of(self, line: Row) -> Row:
        assert self.table is not None
        return line[: self.table.replication_factor]

    def _leave(self, partition: int, line: Row, is_all: bool) -> None:
        """A partition that is not available: what there is of it stays."""
        self.unavailable.add(partition)
        if is_all:
            self.dead.add(partition)
        replicas = self._replicas_of(line)
        self._add(partition, PartitionPlan(line[0], line[0], replicas, (), (), (), ()))

    def _add(self, partition: int, made: PartitionPlan) -> None:
        self.plans.append(made)
        self.acting.append(made.acting)
        self.targets.append(tuple(node for node in made.replicas if node != self._me))

    def _adopt(self, partition: int, made: PartitionPlan, copies: Versions) -> None:
        """Our version under a plan, and the step by which it is set."""
        me, told = self._me, self._told[partition].get(self._me)
        evades = told is None or told.evades
        moves = bool(made.senders or made.receivers)
        proven = any(each.full and each.vouches for each in copies.values())
        if moves and not proven:
            self._unproven.add(partition)
        if (me in made.in_step or me == made.acting) and copies[made.acting].full:
            alone = me != made.master or not made.senders
            vouches = me == made.acting and alone and (proven or not moves)
            self._steps[COPIES][partition] = PartitionVersion(self.regime, True, vouches)
        else:
            none = me not in copies and me not in made.replicas
            self._steps[WITNESSES][partition] = PartitionVersion(
                self.regime, False, evades=evades and moves, witnesses=none
            )

    # --- the steps -----------------------------------------------------------------------------

    def for_step(self, step: int, token: Token) -> Output | None:
        """What is to be kept for a step, besides versions (`versions_of`)."""
        if step != PROMISE:
            return None
        kept = self.rosters.all or self.kept.rosters
        self.kept = KeptState(self.regime, kept)
        return KeepState(self.config.name, token, self.kept)

    def versions_of(self, step: int) -> dict[int, PartitionVersion]:
        """The versions that a step sets, which hold from now on."""
        versions = self._steps.pop(step, {})
        for partition, version in versions.items():
            self.versions[partition] = version
        return versions

    def agreed(self, token: Token) -> list[Output]:
        """All have taken the last step. What is kept from now on may be lost in a crash."""
        self.revives = False
        if self._is_complete and len(self.kept.rosters) > 1:
            self.kept = evolve(self.kept, rosters=self.kept.rosters[-1:])
            return [KeepState(self.config.name, token, self.kept)]
        return []

    # --- on the way to rest --------------------------------------------------------------------

    def settle(self, partition: int) -> list[Output]:
        """The master's announcement: from now on nothing is missing here."""
        self._unproven.discard(partition)
        outputs = super().settle(partition)
        mine = self.versions[partition]
        if mine is not None and mine.evades:
            self.set_version(partition, evolve(mine, evades=False))
        return outputs

    def hear_of(self, partition: int, server: int) -> None:
        """Who serves, as others say."""
        made = self.plans[partition]
        if self._me not in (made.acting, made.master) and server in (made.acting, made.master):
            self.acting[partition] = server

    def drop_unless_replica(self, partition: int) -> list[Output]:
        """A copy that nobody needs goes; that there was one by this regime is still known."""
        mine = self.versions[partition]
        if partition in self.unavailable or mine is None or mine.witnesses:
            return []
        outputs = super().drop_unless_replica(partition)
        if outputs:
            self.set_version(partition, PartitionVersion(self.regime, False, witnesses=True))
        return outputs

    def compares(self, partition: int, target: int) -> bool:
        """Has the target of an emigration a copy of its own?"""
        told = self._told[partition].get(target)
        return told is not None and not told.witnesses

    # --- what is shown -------------------------------------------------------------------------

    def partition_map(self) -> PartitionMap:
        """What clients are told of this node, with the regime."""
        shown = super().partition_map()
        return PartitionMap(shown.replication_factor, shown.columns, self.regime)

    def _check(self) -> None:
        super()._check()
        assert self.dead <= self.unavailable
        assert self.kept.promised >= self.regime or not self.is_ready
