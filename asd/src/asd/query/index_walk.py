"""The way through a secondary index: entries in the order of index value and digest.

Which partitions have anything at all is asked of many at once (`IndexEntries.having`): an index
query of one record must not visit 4096 of them one by one.

Entries come in *bursts* of at most 100 of one partition and one span of index values, as on the
real server. Within a burst each record is found once, by its smallest value; a record with more
matching values than a burst has room for, or in several spans of a region, is found again in the
next, and a query that is resumed begins a new burst. An application that counts rows sees the same
here as there. Making records unique over the whole query instead was tried: it needs all values of
a record for each of its entries, which is quadratic, and it hides what production shows.

Where each record has one value, nothing is found twice, and it makes no difference what is a burst:
there the few entries of many partitions are taken together (`_together`), or a query of a thousand
records would spend most of its time on going from partition to partition.

An entry of an integer proves the match, because indexes are exact. A string or blob is compared
since hashes may collide, a shape since cells are larger than points; the verdict on a record is
kept while its partition lasts and its entry in the primary index is the same.

Looking at records takes time, so a burst may be left in the middle: what is left of it is kept as
(value, digest), and found anew, if it is still there, when the walk goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import geo
from asd.query.index_range import IndexRange, Span
from asd.query.request import Resume
from asd.query.walk import ASKED_AT_ONCE, Stretch
from asd.records.record_view import RecordView
from asd.sindex import KeyType, SecondaryIndex, Source
from asd.space.namespace import Namespace
from citrusleaf.cf_digest import DIGEST_SIZE, partition_id
from cluster.consistency.stamp import time_of
from storage.bulk import entries_at
from storage.engine import NotResident

BURST: Final = 100
"""Entries among which a record is found once."""

LOOK_EVERY: Final = 64
"""Entries found, a microsecond or two each, between two looks at the time; those that need a look
at their record have their own."""


class Unsettled(Exception):
    """A partition is to be read of which some records are unsettled: ask again when it is over."""

    def __init__(self, index: SecondaryIndex, partition: int) -> None:
        super().__init__("unsettled")
        self._index = index
        self._partition = partition

    async def settled(self) -> None:
        """Return when it is over."""
        await self._index.settled(self._partition)


class _Step(NamedTuple):
    """Where to go on: behind the entry `after`, if there is one."""

    partition: int
    span: Span
    after: tuple[int, bytes] | None


class IndexWalk:
    """The entries of partitions whose index value is looked for.

    A burst begins at a place in the order, so whatever changes between two bursts, a record that
    stays with its value is found.
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
        self._room = 0
        """How many more entries the call under way takes."""
        self._steps = self._plan(partitions)
        self._step: _Step | Stretch | None = None
        self._rest: list[tuple[int, bytes]] = []
        """What is left of a burst: values and digests, the next one last."""
        self._proven = wanted.key_type is KeyType.NUMERIC
        self._one_value = index.definition.source is Source.DEFAULT and self._proven
        """Has every record one value in the index, and so one entry?"""
        self._partition = -1
        self._verdicts: dict[bytes, bool] = {}
        """Whether records of the partition match, by their entries in the primary index."""
        self._counts_geo = isinstance(wanted.shape, geo.Region)
        if self._counts_geo:
            namespace.statistics.geo_region_query_reqs += 1
            namespace.statistics.geo_region_query_cells += len(wanted.spans)

    def next(self, count: int, over: Callable[[], bool]) -> Stretch | None:
        """Some more entries, at most `count` unless they need no look; None at the end.

        Fewer, or none, when `over` says after some work that time is up. Raises SINDEX_NOT_FOUND
        when the index is dropped meanwhile, NotResident when a record must be looked at that is
        not in memory, Unsettled: ask again when it is.
        """
        if self._index.dropped:
            raise OperationError(ResultCode.SINDEX_NOT_FOUND, "the index was dropped")
        found = Stretch([], [])
        looks_at = LOOK_EVERY
        while len(found.entries) < count:
            self._room = count - len(found.entries)
            try:
                burst = self._left() if self._rest else self._burst()
                if burst is None:
                    return found if found.entries else None
                self._take(burst, count, over, found)
            except (NotResident, Unsettled):
                if not found.entries:
                    raise
                break  # it is asked for again
            if self._rest:
                break  # it was over in the middle of the burst, or there is no more room
            if len(found.entries) >= looks_at or not burst.entries:
                if over():
                    break
                looks_at = len(found.entries) + LOOK_EVERY
        return found

    # -------------------------------------------------------------------- bursts

    def _plan(self, partitions: Mapping[int, Resume | None]) -> Iterator[_Step | Stretch]:
        """The spans of partitions that have entries in them, or the records of several partitions
        that have few; none between the many asked at once."""
        spans = self._wanted.spans
        every = list(partitions)
        at_once = max(1, ASKED_AT_ONCE // max(1, len(spans)))
        for at in range(0, len(every), at_once):
            asked = every[at : at + at_once]
            having = self._having(asked, spans)
            unsettled = self._index.unsettled
            if unsettled:  # what they will have is not known: each is waited for in its turn
                having = {
                    partition: having.get(partition, [*spans])
                    for partition in asked
                    if partition in having or partition in unsettled
                }
            elif self._one_value and not any(map(partitions.__getitem__, having)):
                yield from self._together([*having], *spans)
                having = {}
            for partition, its in having.items():
                self.partitions_done += 1
                resume = partitions[partition]
                after = None
                if resume is not None and resume[1] is not None:
                    after = resume[1], resume[0]
                for span in its:
                    if after is None or span.high >= after[0]:
                        yield _Step(partition, span, after)
            self.partitions_done = at + len(asked)
            yield Stretch([], [])

    def _together(self, partitions: list[int], span: Span) -> Iterator[_Step | Stretch]:
        """Partitions in which no record is found twice, so that bursts may as well be of several:
        as many together as there is room for. One with a whole burst of entries is a step."""
        entries = self._index.entries
        at = 0
        while at < len(partitions):
            if self._index.unsettled:
                yield _Step(partitions[at], span, None)
                at += 1
                self.partitions_done += 1
                continue
            done, (bvals, slots) = entries.gather(partitions[at:], *span, min(self._room, BURST))
            at += done
            self.partitions_done += done
            if done:
                yield Stretch(entries_at(self._namespace.engine.index, slots), bvals)
            else:
                yield _Step(partitions[at], span, None)
                at += 1
                self.partitions_done += 1

    def _having(self, partitions: Sequence[int], spans: Sequence[Span]) -> dict[int, list[Span]]:
        """The partitions that have entries in spans, in the order given, and these spans."""
        entries = self._index.entries
        some = entries.having(partitions, spans[0].low, spans[-1].high) if spans else []
        if len(spans) == 1:
            return {partition: [*spans] for partition in some}
        found: dict[int, list[Span]] = {partition: [] for partition in some}
        for span in spans:
            for partition in entries.having(some, *span):
                found[partition].append(span)
        return found

    def _burst(self) -> Stretch | None:
        """The records of the next burst, each once; empty when there was none in the partitions
        just asked, None at the end."""
        if self._step is None:
            try:
                self._step = next(self._steps)
            except StopIteration:
                return None
        if isinstance(self._step, Stretch):
            together, self._step = self._step, None
            return together
        partition, span, after = self._step
        if partition in self._index.unsettled:
            raise Unsettled(self._index, partition)
        if partition != self._partition:
            self._partition = partition
            self._verdicts.clear()
        bvals, slots = self._index.entries.find(partition, *span, after, BURST)
        entries = entries_at(self._namespace.engine.index, slots)
        if len(entries) < BURST:
            self._step = None
        else:
            self._step = _Step(partition, span, (bvals[-1], entries[-1][:DIGEST_SIZE]))
        if self._one_value or len(set(slots)) == len(slots):
            return Stretch(entries, bvals)
        records = dict(zip(reversed(slots), reversed(bvals), strict=True))  # the smallest stays
        firsts = [records.pop(slot, None) is not None for slot in slots]
        return Stretch(entries, bvals).select(firsts)

    def _left(self) -> Stretch:
        """What is left of a burst and still there."""
        index, primary = self._index.entries, self._namespace.engine.index
        if self._index.unsettled:
            for _, digest in self._rest:
                if partition_id(digest) in self._index.unsettled:
                    raise Unsettled(self._index, partition_id(digest))
        rest, self._rest = self._rest, []
        still = [
            (bval, digest)
            for bval, digest in reversed(rest)
            if index.holds(partition_id(digest), bval, digest)
        ]
        slots = [primary.find(digest) for _, digest in still]
        return Stretch(entries_at(primary, slots), [bval for bval, _ in still])

    # ------------------------------------------------------------------- matching

    def _take(self, burst: Stretch, count: int, over: Callable[[], bool], found: Stretch) -> None:
        """Add those records of a burst that match, and keep the rest of it for later."""
        assert burst.bvals is not None
        assert found.bvals is not None
        room = count - len(found.entries)
        if self._proven and len(burst.entries) <= room:
            found.entries.extend(burst.entries)
            found.bvals.extend(burst.bvals)
            return
        handled = 0
        try:
            for entry, bval in zip(burst.entries, burst.bvals, strict=True):
                if self._proven or self._matches(entry):
                    found.entries.append(entry)
                    found.bvals.append(bval)
                handled += 1
                if len(found.entries) == count or over():
                    break
        finally:
            left = zip(burst.bvals[handled:], burst.entries[handled:], strict=True)
            self._rest = [(bval, entry[:DIGEST_SIZE]) for bval, entry in left][::-1]

    def _matches(self, entry: bytes) -> bool:
        """Does the record of a primary index entry have what is looked for?"""
        verdict = self._verdicts.get(entry)
        if verdict is None:
            verdict = self._verdicts[entry] = self._look(entry[:DIGEST_SIZE])
        return verdict

    def _look(self, digest: bytes) -> bool:
        record = self._namespace.engine.get(digest)
        if record is None:
            return False
        set_name = self._namespace.set_names[record[3]]
        view = RecordView(digest, record, set_name, time_of(record[2]))
        matches = any(map(self._wanted.matches, self._index.keys.values(view)))
        if self._counts_geo:
            self._namespace.statistics.geo_region_query_points += matches
            self._namespace.statistics.geo_region_query_falsepos += not matches
        return matches
