"""Queries, aio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aerospike_client.aio.engine import Engine
from aerospike_client.aio.stream import RecordStream
from aerospike_client.aio.task import Task
from aerospike_client.commands.query import (
    Query,
    aggregate_frame,
    background_ops_frame,
    background_udf_frame,
)
from aerospike_client.core.query import QueryAttempts
from aerospike_client.policies import QueryPolicy, WritePolicy
from aerospike_client.queries import Partitions, QueryCursor, Where, names
from aerospike_client.scripts import background
from aerospike_client.scripts.aggregate import aggregate
from aerospike_client.values import BinValue
from aerospike_common.wire import Op


class Queries:
    """The part of the client that deals with all records of a set, or those that an index finds."""

    _engine: Engine

    def query(
        self,
        namespace: str,
        set_name: str = "",
        *,
        where: Where | None = None,
        bins: Sequence[str] | None = None,
        ops: Sequence[Op] = (),
        partitions: Partitions | None = None,
        cursor: QueryCursor | None = None,
        policy: QueryPolicy | None = None,
    ) -> RecordStream:
        """The records of a set (of the namespace without one), or those `where` an index says so.

        `bins` picks some (() is metadata alone), `ops` answers of operations in their place.
        `partitions` is a part of the namespace, and `cursor` what another query has left.
        """
        engine = self._engine
        if cursor is None:
            cursor = QueryCursor.at_start(partitions or Partitions())
        attempts = QueryAttempts(
            engine.view,
            Query(namespace, set_name, where, names(bins), ops),
            policy or engine.settings.policy.query,
            cursor.copy(),
            engine.settings.task_id(),
            engine.clock.monotonic_us(),
        )
        return RecordStream(engine, attempts)

    async def write_all(
        self,
        namespace: str,
        set_name: str,
        ops: Sequence[Op],
        *,
        where: Where | None = None,
        policy: QueryPolicy | None = None,
        write_policy: WritePolicy | None = None,
    ) -> Task:
        """Have the nodes run writing operations on all records of a query, in the background.

        The task tells when they are through; of single records nothing is heard. `policy` has the
        filter and the rate; `write_policy` existence, ttl, durability and times.
        """
        defaults = self._engine.settings.policy
        task_id = self._engine.settings.task_id()
        frame = background_ops_frame(
            Query(namespace, set_name, where),
            policy or defaults.query,
            write_policy or defaults.write,
            task_id,
            ops,
        )
        return await self._start(frame, task_id)

    async def apply_all(
        self,
        namespace: str,
        set_name: str,
        module: str,
        function: str,
        arguments: Sequence[BinValue] = (),
        *,
        where: Where | None = None,
        policy: QueryPolicy | None = None,
    ) -> Task:
        """Have the nodes call a function on all records of a query, in the background.

        The task tells when they are through; what the function returns is not looked at.
        """
        task_id = self._engine.settings.task_id()
        frame = background_udf_frame(
            Query(namespace, set_name, where),
            policy or self._engine.settings.policy.query,
            task_id,
            module,
            function,
            arguments,
        )
        return await self._start(frame, task_id)

    async def aggregate(
        self,
        namespace: str,
        set_name: str,
        module: str,
        function: str,
        arguments: Sequence[BinValue] = (),
        *,
        where: Where | None = None,
        source: bytes | None = None,
        policy: QueryPolicy | None = None,
    ) -> list[Any]:
        """Run a stream function over a query's records: the nodes filter, map, aggregate and
        reduce, this client reduces what they send once more. What comes out of the stream.

        Needs the extra `lua`. `source` is the module's, fetched from a node when it is not given.
        UdfFailed when the function fails, there or here.
        """
        engine = self._engine
        chosen = policy or engine.settings.policy.query
        query = Query(namespace, set_name, where)
        task_id = engine.settings.task_id()
        frame = aggregate_frame(query, chosen, task_id, module, function, arguments)
        timeouts_ms = (chosen.total_timeout, engine.settings.policy.info.timeout)
        call = (module, function, arguments)
        return await engine.run(aggregate(engine.view, frame, call, source, timeouts_ms))

    async def _start(self, frame: bytes, task_id: int) -> Task:
        engine, timeout_ms = self._engine, self._engine.settings.policy.info.timeout
        await engine.run(background.start(engine.view, frame, timeout_ms))
        return Task(
            engine,
            f"job {task_id}",
            lambda: background.is_done(engine.view, task_id, timeout_ms),
            task_id,
        )
