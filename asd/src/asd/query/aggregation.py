"""A query whose records go through a stream function: the client gets what comes out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import encode_reply
from asd.query.foreground import ForegroundQuery, Setting
from asd.query.walk import Stretch
from asd.udf import Aggregation, AggregationError, Call
from citrusleaf.cf_digest import partition_id
from storage.engine import Record


class AggregationQuery(ForegroundQuery):
    """Feeds the function with what it finds: in each partition that has something, a run of its
    own. So its results come once a partition, and clients reduce them as they reduce those of
    several nodes."""

    def __init__(self, setting: Setting, call: Call) -> None:
        super().__init__(setting)
        self._call = call
        self._partition = -1
        """The one that records came from last."""
        self._aggregation: Aggregation | None = None
        """The run on it; None when it is over, or before the first record."""

    async def run(self) -> None:
        """Do it, and give the function's state back however it ends."""
        try:
            await super().run()
        finally:
            if self._aggregation is not None:
                self._aggregation.close()

    async def _take(self, batch: Stretch, messages: list[bytes]) -> bool:
        batch = self._reader.select(batch)
        rows = [(row.digest, row.record) async for row in self._reader.rows(batch)]
        for partition, group in groupby(rows, lambda row: partition_id(row[0])):
            try:
                self._feed(partition, group, messages)
            except AggregationError as error:
                self._fail(error, messages)
            await self._pace.breathe()
        self._job.succeeded += len(rows)
        return False

    async def _finish(self, messages: list[bytes]) -> bool:
        try:
            self._end_run(messages)
        except AggregationError as error:
            self._fail(error, messages)
        return True

    def _feed(
        self, partition: int, records: Iterable[tuple[bytes, Record]], messages: list[bytes]
    ) -> None:
        """Give the function some records of one partition. Raises AggregationError."""
        if partition != self._partition:
            self._end_run(messages)
            self._partition = partition
            self._aggregation = Aggregation(
                self._node.udf,
                self._namespace,
                self._call,
                self._node.config.service.transaction_max_ms,
            )
        if self._aggregation is not None:
            messages += map(_message, self._aggregation.feed(records))
            if self._aggregation.done:
                self._end_run(messages)

    def _end_run(self, messages: list[bytes]) -> None:
        """Add what the run still holds, if there is one. Raises AggregationError."""
        run, self._aggregation = self._aggregation, None
        if run is not None:
            messages += map(_message, run.finish())

    def _fail(self, error: AggregationError, messages: list[bytes]) -> None:
        """Tell the client what the function said, and end the query."""
        self._job.failed += 1
        messages.append(_message(error.op()))
        raise OperationError(ResultCode.SERVER_ERROR, str(error)) from error


def _message(op: bytes) -> bytes:
    return encode_reply(ResultCode.OK, n_ops=1, ops=op)
