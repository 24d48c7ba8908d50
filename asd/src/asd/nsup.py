"""The namespace supervisor: takes expired records away."""

from __future__ import annotations

import asyncio
import logging

from asd.namespace import Namespace

log = logging.getLogger("asd.nsup")

SLOTS_PER_STEP = 4096
"""Index entries looked at before the loop is given back: a few milliseconds if all have expired."""


class Nsup:
    """The expiry of one namespace, every `nsup-period` seconds of the node's clock."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._last_s = namespace.clock.epoch_s()

    async def run(self) -> None:
        """Look every second whether a cycle is due. Ends by cancellation."""
        while True:
            await asyncio.sleep(1)
            period = self._namespace.config.nsup_period
            now_s = self._namespace.clock.epoch_s()
            if period and now_s - self._last_s >= period:
                self._last_s = now_s
                await self.cycle()

    async def cycle(self) -> int:
        """Remove every record whose void-time has come; how many there were."""
        namespace = self._namespace
        started_ms = namespace.clock.monotonic_ms()
        objects = len(namespace.engine.index)
        expired = 0
        index = namespace.engine.index
        for first, last in index.slices(SLOTS_PER_STEP):
            expired += self._remove(index.expired(namespace.clock.epoch_s(), first, last))
            await asyncio.sleep(0)
        statistics = namespace.statistics
        statistics.expired_objects += expired
        statistics.nsup_cycle_duration = (namespace.clock.monotonic_ms() - started_ms) // 1000
        statistics.nsup_cycle_deleted_pct = 100.0 * expired / objects if objects else 0.0
        if expired:
            log.info("{%s} nsup removed %d expired of %d records", namespace.name, expired, objects)
        return expired

    def _remove(self, digests: list[bytes]) -> int:
        # A record may have been written anew since it was found: only what is still expired goes.
        now_s = self._namespace.clock.epoch_s()
        return sum(
            self._namespace.remove(digest)
            for digest in digests
            if self._namespace.load(digest, now_s) is None
        )
