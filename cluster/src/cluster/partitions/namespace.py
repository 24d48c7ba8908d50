"""One namespace's partitions on one node: who serves each, what this node does until it is at rest.

Theory of operation
-------------------
After every new cluster the members tell one another, for each namespace, their version of each
partition (`exchange`), and each computes the same table (`balance`) and the same plan for each
partition (`plan`). From then until the next cluster the plan does not change. Its parts:

- the *acting* master serves: it alone takes writes, and each goes to all replicas of the plan,
  whether they have their copy already or not;
- where the acting is not the *master* of the table, it hands the partition over once the master has
  all that it has; from then on the master serves;
- the master collects from the other *senders* what it may lack, and then spreads to *receivers*.

What must hold:

1. *One server.* At any time at most one node of a cluster takes a partition's writes. The acting
   closes the partition, waits for the daemon's word that no write is under way, and for the
   replicas' acknowledgement of all there were, before it says `EmigrateDone`; with that the master
   begins. So all writes of a partition in one cluster are in one order, and each link carries them
   in it.

2. *What is written in a cluster stays, whatever comes by migration.* A record that was written
   under this cluster's key was made from the best version that any copy had (duplicates are
   resolved before a write), so no copy's older state of it is of interest. The node that expects an
   immigration remembers the digests that were written since the plan was made (`_written`), and
   leaves out what immigrates for them. It cannot leave that to the conflict rule: a clock may step
   back, and a record deleted plainly and made anew begins with generation 1. The memory ends with
   the immigration.

3. *The master's word is last.* What the master collects it takes by the conflict rule. What it
   spreads is taken as it is: it has seen everything, and the rule need not be transitive.

4. *A version says no more than is true after a crash.* Before a node takes a record into a copy
   that was full in an older cluster, the copy is a subset, durably: `SetVersions` for all
   partitions goes out when the plans are made, and the namespace is served, and takes what is sent,
   when it is answered (`is_ready`). In the same way the acting that will be no replica is a subset
   before it hands over. Versions that only say less than they could (a copy that has become full)
   need no answer. That a copy vouches is never believed of a node that has just started, so it can
   be taken back in memory.

5. *A copy is dropped only when all replicas have everything*, by the master's announcement. Nobody
   waits for the disk to drop it too, so a crash may bring it back. That loses nothing: it is a copy
   of an older cluster, as of a node that was away, and merged by the conflict rule.

Between a new cluster's commit and `is_ready` nobody serves: the daemon holds requests (`LOCKED`).
Other namespaces do not wait for a slow one. Nor does a node serve that learns that most others
have gone on without it: it was stopped for a while, or not heard, and its plan is an old one.

Rejected: telling the master of each copy's changes since a common version. It needs a log at rest,
and after two splits there is no common version; the summary of an emigration does without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from cluster.messages import NamespaceRow, PartitionSettled
from cluster.outputs import ClusterChanged, Drop, Output
from cluster.partitions.balance import BalanceTable, Member, balance
from cluster.partitions.config import NamespaceConfig
from cluster.partitions.emigration import Emigration, EmigrationState
from cluster.partitions.map import BITMAP_BYTES, PartitionMap
from cluster.partitions.plan import PartitionPlan, plan
from cluster.partitions.settlement import Planned, Settlement, Settlements, SettlementState
from cluster.partitions.version import PartitionVersion, pack, unpack, weights
from cluster.partitions.view import Moved, Ownership, PartitionView, Role, Sketch
from cluster.state_machine import Observer

UNIFORM = 1
STRONG = 2
"""Flags of a `NamespaceRow`."""

Versions = Mapping[int, PartitionVersion]


class NamespacePartitions:
    """The state; messages and migrations are `Partitions`' to carry."""

    is_strong = False

    def __init__(
        self,
        me: int,
        config: NamespaceConfig,
        versions: Versions,
        observer: Observer | None = None,
    ) -> None:
        """`versions` are those that survived. A node that begins vouches for nothing."""
        count = config.partitions
        self.config = config
        self.versions: list[PartitionVersion | None] = [None] * count
        for partition, version in versions.items():
            self.versions[partition] = version.without_word()
        self.table: BalanceTable | None = None
        self.plans: list[PartitionPlan] = []
        self.acting: list[int] = []
        self.ownership = bytearray([Ownership.LOCKED]) * count
        self.is_ready = False
        self.is_behind = False
        self.balanced_at, self.leaves = 0, False
        self.changed: set[int] = set()
        """Partitions whose ownership is to be looked at."""
        self.unsaved: dict[int, PartitionVersion] = {}
        """Versions to set, when it suits."""
        self.settled: set[int] = set()
        self.settlements = Settlements()
        self.emigrations: dict[tuple[int, int], Emigration] = {}
        self.waiting: list[tuple[int, int]] = []
        """(partition, target) of emigrations to come."""
        self.incoming: set[tuple[int, int]] = set()
        """(partition, sender) of immigrations under way."""
        self.expects: set[int] = set()
        """Partitions into which something is still to come."""
        self.moved = Moved()
        self.racks: dict[int, int] = {}
        """The rack of each node that has the namespace."""
        self.is_uniform = False
        """Does the balance give every node the same number of partitions?"""
        self.closed: set[int] = set()
        self.unavailable: set[int] = set()
        self._written: dict[int, set[bytes]] = {}
        self._told: list[dict[int, PartitionVersion]] = []
        self.targets: list[tuple[int, ...]] = []
        """For each partition, the nodes that must have its writes besides us."""
        self._me = me
        self._observer = observer
        self._key = self._version_key = 0

    # --- what transactions ask -----------------------------------------------------------------

    def server(self, partition: int) -> int | None:
        """The node that serves a partition, as far as we know; None while nobody does. O(1)."""
        if not self.serves or partition in self.closed or partition in self.unavailable:
            return None
        return self.acting[partition]

    def duplicates(self, partition: int) -> tuple[int, ...]:
        """Nodes to ask for their version before we trust ours, when we serve. O(nodes)."""
        settlement = self.settlements.all.get(partition)
        arrived = frozenset(settlement.arrived if settlement is not None else ())
        return self.plans[partition].duplicates(self._me, arrived)

    def is_unproven(self, partition: int) -> bool:
        """Strong consistency: must what is read be given to all replicas first?"""
        return False

    def confirms(self, partition: int) -> bool:
        """Do we keep a copy of what is served in this cluster, as far as we know? O(nodes)."""
        known = self.serves and partition < self.config.partitions
        serves = known and partition not in self.unavailable
        return serves and self._me in self.plans[partition].replicas

    def note_written(self, partition: int, digests: Iterable[bytes]) -> None:
        """Records written under this cluster's key, here or by the master. O(digests)."""
        if partition in self.expects:
            self._written.setdefault(partition, set()).update(digests)

    def is_written(self, partition: int, digest: bytes) -> bool:
        """Is what immigrates for this record older than what is here? O(1)."""
        return digest in self._written.get(partition, ())

    def left_unfinished(self, partition: int) -> None:
        """A write was broken off: nobody knows who has it, so our copy vouches no more."""
        version = self.versions[partition]
        if version is not None and version.vouches:
            self.set_version(partition, version.without_word())

    # --- a new cluster -------------------------------------------------------------------------

    def row(self) -> NamespaceRow:
        """What the exchange tells of this namespace. O(partitions)."""
        config = self.config
        flags = config.uniform * UNIFORM + config.strong * STRONG
        packed = pack(self.versions)
        roster = config.roster.flat() if config.roster is not None else ()
        return config.name, config.replication_factor, config.rack, flags, roster, packed

    def begin(self, view: ClusterChanged) -> None:
        """Forget the plans of the cluster before."""
        self._key = self._version_key = view.cluster_key
        self.is_ready = self.is_behind = False
        self.moved = Moved()
        for held in (self.plans, self.acting, self.waiting, self._told, self.targets):
            held.clear()
        for kept in (self.settlements, self.emigrations, self._written):
            kept.clear()
        for known in (self.settled, self.incoming, self.expects, self.closed, self.unavailable):
            known.clear()
        self.ownership[:] = bytes([Ownership.LOCKED]) * len(self.ownership)
        self.changed.clear()

    def left_behind(self, yes: bool) -> None:
        """Serve nothing while others have gone on without us."""
        self.is_behind = yes
        self.changed.update(range(self.config.partitions))

    @property
    def serves(self) -> bool:
        """Is there a plan to go by, which holds?"""
        return self.is_ready and not self.is_behind

    def make_plans(
        self, view: ClusterChanged, rows: Mapping[int, NamespaceRow]
    ) -> dict[int, PartitionVersion]:
        """All members have told: plan; the versions that must be set before we are ready."""
        _, factor, _, flags, _, _ = rows[max(rows)]
        self.racks = {node: row[2] for node, row in rows.items()}
        members = [
            Member(node, self.racks[node], quiesced)
            for node, _, _, quiesced in view.members
            if node in rows
        ]
        count = self.config.partitions
        self.is_uniform = bool(flags & UNIFORM)
        self.leaves = any(each.quiesced for each in members if each.node == self._me)
        self.table = balance(members, max(1, factor), uniform=self.is_uniform, partitions=count)
        self._told = [{} for _ in range(count)]
        for node, row in rows.items():
            for partition, version in unpack(row[5], count):
                self._told[partition][node] = version
        heavy = weights(row[5] for row in rows.values())
        changes, self.unsaved = self.unsaved, {}
        known: dict[object, PartitionPlan] = {}
        for partition, line in enumerate(self.table.rows):
            # Few nodes: many partitions are in the same case, and a plan costs more than to know.
            case = line, tuple(self._told[partition].items())
            made = known.get(case)
            if made is None:
                factor, told = self.table.replication_factor, self._told[partition]
                made = known[case] = plan(line, factor, told, heavy)
            self.plans.append(made)
            self.acting.append(made.acting)
            self.targets.append(tuple(node for node in made.replicas if node != self._me))
            mine = self._adopted(partition, made)
            if mine is not None and mine != self.versions[partition]:
                changes[partition] = self.versions[partition] = mine
            self._expect(partition, made)
        return changes

    def _adopted(self, partition: int, made: PartitionPlan) -> PartitionVersion | None:
        """Our version under a plan."""
        me, told = self._me, self._told[partition]
        if (me in made.in_step or me == made.acting) and (not told or told[made.acting].full):
            # What the master is still to collect the others do not have: then nobody vouches.
            vouches = me == made.acting and (me != made.master or not made.senders)
            return PartitionVersion(self._key, True, vouches)
        mine = self.versions[partition]
        if me not in made.replicas:
            return mine
        if mine is None:
            return PartitionVersion(self._key, False, evades=True)
        return mine.as_subset()

    def _expect(self, partition: int, made: PartitionPlan) -> None:
        """Note whether something is to come."""
        if (self._me == made.master and made.senders) or self._me in made.receivers:
            self.expects.add(partition)

    def take_part(self, now: int) -> list[Output]:
        """Our versions are kept: begin what the plans ask of us."""
        self.is_ready = True
        self.balanced_at = now
        self.changed.update(range(self.config.partitions))
        self.moved.planned_in = len(self.expects)
        outputs: list[Output] = []
        for partition, made in enumerate(self.plans):
            self.moved.planned_out += made.emigrations_from(self._me)
            if self._me not in made.members or not (made.senders or made.receivers):
                self.settled.add(partition)
                outputs += self.drop_unless_replica(partition)
                continue
            if self._me in made.senders:
                self.waiting.append((partition, made.master))
            if self._me == made.master:
                message = PartitionSettled(self._key, self.config.name, partition)
                settlement = Settlement(message, made, self._observer)
                self.settlements.add(partition, settlement)
                settlement.fire(Planned(), now)
                outputs += self.after_settlement(partition)
        return outputs

    # --- on the way to rest --------------------------------------------------------------------

    def set_version(self, partition: int, version: PartitionVersion) -> None:
        """Set a version that may be lost in a crash."""
        self.versions[partition] = self.unsaved[partition] = version

    def compares(self, partition: int, target: int) -> bool:
        """Has the target of an emigration a copy of its own?"""
        return target in self._told[partition]

    def fills_at(self, delay_ms: int) -> int:
        """When nodes without a copy may be sent one; who is about to leave does not wait."""
        return self.balanced_at + (0 if self.config.fills_at_once or self.leaves else delay_ms)

    def take_waiting(self, room: int, fills: bool) -> list[tuple[int, int]]:
        """Take the next emigrations out; `fills`: to nodes without a copy, too. O(waiting)."""
        room = max(0, room) if self.is_ready else 0
        taken = self.waiting[:room]
        if not fills:
            taken = [each for each in self.waiting if self.compares(*each)][:room]
        for each in taken:
            self.waiting.remove(each)
        return taken

    def after_settlement(self, partition: int) -> list[Output]:
        """What a settlement asks for after an event."""
        settlement = self.settlements.all[partition]
        self.waiting += [(partition, node) for node in settlement.to_spread]
        settlement.to_spread = ()
        if settlement.state is not SettlementState.COLLECTING:
            self.nothing_more_comes(partition)
        outputs, settlement.outputs = settlement.outputs, []
        return outputs

    def nothing_more_comes(self, partition: int) -> None:
        """All that immigrates is here."""
        self.expects.discard(partition)
        self._written.pop(partition, None)
        self.changed.add(partition)

    def close(self, partition: int) -> None:
        """All is sent to the master: nobody serves until it has heard so."""
        self.closed.add(partition)
        self.changed.add(partition)

    def hand_over(self, partition: int) -> None:
        """The master serves from here on, and knows better than we what there is."""
        self.acting[partition] = self.plans[partition].master
        self.closed.discard(partition)
        self.changed.add(partition)
        self.left_unfinished(partition)

    def take_over(self, partition: int) -> None:
        """We serve, as the master."""
        self.acting[partition] = self._me
        self.changed.add(partition)

    def hear_of(self, partition: int, server: int) -> None:
        """Who serves, as others say: so we know where to pass on what we have no part in."""
        made = self.plans[partition]
        if self._me in made.bystanders and server in (made.acting, made.master):
            self.acting[partition] = server

    def settle(self, partition: int) -> list[Output]:
        """The master's announcement."""
        made = self.plans[partition]
        self.settled.add(partition)
        self.acting[partition] = made.master
        self.nothing_more_comes(partition)
        if self._me in made.replicas:
            mine = PartitionVersion(self._version_key, True, self._me == made.master)
            self.set_version(partition, mine)
        return self.drop_unless_replica(partition)

    def drop_unless_replica(self, partition: int) -> list[Output]:
        """A copy that nobody needs goes."""
        if self._me in self.plans[partition].replicas or self.versions[partition] is None:
            return []
        self.versions[partition] = None
        self.unsaved.pop(partition, None)
        return [Drop(self.config.name, partition)]

    @property
    def is_settled(self) -> bool:
        """Has every partition come to rest, as far as this node takes part? O(1), as it is asked
        after each message."""
        return (
            self.is_ready
            and not self.emigrations
            and not self.waiting
            and len(self.settled) == self.config.partitions
            and not self.settlements.unsettled
        )

    # --- what is shown -------------------------------------------------------------------------

    def refresh(self) -> tuple[int, ...]:
        """Bring the ownership of changed partitions up to date; which they are."""
        changed = tuple(sorted(self.changed))
        for partition in changed:
            self.ownership[partition] = self._owned(partition)
        self.changed.clear()
        return changed

    def _owned(self, partition: int) -> Ownership:
        if not self.serves:
            return Ownership.LOCKED
        if partition in self.unavailable:
            return Ownership.UNAVAILABLE
        if self.acting[partition] != self._me:
            return Ownership.ELSEWHERE
        if partition in self.closed:
            return Ownership.CLOSED
        if self.duplicates(partition) or self.is_unproven(partition):
            return Ownership.WITH_DUPLICATES
        return Ownership.WITH_REPLICAS if self.targets[partition] else Ownership.ALONE

    def columns(self, partition: int) -> tuple[int, ...]:
        """The columns of `replicas` in which this node is listed: its own if its copy is whole,
        and, for the one that serves, the master's and those of replicas that are not whole yet."""
        if not self.serves or partition in self.unavailable:
            return ()
        made, acting = self.plans[partition], self.acting[partition]
        holders = [
            acting if column == 0 or not self._is_whole(partition, node) else node
            for column, node in enumerate(made.replicas)
        ]
        return tuple([column for column, node in enumerate(holders) if node == self._me])

    def _is_whole(self, partition: int, node: int) -> bool:
        """Has a replica everything, as far as we know (of ourselves, and when we serve)?"""
        made = self.plans[partition]
        if node in made.in_step or partition in self.settled:
            return True
        settlement = self.settlements.all.get(partition)
        if node == self._me:
            return partition not in self.expects
        return settlement is not None and node in settlement.gone

    def partition_map(self) -> PartitionMap:
        """What clients are told of this node. O(partitions). Needs 4096 of them."""
        if self.table is None or not self.serves:
            return PartitionMap(1, (bytes(BITMAP_BYTES),))
        columns = [bytearray(BITMAP_BYTES) for _ in range(self.table.replication_factor)]
        for partition in range(self.config.partitions):
            for column in self.columns(partition):
                columns[column][partition >> 3] |= 0x80 >> (partition & 7)
        return PartitionMap(len(columns), tuple(map(bytes, columns)))

    def sketch(self) -> Sketch | None:
        """All partitions at a glance; None unless `serves`. O(partitions), but cheap."""
        if not self.serves:
            return None
        me = self._me
        roles = [
            Role.MASTER if serves == me else Role.REPLICA if me in made.replicas else Role.NONE
            for serves, made in zip(self.acting, self.plans, strict=True)
        ]
        going = [partition for partition, _ in (*self.waiting, *self.emigrations)]
        return Sketch(tuple(self.acting), bytes(roles), frozenset([*going, *self.expects]))

    def show_all(self) -> list[PartitionView]:
        """Every partition for info commands; none unless `is_ready`. O(partitions)."""
        if not self.is_ready:
            return []
        to_send = Counter([p for p, _ in self.waiting] + [p for p, _ in self.emigrations])
        return [self._show(partition, to_send[partition]) for partition in range(len(self.plans))]

    def _show(self, partition: int, to_send: int) -> PartitionView:
        assert self.table is not None
        made, me = self.plans[partition], self._me
        mine = self.versions[partition]
        replica = made.replicas.index(me) if me in made.replicas else -1
        leads = me in (made.acting, made.master)
        serves = self.acting[partition] == me
        row = self.table.rows[partition]
        return PartitionView(
            partition=partition,
            state=self._state(partition, replica),
            replica=replica,
            succession=row.index(me) if me in row else -1,
            working_master=self.acting[partition],
            columns=self.columns(partition),
            ownership=Ownership(self.ownership[partition]),
            duplicates=len(self.duplicates(partition)) if serves else 0,
            emigrates=to_send,
            lead_emigrates=to_send * leads,
            immigrates=int(partition in self.expects),
            version=mine,
        )

    def _state(self, partition: int, replica: int) -> str:
        if replica < 0:
            return "A" if self.versions[partition] is None else "Z"
        made = self.plans[partition]
        in_step = self._me in made.in_step and not made.differing
        whole = in_step or partition in self.settled or not self._is_behind(partition)
        return "S" if whole else "D"

    def _is_behind(self, partition: int) -> bool:
        settlement = self.settlements.all.get(partition)
        collects = settlement is not None and settlement.state is SettlementState.COLLECTING
        return collects or partition in self.expects

    def _check(self) -> None:
        for partition in self.settlements.all:
            assert self.plans[partition].master == self._me
        self.settlements._check()
        for partition in self.closed:
            assert self.acting[partition] == self._me
        assert self._written.keys() <= self.expects
        for emigration in self.emigrations.values():
            emigration._check()
            assert emigration.state is not EmigrationState.DONE
