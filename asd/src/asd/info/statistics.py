"""The node's own statistics."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import asdict

from asd.info.diagnostics import failed_practices
from asd.info.identity import COMPATIBILITY_ID
from asd.info.names import SERVICE
from asd.info.request import Handler, Request, pairs
from asd.info.source import InfoNode
from asd.membership.settings import stop_writes_skew_s
from asd.process.heavy_work import HeavyWork
from asd.process.machine import Readings

#: What is neither a count nor 0 in a cluster of one.
_FIXED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "cluster_min_compatibility_id": COMPATIBILITY_ID,
        "cluster_max_compatibility_id": COMPATIBILITY_ID,
        "cluster_duplicate_nodes": "null",
        "cluster_clock_skew_outliers": "null",
        "batch_index_queue": "0:0",
        "batch_index_proto_uncompressed_pct": "0.000",
        "batch_index_proto_compression_ratio": "1.000",
        "migrate_allowed": True,
    }
)


def _statistics(request: Request) -> str:
    return pairs(node_figures(request.node))


def node_figures(node: InfoNode) -> list[tuple[str, Any]]:
    """(name, value) of all that the node measures of itself, in the order tools know."""
    figures = _figures(node)
    return [(name, figures.get(name, 0)) for name in SERVICE]


def holds(node: InfoNode) -> list[tuple[str, int]]:
    """(name, value) of what this server measures besides (docs/limits.md). Tools that know each
    name of `statistics` are not given these there."""
    return [
        ("heavy_requests", node.statistics.heavy_requests),
        *_of_heavy_work(node.heavy),
        *_of_memory(node),
        ("longest_hold_ms", node.turns.longest_ns // 1_000_000),
        ("log_lines_dropped", node.logs.dropped),
    ]


def _of_heavy_work(heavy: HeavyWork | None) -> list[tuple[str, int]]:
    """What waits for workers, and how many of them work."""
    if heavy is None:
        return []
    return [
        ("heavy_queue", heavy.queued),
        ("heavy_queue_bytes", heavy.queued_bytes),
        ("heavy_workers_busy", heavy.busy),
    ]


def _of_memory(node: InfoNode) -> list[tuple[str, int]]:
    """Bytes that peers make the node keep besides records, by owner."""
    connections = list(node.connections)
    return [
        ("memory_partial_frames_bytes", sum(each.partial_bytes for each in connections)),
        ("memory_unread_replies_bytes", sum(each.unread_bytes for each in connections)),
        ("memory_expressions_bytes", node.expressions.kept_bytes),
        ("memory_metadata_bytes", node.metadata.kept_bytes),
    ]


def _figures(node: InfoNode) -> dict[str, Any]:
    indexes = [namespace.engine.index for namespace in node.namespaces.values()]
    uptime_s = (node.clock.monotonic_ms() - node.started_ms) // 1000
    return {
        **_FIXED,
        **asdict(node.statistics),
        **_of_machine(node.machine.read()),
        "failed_best_practices": bool(failed_practices(node)),
        **_of_cluster(node),
        "uptime": uptime_s,
        "objects": sum(index.objects for index in indexes),
        "tombstones": sum(index.tombstones for index in indexes),
        "client_connections": len(node.connections),
        "admin_connections": len(node.admin),
        "admin_connections_opened": node.admin.opened,
        "admin_connections_closed": node.admin.closed,
        "long_queries_active": node.queries.long_active,
    }


def _of_cluster(node: InfoNode) -> dict[str, Any]:
    cluster = node.cluster
    remaining = sum(cluster.progress(each.name).remaining for each in node.namespaces.values())
    return {
        "cluster_size": len(cluster.nodes),
        "cluster_key": cluster.key,
        "cluster_generation": cluster.generation,
        "cluster_principal": cluster.principal,
        "paxos_principal": cluster.principal,
        "cluster_integrity": cluster.integrity,
        "cluster_is_member": bool(cluster.nodes),
        "cluster_clock_skew_ms": cluster.skew_ms,
        "cluster_clock_skew_stop_writes_sec": _stop_writes_skew_s(node),
        **cluster.traffic()._asdict(),
        "time_since_rebalance": (node.clock.monotonic_ms() - cluster.formed_ms) // 1000,
        "migrate_partitions_remaining": remaining,
        "rw_in_progress": sum(_in_flight(node, each.name) for each in node.namespaces.values()),
        "proxy_in_progress": cluster.proxied,
    }


def _stop_writes_skew_s(node: InfoNode) -> int:
    """0 where no namespace minds."""
    strong = any(each.consistency is not None for each in node.namespaces.values())
    return stop_writes_skew_s(node.config) if strong else 0


def _in_flight(node: InfoNode, namespace: str) -> int:
    """Writes that a node with a copy has not acknowledged, counted for the one that lacks most."""
    return max((lag.rows for lag in node.cluster.lag(namespace).values()), default=0)


def _of_machine(readings: Readings) -> dict[str, int]:
    free_kbytes, process_kbytes = readings.memory_free // 1024, readings.process_memory // 1024
    user, kernel = round(readings.cpu_user_pct), round(readings.cpu_kernel_pct)
    return {
        "system_total_cpu_pct": user + kernel,
        "system_user_cpu_pct": user,
        "system_kernel_cpu_pct": kernel,
        "system_free_mem_kbytes": free_kbytes,
        "system_free_mem_pct": readings.memory_free_pct,
        "system_thp_mem_kbytes": readings.huge_pages // 1024,
        "host_free_mem_kbytes": free_kbytes,
        "host_free_mem_pct": readings.memory_free_pct,
        "process_cpu_pct": round(readings.process_cpu_pct),
        "threads_joinable": readings.process_threads,
        "heap_allocated_kbytes": process_kbytes,
        "heap_active_kbytes": process_kbytes,
        "heap_mapped_kbytes": process_kbytes,
        "heap_efficiency_pct": 100 if process_kbytes else 0,
    }


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "statistics": _statistics,
    }
)
