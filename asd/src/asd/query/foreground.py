"""What every query has that answers its client: slices of time between which others are served, a
client that may be slow or gone, and a last message."""

from __future__ import annotations

import asyncio
import logging
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aerospike_common.wire.codes import Info3, MessageType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.frame import PROTOCOL_VERSION
from aerospike_common.wire.message import encode_reply, reply_frame
from asd.measures.histogram import Histogram
from asd.measures.query_statistics import QueryStatistics
from asd.query.index_walk import Unsettled
from asd.query.job import JobType, QueryJob, Status
from asd.query.pace import Pace
from asd.query.records import Reader
from asd.query.walk import STRETCH, Stretch, Walk
from asd.space.namespace import Namespace
from storage.engine import NotResident

if TYPE_CHECKING:
    from asd.query.node import QueryNode
    from asd.state import Client

log = logging.getLogger("asd.query")

SHORT_TIMEOUT_MS: Final = 1000
"""For short queries that bring no timeout."""

FRAME_SIZE: Final = 1 << 20
"""Bytes of messages after which a frame is closed."""

POLL_S: Final = 0.1
"""How often a query that waits for its client looks whether it is to end."""

_frame_header: Final = struct.Struct(">BBHI").pack


@frozen
class Setting:
    """What a query works with."""

    node: QueryNode
    namespace: Namespace
    connection: Client
    job: QueryJob
    walk: Walk
    reader: Reader
    unavailable: tuple[int, ...] = ()
    """Partitions asked for that are not here."""


class ForegroundQuery(ABC):
    """One query, from its beginning to its last message."""

    def __init__(self, setting: Setting) -> None:
        self._node = setting.node
        self._namespace = setting.namespace
        self._connection = setting.connection
        self._job = setting.job
        self._walk = setting.walk
        self._reader = setting.reader
        self._unavailable = setting.unavailable
        self._pace = Pace(setting.node.queries, setting.job.request.records_per_second)
        self._losses = setting.namespace.ownership.losses

    @abstractmethod
    async def _take(self, batch: Stretch, messages: list[bytes]) -> bool:
        """Do with a batch what the query is for, and add what is to be sent; True at its end."""

    async def run(self) -> None:
        """Do it. Counts how it ended; leaves the connection closed when the client was too slow."""
        queries = self._node.queries
        try:
            queries.add(self._job)
        except OperationError as error:
            await self._connection.send(reply_frame(error.code))
            return
        started_ns = self._node.clock.monotonic_ns()
        status = Status.RESPONSE_ERROR
        try:
            status = await self._serve()
        except ResponseTimeout:
            status = Status.RESPONSE_TIMEOUT
            self._connection.abort()
        except Exception:  # our own bug: it costs one query, not the server
            log.exception("query %d failed inside the server", self._job.trid)
            status = Status.UNKNOWN
            await self._connection.send(_last(ResultCode.SERVER_ERROR))
        finally:
            queries.finish(self._job, status)
            self._count(status)
            self._latency.add(self._node.clock.monotonic_ns() - started_ns)

    # -------------------------------------------------------------------- serving

    async def _serve(self) -> Status:
        messages = [_partition_unavailable(partition) for partition in self._unavailable]
        await self._pace.turn()
        while True:
            code, done = await self._slice(messages)
            if done and self._job.job_type is JobType.BASIC:
                messages += self._lost()
            if not done:
                await self._deliver(_frame(messages))
            elif self._job.request.short:
                await self._deliver(_frame([*messages, encode_reply(code, info3=Info3.LAST)]))
            else:
                await self._deliver(_frame(messages) + _last(code))
            if done:
                return _STATUS.get(code, Status.UNKNOWN)
            messages.clear()
            await self._pace.rest()

    async def _slice(self, messages: list[bytes]) -> tuple[int, bool]:
        """Work for one slice of time: the result so far, and whether that is the end."""
        try:
            done = await self._work(messages)
        except OperationError as error:
            return error.code, True
        if self._job.abort_wanted:
            return ResultCode.QUERY_ABORTED, True
        if self._job.request.short and self._pace.elapsed_ms >= self._timeout_ms:
            return ResultCode.TIMEOUT, True
        return ResultCode.OK, done

    async def _work(self, messages: list[bytes]) -> bool:
        self._pace.begin()
        size = 0
        while size < FRAME_SIZE:
            try:
                batch = self._next_batch()
            except NotResident as absent:
                await self._node.transaction_threads.run(absent.load)
                continue
            except Unsettled as wait:
                await wait.settled()
                continue
            if batch is None:
                return await self._finish(messages)
            handled, before = self._job.succeeded, len(messages)
            if (batch.entries or self._reader.behind) and await self._take(batch, messages):
                return True
            size += sum(map(len, messages[before:]))
            self._job.partitions_done = self._walk.partitions_done
            handled = self._job.succeeded - handled
            if self._job.request.records_per_second:
                self._job.throttled += handled
            if self._pace.used_up(handled):
                return False
        return False

    def _next_batch(self) -> Stretch | None:
        """Entries to take; none while some of the last are left. Raises as `IndexWalk.next`."""
        if self._reader.behind:
            return Stretch([], None)
        return self._walk.next(self._pace.batch(STRETCH), self._pace.over)

    async def _finish(self, messages: list[bytes]) -> bool:
        """There are no more records: add what is still to be sent."""
        return True

    def _lost(self) -> list[bytes]:
        """That partitions have moved away since the query began: the client is to ask elsewhere,
        from where it is, for what it has not had."""
        ownership = self._namespace.ownership
        if ownership.losses == self._losses:
            return []
        asked = self._job.request.partitions.keys() - set(self._unavailable)
        return [
            _partition_unavailable(partition)
            for partition in sorted(asked)
            if ownership.was_lost(partition, self._losses)
        ]

    async def _deliver(self, data: bytes) -> None:
        """Send, waiting for a client that is behind. Raises ResponseTimeout when it stays so."""
        self._job.net_io_bytes += len(data)
        now_ms = self._node.clock.monotonic_ms
        began_ms = now_ms()
        try:
            await self._send(data)
        finally:
            self._job.net_io_ms += now_ms() - began_ms

    async def _send(self, data: bytes) -> None:
        limit_s = self._job.request.socket_timeout_ms / 1000
        waited_s = 0.0
        while True:
            try:
                async with asyncio.timeout(POLL_S):
                    await self._connection.send(data)
                return
            except TimeoutError:
                waited_s += POLL_S
                if limit_s and waited_s >= limit_s:
                    raise ResponseTimeout from None
                if self._job.abort_wanted:
                    return
                data = b""

    # ------------------------------------------------------------------- counting

    @property
    def _timeout_ms(self) -> int:
        return self._job.request.total_timeout_ms or SHORT_TIMEOUT_MS

    @property
    def _statistics(self) -> QueryStatistics:
        statistics = self._namespace.statistics
        return statistics.si_query if self._job.index_name else statistics.pi_query

    @property
    def _latency(self) -> Histogram:
        namespace = self._namespace
        return namespace.si_query_latency if self._job.index_name else namespace.pi_query_latency

    def _count(self, status: Status) -> None:
        outcome = _OUTCOMES.get(status, "error")
        if self._job.job_type is JobType.AGGREGATION:
            kind = "aggr"
        elif self._job.request.short:
            kind = "short_basic"
            outcome = "timeout" if status is Status.ABORTED else outcome
        else:
            kind = "long_basic"
        self._statistics.count(kind, outcome)


class ResponseTimeout(Exception):
    """The client did not read what it was sent for as long as its socket timeout."""


_STATUS: Final[Mapping[int, Status]] = {
    ResultCode.OK: Status.OK,
    ResultCode.TIMEOUT: Status.ABORTED,
    ResultCode.QUERY_ABORTED: Status.ABORTED,
}
_OUTCOMES: Final = {Status.OK: "complete", Status.ABORTED: "abort"}


def _frame(messages: list[bytes]) -> bytes:
    """The messages in one frame; nothing when there are none."""
    size = sum(map(len, messages))
    if not size:
        return b""
    header = _frame_header(PROTOCOL_VERSION, MessageType.AS_MSG, size >> 32, size & 0xFFFFFFFF)
    return b"".join((header, *messages))


def _last(code: int) -> bytes:
    return reply_frame(code, info3=Info3.LAST)


def _partition_unavailable(partition: int) -> bytes:
    return encode_reply(ResultCode.PARTITION_UNAVAILABLE, partition, info3=Info3.PARTITION_DONE)
