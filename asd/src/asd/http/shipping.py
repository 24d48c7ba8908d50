"""Change shipping as the page and the metrics show it: a row for each data center and namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from asd.info.source import InfoNode

COUNTERS: Final = frozenset(
    {"bytes_shipped", "success", "abandoned", "not_found", "filtered_out", "retry_no_node"}
    | {"retry_conn_reset", "retry_dest", "recoveries", "hot_keys"}
)
"""Figures of `get-stats` that only grow."""


def shipping_rows(node: InfoNode) -> Iterator[dict[str, Any]]:
    """What is shipped where, and how it goes."""
    for dc in node.config.xdr.dcs.values():
        nodes = dict(node.shipping.figures(dc.name))["nodes"]
        for name in dc.attached():
            figures = dict(node.shipping.figures(dc.name, name))
            chosen = ("lag", "throughput", "in_queue", "in_progress", "success", "abandoned")
            yield {
                "dc": dc.name,
                "namespace": name,
                "connector": dc.connector,
                "nodes": nodes,
                "recoveries_pending": figures["recoveries_pending"],
                "retried": sum(
                    figures[each] for each in ("retry_no_node", "retry_conn_reset", "retry_dest")
                ),
                **{each: figures[each] for each in chosen},
            }
