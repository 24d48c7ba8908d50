"""The way through a secondary index: entries in the order of index value and digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import geo
from asd.query.index_range import IndexRange, Span
from asd.query.request import Resume
from asd.query.walk import Batch
from asd.records.record_view import RecordView
from asd.sindex import KeyType, SecondaryIndex, Source
from asd.space.namespace import Namespace
from storage.bulk import entries_at

_DIGEST_SIZE: Final = 20


class IndexWalk:
    """The entries of partitions whose index value is looked for.

    An entry is found by its place in the order, so whatever changes between two batches, a record
    that stays with its value is found once. A record with several matching values is found by the
    smallest.
    """

    def __init__(
        self,
        namespace: Namespace,
        index: SecondaryIndex,
        wanted: IndexRange,
        partitions: Mapping[int, Resume | None],
    ) -> None:
        self.partitions_done = 0
        self._namespace = namespace
        self._index = index
        self._wanted = wanted
        self._steps: Iterator[tuple[int, Span, tuple[int, bytes] | None]] = self._plan(partitions)
        self._unfinished: tuple[int, Span, tuple[int, bytes] | None] | None = None
        self._counts_geo = isinstance(wanted.shape, geo.Region)
        if self._counts_geo:
            namespace.statistics.geo_region_query_reqs += 1
            namespace.statistics.geo_region_query_cells += len(wanted.spans)
        # One value a record, and each its own index value: what is found is what is looked for.
        definition = index.definition
        self._exact = definition.source is Source.DEFAULT and definition.key_type is KeyType.NUMERIC

    def next(self, count: int) -> Batch | None:
        """Some more entries, about `count`; None at the end.

        Raises SINDEX_NOT_FOUND when the index is dropped meanwhile, NotResident when a record must
        be looked at that is not in memory: ask again when it is.
        """
        entries: list[bytes] = []
        bvals: list[int] = []
        while len(entries) < count:
            if self._index.dropped:
                raise OperationError(ResultCode.SINDEX_NOT_FOUND, "the index was dropped")
            step = self._unfinished or next(self._steps, None)
            if step is None:
                break
            self._unfinished = step  # should a record not be in memory
            partition, span, after = step
            most = count - len(entries)
            found = self._index.entries.find(partition, span.low, span.high, after, most)
            if not found.slots:
                self._unfinished = None
                continue
            new = entries_at(self._namespace.engine.index, found.slots)
            batch = Batch(new, found.bvals)
            if not self._exact:
                batch = self._checked(batch)
            entries += batch.entries
            bvals += batch.bvals or ()
            last = (found.bvals[-1], new[-1][:_DIGEST_SIZE])
            self._unfinished = (partition, span, last) if len(new) == most else None
        return Batch(entries, bvals) if entries else None

    def _plan(
        self, partitions: Mapping[int, Resume | None]
    ) -> Iterator[tuple[int, Span, tuple[int, bytes] | None]]:
        for partition, resume in partitions.items():
            after = None
            if resume is not None:
                digest, bval = resume
                after = None if bval is None else (bval, digest)
            for span in self._wanted.spans:
                if after is None or span.high >= after[0]:
                    yield partition, span, after
            self.partitions_done += 1

    def _checked(self, batch: Batch) -> Batch:
        """Those entries whose record really has what is looked for, and not at a smaller value."""
        assert batch.bvals is not None
        pairs = zip(batch.entries, batch.bvals, strict=True)
        return batch.select([self._holds(entry[:_DIGEST_SIZE], bval) for entry, bval in pairs])

    def _holds(self, digest: bytes, bval: int) -> bool:
        record = self._namespace.engine.get(digest)
        if record is None:
            return False
        set_name = self._namespace.set_names[record[3]]
        view = RecordView(digest, record, set_name, record[2])
        keys = self._index.keys
        if self._wanted.first_of(keys.of_record(view)) != bval:
            return False
        if self._wanted.key_type is KeyType.NUMERIC:
            return True
        holds = any(map(self._wanted.matches, keys.values(view)))
        if self._counts_geo:
            self._namespace.statistics.geo_region_query_points += holds
            self._namespace.statistics.geo_region_query_falsepos += not holds
        return holds
