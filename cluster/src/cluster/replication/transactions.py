"""The service that carries records' transactions to the node that serves them, and to its replicas.

Three ways lead through it. The *fast lane*: the daemon has committed a write by itself and reports
it (`replicate`, and `flush` when the turn ends). The *slow lane*: a transaction for which
duplicates must be resolved, or that must stand in line behind one (`submit`; the line is the
rw-hash). And the way by *proxy* to the node that serves the record (`submit`, too). What a
transaction does is the daemon's: it is asked to (`CarryOut`).

Where a record has a line in the rw-hash, the daemon's own writes to it must go through `submit` too
(`has_line`): a transaction in line may carry a winner that is older than such a write.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, ClassVar, cast

from attrs import define

from citrusleaf import partition_id
from cluster.fabric import FOREVER, Delivered
from cluster.messages import (
    DuplicateIs,
    DuplicateRead,
    ProxyReply,
    ProxyRequest,
    RecordRow,
    ReplicaAck,
    ReplicaGroup,
)
from cluster.node import Service
from cluster.outputs import (
    Answered,
    Applied,
    Apply,
    CarriedOut,
    Channel,
    ClusterChanged,
    Load,
    Loaded,
    Output,
    Replicated,
    Respond,
    StoreAnswer,
    Token,
)
from cluster.partitions.service import Partitions
from cluster.replication.lane import (
    Ask,
    FastLane,
    LaneConfig,
    LaneReceiver,
    LaneReceivers,
    Unfinished,
    asked,
)
from cluster.replication.proxies import Proxies
from cluster.replication.proxy import RETRY_MS, Proxy
from cluster.replication.rw_hash import PendingLimit, RwHash
from cluster.replication.write import (
    Begin,
    BrokenOff,
    DuplicateCame,
    NoAnswer,
    NobodyKnows,
    RecordWrite,
    ReplicasHaveIt,
    WriteState,
)
from cluster.state_machine import Observer
from cluster.wire import Message

Key = tuple[str, bytes]
"""Namespace and digest."""


@define(eq=False)
class _Job:
    """A transaction that this node serves, and who is to hear of it: a number here, or a peer."""

    write: RecordWrite
    key: Key
    partition: int
    number: int = 0
    came: Delivered | None = None


class Transactions(Service):
    """Transactions of all namespaces on one node."""

    NAME: ClassVar[str] = "transactions"
    MESSAGES: ClassVar[tuple[type[Message], ...]] = (
        *(DuplicateRead, ReplicaGroup, ReplicaAck, ProxyRequest),
    )
    TAKES: ClassVar[Channel | None] = Channel.LANE
    receiver: ClassVar[type[LaneReceiver]] = LaneReceiver
    lanes: ClassVar[type[FastLane]] = FastLane

    def __init__(
        self,
        me: int,
        partitions: Partitions,
        *,
        partition_of: Callable[[bytes], int] = partition_id,
        pending_limit: int = 20,
        lane: LaneConfig | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.deadline = FOREVER
        self.lane = self.lanes(lane)
        self.next_number = 1
        self.ask: Ask | None = None
        """The daemon: what comes by the lane is asked and told it directly, when all else is done,
        and not by way of listeners. None: it is not."""
        self._me = me
        self._partitions = partitions
        self._partition_of = partition_of
        self._observer = observer
        self.duplicates_asked: Counter[str] = Counter()
        self.duplicates_told: Counter[str] = Counter()
        """By namespace: versions of records that we asked others for, and that we told others."""
        self._hash: RwHash[Key, _Job] = RwHash(pending_limit)
        self._jobs: dict[Token, _Job] = {}
        self._by_commitment: dict[int, _Job] = {}
        self._proxies = Proxies(me, partitions, partition_of, observer)
        self._retries: deque[tuple[int, RecordWrite, int]] = deque()
        self._receivers = LaneReceivers(self.receiver, self.lane.config, self._applied_token)
        self._applying: dict[Token, tuple[LaneReceiver, int]] = {}
        self._loading: dict[Token, Delivered] = {}
        self._limbo: list[Unfinished] = []
        self._broken: list[Output] = []
        self._next_token = 0
        partitions.is_written = self._is_written
        partitions.break_off = self._break_off
        partitions.balanced = self._balanced

    # --- the daemon's own writes ---------------------------------------------------------------

    @property
    def proxied(self) -> int:
        """Transactions of this node's clients that are with another node, or look for it. O(1)."""
        return len(self._proxies)

    @property
    def lines(self) -> int:
        """Records for which transactions stand in line. O(1)."""
        return len(self._hash)

    def has_line(self, namespace: str, digest: bytes) -> bool:
        """Must a write to this record stand in line? O(1)."""
        return (namespace, digest) in self._hash

    def has_lines(self, namespace: str, partition: int) -> bool:
        """Does any transaction stand in line for a record of this partition? O(transactions)."""
        return any(
            job.partition == partition and job.key[0] == namespace for job in self._jobs.values()
        )

    def replicate(self, namespace: str, row: RecordRow) -> int:
        """A write is committed here, where its partition is served: the commitment that
        `Replicated` will name, 0 when there is no replica to wait for. O(1)."""
        space = self._partitions.spaces[namespace]
        partition = self._partition_of(row[0])
        targets = space.targets[partition]
        if space.expects:
            space.note_written(partition, (row[0],))
        return self.lane.add(namespace, targets, row) if targets else 0

    def flush(self, now: int) -> list[Output]:
        """The turn ends: what was committed in it leaves for the replicas."""
        outputs = self.lane.flush(now)
        self.deadline = min(self.deadline, self.lane.deadline)
        return outputs

    # --- inputs --------------------------------------------------------------------------------

    def submit(
        self, namespace: str, digest: bytes, body: bytes, timeout_ms: int, now: int
    ) -> tuple[int, list[Output]]:
        """Carry a transaction out, wherever its record is; a number that `Answered` will carry."""
        number = self.next_number
        self.next_number += 1
        server = self._partitions.spaces[namespace].server(self._partition_of(digest))
        if server == self._me:
            return number, self._serve((namespace, digest), body, number, None, now)
        expires = now + timeout_ms
        outputs = self._proxies.begin(number, namespace, digest, body, expires, now)
        self.deadline = min(self.deadline, self._proxies.deadline)
        return number, outputs

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Tell whoever waits for what was broken off."""
        outputs, self._broken = self._broken, []
        return outputs

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A message of another node."""
        message: Any = came.message
        key = self._partitions.cluster_key
        space = self._partitions.spaces.get(message.namespace)
        if space is None or not key or message.cluster_key != key:
            return self._turn_away(came)
        match message:
            case ProxyRequest(_, namespace, digest, body):
                server = space.server(self._partition_of(digest))
                if server != self._me:
                    return [self._respond(came, ProxyReply(elsewhere=server or came.node))]
                return self._serve((namespace, digest), body, 0, came, now)
            case DuplicateRead(_, namespace, digest) if space.is_ready:
                token = self._new_token()
                self._loading[token] = came
                return [Load(namespace, token, (digest,))]
            case ReplicaGroup():
                came_by_lane = self._receivers.receive(came.node, message, space.is_ready, now)
                return self._note_applies(came_by_lane)
            case ReplicaAck():
                return self._released(self.lane.receive(came.node, message, now), now)
        return self._turn_away(came)

    def take(self, node: int, payload: bytes, now: int) -> list[Output] | None:
        """See `Service`. Whatever is known here is of this cluster, and of a namespace of it."""
        outputs = self._receivers.take(node, payload, now)
        if outputs is not None:
            self._note_applies(outputs)
        else:
            outputs = self.lane.take(node, payload, now)
            if outputs is None:
                return None
            outputs = self._released(outputs, now)
        return asked(outputs, self.ask, lambda answer: self.tell(answer, now))

    def _turn_away(self, came: Delivered) -> list[Output]:
        """What is of another cluster, or came too early; who asked asks again."""
        if isinstance(came.message, ProxyRequest):
            return [self._respond(came, ProxyReply(elsewhere=came.node))]
        if isinstance(came.message, DuplicateRead):
            return [self._respond(came, DuplicateIs(False))]
        return []

    def tell(self, answer: StoreAnswer, now: int) -> list[Output]:
        """The daemon's answer; one to a question of an older cluster is nothing."""
        if type(answer) is Applied:  # of every group of replicated writes
            applied = self._applying.pop(answer.token, None)
            return applied[0].applied(applied[1], now) if applied is not None else []
        if isinstance(answer, Loaded):
            came = self._loading.pop(answer.token, None)
            if came is None:
                return []
            self.duplicates_told[cast(DuplicateRead, came.message).namespace] += 1
            return [self._respond(came, DuplicateIs(True, answer.rows))]
        assert isinstance(answer, CarriedOut)
        job = self._jobs.pop(answer.token, None)
        if job is None:
            return []
        job.write.fire(answer, now)
        return [*self.flush(now), *self._advance(job, now)]

    def is_wanted(self, token: Token) -> bool:
        """Is what `CarryOut` asked still to be carried out? To be asked in the same step as it is
        done: after a new cluster it is not, and the record may be another node's. O(1)."""
        return token in self._jobs

    def answered(self, tag: object, reply: Message | None, now: int) -> list[Output]:
        """An answer to a proxy or a write of ours."""
        assert isinstance(tag, tuple)
        machine, node = tag
        if isinstance(machine, Proxy):
            outputs = self._proxies.answered(machine, reply, now)
            self.deadline = min(self.deadline, self._proxies.deadline)
            return outputs
        assert isinstance(machine, RecordWrite)
        job = self._jobs.get(machine.token)
        if job is None:
            return []
        if isinstance(reply, DuplicateIs) and reply.current:
            machine.fire(DuplicateCame(node, reply.records), now)
        elif reply is None:
            machine.fire(NoAnswer(node), now)
        else:  # it, or we, will soon be in another cluster
            self._retries.append((now + RETRY_MS, machine, node))
            self.deadline = min(self.deadline, now + RETRY_MS)
        return self._advance(job, now)

    def tick(self, now: int) -> list[Output]:
        """Look for servers again; send again; give up what has waited long enough."""
        outputs = self.lane.tick(now)
        caused, ours = self._proxies.tick(now)
        outputs += caused
        for proxy in ours:
            key = proxy.namespace, proxy.digest
            outputs += self._serve(key, proxy.body, proxy.number, None, now)
        while self._retries and self._retries[0][0] <= now:
            _, write, node = self._retries.popleft()
            write.fire(NoAnswer(node), now)
            caused, write.outputs = write.outputs, []
            outputs += caused
        self.deadline = min(self.lane.deadline, self._proxies.deadline)
        if self._retries:
            self.deadline = min(self.deadline, self._retries[0][0])
        return outputs

    def _respond(self, came: Delivered, message: Message) -> Respond:
        return Respond(came.node, came.transaction, message, came.channel)

    # --- the slow lane -------------------------------------------------------------------------

    def _new_token(self) -> Token:
        self._next_token += 1
        return self.NAME, self._next_token

    def _serve(
        self, key: Key, body: bytes, number: int, came: Delivered | None, now: int
    ) -> list[Output]:
        namespace, digest = key
        space = self._partitions.spaces[namespace]
        token = self._new_token()

        def send(rows: tuple[RecordRow, ...]) -> int:
            return max([self.replicate(namespace, row) for row in rows])

        place = self._partitions.cluster_key, namespace, digest
        write = RecordWrite(place, body, token, space.config.policy, send, self._observer)
        job = _Job(write, key, self._partition_of(digest), number, came)
        try:
            first = self._hash.enter(key, job)
        except PendingLimit:
            if came is None:
                return [Answered(number, None, False, True)]
            return [self._respond(came, ProxyReply(busy=True))]
        self._jobs[token] = job
        return self._begin(job, now) if first else []

    def _begin(self, job: _Job, now: int) -> list[Output]:
        space = self._partitions.spaces[job.key[0]]
        job.write.duplicates = space.duplicates(job.partition)
        job.write.unproven = space.is_unproven(job.partition)
        self.duplicates_asked[job.key[0]] += len(job.write.duplicates)
        job.write.fire(Begin(), now)
        return self._advance(job, now)

    def _advance(self, job: _Job, now: int) -> list[Output]:
        write = job.write
        outputs, write.outputs = write.outputs, []
        if write.state is WriteState.REPLICATING:
            self._by_commitment[write.commitment] = job
        elif write.state is WriteState.DONE:
            outputs.append(self._outcome(job, write.answer, False))
        # What is committed has its order: the next need not wait for the replicas.
        over = write.state in (WriteState.REPLICATING, WriteState.DONE)
        if over and self._hash.is_first(job.key, job):
            following = self._hash.leave(job.key)
            self._partitions.drained(now)
            if following is not None:
                outputs += self._begin(following, now)
        return outputs

    def _outcome(self, job: _Job, answer: bytes | None, in_doubt: bool) -> Output:
        if job.came is None:
            return Answered(job.number, answer, in_doubt)
        if answer is not None:
            return self._respond(job.came, ProxyReply(answer))
        if in_doubt:
            return self._respond(job.came, ProxyReply(in_doubt=True))
        return self._respond(job.came, ProxyReply(elsewhere=job.came.node))

    def _released(self, outputs: list[Output], now: int) -> list[Output]:
        """Commitments are over: so are the transactions that wait for them."""
        self.deadline = min(self.deadline, self.lane.deadline)
        caused: list[Output] = []
        for output in outputs:
            caused.append(output)
            if isinstance(output, Replicated):
                job = self._by_commitment.pop(output.commitment, None)
                if job is not None:
                    job.write.fire(NobodyKnows() if output.in_doubt else ReplicasHaveIt(), now)
                    answer = None if output.in_doubt else job.write.answer
                    caused.append(self._outcome(job, answer, output.in_doubt))
        self._partitions.drained(now)
        return caused

    # --- what comes by the fast lane -----------------------------------------------------------

    def _applied_token(self, receiver: LaneReceiver, sequence: int) -> Token:
        token = self._new_token()
        self._applying[token] = receiver, sequence
        return token

    def _note_applies(self, outputs: list[Output]) -> list[Output]:
        """Records that the master wrote: what immigrates for them is older."""
        for output in outputs:
            if type(output) is Apply:
                space = self._partitions.spaces[output.namespace]
                for row in output.rows if space.expects else ():
                    space.note_written(self._partition_of(row[0]), (row[0],))
        return outputs

    # --- a new cluster -------------------------------------------------------------------------

    def _is_written(self, namespace: str, partition: int) -> bool:
        """Has a partition writes that are under way, or that not all replicas have?"""
        if self.has_lines(namespace, partition):
            return True
        unacknowledged = self.lane.unacknowledged(namespace)
        return any(self._partition_of(digest) == partition for digest in unacknowledged)

    def _break_off(self, cluster_key: int) -> None:
        """A new cluster: what is not carried out will not be; what is not acknowledged is
        unfinished, and its partition's copy knows it."""
        for job in self._hash.clear():
            # In strong consistency it is reported when all replicas have it: it may be done.
            is_strong = self._partitions.spaces[job.key[0]].is_strong
            in_doubt = is_strong and job.write.state is WriteState.CARRYING
            job.write.fire(BrokenOff(), 0)
            self._broken.append(self._outcome(job, None, in_doubt))
        for held in (self._jobs, self._applying, self._loading):
            held.clear()
        self._receivers.clear()
        self._retries.clear()
        unfinished = self.lane.begin(cluster_key)
        for each in unfinished:
            space = self._partitions.spaces[each.namespace]
            for digest in each.digests:
                space.left_unfinished(self._partition_of(digest))
        self._limbo += unfinished

    def _balanced(self, namespace: str, now: int) -> list[Output]:
        """A namespace is served again: take what was held, and tell who waited in limbo."""
        outputs: list[Output] = []
        outputs += self._note_applies(self._receivers.open(namespace, now))
        space = self._partitions.spaces[namespace]
        over = [each for each in self._limbo if each.namespace == namespace]
        self._limbo = [each for each in self._limbo if each.namespace != namespace]
        for each in over:
            partitions = {self._partition_of(digest) for digest in each.digests}
            ours = all(space.acting[partition] == self._me for partition in partitions)
            ours = ours and not space.is_strong  # there the replicas must have it, whoever serves
            outputs.append(Replicated(each.commitment, not ours))
        return self._released(outputs, now)

    def _check(self) -> None:
        self._hash._check()
        self.lane._check()
        self._receivers._check()
        for job in self._jobs.values():
            assert job.write.state in (WriteState.NEW, WriteState.RESOLVING, WriteState.CARRYING)
        for commitment, job in self._by_commitment.items():
            assert job.write.state is WriteState.REPLICATING
            assert job.write.commitment == commitment
