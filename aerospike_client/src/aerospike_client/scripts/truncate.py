"""Truncation: all records of a set or namespace that are older than a moment."""

from __future__ import annotations

from aerospike_client.core.view import ClusterView
from aerospike_client.scripts.effects import Script
from aerospike_client.scripts.info import ask_ok, joined, named_node


def truncate(
    view: ClusterView, namespace: str, set_name: str, before_ns: int, timeout_ms: int
) -> Script[None]:
    """Remove what was last written before a Unix time in nanoseconds (0 = now)."""
    name = "truncate" if set_name else "truncate-namespace"
    moment = str(before_ns) if before_ns else ""
    parts = joined([("namespace", namespace), ("set", set_name), ("lut", moment)])
    yield from ask_ok(named_node(view, None), f"{name}:{parts}", timeout_ms)
