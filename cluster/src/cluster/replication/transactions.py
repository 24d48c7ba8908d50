"""The service that carries transactions out: here when this node serves the record, else by proxy.

What a transaction does is the application's: `carry_out` makes, from the record that is there and
the transaction's bytes, its new version and the answer. This service finds the node, keeps one
transaction a record in flight, resolves duplicates, replicates, and answers once all have it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar

from attrs import define, frozen

from cluster.fabric import FOREVER, Delivered
from cluster.machine import Observer
from cluster.messages import (
    DuplicateIs,
    DuplicateRead,
    ProxyReply,
    ProxyRequest,
    ReplicaWrite,
    ReplicaWritten,
)
from cluster.node import Service
from cluster.outputs import Channel, ClusterChanged, Output, Respond
from cluster.partitions.service import Partitions
from cluster.records import Record
from cluster.replication.proxy import (
    RETRY_MS,
    AnswerCame,
    Elsewhere,
    Expired,
    Proxy,
    ProxyState,
)
from cluster.replication.proxy import Due as ProxyDue
from cluster.replication.proxy import NoAnswer as ProxyNoAnswer
from cluster.replication.rw_hash import PendingLimit, RwHash
from cluster.replication.write import Begin, BrokenOff, RecordWrite, WriteState, records_of
from cluster.wire import Message

CarryOut = Callable[[bytes, Record | None], tuple[Record | None, bytes]]
"""(transaction, record) to (new version or None, answer)."""


@frozen
class Answered(Output):
    """A transaction submitted here is over. `answer` is None when it failed; `in_doubt`: it may
    have been carried out all the same."""

    number: int
    answer: bytes | None
    in_doubt: bool


@define(eq=False)
class _Job:
    """A transaction that this node serves, and who is to hear of it: a number here, or a peer."""

    write: RecordWrite
    partition: int
    answer: bytes = b""
    number: int = 0
    came: Delivered | None = None


class Transactions(Service):
    """Transactions of one namespace on one node."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (DuplicateRead, ReplicaWrite, ProxyRequest)

    def __init__(
        self,
        me: int,
        partitions: Partitions,
        carry_out: CarryOut,
        *,
        pending_limit: int = 20,
        observer: Observer | None = None,
    ) -> None:
        self.deadline = FOREVER
        self._me = me
        self._partitions = partitions
        self._partition_of = partitions.store.partition_of
        self._carry_out = carry_out
        self._observer = observer
        self._hash: RwHash[_Job] = RwHash(pending_limit)
        self._jobs: dict[RecordWrite, _Job] = {}
        self._proxies: dict[int, Proxy] = {}
        self.next_number = 1
        self._broken: list[Output] = []
        self._retries: deque[tuple[int, RecordWrite, int]] = deque()
        partitions.is_written = self._is_written
        partitions.break_off = self._break_off

    # --- inputs --------------------------------------------------------------------------------

    def submit(
        self, digest: bytes, body: bytes, timeout_ms: int, now: int
    ) -> tuple[int, list[Output]]:
        """Carry a transaction out, wherever its record is; a number that `Answered` will carry."""
        number = self.next_number
        self.next_number += 1
        partition = self._partition_of(digest)

        def server() -> tuple[int | None, int]:
            return self._partitions.server(partition), self._partitions.cluster_key

        proxy = Proxy(digest, body, now + timeout_ms, server, self._observer)
        self._proxies[number] = proxy
        if server()[0] == self._me:
            del self._proxies[number]
            return number, self._serve(digest, body, number, None, now)
        proxy.fire(ProxyDue(), now)
        self._wake_for(proxy, now)
        return number, self._drain_proxy(number, proxy)

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Tell whoever waits for what was broken off."""
        outputs, self._broken = self._broken, []
        return outputs

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A request of another node."""
        message, current = came.message, self._is_current(came)
        match message:
            case ProxyRequest(_, digest, body):
                server = self._partitions.server(self._partition_of(digest))
                if not current or server != self._me:
                    return [self._reply(came, ProxyReply(elsewhere=server or came.node))]
                return self._serve(digest, body, 0, came, now)
            case DuplicateRead(_, digest):
                record = self._partitions.store.get(digest)
                rows = (record.row(),) if current and record is not None else ()
                return [self._reply(came, DuplicateIs(current, rows))]
            case ReplicaWrite(_, rows):
                for record in records_of(rows) if current else ():
                    self._partitions.take(record)
                return [self._reply(came, ReplicaWritten(current))]
        return []

    def answered(self, tag: object, reply: Message | None, now: int) -> list[Output]:
        """An answer to a proxy or a write of ours."""
        assert isinstance(tag, tuple)
        machine, node = tag
        if isinstance(machine, Proxy):
            return self._proxy_answered(machine, reply, now)
        assert isinstance(machine, RecordWrite)
        records: tuple[Record, ...] | None = None
        if isinstance(reply, DuplicateIs | ReplicaWritten):
            if not reply.current:  # it, or we, will soon be in another cluster
                self._retries.append((now + RETRY_MS, machine, node))
                self.deadline = min(self.deadline, now + RETRY_MS)
                return []
            records = records_of(reply.records) if isinstance(reply, DuplicateIs) else ()
        machine.answered(node, records, now)
        return self._advance(machine, now)

    def tick(self, now: int) -> list[Output]:
        """Look for servers again; give up what has waited long enough."""
        self.deadline = FOREVER
        outputs: list[Output] = []
        for number, proxy in list(self._proxies.items()):
            server = self._partitions.server(self._partition_of(proxy.digest))
            if proxy.expires <= now:
                proxy.fire(Expired(), now)
            elif proxy.state is ProxyState.WAITING and server == self._me:
                del self._proxies[number]
                outputs += self._serve(proxy.digest, proxy.body, number, None, now)
                continue
            else:
                proxy.fire(ProxyDue(), now)
            outputs += self._drain_proxy(number, proxy)
        while self._retries and self._retries[0][0] <= now:
            _, write, node = self._retries.popleft()
            write.answered(node, None, now)
            outputs += self._advance(write, now)
        for proxy in self._proxies.values():
            self._wake_for(proxy, now)
        if self._retries:
            self.deadline = min(self.deadline, self._retries[0][0])
        return outputs

    # --- by proxy ------------------------------------------------------------------------------

    def _wake_for(self, proxy: Proxy, now: int) -> None:
        """Look for a server again soon; one that was asked is waited for."""
        waits = proxy.state is ProxyState.WAITING
        self.deadline = min(self.deadline, now + RETRY_MS if waits else proxy.expires)

    def _proxy_answered(self, proxy: Proxy, reply: Message | None, now: int) -> list[Output]:
        if not isinstance(reply, ProxyReply):
            proxy.fire(ProxyNoAnswer(), now)
        elif reply.elsewhere:
            proxy.fire(Elsewhere(), now)
            self._wake_for(proxy, now)
        else:
            proxy.fire(AnswerCame(reply.body), now)
        number = next((n for n, each in self._proxies.items() if each is proxy), 0)
        return self._drain_proxy(number, proxy) if number else []

    def _drain_proxy(self, number: int, proxy: Proxy) -> list[Output]:
        outputs, proxy.outputs = proxy.outputs, []
        if proxy.state in (ProxyState.DONE, ProxyState.FAILED):
            del self._proxies[number]
            outputs.append(Answered(number, proxy.answer, proxy.in_doubt))
        return outputs

    # --- here ----------------------------------------------------------------------------------

    def _is_current(self, came: Delivered) -> bool:
        key = self._partitions.cluster_key
        return came.message.cluster_key == key and key != 0  # type: ignore[attr-defined] # all of MESSAGES have a key

    def _reply(self, came: Delivered, message: Message) -> Respond:
        return Respond(came.node, came.transaction, message, came.channel)

    def _serve(
        self, digest: bytes, body: bytes, number: int, came: Delivered | None, now: int
    ) -> list[Output]:
        def change(record: Record | None) -> Record | None:
            new, job.answer = self._carry_out(body, record)
            return new

        key = self._partitions.cluster_key
        write = RecordWrite(key, digest, change, self._partitions.store, self._observer)
        job = _Job(write, self._partition_of(digest), number=number, came=came)
        try:
            first = self._hash.enter(digest, job)
        except PendingLimit:
            return [self._outcome(job, None, False)]
        self._jobs[write] = job
        return self._begin(job, now) if first else []

    def _begin(self, job: _Job, now: int) -> list[Output]:
        job.write.duplicates = self._partitions.duplicates(job.partition)
        job.write.targets = self._partitions.targets(job.partition)
        job.write.fire(Begin(), now)
        return self._advance(job.write, now)

    def _advance(self, write: RecordWrite, now: int) -> list[Output]:
        outputs, write.outputs = write.outputs, []
        if write.state is WriteState.DONE and write in self._jobs:
            job = self._jobs.pop(write)
            outputs.append(self._outcome(job, job.answer, False))
            following = self._hash.leave(write.digest)
            if following is not None:
                outputs += self._begin(following, now)
        return outputs

    def _outcome(self, job: _Job, answer: bytes | None, in_doubt: bool) -> Output:
        if job.came is None:
            return Answered(job.number, answer, in_doubt)
        if answer is None and not in_doubt:
            return self._reply(job.came, ProxyReply(elsewhere=job.came.node))
        return self._reply(job.came, ProxyReply(answer or b""))

    def _is_written(self, partition: int) -> bool:
        return any(job.partition == partition for job in self._hash.in_flight())

    def _break_off(self) -> None:
        """A new cluster: what is in flight stays unfinished, and its partition's copy knows it."""
        for job in self._hash.clear():
            job.write.fire(BrokenOff(), 0)
            if job.write.is_unfinished:
                self._partitions.left_unfinished(job.partition)
            # A peer that asked hears nothing: it is in doubt by itself.
            if job.came is None:
                self._broken.append(self._outcome(job, None, job.write.is_unfinished))
        self._jobs.clear()
        self._retries.clear()

    def _check(self) -> None:
        self._hash._check()
        assert all(job.write is write for write, job in self._jobs.items())
        for write in self._jobs:
            assert write.state in (WriteState.NEW, WriteState.RESOLVING, WriteState.REPLICATING)


__all__ = ["Answered", "CarryOut", "Channel", "Transactions"]
