"""`RecordStream`: the records of a query, as they come, blocking.

All nodes are asked at once, and work at the same time; frames are read from whoever has one, so
that a query of few records takes as long as its slowest node, and no thread is needed for it.
Records are read at the pace of whoever takes them: the nodes wait meanwhile. What is decoded, is so
one frame after the other: on one core of Python more at a time would not be faster.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self

from aerospike_client.blocking.connection import Connection, readable
from aerospike_client.blocking.engine import Engine
from aerospike_client.core.query import QueryAttempts, QueryShare
from aerospike_client.queries import QueryCursor
from aerospike_client.record import Record
from aerospike_client.transport import Broken, Exhausted, Expired
from aerospike_common.wire import MessageError

Reading = tuple[QueryShare, Connection]
"""A share that is being read, and where from."""


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
            reading: list[Reading] = []
            try:
                for share in shares:
                    self._begin(share, reading)
                while reading:
                    for share, connection in self._ready(reading):
                        for records in self._read(share, connection):
                            yield from records
                        if share.over or share.failed:
                            reading.remove((share, connection))
                            self._end(share, connection)
            finally:
                for share, connection in reading:
                    self._end(share, connection)
            if attempts.pause_us:
                self._engine.pause(attempts.pause_us)

    def _begin(self, share: QueryShare, reading: list[Reading]) -> None:
        """Ask a node for its share."""
        attempts, pools = self._attempts, self._engine.pools
        try:
            connection = pools.take(share.node, self._engine.clock.monotonic_us())
        except (Broken, Expired, Exhausted) as error:
            attempts.failed(share, getattr(error, "reason", "has no connection to spare"))
            return
        try:
            connection.send(share.frame, attempts.policy.socket_timeout * 1000)
        except (Broken, Expired) as error:
            pools.discard(share.node, connection)
            attempts.failed(share, getattr(error, "reason", "did not take the request in time"))
            return
        reading.append((share, connection))

    def _ready(self, reading: list[Reading]) -> list[Reading]:
        """Those that have something to read, in their order; all of them when nobody has in time,
        and each will find out for itself."""
        begun = [each for each in reading if each[1].begun]
        if begun or len(reading) == 1:
            return begun or [*reading]
        ready = readable([connection for _, connection in reading], self._patience_s())
        return [each for each in reading if each[1] in ready] or [*reading]

    def _patience_s(self) -> float | None:
        """How long to wait for a frame at most; None for ever."""
        attempts = self._attempts
        limits_us = (
            [attempts.policy.socket_timeout * 1000] if attempts.policy.socket_timeout else []
        )
        if attempts.deadline_us:
            limits_us.append(max(0, attempts.deadline_us - self._engine.clock.monotonic_us()))
        return min(limits_us) / 1e6 if limits_us else None

    def _read(self, share: QueryShare, connection: Connection) -> Iterator[Iterator[Record]]:
        """The records of a share's next frame, some at a time, as `QueryAttempts.records`."""
        attempts = self._attempts
        try:
            body = connection.receive(attempts.deadline_us)[1]
            yield from attempts.records(share, body, self._engine.clock.monotonic_us())
        except Broken as broken:
            attempts.failed(share, broken.reason)
        except Expired:
            attempts.failed(share, "did not go on in time", expired=True)
        except MessageError as error:
            attempts.failed(share, f"answered what cannot be read: {error}")

    def _end(self, share: QueryShare, connection: Connection) -> None:
        """An unfinished stream cannot be used for anything else; closing it ends the query."""
        pools = self._engine.pools
        if share.over:
            pools.put_back(share.node, connection, self._engine.clock.monotonic_us())
            if share.session_ended:
                pools.end_session(share.node)
        else:
            pools.discard(share.node, connection)
