"""Truncation: all records of a set, or of a namespace, last written before a time, are gone.

They are gone at once, for every reader, while a job takes them out a piece at a time. The threshold
is system metadata, so all nodes have it, and a job that a restart interrupted begins again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.space.namespace_metadata import NamespaceMetadata
from cluster import PARTITIONS
from cluster.consistency.stamp import time_of
from cluster.smd import SmdItem
from storage.bulk import column, entries_at, partition_slots
from storage.engine import Bulk

if TYPE_CHECKING:
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.truncate")

MODULE: Final = "truncate"
"""The module of the metadata; `namespace` or `namespace|set` to the threshold."""

MOST_THRESHOLDS: Final = 1024
"""Thresholds from which on none is kept for a set or namespace that this node does not know."""

SLICE_S: Final = 0.002
"""How long a job may hold the loop."""

LOOK_S: Final = 1.0
"""How often it is looked whether a clock that is behind has come to a threshold: it may be set."""


MAX_NAMES: Final = 4096
"""Unknown sets whose thresholds are kept; a namespace cannot have more sets."""


class Truncation:
    """The truncations of one namespace. Times are milliseconds since 2010-01-01."""

    __slots__ = ("_thresholds", "_unknown", "begun", "running")

    def __init__(self) -> None:
        self._thresholds: dict[int | None, int] = {}
        self._unknown: dict[bytes, int] = {}
        """Thresholds of sets of which nothing is known here yet, by name."""
        self.running: dict[int | None, int] = {}
        """Those whose records are not all removed yet: set id (None = every set) to threshold."""
        self.begun = asyncio.Event()
        """Set when there may be records to remove."""

    @property
    def thresholds(self) -> Mapping[int | None, int]:
        """Every threshold since start: set id (None = every set) to time."""
        return MappingProxyType(self._thresholds)

    def begin(self, set_id: int | None, before_ms: int) -> None:
        """Hide what was last written before `before_ms`. An older threshold gives way to it."""
        before_ms = max(before_ms, self._thresholds.get(set_id, 0))
        self._thresholds[set_id] = self.running[set_id] = before_ms
        self.begun.set()

    def begin_unknown(self, set_name: bytes, before_ms: int) -> None:
        """Hide what was last written before `before_ms` in a set that nothing was ever written to
        here: records of it may come from elsewhere."""
        self._unknown[set_name] = max(before_ms, self._unknown.get(set_name, 0))
        if len(self._unknown) > MAX_NAMES:
            del self._unknown[next(iter(self._unknown))]

    def forget_unknown(self, set_name: bytes) -> None:
        """Take the threshold of an unknown set back."""
        self._unknown.pop(set_name, None)

    def named(self, set_name: bytes, set_id: int) -> None:
        """A set has got its number: its threshold, if it has one, holds from now on."""
        before_ms = self._unknown.pop(set_name, None) if self._unknown else None
        if before_ms is not None:
            self.begin(set_id, before_ms)

    def covers(self, set_id: int, last_update_ms: int) -> bool:
        """Would a record of this set and time, come from elsewhere, have been truncated?"""
        return last_update_ms < self.threshold(set_id)

    def threshold(self, set_id: int) -> int:
        """The time before which records of this set are gone, or will be; 0: no such time."""
        thresholds = self._thresholds
        return max(thresholds.get(set_id, 0), thresholds.get(None, 0)) if thresholds else 0

    def end(self, set_id: int | None, before_ms: int) -> None:
        """All records older than `before_ms` have been removed."""
        if self.running.get(set_id) == before_ms:
            del self.running[set_id]

    def forget(self, set_id: int | None) -> None:
        """Take a threshold back; what is removed already stays so."""
        self._thresholds.pop(set_id, None)
        self.running.pop(set_id, None)

    def clear(self) -> None:
        """Take all thresholds back."""
        self._thresholds.clear()
        self._unknown.clear()
        self.running.clear()

    def hidden_before(self, set_id: int) -> int:
        """The time before which records of a set that are still there are gone; 0 = none are."""
        running = self.running
        return max(running.get(set_id, 0), running.get(None, 0)) if running else 0

    def hides(self, set_id: int, last_update_ms: int) -> bool:
        """Is a record of this set and time one of those that are gone?"""
        return last_update_ms < self.hidden_before(set_id)

    def _check(self) -> None:
        """Assert every invariant: what runs has a threshold, and it is the newest."""
        assert all(self._thresholds.get(each) == at for each, at in self.running.items())
        assert len(self._unknown) <= MAX_NAMES


class Truncator:
    """Removes what the truncations of a namespace hide.

    A truncation goes on until this node's clock has come to its threshold, which another node's may
    have set: what is written here meanwhile is given a time from the threshold on
    (`Namespace.update_time_ms`). It was written later, and would else be lost when it migrates.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Remove whatever is hidden. Ends by cancellation."""
        truncation = self._namespace.truncation
        try:
            while True:
                await truncation.begun.wait()
                truncation.begun.clear()
                running = dict(truncation.running)
                removed = await self._remove_hidden()
                log.info("{%s} truncated %d records", self._namespace.name, removed)
                self._end(running)
        finally:
            self._wait_no_more()

    def _end(self, removed: Mapping[int | None, int]) -> None:
        """End truncations whose records are removed: now, or as soon as the clock is there."""
        self._wait_no_more()
        now_ms = self._namespace.clock.epoch_ms()
        for set_id, before_ms in removed.items():
            if before_ms <= now_ms:
                self._namespace.truncation.end(set_id, before_ms)
        ahead = {set_id: at for set_id, at in removed.items() if at > now_ms}
        if ahead:
            wait_s = min(LOOK_S, (min(ahead.values()) - now_ms) / 1000)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_s, self._end, ahead)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _remove_hidden(self) -> int:
        """One pass over all records; how many were removed."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + SLICE_S
        removed = 0
        for partition in range(PARTITIONS):
            removed += self._namespace.door.remove_slots(partition, self._hidden(partition))
            if loop.time() >= until_s:
                await asyncio.sleep(0)
                until_s = loop.time() + SLICE_S
        engine = self._namespace.engine
        if isinstance(engine, Bulk):
            while not engine.settle():
                await asyncio.sleep(0)
        return removed

    def _hidden(self, partition: int) -> list[int]:
        """The slots of what is hidden in a partition."""
        index = self._namespace.engine.index
        slots = partition_slots(index, partition)
        if not slots:
            return []
        joined = b"".join(entries_at(index, slots))
        sets, stamps = column(joined, "set_id"), column(joined, "last_update_time")
        strong = self._namespace.consistency is not None
        times = list(map(time_of, stamps)) if strong else stamps
        before = {set_id: self._namespace.truncation.hidden_before(set_id) for set_id in set(sets)}
        if max(times) < min(before.values()):
            return slots
        return [
            slot
            for slot, set_id, time in zip(slots, sets, times, strict=True)
            if time < before[set_id]
        ]


class TruncationMetadata(NamespaceMetadata):
    """Begins truncations by way of the metadata."""

    MODULE = MODULE

    def truncate(self, namespace: str, set_name: str | None, before_ms: int) -> None:
        """Let the set's, or all, records last written before a time be gone.

        Raises FORBIDDEN for a set or namespace that is not known when there are MOST_THRESHOLDS
        of them already: they may be known elsewhere, but not without end.
        """
        key, known = _key(namespace, set_name), self._metadata.items(MODULE)
        new = key not in known and not self._is_known(namespace, set_name)
        if new and len(known) >= MOST_THRESHOLDS:
            raise OperationError(ResultCode.FORBIDDEN, "too many truncations of unknown sets")
        self._keep(key, str(before_ms))

    def _is_known(self, namespace_name: str, set_name: str | None) -> bool:
        namespace = self._namespace(namespace_name)
        if namespace is None or set_name is None:
            return namespace is not None
        return namespace.find_set(set_name.encode("utf-8", "surrogateescape")) is not None

    def undo(self, namespace: str, set_name: str | None) -> None:
        """Take a threshold back, if there is one."""
        key = _key(namespace, set_name)
        if self._metadata.get(MODULE, key) is not None:
            self._keep(key, None)

    def _apply(self, key: str, item: SmdItem) -> None:
        namespace_name, has_set, set_name = key.partition("|")
        namespace = self._namespace(namespace_name)
        if namespace is None:
            return
        truncation, name = namespace.truncation, set_name.encode("utf-8", "surrogateescape")
        set_id = namespace.find_set(name) if has_set else None
        if has_set and set_id is None:
            if item.value is None:
                truncation.forget_unknown(name)
            else:
                truncation.begin_unknown(name, int(item.value))
        elif item.value is None:
            truncation.forget(set_id)
        else:
            self._changed()
            truncation.begin(set_id, int(item.value))


def _key(namespace: str, set_name: str | None) -> str:
    return namespace if set_name is None else f"{namespace}|{set_name}"
