"""What a node does for the cluster library: every question answered, every event followed.

The library must not be called while it asks or tells. So what has an effect on records or requests
(a replica's rows, a partition's byte, a commitment's end) is done at once, and what is to be
*answered* stands in line until the loop's turn comes to it (`_answer_all`), in the order in which
it was asked. One answer is there at once, and is returned: a replica's rows are kept.

    question      effect at once                     answer
    Load, Survey, Compare                            as things are when it is answered; of a
                                                     migration: one a turn of the loop, a survey a
                                                     slice a turn
    Apply         the rows are put                   when an acknowledged write would survive
    SetVersions   they are given to the engine       when the medium has them
    Drop          version, then records              none
    Close         (the byte says so already)         at once: no write is under way between turns
    CarryOut                                         `asd.replication.carrier`, in one step
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from aerospike_common.wire.codes import Info1, ResultCode
from asd.membership.cluster import Clustered
from asd.membership.metadata import SystemMetadata
from asd.replication import versions
from asd.replication.carrier import Carrier
from asd.replication.envelope import Outcome
from asd.replication.forwarding import Forwarding, ForwardingNode
from asd.replication.ownership import OwnershipOf
from asd.replication.replicator import Replicator
from asd.replication.store import Store
from asd.transactions.away import passes_on
from cluster import (
    Answered,
    Applied,
    Apply,
    Balanced,
    CarryOut,
    Close,
    Closed,
    ClusterChanged,
    Compare,
    Compared,
    Confirmed,
    Drop,
    KeepState,
    KeptState,
    Load,
    Loaded,
    Output,
    OwnershipChanged,
    Partitions,
    Replicated,
    SetVersions,
    SmdReady,
    StoreAnswer,
    StrongPartitions,
    Survey,
    Surveyed,
    Token,
    Transactions,
    VersionsSet,
)
from cluster.messages import SummaryRow
from storage.engine import Upkeep

if TYPE_CHECKING:
    from aerospike_common.wire.message import Message
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.replication")

_XDR = int(Info1.XDR)
RETRY_S = 0.1
"""After so long a medium that refused a replica's write is tried again."""


class Replication:
    """The library's daemon, for one node. Belongs to the loop's thread."""

    def __init__(
        self,
        node: ForwardingNode,
        cluster: Clustered,
        partitions: Partitions,
        transactions: Transactions,
        metadata: SystemMetadata,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when fast paths must be made anew."""
        self._node = node
        self._cluster = cluster
        self._partitions = partitions
        self._transactions = transactions
        self._changed = changed
        self._line: deque[Callable[[], None]] = deque()
        self._bulk: deque[Iterator[None]] = deque()
        """Answers to a migration's questions, each in steps."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: dict[str, deque[Apply]] = {}
        self._flows = asyncio.Event()
        self._flows.set()
        spaces = {each.name: each for each in node.namespaces.values()}
        self.replicators = {
            name: Replicator(space, transactions.replicate, self._flush)
            for name, space in spaces.items()
        }
        self.stores = {name: Store(space, metadata) for name, space in spaces.items()}
        self._ownership = {name: self._follow(space) for name, space in spaces.items()}
        me = partitions.me
        self.carrier = Carrier(node, me, transactions, self.stores, self.replicators)
        self._forwarding = Forwarding(node, cluster)
        for name, space in spaces.items():
            if space.consistency is not None:
                space.consistency.confirm = partial(self._confirm, name)
        self._confirming: dict[int, Callable[[bool], None]] = {}
        cluster.listen(self._apply, Apply)
        cluster.listen(self._replicated, Replicated)
        transactions.ask = self._asked_by_lane
        self._turns_seen = 0
        partitions.rests.is_asked = self._is_asked
        cluster.listen(self._hear, *(OwnershipChanged, Load, Survey, Compare, Close, CarryOut))
        cluster.listen(
            self._hear,
            *(SetVersions, Drop, Answered, Balanced, SmdReady, ClusterChanged),
            *(KeepState, Confirmed),
        )

    def _follow(self, space: Namespace) -> OwnershipOf:
        return OwnershipOf(
            space.ownership, lambda partition: self._transactions.has_lines(space.name, partition)
        )

    async def stop(self) -> None:
        """Begin nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def carry(
        self,
        namespace: Namespace,
        digest: bytes,
        message: Message,
        *,
        in_batch: bool = False,
        access: int = 0,
    ) -> Outcome:
        """See `asd.state.Carries`."""
        if not self._flows.is_set():
            await self._flows.wait()
            if message.info1 & _XDR:
                # It may have lain here while this node hung, and a newer one have gone to another.
                return Outcome(0, ResultCode.TIMEOUT)
        began = self._cluster.now()
        if not access and passes_on(namespace, message):
            outcome = await self._forwarding.carry(namespace, digest, message, in_batch=in_batch)
            if outcome is not None:
                return outcome
        return await self.carrier.carry(
            *(namespace, digest, message),
            in_batch=in_batch,
            access=access,
            act=self._act,
            began=began,
            now=self._cluster.now(),
        )

    def pass_on(
        self,
        namespace: Namespace,
        digest: bytes,
        frame: bytes,
        timeout_ms: int,
        heard: Callable[[bytes, bool], None],
        *,
        once: bool,
    ) -> bool:
        """See `asd.state.Carries`."""
        if not self._flows.is_set():
            return False
        return bool(self._forwarding.send(namespace, digest, frame, timeout_ms, heard, once=once))

    async def hold(self, longest_s: float) -> None:
        """Let requests wait, and return when no write is under way. They go on with the next
        balance, or after `longest_s`.

        A write that is under way when mastership moves is in doubt, and there need be none when the
        move is planned.
        """
        self._stop_flow()
        asyncio.get_running_loop().call_later(longest_s, self.release)
        while not self._flows.is_set() and any(
            self._transactions.lane.unacknowledged(name) for name in self.stores
        ):
            await asyncio.sleep(0.001)

    def _stop_flow(self) -> None:
        self._flows.clear()
        for ownership in self._ownership.values():
            ownership.hold()

    def woke(self) -> None:
        """The node has not run for a while: requests wait until all members say that the cluster is
        the same, or for the plan of a new one."""
        if len(self._cluster.nodes) > 1:
            log.info("this node has not run for a while: it asks for its cluster")
            self._stop_flow()
            self._later(lambda: self._cluster.confirm(self.release))

    def release(self) -> None:
        """Let requests go on."""
        if not self._flows.is_set():
            self._flows.set()
            for name, ownership in self._ownership.items():
                ownership.release(self._partitions.spaces[name].ownership)

    def _is_asked(self) -> bool:
        """Have clients asked for anything since this was last called?"""
        seen, self._turns_seen = self._turns_seen, self._node.turns.number
        return seen != self._turns_seen

    def _act(self, outputs: list[Output]) -> None:
        self._cluster.act(self._transactions, outputs)

    def _flush(self) -> None:
        self._act(self._transactions.flush(self._cluster.now()))

    # ----------------------------------------------------------------- listening

    def _hear(self, event: Output) -> StoreAnswer | None:
        """The library asks or tells something, and is at work: what costs nothing is answered at
        once."""
        match event:
            case ClusterChanged():
                # What the medium refused is void: it is unfinished there, and here it would come
                # after what the new cluster writes.
                for waiting in self._refused.values():
                    waiting.clear()
            case OwnershipChanged(name, partitions):
                self._own(name, partitions)
            case Survey(name, token, partition) if self.stores[name].is_empty(partition):
                return Surveyed(token, ())
            case Survey() | Compare():
                self._in_bulk(event)
            case Load() if event.token[0] == Partitions.NAME:
                self._in_bulk(event)
            case Load() | Close() | CarryOut():
                self._later(lambda: self._answer(event))
            case SetVersions():
                self._set_versions(event)
            case KeepState(name, token, state):
                self._keep_state(self.stores[name].namespace, token, state)
            case Confirmed(number, yes):
                self._later(lambda: self._confirming.pop(number)(yes))
            case Drop(name, partition):
                space = self.stores[name].namespace
                versions.save(space.engine, partition, None)
                self.stores[name].drop(partition)
            case Answered():
                self.carrier.answered(event)
                self._later(self._look_at_lines)
            case Balanced() | SmdReady():
                self._later(self._serve)
        return None

    def _later(self, act: Callable[[], None]) -> None:
        if not self._line:
            asyncio.get_running_loop().call_soon(self._answer_all)
        self._line.append(act)

    def _answer_all(self) -> None:
        line, self._line = self._line, deque()
        for act in line:
            try:
                act()
            except Exception:  # our own bug: it costs one answer, not those behind it
                log.exception("an answer to the cluster failed inside the server")

    def _in_bulk(self, asked: Load | Survey | Compare) -> None:
        if not self._bulk:
            asyncio.get_running_loop().call_soon(self._answer_in_bulk)
        self._bulk.append(self._steps(asked))

    def _answer_in_bulk(self) -> None:
        """One step of the first answer: what clients ask comes between the steps."""
        try:
            next(self._bulk[0])
        except StopIteration:
            self._bulk.popleft()
        except Exception:  # our own bug: it costs one answer, not those behind it
            log.exception("an answer to the cluster failed inside the server")
            self._bulk.popleft()
        if self._bulk:
            asyncio.get_running_loop().call_soon(self._answer_in_bulk)

    def _steps(self, asked: Load | Survey | Compare) -> Iterator[None]:
        store = self.stores[asked.namespace]
        match asked:
            case Load(_, token, digests):
                self._load(store, token, digests)
            case Survey(_, token, partition):
                summaries: list[SummaryRow] = []
                for slice_ in store.survey(partition):
                    summaries += slice_
                    yield
                self._tell(Surveyed(token, tuple(summaries)))
            case Compare(_, token, theirs, resolve):
                self._tell(Compared(token, store.compare(theirs, resolve)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ----------------------------------------------------------------- ownership

    def _serve(self) -> None:
        """The node has a plan, and knows what its cluster knows: it may serve."""
        self.release()
        if not self._cluster.knows_metadata:
            return
        for name, ownership in self._ownership.items():
            space = self._partitions.spaces[name]
            if space.is_ready:
                self._go_by_regime(name)
                self._observe(name)
                ownership.begin(space.ownership)

    def _own(self, name: str, partitions: tuple[int, ...]) -> None:
        self._go_by_regime(name)
        self._observe(name)
        self._ownership[name].follow(self._partitions.spaces[name].ownership, partitions)

    def _observe(self, name: str) -> None:
        """Writes are observed before any partition says that it has replicas."""
        planned = self._partitions.spaces[name].ownership
        if self.replicators[name].observe(self._ownership[name].writes_leave(planned)):
            self._changed()

    def _look_at_lines(self) -> None:
        for name, ownership in self._ownership.items():
            ownership.look_again(self._partitions.spaces[name].ownership)

    # ---------------------------------------------------------- strong consistency

    def _go_by_regime(self, name: str) -> None:
        """What is written from now on is of the regime by which the namespace is served."""
        space, consistency = self._partitions.spaces[name], self.stores[name].namespace.consistency
        if isinstance(space, StrongPartitions) and consistency is not None:
            consistency.regime = space.regime

    def watch_clocks(self, limit_ms: int) -> None:
        """Stop writes that need clocks which agree, or let them go on."""
        skew_ms = self._cluster.skew_ms
        for store in self.stores.values():
            consistency = store.namespace.consistency
            if consistency is not None and consistency.skewed != (skew_ms > limit_ms):
                consistency.skewed = skew_ms > limit_ms
                what = "are stopped" if consistency.skewed else "go on"
                text = "{%s} writes %s: the clocks of the cluster differ by %d ms, limit %d ms"
                log.warning(text, store.namespace.name, what, skew_ms, limit_ms)

    def _confirm(self, name: str, partition: int, hear: Callable[[bool], None]) -> None:
        """Ask the replicas whether this node still serves a partition."""
        number, outputs = self._cluster.confirmations.confirm(name, partition)
        self._confirming[number] = hear
        self._cluster.act(self._cluster.confirmations, outputs)

    def _keep_state(self, space: Namespace, token: Token, state: KeptState) -> None:
        versions.save_state(space.engine, state)
        self._answer_when_kept(space, VersionsSet(token))

    # ------------------------------------------------------------------- answers

    def _tell(self, answer: StoreAnswer) -> None:
        self._cluster.tell(answer)

    def _answer(self, asked: Output) -> None:
        match asked:
            case Load(name, token, digests):
                self._load(self.stores[name], token, digests)
            case Close(_, _, token):
                self._tell(Closed(token))
            case CarryOut():
                self.carrier.carry_out(asked, self._tell)
                self._look_at_lines()

    def _load(self, store: Store, token: Token, digests: tuple[bytes, ...]) -> None:
        waits = store.missing(digests)
        if waits:
            self._spawn(self._load_waited(store, token, digests, waits))
        else:
            self._tell(Loaded(token, store.load(digests)))

    async def _load_waited(
        self,
        store: Store,
        token: Token,
        digests: tuple[bytes, ...],
        waits: list[Callable[[], None]],
    ) -> None:
        for load in waits:
            await self._node.transaction_threads.run(load)
        self._tell(Loaded(token, store.load(digests)))

    # -------------------------------------------------------------------- effects

    def _asked_by_lane(self, asked: Output) -> Applied | None:
        """See `Transactions.ask`."""
        if type(asked) is Replicated:
            self._replicated(asked)
            return None
        return self._apply(asked)

    def _replicated(self, told: Output) -> None:
        assert isinstance(told, Replicated)
        for replicator in self.replicators.values():
            replicator.released(told.commitment, told.in_doubt)

    def _apply(self, asked: Output) -> Applied | None:
        """Put the rows now, unless older ones are still refused: the order stays."""
        assert isinstance(asked, Apply)
        waiting = self._refused.get(asked.namespace)
        if waiting:
            waiting.append(asked)
            return None
        if not self._put(asked):
            self._refused[asked.namespace] = deque([asked])
            self._spawn(self._put_refused(asked.namespace))
            return None
        return self._kept(asked)

    def _put(self, asked: Apply) -> bool:
        """Put the rows; False when the medium refuses one, for now."""
        store = self.stores[asked.namespace]
        migrates = asked.token[0] == Partitions.NAME
        return store.apply(asked.rows, asked.resolve, migrates) == len(asked.rows)

    def _kept(self, asked: Apply) -> Applied | None:
        """The answer to what was put; None: it comes when the medium has it."""
        applied, space = Applied(asked.token), self.stores[asked.namespace].namespace
        if not space.engine.acknowledges_sync:
            return applied
        self._spawn(self._when_synced(space, applied))
        return None

    async def _put_refused(self, name: str) -> None:
        """Try again until the medium takes everything. Rows are put twice, to the same end."""
        waiting = self._refused[name]
        while waiting:
            await asyncio.sleep(RETRY_S)
            while waiting and self._put(waiting[0]):
                applied = self._kept(waiting.popleft())
                if applied is not None:
                    self._tell(applied)

    def _set_versions(self, asked: SetVersions) -> None:
        space = self.stores[asked.namespace].namespace
        for partition, version in asked.versions:
            versions.save(space.engine, partition, version)
        self._answer_when_kept(space, VersionsSet(asked.token))

    def _answer_when_kept(self, space: Namespace, answer: StoreAnswer) -> None:
        if isinstance(space.engine, Upkeep):
            self._spawn(self._when_synced(space, answer))
        else:
            self._later(lambda: self._tell(answer))

    async def _when_synced(self, space: Namespace, answer: StoreAnswer) -> None:
        is_said = False
        while True:
            try:
                await space.group_commit.wait()
            except Exception as error:  # the medium fails: nothing is promised until it works again
                if not is_said:
                    log.critical("{%s} cannot sync: %s", space.name, error)
                is_said = True
                await asyncio.sleep(RETRY_S)
            else:
                break
        self._tell(answer)
