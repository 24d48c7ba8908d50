"""A query whose records go through a stream function: the client gets what comes out."""

from __future__ import annotations

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import encode_reply
from asd.query.foreground import ForegroundQuery, Setting
from asd.query.walk import Batch
from asd.udf import Aggregation, AggregationError, Call


class AggregationQuery(ForegroundQuery):
    """Feeds the function with what it finds."""

    def __init__(self, setting: Setting, call: Call) -> None:
        super().__init__(setting)
        self._call = call
        self._aggregation: Aggregation | None = None

    async def run(self) -> None:
        """Do it, and give the function's state back however it ends."""
        try:
            await super().run()
        finally:
            if self._aggregation is not None:
                self._aggregation.close()

    async def _take(self, batch: Batch, messages: list[bytes]) -> bool:
        batch = self._reader.select(batch)
        rows = [(row.digest, row.record) async for row in self._reader.rows(batch)]
        try:
            stream = self._stream()
            messages += map(_message, stream.feed(rows))
        except AggregationError as error:
            self._fail(error, messages)
        self._job.succeeded += len(rows)
        return await self._finish(messages) if stream.done else False

    async def _finish(self, messages: list[bytes]) -> bool:
        try:
            messages += map(_message, self._stream().finish())
        except AggregationError as error:
            self._fail(error, messages)
        return True

    def _stream(self) -> Aggregation:
        """The run of the function, begun when it is first needed. Raises AggregationError."""
        if self._aggregation is None:
            self._aggregation = Aggregation(
                self._node.udf,
                self._namespace,
                self._call,
                self._node.config.service.transaction_max_ms,
            )
        return self._aggregation

    def _fail(self, error: AggregationError, messages: list[bytes]) -> None:
        """Tell the client what the function said, and end the query."""
        self._job.failed += 1
        messages.append(_message(error.op()))
        raise OperationError(ResultCode.SERVER_ERROR, str(error)) from error


def _message(op: bytes) -> bytes:
    return encode_reply(ResultCode.OK, n_ops=1, ops=op)
