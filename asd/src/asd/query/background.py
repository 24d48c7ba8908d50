"""Queries that write: something done to every record, in the background of everything else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import evolve

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message, reply_frame
from asd.bins.expressions import ExpressionCache
from asd.namespace import Namespace
from asd.query.access import choose_walk, split
from asd.query.encode import Encoder, Row
from asd.query.job import JobType, QueryJob, Status
from asd.query.pace import Pace
from asd.query.records import Reader
from asd.query.request import check_write_op, parse_whole
from asd.query.walk import BATCH, Batch, Walk
from asd.statistics import OriginStatistics
from asd.transactions.transaction import Transaction
from asd.transactions.write import write
from asd.udf import Call, apply_to_record, check_enabled
from storage.engine import NotResident

if TYPE_CHECKING:
    from asd.node import Node
    from asd.service import Connection

log = logging.getLogger("asd.query")

ACCEPTED: Final = reply_frame(ResultCode.OK, info3=Info3.LAST)
"""The job has begun: all that the client is told."""

Apply: TypeAlias = Callable[[Row], int]
"""Does to one record what the query is for; the result code."""

_MODES: Final = Info3.CREATE_OR_REPLACE | Info3.REPLACE_ONLY


def start_ops(node: Node, connection: Connection, namespace: Namespace, message: Message) -> bytes:
    """Begin a query that applies ops. Raises OperationError when it cannot."""
    job, walk = prepare(node, connection, namespace, message, JobType.BACKGROUND_OPS)
    if message.info1 & Info1.READ or not message.ops:
        raise OperationError(ResultCode.PARAMETER, "a background query has ops that write")
    for op in message.ops:
        check_write_op(op)
    job.rows = (("ops-active", "0"),)
    apply = OpsApplier(namespace, message, node.expressions)
    counters = namespace.statistics.ops_sub
    return BackgroundQuery(node, namespace, job, walk, apply, counters).start()


def start_function(
    node: Node, connection: Connection, namespace: Namespace, message: Message
) -> bytes:
    """Begin a query that calls a function. Raises OperationError when it cannot."""
    check_enabled(node)
    call = Call.of(message)
    job, walk = prepare(node, connection, namespace, message, JobType.BACKGROUND_UDF)
    function = call.function.decode("utf-8", "surrogateescape")
    job.rows = (("udf-filename", call.module), ("udf-function", function), ("udf-active", "0"))
    counters = namespace.statistics.udf_sub

    def apply(row: Row) -> int:
        return apply_to_record(node, namespace, row.digest, call, counters).code

    return BackgroundQuery(node, namespace, job, walk, apply, counters).start()


def prepare(
    node: Node, connection: Connection, namespace: Namespace, message: Message, kind: JobType
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
    return job, walk


class OpsApplier:
    """Applies the ops of a background query to one record after the other."""

    def __init__(
        self, namespace: Namespace, message: Message, expressions: ExpressionCache
    ) -> None:
        self._namespace = namespace
        self._expressions = expressions
        self._fields: dict[int, bytes] = {FieldType.NAMESPACE: namespace.name.encode()}
        self._message = message._replace(
            info1=0,
            info2=Info2.WRITE | message.info2 & Info2.DURABLE_DELETE,
            info3=Info3.UPDATE_ONLY | message.info3 & _MODES,
            info4=0,
            generation=0,
        )

    def __call__(self, row: Row) -> int:
        """Apply them; the result code."""
        set_name = self._namespace.set_names[row.record[3]]
        message = self._message._replace(fields={**self._fields, FieldType.SET: set_name})
        origin = self._namespace.statistics.ops_sub
        try:
            code = write(
                Transaction(self._namespace, message, row.digest, self._expressions, origin)
            ).code
        except OperationError as error:
            code = error.code
        _count(origin, code)
        return code


def _count(origin: OriginStatistics, code: int) -> None:
    if code == ResultCode.OK:
        origin.write_success += 1
    else:
        origin.write_error += 1


class BackgroundQuery:
    """One query that writes, from its beginning to its end."""

    def __init__(
        self,
        node: Node,
        namespace: Namespace,
        job: QueryJob,
        walk: Walk,
        apply: Apply,
        counters: OriginStatistics,
    ) -> None:
        self._node = node
        self._namespace = namespace
        self._job = job
        self._walk = walk
        self._apply = apply
        self._counters = counters
        encoder = Encoder(b"", namespace.set_names, no_bins=True)
        self._reader = Reader(namespace, job, encoder, node.expressions, node.transaction_threads)
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
        while not job.abort_wanted:
            self._pace.begin()
            while True:
                try:
                    batch = self._walk.next(self._pace.batch(BATCH), self._pace.over)
                except NotResident as absent:
                    await self._node.transaction_threads.run(absent.load)
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

    async def _handle_all(self, batch: Batch) -> int:
        """Apply to a batch's records, as many as the filter lets through; how many those were.

        What is done to a record may take long, so others may have their turn after each; the
        records behind it are then read again.
        """
        handled, stale = 0, False
        async for row in self._reader.rows(self._reader.select(batch)):
            now = await self._reader.again(row) if stale else row
            if now is not None:
                handled += self._handle(now)
            stale = await self._pace.breathe() or stale
            if self._job.abort_wanted:
                break
        return handled

    def _handle(self, row: Row) -> bool:
        """Apply to one record; False when the filter leaves it out."""
        job = self._job
        if not self._reader.passes(self._reader.view(row)):
            if self._job.job_type is JobType.BACKGROUND_OPS:
                self._counters.write_filtered_out += 1
            else:
                self._counters.udf_filtered_out += 1
            return False
        if self._apply(row) == ResultCode.OK:
            job.succeeded += 1
        else:
            job.failed += 1
        return True

    def _count(self, status: Status) -> None:
        counters = self._namespace.statistics
        statistics = counters.si_query if self._job.index_name else counters.pi_query
        kind = "ops_bg" if self._job.job_type is JobType.BACKGROUND_OPS else "udf_bg"
        statistics.count(kind, _OUTCOMES.get(status, "error"))


_OUTCOMES: Final = {Status.OK: "complete", Status.ABORTED: "abort"}
