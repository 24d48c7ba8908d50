"""Queries that write: something done to every record, in the background of everything else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import evolve

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message, reply_frame
from asd.bins.expressions import ExpressionCache
from asd.measures.statistics import OriginStatistics
from asd.query.access import choose_walk, split
from asd.query.encode import Encoder, Row
from asd.query.index_walk import Unsettled
from asd.query.job import JobType, QueryJob, Status
from asd.query.pace import Pace
from asd.query.records import Reader
from asd.query.request import check_write_op, parse_whole
from asd.query.walk import STRETCH, Stretch, Walk
from asd.records.work import Given
from asd.security.rights import RoleViolation
from asd.space.namespace import Namespace
from asd.space.ownership import REPLICATED
from asd.transactions.decision import Effect
from asd.transactions.elsewhere import Handed, until_ready
from asd.transactions.heavy import Leave, Occupied
from asd.transactions.masked import CONCEALED, GUARDED, access_of, check_bins, check_index
from asd.transactions.outcome import Count, Decide, count_udf, count_write, perform
from asd.transactions.transaction import Transaction
from asd.transactions.udf import check_enabled, udf_on_found
from asd.transactions.write import write
from asd.udf import Call
from citrusleaf.cf_digest import partition_id
from storage.engine import NotResident

if TYPE_CHECKING:
    from asd.query.node import QueryNode
    from asd.state import Client

log = logging.getLogger("asd.query")

ACCEPTED: Final = reply_frame(ResultCode.OK, info3=Info3.LAST)
"""The job has begun: all that the client is told."""

_MODES: Final = Info3.CREATE_OR_REPLACE | Info3.REPLACE_ONLY


def start_ops(node: QueryNode, connection: Client, namespace: Namespace, message: Message) -> bytes:
    """Begin a query that applies ops. Raises OperationError when it cannot."""
    job, walk = prepare(node, connection, namespace, message, JobType.BACKGROUND_OPS)
    if message.info1 & Info1.READ or not message.ops:
        raise OperationError(ResultCode.PARAMETER, "a background query has ops that write")
    for op in message.ops:
        check_write_op(op)
    _check_masked(job, connection, namespace, message)
    job.rows = (("ops-active", "0"),)
    counters = namespace.statistics.ops_sub
    info2 = Info2.WRITE | message.info2 & Info2.DURABLE_DELETE
    request = _request(namespace, message, info2, Info3.UPDATE_ONLY | message.info3 & _MODES)
    apply = Applier(namespace, request, node.expressions, counters, write, count_write, job.access)
    return BackgroundQuery(node, namespace, job, walk, apply, _filter(message)).start()


def _check_masked(
    job: QueryJob, connection: Client, namespace: Namespace, message: Message
) -> None:
    """Raises RoleViolation for ops that would be refused on every record of the set."""
    mask = namespace.masks.get(job.request.set_name) if job.access & GUARDED else None
    if mask is not None:
        with told_of(connection, message):
            check_bins(mask, (op.name for op in message.ops))


def start_function(
    node: QueryNode, connection: Client, namespace: Namespace, message: Message
) -> bytes:
    """Begin a query that calls a function. Raises OperationError when it cannot."""
    check_enabled(node)
    call = Call.of(message)
    job, walk = prepare(node, connection, namespace, message, JobType.BACKGROUND_UDF)
    function = call.function.decode("utf-8", "surrogateescape")
    job.rows = (("udf-filename", call.module), ("udf-function", function), ("udf-active", "0"))
    counters = namespace.statistics.udf_sub
    request = _request(namespace, message, Info2.WRITE, 0)._replace(record_ttl=0)
    decide = partial(udf_on_found, node, call)
    apply = Applier(namespace, request, node.expressions, counters, decide, count_udf, job.access)
    return BackgroundQuery(node, namespace, job, walk, apply, _filter(message)).start()


def _filter(message: Message) -> bytes | None:
    return message.fields.get(FieldType.FILTER)


def prepare(
    node: QueryNode, connection: Client, namespace: Namespace, message: Message, kind: JobType
) -> tuple[QueryJob, Walk]:
    """The job and the way of a background query. Raises OperationError when it cannot begin."""
    request = parse_whole(message, node.expressions)
    if request.set_name and namespace.find_set(request.set_name) is None:
        raise OperationError(ResultCode.NOT_FOUND, f"no set {request.set_name!r}")
    most = namespace.config.background_query_max_rps
    if request.records_per_second > most:
        raise OperationError(ResultCode.PARAMETER, f"over {most} records a second")
    here, _ = split(namespace, request.partitions)
    request = evolve(
        request, partitions=here, records_per_second=request.records_per_second or most
    )
    walk, index_name = choose_walk(namespace, message, request, here)
    job = QueryJob(
        request,
        namespace.name,
        kind,
        connection.peer,
        node.clock.monotonic_ms(),
        index_name,
    )
    admit(job, connection, namespace, message)
    return job, walk


def admit(job: QueryJob, connection: Client, namespace: Namespace, message: Message) -> None:
    """What the client's rights say of a query that passed their check. Raises RoleViolation when it
    goes by an index of what the client may not see."""
    rights = connection.rights
    job.load = rights.query_load(message)
    job.access = access_of(namespace, message, rights)
    index = namespace.indexes.find(job.index_name) if job.access & CONCEALED else None
    if index is not None:
        with told_of(connection, message):
            check_index(namespace, job.request.set_name, index.definition)


@contextmanager
def told_of(connection: Client, message: Message) -> Iterator[None]:
    """The audit log is told when the query is refused inside."""
    try:
        yield
    except RoleViolation:
        connection.rights.violated(connection.peer, message, None)
        raise


def _request(namespace: Namespace, message: Message, info2: int, info3: int) -> Message:
    """What a single command would ask of each record, but for its set."""
    fields: dict[int, bytes] = {FieldType.NAMESPACE: namespace.name.encode()}
    return message._replace(info1=0, info2=info2, info3=info3, info4=0, generation=0, fields=fields)


class Applier:
    """Runs the same transaction on one record after the other: `request` with the record's set."""

    def __init__(
        self,
        namespace: Namespace,
        request: Message,
        expressions: ExpressionCache,
        counters: OriginStatistics,
        decide: Decide,
        count: Count,
        access: int,
    ) -> None:
        self._namespace = namespace
        self._request = request
        self._expressions = expressions
        self._counters = counters
        self._decide = decide
        self._count = count
        self._access = access

    def __call__(self, row: Row) -> int:
        """Run it; the result code."""
        set_name = self._namespace.set_names[row.record[3]]
        message = self._request._replace(fields={**self._request.fields, FieldType.SET: set_name})
        if row.digest in self._namespace.held.digests:
            raise Occupied(self._namespace, row.digest)
        transaction = Transaction(
            *(self._namespace, message, row.digest, self._expressions, self._counters),
            self._access,
        )
        return perform(transaction, self._decide, self._count).code

    def leave_out(self) -> None:
        """Count a record that the filter leaves out, as if it had been refused by it."""
        self._count(self._counters, ResultCode.FILTERED_OUT, Effect.NONE)


class BackgroundQuery:
    """One query that writes, from its beginning to its end."""

    def __init__(
        self,
        node: QueryNode,
        namespace: Namespace,
        job: QueryJob,
        walk: Walk,
        apply: Applier,
        filter_wire: bytes | None,
    ) -> None:
        self._node = node
        self._namespace = namespace
        self._job = job
        self._walk = walk
        self._apply = apply
        encoder = Encoder(b"", namespace.set_names, no_bins=True)
        self._reader = Reader(namespace, job, encoder, node, filter_wire)
        self._pace = Pace(node.queries, job.request.records_per_second)

    def start(self) -> bytes:
        """Begin, and say so. Raises as `QueryManager.check`."""
        self._node.queries.add(self._job)
        self._node.queries.run(self._run())
        return ACCEPTED

    async def _run(self) -> None:
        status = Status.UNKNOWN
        try:
            status = await self._work()
        except Exception:  # our own bug: it costs one query, not the server
            log.exception("query %d failed inside the server", self._job.trid)
        finally:
            self._node.queries.finish(self._job, status)
            self._count(status)

    async def _work(self) -> Status:
        job = self._job
        await self._pace.turn()
        while not job.abort_wanted:
            self._pace.begin()
            while True:
                try:
                    batch = self._walk.next(self._pace.batch(STRETCH), self._pace.over)
                except NotResident as absent:
                    await self._node.transaction_threads.run(absent.load)
                    continue
                except Unsettled as wait:
                    await wait.settled()
                    continue
                if batch is None:
                    return Status.OK
                handled = await self._handle_all(batch)
                job.partitions_done = self._walk.partitions_done
                job.throttled += handled
                if self._pace.used_up(handled):
                    break
            await self._pace.rest()
        return Status.ABORTED

    async def _handle_all(self, batch: Stretch) -> int:
        """Apply to a batch's records, as many as the filter lets through; how many those were.

        What is done to a record may take long, so others may have their turn after each; the
        records behind it are then read again.
        """
        handled, stale = 0, False
        async for row in self._reader.rows(self._reader.select(batch)):
            now = await self._reader.again(row) if stale else row
            if now is not None:
                handled += await self._handle(now)
            stale = await self._pace.breathe() or stale
            if self._job.abort_wanted:
                break
        return handled

    async def _handle(self, row: Row) -> bool:
        """Apply to one record; False when the filter leaves it out.

        A record that is no longer this node's alone to change counts as failed: its partition has
        moved, or other nodes may have newer versions.
        """
        job = self._job
        state = self._namespace.ownership[partition_id(row.digest)]
        if state > REPLICATED and self._node.carrier is not None:
            job.failed += 1
            return True
        if not await self._reader.passes(row):
            self._apply.leave_out()
            return False
        if await self._apply_to(row) == ResultCode.OK:
            job.succeeded += 1
        else:
            job.failed += 1
        return True

    async def _apply_to(self, row: Row) -> int:
        """Apply to one record, off the loop if that is heavy; the result code."""
        given: Given | None = None
        while True:
            try:
                with Handed(self._namespace, given):
                    return self._apply(row)
            except (Leave, Occupied) as wait:
                given = await until_ready(self._node, wait)
            except NotResident as absent:
                given = None
                await self._node.transaction_threads.run(absent.load)

    def _count(self, status: Status) -> None:
        counters = self._namespace.statistics
        statistics = counters.si_query if self._job.index_name else counters.pi_query
        kind = "ops_bg" if self._job.job_type is JobType.BACKGROUND_OPS else "udf_bg"
        statistics.count(kind, _OUTCOMES.get(status, "error"))


_OUTCOMES: Final = {Status.OK: "complete", Status.ABORTED: "abort"}
