"""`RecordStream`: the records of a query, as they come, for asyncio.

All nodes are asked at once, as in the blocking face. Of each some frames are read ahead; then it
has to wait until records are taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Self

import attrs

from aerospike_client.aio.connection import Connection, FrameBody
from aerospike_client.aio.engine import Engine
from aerospike_client.core.query import QueryAttempts, QueryShare
from aerospike_client.queries import QueryCursor
from aerospike_client.record import Record
from aerospike_client.transport import Broken, Exhausted, Expired
from aerospike_common.wire import MessageError


@attrs.define(eq=False)
class _Reading:
    """A share that is being read: where from, and its next frame."""

    share: QueryShare
    connection: Connection
    frame: asyncio.Future[FrameBody]


class RecordStream:
    """An asynchronous iterator of records. Close it, or use `async with`, when you stop before its
    end.

    Iterating raises ClientError when the query fails for good.
    """

    def __init__(self, engine: Engine, attempts: QueryAttempts) -> None:
        self._engine = engine
        self._attempts = attempts
        self._records = self._all()

    def __aiter__(self) -> AsyncIterator[Record]:
        return self._records

    async def __anext__(self) -> Record:
        return await anext(self._records)

    @property
    def cursor(self) -> QueryCursor:
        """What is left of the query, behind the record delivered last."""
        return self._attempts.cursor.copy()

    async def close(self) -> None:
        """End the query."""
        await self._records.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _all(self) -> AsyncGenerator[Record, None]:
        attempts, clock = self._attempts, self._engine.clock
        while shares := attempts.next_round(clock.monotonic_us()):
            reading: list[_Reading] = []
            try:
                # In one order for all queries, or two could wait for a connection of the other's.
                for share in sorted(shares, key=lambda share: share.node.name):
                    await self._begin(share, reading)
                while reading:
                    for each in await self._ready(reading):
                        share, body = each.share, self._frame(each)
                        if body is not None:
                            try:
                                for records in attempts.records(share, body, clock.monotonic_us()):
                                    for record in records:
                                        yield record
                            except MessageError as error:
                                attempts.failed(share, f"answered what cannot be read: {error}")
                        if share.over or share.failed:
                            reading.remove(each)
                            self._end(each)
                        else:
                            self._ask_on(each)
            finally:
                for each in reading:
                    self._end(each)
            if attempts.pause_us:
                await asyncio.sleep(attempts.pause_us / 1e6)

    async def _begin(self, share: QueryShare, reading: list[_Reading]) -> None:
        """Ask a node for its share."""
        attempts, pools = self._attempts, self._engine.pools
        try:
            connection = await pools.take(share.node, attempts.deadline_us)
        except (Broken, Exhausted) as error:
            attempts.failed(share, getattr(error, "reason", "has no connection to spare"))
            return
        try:
            connection.send(share.frame, self._frame_deadline())
        except Broken as broken:
            pools.discard(share.node, connection)
            attempts.failed(share, broken.reason)
            return
        reading.append(_Reading(share, connection, connection.receive()))

    def _ask_on(self, each: _Reading) -> None:
        """Wait for the next frame of a share."""
        each.connection.extend(self._frame_deadline())
        each.frame = each.connection.receive()

    async def _ready(self, reading: list[_Reading]) -> list[_Reading]:
        """Those whose next frame has come, or will not come any more."""
        frames = [each.frame for each in reading]
        if any(frame.done() for frame in frames):
            await asyncio.sleep(0)  # others have their turn all the same
        else:
            await asyncio.wait(frames, return_when=asyncio.FIRST_COMPLETED)
        return [each for each in reading if each.frame.done()]

    def _frame(self, each: _Reading) -> bytes | None:
        """The frame that was waited for; None when it does not come, which is noted."""
        attempts = self._attempts
        try:
            return each.frame.result()[1]
        except Broken as broken:
            attempts.failed(each.share, broken.reason)
        except Expired:
            attempts.failed(each.share, "did not go on in time", expired=True)
        return None

    def _end(self, each: _Reading) -> None:
        """An unfinished stream cannot be used for anything else; closing it ends the query."""
        pools, node = self._engine.pools, each.share.node
        if each.share.over:
            pools.put_back(node, each.connection, self._engine.clock.monotonic_us())
            if each.share.session_ended:
                pools.end_session(node)
        else:
            each.frame.cancel()
            pools.discard(node, each.connection)

    def _frame_deadline(self) -> int:
        """When the next frame must be there: within `socket_timeout`, and the query's time."""
        total_us, limit_us = self._attempts.deadline_us, self._attempts.policy.socket_timeout * 1000
        if not limit_us:
            return total_us
        frame_us = self._engine.clock.monotonic_us() + limit_us
        return min(frame_us, total_us) if total_us else frame_us
