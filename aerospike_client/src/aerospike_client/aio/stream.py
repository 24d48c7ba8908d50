"""`RecordStream`: the records of a query, as they come, for asyncio.

Nodes are asked one after the other, as in the blocking face and for the same reasons. Some pages
are read ahead; then the node has to wait until records are taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from types import TracebackType
from typing import Self

from aerospike_client.aio.engine import Engine
from aerospike_client.core.query import QueryAttempts, QueryShare
from aerospike_client.queries import QueryCursor
from aerospike_client.record import Record
from aerospike_client.transport import Broken, Exhausted, Expired
from aerospike_common.wire import MessageError


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
            for share in shares:
                pages = self._pages(share)
                try:
                    async for records in pages:
                        for record in records:
                            yield record
                except MessageError as error:
                    attempts.failed(share, f"answered what cannot be read: {error}")
                finally:
                    await pages.aclose()
            if attempts.pause_us:
                await asyncio.sleep(attempts.pause_us / 1e6)

    async def _pages(self, share: QueryShare) -> AsyncGenerator[Iterator[Record], None]:
        """The records of each frame; they are to be taken before the next frame is asked for."""
        attempts, pools, node = self._attempts, self._engine.pools, share.node
        clock = self._engine.clock
        try:
            connection = await pools.take(node, attempts.deadline_us)
        except (Broken, Exhausted) as error:
            attempts.failed(share, getattr(error, "reason", "has no connection to spare"))
            return
        try:
            connection.send(share.frame, self._frame_deadline())
            while not share.over:
                connection.extend(self._frame_deadline())
                body = (await connection.receive())[1]
                yield attempts.records(share, body, clock.monotonic_us())
        except Broken as broken:
            attempts.failed(share, broken.reason)
        except Expired:
            attempts.failed(share, "did not go on in time", expired=True)
        finally:
            # An unfinished stream cannot be used for anything else; closing it ends the query.
            if share.over:
                pools.put_back(node, connection, clock.monotonic_us())
            else:
                pools.discard(node, connection)

    def _frame_deadline(self) -> int:
        """When the next frame must be there: within `socket_timeout`, and the query's time."""
        total_us, limit_us = self._attempts.deadline_us, self._attempts.policy.socket_timeout * 1000
        if not limit_us:
            return total_us
        frame_us = self._engine.clock.monotonic_us() + limit_us
        return min(frame_us, total_us) if total_us else frame_us
