"""The namespace supervisor: removes what has expired, evicts when space is short, stops writes."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from asd.process.machine import Machine
from asd.records.change import Change
from asd.records.record import NSUP_TOMBSTONE
from asd.space.limits import evict_reason, stop_reason
from asd.space.namespace import Namespace
from citrusleaf.cf_digest import partition_id
from storage.index import Entry

log = logging.getLogger("asd.nsup")

SLOTS_PER_STEP: Final = 4096
"""Index entries looked at before the loop is given back: a fraction of a millisecond."""

REMOVALS_PER_STEP: Final = 128
"""Records removed before the loop is given back: about a millisecond."""


class Nsup:
    """The supervisor of one namespace.

    Every second it looks whether writes must stop; every `nsup-period` seconds of the node's clock
    it goes through the records.
    """

    def __init__(
        self, namespace: Namespace, machine: Machine, rules_changed: Callable[[], None]
    ) -> None:
        """`rules_changed` is called when writes stop or go on."""
        self._namespace = namespace
        self._machine = machine
        self._rules_changed = rules_changed
        self._last_s = namespace.clock.epoch_s()

    async def run(self) -> None:
        """Look every second whether something is due. Ends by cancellation."""
        while True:
            await asyncio.sleep(1)
            self.watch()
            period = self._namespace.config.nsup_period
            now_s = self._namespace.clock.epoch_s()
            if period and now_s - self._last_s >= period:
                self._last_s = now_s
                await self.cycle()

    def watch(self) -> None:
        """Stop writes, or let them go on, as memory and space are now."""
        namespace = self._namespace
        reason = stop_reason(namespace, self._machine.read())
        if bool(reason) != namespace.stop_writes:
            namespace.stop_writes = bool(reason)
            self._rules_changed()
            if reason:
                log.warning("{%s} writes are stopped: %s", namespace.name, reason)
            else:
                log.warning("{%s} writes go on", namespace.name)

    async def cycle(self) -> int:
        """Remove every record whose void-time has come, and evict if that is needed; how many
        records were removed."""
        namespace = self._namespace
        if namespace.is_forever:
            return 0  # what is taken away without a trace could come back
        started_ms = namespace.clock.monotonic_ms()
        objects = len(namespace.engine.index)
        expired = await self._expire(namespace.clock.epoch_s())
        evicted = await self._evict()
        removed = expired + evicted
        statistics = namespace.statistics
        statistics.expired_objects += expired
        statistics.evicted_objects += evicted
        statistics.nsup_cycle_duration = (namespace.clock.monotonic_ms() - started_ms) // 1000
        statistics.nsup_cycle_deleted_pct = 100.0 * removed / objects if objects else 0.0
        if removed:
            text = "{%s} nsup removed %d expired and %d evicted of %d records"
            log.info(text, namespace.name, expired, evicted, objects)
        return removed

    async def _expire(self, now_s: int) -> int:
        index = self._namespace.engine.index
        removed = 0
        for first, last in index.slices(SLOTS_PER_STEP):
            removed += await self._remove(index.expired(now_s, first, last), now_s)
            await asyncio.sleep(0)
        return removed

    async def _remove(self, digests: list[bytes], before_s: int) -> int:
        """Remove those of the records that have a void-time before `before_s`; how many had."""
        removed = 0
        index = self._namespace.engine.index
        for done, digest in enumerate(digests, 1):
            # It may have been written anew since it was found.
            slot = index.find(digest)
            if slot and 0 < (entry := index.entry(slot)).void_time < before_s:
                removed += self._namespace.door.remove_unread(digest)
                self._leave(entry)
            if done % REMOVALS_PER_STEP == 0:
                await asyncio.sleep(0)
        return removed

    def _leave(self, entry: Entry) -> None:
        """Leave what is to be shipped of the record's end, where this node ships it."""
        namespace, digest = self._namespace, entry.digest
        if namespace.ships is None or not namespace.ownership.is_master(partition_id(digest)):
            return
        gone = entry.generation, 0, entry.last_update_time, entry.set_id, entry.flags, b""
        left = namespace.left_to_ship(gone, NSUP_TOMBSTONE)
        if left is not None:
            namespace.commit(Change(digest, None, left))

    # ------------------------------------------------------------------- eviction

    async def _evict(self) -> int:
        """Evict the records that would expire soonest, some tenths of a percent of those that
        expire at all; how many. Nothing unless a threshold is reached."""
        namespace = self._namespace
        reason = evict_reason(namespace)
        namespace.hwm_breached = bool(reason)
        if not reason:
            return 0
        threshold_s = await self._threshold()
        if not threshold_s:
            log.warning("{%s} nothing to evict: %s", namespace.name, reason)
            return 0
        log.warning("{%s} evicts: %s", namespace.name, reason)
        namespace.evict_void_time = threshold_s
        index = namespace.engine.index
        evicted = 0
        for first, last in index.slices(SLOTS_PER_STEP):
            found = index.expired(threshold_s, first, last)
            evicted += await self._remove(self._evictable(found), threshold_s)
            await asyncio.sleep(0)
        return evicted

    def _evictable(self, digests: Iterable[bytes]) -> list[bytes]:
        """Those that are not in a set with `disable-eviction`."""
        protected = self._protected_sets()
        if not protected:
            return list(digests)
        index = self._namespace.engine.index
        return [d for d in digests if index.entry(index.find(d)).set_id not in protected]

    def _protected_sets(self) -> set[int]:
        found = (
            self._namespace.find_set(name)
            for name, own in self._namespace.config.sets.items()
            if own.disable_eviction
        )
        return {set_id for set_id in found if set_id is not None}

    async def _threshold(self) -> int:
        """The void-time under which enough records lie; 0 when none can be evicted.

        Void-times are counted in `evict-hist-buckets` buckets, which are as exact as it gets.
        """
        namespace = self._namespace
        now_s = namespace.clock.epoch_s()
        latest_s = await self._latest()
        width_s = max(1, -(-(latest_s - now_s + 1) // namespace.config.evict_hist_buckets))
        buckets = Counter[int]()
        protected = self._protected_sets()
        index = namespace.engine.index
        for first, last in index.slices(SLOTS_PER_STEP):
            times = index.column("void_time", first, last)
            sets = index.column("set_id", first, last) if protected else [0] * len(times)
            buckets.update(
                max(0, time - now_s) // width_s
                for time, set_id in zip(times, sets, strict=True)
                if time and set_id not in protected
            )
            await asyncio.sleep(0)
        wanted = buckets.total() * namespace.config.evict_tenths_pct // 1000
        for bucket in sorted(buckets):
            wanted -= buckets[bucket]
            if wanted <= 0:
                return now_s + (bucket + 1) * width_s
        return 0

    async def _latest(self) -> int:
        """The latest void-time of all records."""
        index = self._namespace.engine.index
        latest_s = 0
        for first, last in index.slices(SLOTS_PER_STEP):
            latest_s = max(latest_s, *index.column("void_time", first, last))
            await asyncio.sleep(0)
        return latest_s
