"""The slow lane's two ends: a request that this node cannot answer by itself leaves (`carry`), and
one that it is to carry out arrives (`carry_out`).

A request leaves when its partition is another node's, or nobody's for the moment, or when other
nodes may have newer versions of its record. `Transactions.submit` finds the way, which may lead
back here: then `carry_out` is asked like for any other. In one step it looks whether it is still
wanted, takes the best version that other nodes have, runs the transaction, and reports the versions
it made.

What must hold:

- Nothing has happened when it waits for a record to be read. Only then the winner is taken, the
  transaction run and reported, without a step between; what would block then is waited for in
  place.
- Every question is answered, also where a peer's bytes are no request, or our own code fails.
- Where nobody else has a copy, and writes are acknowledged only when the medium has them, the
  report waits for the medium: nothing stands behind the report then but the reply.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from aerospike_common.wire.message import Message, encode_message, parse_message
from asd.records.work import Given
from asd.replication.envelope import Malformed, Outcome, Request, unpack_outcome, unpack_request
from asd.replication.replicator import Replicator
from asd.replication.store import Store
from asd.space.commitment import Commitment
from asd.space.consistency import Consistency
from asd.space.namespace import Namespace
from asd.space.ownership import ALONE
from asd.transactions.dispatch import run_here
from asd.transactions.elsewhere import Handed, staying, until_ready
from asd.transactions.heavy import Leave, Occupied
from citrusleaf.cf_digest import partition_id
from cluster import Answered, CarriedOut, CarryOut, Output, Transactions
from cluster.messages import RecordRow
from storage.engine import NotResident

if TYPE_CHECKING:
    from asd.measures.statistics import OriginStatistics, ProxyStatistics
    from asd.state import NodeState

log = logging.getLogger("asd.proxy")

Act = Callable[[list[Output]], None]
"""Has the outputs of the transactions' service carried out."""

Tell = Callable[[CarriedOut], None]


class Carrier:
    """Carries transactions to where they are done, and does those of others."""

    def __init__(
        self,
        node: NodeState,
        me: int,
        transactions: Transactions,
        stores: Mapping[str, Store],
        replicators: Mapping[str, Replicator],
    ) -> None:
        self._node = node
        self._me = me
        self._transactions = transactions
        self._stores = stores
        self._replicators = replicators
        self._asked: dict[int, asyncio.Future[Answered]] = {}

    # ------------------------------------------------------------------ leaving

    async def carry(
        self,
        namespace: Namespace,
        digest: bytes,
        message: Message,
        *,
        in_batch: bool,
        access: int,
        act: Act,
        began: int,
        now: int,
    ) -> Outcome:
        """Have a transaction carried out, wherever its record is served. Its time runs from
        `began` on."""
        service = self._node.config.service
        request = Request(self._me, in_batch, access, encode_message(**message._asdict()))
        timeout_ms = message.transaction_ttl or service.transaction_max_ms
        left_ms = max(1, began + timeout_ms - now)
        number, outputs = self._transactions.submit(
            namespace.name, digest, request.pack(), left_ms, now
        )
        future = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            act(outputs)
            answered = await future
        finally:
            self._asked.pop(number, None)
        outcome = self._outcome(answered)
        statistics = namespace.statistics
        origin = statistics.batch_sub_proxy if in_batch else statistics.client_proxy
        self._count(origin, answered, outcome)
        return outcome

    def answered(self, answered: Answered) -> None:
        """A transaction that left is over."""
        future = self._asked.get(answered.number)
        if future is not None and not future.done():
            future.set_result(answered)

    def _outcome(self, answered: Answered) -> Outcome:
        if answered.answer is not None:
            try:
                return unpack_outcome(answered.answer)
            except Malformed as error:
                log.warning("a node answers with what is no outcome: %s", error)
                return Outcome(0, ResultCode.SERVER_ERROR)
        if answered.is_busy:
            return Outcome(self._me, ResultCode.KEY_BUSY)
        # A client takes a timeout for "it may have been done", and this code for "surely not".
        code = ResultCode.TIMEOUT if answered.in_doubt else ResultCode.PARTITION_UNAVAILABLE
        return Outcome(0, code)

    def _count(self, origin: ProxyStatistics, answered: Answered, outcome: Outcome) -> None:
        if outcome.node == self._me:
            return  # counted where it was done
        if answered.answer is not None:
            origin.complete += 1
        elif answered.in_doubt:
            origin.timeout += 1
        else:
            origin.error += 1

    # ----------------------------------------------------------------- arriving

    def carry_out(self, asked: CarryOut, tell: Tell, given: Given | None = None) -> None:
        """Do what the library asks, now or when its record has been read, or what is heavy of it
        been worked out (`given`)."""
        if not self._transactions.is_wanted(asked.token):
            return
        store = self._stores[asked.namespace]
        waits = store.missing((asked.digest,))
        if waits:
            task = asyncio.ensure_future(self._when_read(asked, waits[0], tell))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            return
        consistency = store.namespace.consistency
        if consistency is not None:
            try:
                self._carry_out_strongly(store, consistency, asked, tell, given)
            except (Leave, Occupied) as wait:
                task = asyncio.ensure_future(self._when_worked(asked, wait, tell))
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
            return
        rows: list[RecordRow] = []
        with self._replicators[asked.namespace].collecting(rows):
            try:
                outcome = self._run(store, asked, given)
            except (Leave, Occupied) as wait:
                task = asyncio.ensure_future(self._when_worked(asked, wait, tell))
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
                return
        answer = CarriedOut(asked.token, tuple(rows), outcome.pack())
        if rows and self._waits_for_medium(store.namespace, asked.digest):
            task = asyncio.ensure_future(self._when_synced(store.namespace, answer, tell))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        else:
            tell(answer)

    def _carry_out_strongly(
        self,
        store: Store,
        consistency: Consistency,
        asked: CarryOut,
        tell: Tell,
        given: Given | None,
    ) -> None:
        """As `carry_out`, in strong consistency: what is written takes the fast lane, and is
        reported when all replicas have it; what is only seen too, unless they are known to."""
        replicator = self._replicators[asked.namespace]
        made_before = replicator.made
        outcome = self._run(store, asked, given)
        if asked.unproven and replicator.made == made_before:
            row = store.row(asked.digest)
            if row is not None:
                replicator.again(row)
        message = _message_in(asked.body)
        waits = consistency.waits_for(message, asked.digest) if message is not None else None
        if waits is None:
            tell(CarriedOut(asked.token, (), outcome.pack()))
            return
        task = asyncio.ensure_future(self._when_safe(waits, asked, outcome, tell))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _when_safe(
        self, waits: Commitment, asked: CarryOut, outcome: Outcome, tell: Tell
    ) -> None:
        code = await waits.wait()
        told = outcome if code == ResultCode.OK else Outcome(self._me, code)
        tell(CarriedOut(asked.token, (), told.pack()))

    def _waits_for_medium(self, namespace: Namespace, digest: bytes) -> bool:
        alone = namespace.ownership[partition_id(digest)] == ALONE
        return alone and namespace.engine.acknowledges_sync

    async def _when_read(self, asked: CarryOut, load: Callable[[], None], tell: Tell) -> None:
        try:
            await self._node.transaction_threads.run(load)
        except Exception as error:  # whoever asked is told that it was not done, or waits for ever
            log.warning("{%s} cannot read a record: %s", asked.namespace, error)
            tell(CarriedOut(asked.token, (), Outcome(self._me, ResultCode.SERVER_ERROR).pack()))
        else:
            self.carry_out(asked, tell)

    async def _when_synced(self, namespace: Namespace, answer: CarriedOut, tell: Tell) -> None:
        try:
            await namespace.group_commit.wait()
        except Exception as error:  # as the fast lane says it: the write is here, and may not last
            log.critical("{%s} cannot sync: %s", namespace.name, error)
            outcome = Outcome(self._me, ResultCode.TIMEOUT)
            answer = CarriedOut(answer.token, answer.rows, outcome.pack())
        tell(answer)

    async def _when_worked(self, asked: CarryOut, wait: Leave | Occupied, tell: Tell) -> None:
        self.carry_out(asked, tell, await until_ready(self._node, wait))

    def _run(self, store: Store, asked: CarryOut, given: Given | None) -> Outcome:
        """Take the winner, run the transaction. Raises Leave and Occupied, nothing else: it must be
        answered."""
        try:
            request = unpack_request(asked.body)
            message = parse_message(request.body)
            if asked.winner is not None:
                store.take_winner(asked.winner)
                # What was begun must come to its end in this step.
                with staying(store.namespace):
                    return self._run_here(store.namespace, request, message, asked.digest)
            with Handed(store.namespace, given):
                return self._run_here(store.namespace, request, message, asked.digest)
        except (Leave, Occupied):
            raise
        except (Malformed, MessageError) as error:
            log.warning("a node sends what is no request: %s", error)
            return Outcome(self._me, ResultCode.PARAMETER)
        except OperationError as error:
            return Outcome(self._me, error.code)
        except Exception:  # our own bug: it costs one request, not the node
            log.exception("a request of another node failed inside the server")
            return Outcome(self._me, ResultCode.SERVER_ERROR)

    def _run_here(
        self, namespace: Namespace, request: Request, message: Message, digest: bytes
    ) -> Outcome:
        origin = self._origin(namespace, request)
        try:
            reply = run_here(self._node, namespace, message, digest, origin, request.access)
        except NotResident as wait:
            wait.load()  # it was in memory a moment ago: this is rare, and must not be a step
            reply = run_here(self._node, namespace, message, digest, origin, request.access)
        return Outcome(self._me, *reply)

    def _origin(self, namespace: Namespace, request: Request) -> OriginStatistics:
        statistics = namespace.statistics
        if request.node == self._me:
            return statistics.batch_sub if request.in_batch else statistics.client
        return statistics.from_proxy_batch_sub if request.in_batch else statistics.from_proxy


def _message_in(body: bytes) -> Message | None:
    """The request of a transaction; None for what is none."""
    try:
        return parse_message(unpack_request(body).body)
    except (Malformed, MessageError):
        return None
