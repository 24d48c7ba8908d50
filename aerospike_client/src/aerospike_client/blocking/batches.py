"""Batches, blocking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aerospike_client.batches import BatchRemove, BatchResult, BatchRow
from aerospike_client.blocking.engine import Engine
from aerospike_client.commands import batch
from aerospike_client.key import Key
from aerospike_client.policies import BatchPolicy
from aerospike_client.record import Record


class Batches:
    """The part of the client that deals with many records at once."""

    _engine: Engine

    def batch(
        self, rows: Sequence[BatchRow], policy: BatchPolicy | None = None
    ) -> list[BatchResult]:
        """Any mix of reads, writes, removals and functions, one request a node.

        Gives a result a row, in the rows' order; rows fail each for itself (`BatchResult.error`).
        """
        engine = self._engine
        if policy is None:
            defaults = engine.settings.policy
            policy = defaults.batch_write if batch.writes(rows) else defaults.batch
        return engine.execute_batch(batch.plan(engine.view, rows, policy), policy)

    def get_many(
        self,
        keys: Iterable[Key],
        bins: Sequence[str] | None = None,
        policy: BatchPolicy | None = None,
    ) -> list[Record | None]:
        """The records of many keys, in the keys' order: None where there is none.

        `bins`: some of them; () is metadata alone. Raises the first other error of a row.
        """
        engine = self._engine
        policy = policy or engine.settings.policy.batch
        planned = batch.plan_reads(engine.view, keys, bins, policy)
        return [result.found() for result in engine.execute_batch(planned, policy)]

    def exists_many(self, keys: Iterable[Key], policy: BatchPolicy | None = None) -> list[bool]:
        """Whether there are records of many keys, in the keys' order."""
        return [record is not None for record in self.get_many(keys, (), policy)]

    def remove_many(self, keys: Iterable[Key], policy: BatchPolicy | None = None) -> list[bool]:
        """Remove many records: whether each was there. Raises the first other error of a row."""
        results = self.batch([BatchRemove(key) for key in keys], policy)
        return [result.found() is not None for result in results]
