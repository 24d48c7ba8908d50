"""When a namespace has had enough: the thresholds of eviction and of stopping writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asd.process.machine import Readings

if TYPE_CHECKING:
    from asd.space.namespace import Namespace


def indexes_bytes(namespace: Namespace) -> int:
    """Memory of the primary, secondary and set indexes. O(4096) for each index."""
    indexes = namespace.indexes
    own = namespace.engine.index.memory_bytes
    return own + indexes.used_bytes + indexes.set_index_used_bytes


def stop_reason(namespace: Namespace, machine: Readings) -> str:
    """Why writes must stop, in the words of the configuration; empty when they need not."""
    config = namespace.config
    storage = config.storage_engine
    if namespace.failure:
        return namespace.failure.reason
    if machine.memory_total and config.stop_writes_sys_memory_pct:
        used_pct = 100 - machine.memory_free_pct
        if used_pct >= config.stop_writes_sys_memory_pct:
            return f"stop-writes-sys-memory-pct: {used_pct} % of the machine's memory are used"
    budget = config.indexes_memory_budget
    if budget and indexes_bytes(namespace) >= budget:
        return f"indexes-memory-budget: the indexes take {budget} bytes or more"
    if storage.is_limited:
        figures = namespace.engine.statistics()
        used_pct, avail_pct = figures["data_used_pct"], figures["data_avail_pct"]
        if 0 < storage.stop_writes_used_pct <= used_pct:
            return f"stop-writes-used-pct: {used_pct} % of the room for data are used"
        if avail_pct < storage.stop_writes_avail_pct:
            return f"stop-writes-avail-pct: {avail_pct} % of the room for data are left"
    return ""


def evict_reason(namespace: Namespace) -> str:
    """Why records must be evicted, in the words of the configuration; empty when they need not."""
    config = namespace.config
    storage = config.storage_engine
    if storage.is_limited and storage.evict_used_pct:
        used_pct = namespace.engine.statistics()["data_used_pct"]
        if used_pct >= storage.evict_used_pct:
            return f"evict-used-pct: {used_pct} % of the room for data are used"
    budget = config.indexes_memory_budget
    if budget and config.evict_indexes_memory_pct:
        used_pct = 100 * indexes_bytes(namespace) // budget
        if used_pct >= config.evict_indexes_memory_pct:
            return f"evict-indexes-memory-pct: {used_pct} % of the indexes' budget are used"
    return ""
