"""Queries, blocking."""

from __future__ import annotations

from collections.abc import Sequence

from aerospike_client.blocking.engine import Engine
from aerospike_client.blocking.stream import RecordStream
from aerospike_client.commands.query import Query
from aerospike_client.core.query import QueryAttempts
from aerospike_client.policies import QueryPolicy
from aerospike_client.queries import Partitions, QueryCursor, Where, names
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
