"""The end of tombstones that were only kept to be shipped.

A delete that is not durable leaves a tombstone while its namespace is shipped. When every
destination has it, it goes; then such a delete has left nothing, as everywhere else. Every node
does it by itself with its own copies: it knows the last ship times of all partitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from asd.records.record import XDR_TOMBSTONE
from asd.shipping.recovery import MARGIN_MS
from cluster import PARTITIONS
from cluster.consistency.stamp import time_of
from storage.bulk import entries_at, partition_slots
from storage.engine import TOMBSTONE
from storage.index import ENTRY, Entry

if TYPE_CHECKING:
    from asd.space.namespace import Namespace

PARTITIONS_A_STEP: Final = 16
"""Partitions looked through before the loop is given back."""


async def take_shipped(namespace: Namespace, times_ms: Sequence[int]) -> int:
    """Take away the tombstones of plain deletes made before their partition's last ship time (and
    recovery's margin); how many."""
    index, taken = namespace.engine.index, 0
    for partition in range(PARTITIONS):
        if not index.tombstones:
            break
        before_ms = times_ms[partition] - 2 * MARGIN_MS
        for raw in entries_at(index, partition_slots(index, partition)):
            entry = Entry._make(ENTRY.unpack(raw))
            shipped = entry.flags & TOMBSTONE and entry.flags & XDR_TOMBSTONE
            if shipped and time_of(entry.last_update_time) < before_ms:
                namespace.door.remove_unread(entry.digest)
                taken += 1
        if partition % PARTITIONS_A_STEP == 0:
            await asyncio.sleep(0)
    return taken
