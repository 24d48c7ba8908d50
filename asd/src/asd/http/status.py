"""What the page shows, as one object of plain values for JSON."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from attrs import fields

from asd.config import Section
from asd.http.cluster import cluster_status
from asd.http.history import History
from asd.http.metrics import readable
from asd.http.shipping import shipping_rows
from asd.info.diagnostics import failed_practices
from asd.info.identity import BUILD
from asd.info.namespaces import set_figures
from asd.info.statistics import holds
from asd.info.ticker import has_limit
from asd.sindex.definition import Source
from citrusleaf.cf_clock import epoch_ms_to_unix_ms

if TYPE_CHECKING:
    from asd.info.source import InfoNode
    from asd.space.namespace import Namespace

SHOWN_BUCKETS: Final = 28
"""Buckets of a latency histogram that are shown: in milliseconds, those up to two minutes."""

MAX_SETS: Final = 200
"""Sets listed of each namespace, the largest first."""

MAX_QUERIES: Final = 50
MAX_AGENTS: Final = 20

_COUNTERS: Final = (
    ("read", ("read_success",), ("read_not_found",), ("read_error", "read_timeout")),
    ("write", ("write_success",), (), ("write_error", "write_timeout")),
    ("delete", ("delete_success",), ("delete_not_found",), ("delete_error", "delete_timeout")),
    ("udf", ("udf_complete",), (), ("udf_error", "udf_timeout")),
)
"""Row of the page: counters of success, of what was not there, of failure."""


def status(node: InfoNode, history: History) -> dict[str, Any]:
    """The node as it is now. Names of sets and bins that are not UTF-8 are shown escaped."""
    namespaces = node.namespaces.values()
    return {
        "node": _node(node),
        "machine": _machine(node),
        "clients": _clients(node),
        "limits": dict(holds(node)),
        "cluster": cluster_status(node),
        "history": history.columns,
        "latencies": [
            {
                "name": histogram.name,
                "count": sum(histogram.counts),
                "bounds_ms": histogram.bounds_ms()[:SHOWN_BUCKETS],
                "recent": history.recent(histogram)[:SHOWN_BUCKETS],
            }
            for histogram in node.histograms()
        ],
        "namespaces": [_namespace(namespace) for namespace in namespaces],
        "sets": [row for namespace in namespaces for row in _sets(namespace)],
        "indexes": [row for namespace in namespaces for row in _indexes(namespace)],
        "shipping": list(shipping_rows(node)),
        "queries": [_pairs(row) for row in node.queries.show()[:MAX_QUERIES]],
    }


def _node(node: InfoNode) -> dict[str, Any]:
    now_ms = node.clock.epoch_ms()
    return {
        "id": node.node_id,
        "build": BUILD,
        "edition": node.config.edition.value,
        "cluster_name": node.config.service.cluster_name,
        "address": (node.addresses or ["any address"])[0],
        "port": node.port,
        "uptime_s": (node.clock.monotonic_ms() - node.started_ms) // 1000,
        "now_ms": epoch_ms_to_unix_ms(now_ms),
        "failed_practices": failed_practices(node),
    }


def _machine(node: InfoNode) -> dict[str, Any]:
    now = node.machine.read()
    return {
        "memory_total": now.memory_total,
        "memory_free": now.memory_free,
        "cpu_pct": now.cpu_user_pct + now.cpu_kernel_pct,
        "process_cpu_pct": now.process_cpu_pct,
        "process_memory": now.process_memory,
        "process_threads": now.process_threads,
    }


def _clients(node: InfoNode) -> dict[str, Any]:
    agents = Counter(agent_text(connection.user_agent) for connection in node.connections)
    return {
        "connected": len(node.connections),
        "most": node.config.service.proto_fd_max,
        "opened": node.statistics.client_connections_opened,
        "agents": [{"name": name, "count": n} for name, n in agents.most_common(MAX_AGENTS)],
    }


def _namespace(namespace: Namespace) -> dict[str, Any]:
    figures = namespace.engine.statistics()
    counters = namespace.statistics
    return {
        "name": namespace.name,
        "engine": namespace.config.storage_engine.engine,
        "objects": figures["objects"],
        "tombstones": figures["tombstones"],
        "index_bytes": figures["index_used_bytes"],
        "sindex_bytes": namespace.indexes.used_bytes,
        "set_index_bytes": namespace.indexes.set_index_used_bytes,
        "data_bytes": figures["data_used_bytes"],
        "data_total": figures["data_total_bytes"],
        "data_limited": has_limit(namespace),
        "expired": counters.expired_objects,
        "evicted": counters.evicted_objects,
        "stop_writes": namespace.stop_writes,
        "evicting": namespace.hwm_breached,
        "work": [
            {
                "name": name,
                **{
                    outcome: sum(
                        getattr(origin, counter)
                        for origin in (counters.client, counters.batch_sub)
                        for counter in names
                    )
                    for outcome, names in (("ok", ok), ("missing", missing), ("failed", failed))
                },
            }
            for name, ok, missing, failed in _COUNTERS
        ],
    }


def _sets(namespace: Namespace) -> Iterator[dict[str, Any]]:
    usage = namespace.engine.index.sets
    by_size = sorted(usage, key=lambda set_id: usage[set_id].objects, reverse=True)
    for set_id in islice(by_size, MAX_SETS):
        name = namespace.set_names[set_id]
        figures = set_figures(namespace, set_id)
        yield {"namespace": namespace.name, "name": readable(name), **dict(figures)}


def _indexes(namespace: Namespace) -> Iterator[dict[str, Any]]:
    for index in namespace.indexes:
        definition = index.definition
        bin_name = readable(definition.bin_name)
        yield {
            "namespace": namespace.name,
            "name": definition.name or "(set index)",
            "set": readable(definition.set_name),
            "of": bin_name or ("set" if definition.source is Source.SET else "expression"),
            "type": "" if definition.source is Source.SET else definition.key_type.value,
            "source": definition.source.value,
            "entries": len(index.entries),
            "bytes": index.entries.memory_bytes,
            "load_pct": index.load_pct,
        }


def _pairs(row: str) -> dict[str, str]:
    """The row of `query-show` as names and values."""
    return dict(pair.partition("=")[::2] for pair in row.split(":"))


def agent_text(user_agent: str | None) -> str:
    """What a client said of itself, for people: library and version, and the application."""
    if user_agent is None:
        return "unknown"
    try:
        text = base64.b64decode(user_agent).decode("utf-8", "backslashreplace")
    except binascii.Error:
        return "unknown"
    # format version, library, application
    parts = text.split(",")
    return (
        " · ".join(part for part in parts[1:3] if part not in ("", "not-set")) or text or "unknown"
    )


def configuration(node: InfoNode) -> list[dict[str, str]]:
    """All parameters with their values; `default` only where that is another."""
    sections: list[tuple[str, Section]] = [
        ("service", node.config.service),
        ("network", node.config.network),
        *((f"namespace {name}", each) for name, each in node.config.namespaces.items()),
    ]
    community = node.config.community
    return [row for context, each in sections for row in _parameters(context, each, community)]


def _parameters(context: str, section: Section, community: bool) -> Iterator[dict[str, str]]:
    usual = dict(_defaults(section, community))
    for name, value in section.rows(community=community):
        row = {"context": context, "name": name, "value": value}
        default = usual.get(name, value)
        yield row if default == value else {**row, "default": default}


def _defaults(section: Section, community: bool, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name, text) of all parameters' defaults, subsections under their name and a dot."""
    for parameter in section.parameters().values():
        yield prefix + parameter.name, parameter.kind.show(parameter.default_in(community))
    for attribute in fields(type(section)):  # type: ignore[arg-type] # each is an attrs class
        part = getattr(section, attribute.name)
        if isinstance(part, Section):
            yield from _defaults(part, community, f"{prefix}{attribute.name.replace('_', '-')}.")
