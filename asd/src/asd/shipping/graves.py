"""The end of tombstones that were only kept to be shipped, and of what tells of deleted bins.

A delete that is not durable leaves a tombstone while its namespace is shipped. When every
destination has it, it goes; then such a delete has left nothing, as everywhere else. Every node
does it by itself with its own copies: it knows the last ship times of all partitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from asd.records.record import CEMETERY, XDR_TOMBSTONE
from asd.shipping.recovery import MARGIN_MS
from cluster import PARTITIONS
from cluster.consistency.stamp import time_of
from storage.bulk import FLAGS_AT, entries_at, partition_slots
from storage.engine import TOMBSTONE
from storage.index import ENTRY, ENTRY_SIZE, Entry, PrimaryIndex

if TYPE_CHECKING:
    from asd.space.namespace import Namespace

PARTITIONS_A_STEP: Final = 16
"""Partitions looked through before the loop is given back."""


async def take_shipped(namespace: Namespace, times_ms: Sequence[int]) -> int:
    """Take away the tombstones of plain deletes made before their partition's last ship time (and
    recovery's margin); how many."""
    if not namespace.engine.index.tombstones:
        return 0

    def is_over(entry: Entry, partition: int) -> bool:
        shipped = entry.flags & TOMBSTONE and entry.flags & XDR_TOMBSTONE
        return bool(shipped) and time_of(entry.last_update_time) < _before_ms(times_ms[partition])

    return await _take(namespace, is_over)


def _before_ms(shipped_ms: int) -> int:
    return shipped_ms - 2 * MARGIN_MS


async def take_cemeteries(namespace: Namespace) -> int:
    """Take away what tells of deleted bins for longer than `xdr-bin-tombstone-ttl`; how many."""
    if not count_graves(namespace.engine.index)[1]:
        return 0
    ttl_ms = namespace.config.xdr_bin_tombstone_ttl * 1000
    before_ms = namespace.clock.epoch_ms() - ttl_ms

    def is_over(entry: Entry, _: int) -> bool:
        is_cemetery = entry.flags & (CEMETERY | TOMBSTONE) == CEMETERY
        return is_cemetery and time_of(entry.last_update_time) < before_ms

    return await _take(namespace, is_over)


def count_graves(index: PrimaryIndex) -> tuple[int, int]:
    """How many tombstones there are that wait to be shipped, and how many cemeteries. About 2 ms
    for a million records."""
    flags = bytes(memoryview(index.arena)[FLAGS_AT : index.end * ENTRY_SIZE : ENTRY_SIZE])
    waiting = (f for f in range(TOMBSTONE, 2 * TOMBSTONE) if f & XDR_TOMBSTONE)
    return sum(map(flags.count, waiting)), sum(map(flags.count, range(CEMETERY, TOMBSTONE)))


async def _take(namespace: Namespace, is_over: Callable[[Entry, int], bool]) -> int:
    index, taken = namespace.engine.index, 0
    for partition in range(PARTITIONS):
        for raw in entries_at(index, partition_slots(index, partition)):
            if raw[FLAGS_AT] < CEMETERY:
                continue
            entry = Entry._make(ENTRY.unpack(raw))
            if is_over(entry, partition):
                namespace.door.remove_unread(entry.digest)
                taken += 1
        if partition % PARTITIONS_A_STEP == 0:
            await asyncio.sleep(0)
    return taken
