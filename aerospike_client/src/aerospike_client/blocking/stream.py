"""`RecordStream`: the records of a query, as they come, blocking.

Nodes are asked one after the other: records are read at the pace of whoever takes them, and a node
that waited meanwhile with its own part unread would give up after a while. On one core of Python a
second stream at the same time would not be faster anyway.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from types import TracebackType
from typing import Self

from aerospike_client.blocking.engine import Engine
from aerospike_client.core.query import QueryAttempts, QueryShare
from aerospike_client.queries import QueryCursor
from aerospike_client.record import Record
from aerospike_client.transport import Broken, Exhausted, Expired
from aerospike_common.wire import MessageError


class RecordStream:
    """An iterator of records. Close it, or use `with`, when you stop before its end.

    Iterating raises ClientError when the query fails for good.
    """

    def __init__(self, engine: Engine, attempts: QueryAttempts) -> None:
        self._engine = engine
        self._attempts = attempts
        self._records = self._all()

    def __iter__(self) -> Iterator[Record]:
        return self._records

    def __next__(self) -> Record:
        return next(self._records)

    @property
    def cursor(self) -> QueryCursor:
        """What is left of the query, behind the record delivered last."""
        return self._attempts.cursor.copy()

    def close(self) -> None:
        """End the query."""
        self._records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _all(self) -> Generator[Record, None, None]:
        attempts, clock = self._attempts, self._engine.clock
        while shares := attempts.next_round(clock.monotonic_us()):
            for share in shares:
                with closing(self._pages(share)) as pages:
                    try:
                        for records in pages:
                            yield from records
                    except MessageError as error:
                        attempts.failed(share, f"answered what cannot be read: {error}")
            if attempts.pause_us:
                self._engine.pause(attempts.pause_us)

    def _pages(self, share: QueryShare) -> Generator[Iterator[Record], None, None]:
        """The records of each frame; they are to be taken before the next frame is asked for."""
        attempts, pools, node = self._attempts, self._engine.pools, share.node
        clock = self._engine.clock
        try:
            connection = pools.take(node, clock.monotonic_us())
        except (Broken, Expired, Exhausted) as error:
            attempts.failed(share, getattr(error, "reason", "has no connection to spare"))
            return
        try:
            connection.send(share.frame, attempts.policy.socket_timeout * 1000)
            while not share.over:
                body = connection.receive(attempts.deadline_us)[1]
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
