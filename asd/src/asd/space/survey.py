"""The survey of a namespace's records: how many never expire, how old they get, how large they are.

What it finds comes from passes over the packed index, a slice at a time with the loop given back in
between, and is kept until the next pass: nobody who asks pays for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Final, TypeAlias

from attrs import frozen

from asd.records.record import CEMETERY
from asd.space.namespace import Namespace

TTL: Final = "ttl"
OBJECT_SIZE: Final = "object-size"
OBJECT_SIZE_LINEAR: Final = "object-size-linear"
KINDS: Final = (TTL, OBJECT_SIZE, OBJECT_SIZE_LINEAR)
"""The histograms of a survey."""

COUNT_PERIOD_S: Final = 30
"""Seconds between counts of the records that never expire."""

TTL_BUCKETS: Final = 100
SIZE_BUCKETS: Final = 1024
LARGEST_SIZE: Final = 1 << 20
"""Bytes from which on sizes share the last linear bucket, where the configuration has no limit."""

SLOTS_PER_STEP: Final = 1024
"""Index entries looked at before the loop is given back: about half a millisecond."""

_Cells: TypeAlias = "Counter[tuple[int, int]]"
"""Records by (set id, bucket)."""


@frozen
class LinearHistogram:
    """Records in buckets of one width, from 0 on; the last one also holds all above it."""

    units: str
    width: int
    buckets: list[int]

    def __str__(self) -> str:
        total = self.width * len(self.buckets)
        cells = ",".join(map(str, self.buckets))
        return f"units={self.units}:hist-width={total}:bucket-width={self.width}:buckets={cells}"


@frozen
class LogHistogram:
    """Records by powers of two: bucket i holds sizes in [2^(i-1), 2^i), bucket 0 holds 0."""

    units: str
    buckets: list[int]

    def __str__(self) -> str:
        cells = "".join(
            f":[{_short((1 << bucket) >> 1)}-{_short(1 << bucket)})={count}"
            for bucket, count in enumerate(self.buckets)
            if count
        )
        return f"units={self.units}{cells}"


@frozen
class Survey:
    """What one pass found. Sizes are bytes of the stored record, times seconds to live."""

    ttl: _Cells
    ttl_width: int
    size: _Cells
    size_width: int
    size_log: _Cells

    def histogram(self, kind: str, set_id: int | None = None) -> LinearHistogram | LogHistogram:
        """A histogram (of `KINDS`) of the records of one set, or of all."""
        if kind == TTL:
            return LinearHistogram("seconds", self.ttl_width, _row(self.ttl, TTL_BUCKETS, set_id))
        if kind == OBJECT_SIZE_LINEAR:
            return LinearHistogram("bytes", self.size_width, _row(self.size, SIZE_BUCKETS, set_id))
        return LogHistogram("bytes", _row(self.size_log, 64, set_id))


class RecordSurvey:
    """The surveys of one namespace, every `nsup-hist-period` seconds of the node's clock."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._surveyed_s = self._counted_s = namespace.clock.epoch_s()
        self.non_expirable = 0
        """Records that never expire, at the last count."""
        self.latest: Survey | None = None
        """None until the first pass is over."""

    async def run(self) -> None:
        """Look every second whether something is due. Ends by cancellation."""
        while True:
            await asyncio.sleep(1)
            period_s = self._namespace.config.nsup_hist_period
            now_s = self._namespace.clock.epoch_s()
            if now_s - self._counted_s >= COUNT_PERIOD_S:
                self._counted_s = now_s
                await self.count()
            if period_s and now_s - self._surveyed_s >= period_s:
                self._surveyed_s = now_s
                await self.survey()

    async def count(self) -> None:
        """Count the records that never expire: under 0.1 microseconds each."""
        never = 0
        index = self._namespace.engine.index
        for first, last in index.slices(SLOTS_PER_STEP):
            never += index.column("void_time", first, last).count(0)
            never -= index.column("generation", first, last).count(0)  # slots that are free
            await asyncio.sleep(0)
        self.non_expirable = max(0, never - index.tombstones)

    async def survey(self) -> None:
        """Make all histograms: about a microsecond a record."""
        namespace = self._namespace
        index = namespace.engine.index
        last_s = 0
        for first, last in index.slices(SLOTS_PER_STEP):
            last_s = max([last_s, *index.column("void_time", first, last)])
            await asyncio.sleep(0)
        now_s = namespace.clock.epoch_s()
        ttl_width = max(1, -(-(last_s - now_s) // TTL_BUCKETS))
        size_width = max(1, (namespace.config.max_record_size or LARGEST_SIZE) // SIZE_BUCKETS)
        ttl: _Cells = Counter()
        size: _Cells = Counter()
        size_log: _Cells = Counter()
        for sets, void_times, sizes in self._records():
            size_log.update(zip(sets, map(int.bit_length, sizes), strict=True))
            size.update(zip(sets, _buckets(sizes, size_width, SIZE_BUCKETS), strict=True))
            ttls = [max(0, time - now_s) for time in void_times if time]
            expiring = compress(sets, void_times)
            ttl.update(zip(expiring, _buckets(ttls, ttl_width, TTL_BUCKETS), strict=True))
            await asyncio.sleep(0)
        self.latest = Survey(ttl, ttl_width, size, size_width, size_log)

    def _records(self) -> Iterator[tuple[list[int], list[int], list[int]]]:
        """Set ids, void-times and sizes of all records, a slice at a time."""
        index = self._namespace.engine.index
        for first, last in index.slices(SLOTS_PER_STEP):
            generations = index.column("generation", first, last)
            flags = index.column("flags", first, last)
            live = [g and f < CEMETERY for g, f in zip(generations, flags, strict=True)]
            sets, void_times, sizes = (
                list(compress(index.column(name, first, last), live))
                for name in ("set_id", "void_time", "size")
            )
            yield sets, void_times, sizes


def _buckets(values: Iterable[int], width: int, count: int) -> list[int]:
    last = count - 1
    return [min(value // width, last) for value in values]


def _row(cells: _Cells, length: int, set_id: int | None) -> list[int]:
    row = [0] * length
    for (of_set, bucket), count in cells.items():
        if set_id is None or of_set == set_id:
            row[bucket] += count
    return row


def _short(size: int) -> str:
    for shift, unit in ((30, "G"), (20, "M"), (10, "K")):
        if size >= 1 << shift:
            return f"{size >> shift}{unit}"
    return str(size)
