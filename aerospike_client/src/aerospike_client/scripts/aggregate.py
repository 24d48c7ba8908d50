"""Aggregations: the nodes' part, then the client's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aerospike_client.aggregation import finish_stream
from aerospike_client.core.view import ClusterView
from aerospike_client.scripts.effects import Script, ValuesAt
from aerospike_client.scripts.functions import source_of
from aerospike_client.scripts.info import nodes_of


def aggregate(
    view: ClusterView,
    frame: bytes,
    call: tuple[str, str, Sequence[Any]],
    source: bytes | None,
    timeouts_ms: tuple[int, int],
) -> Script[list[Any]]:
    """Run a stream function over a query's records; what comes out of it.

    `call`: module, function and arguments. `source`: the module's, None to fetch it from a node.
    `timeouts_ms`: for the query at each node, and for info commands.
    """
    module, function, arguments = call
    query_ms, info_ms = timeouts_ms
    if source is None:
        source = yield from source_of(view, f"{module}.lua", info_ms)
    values: list[Any] = []
    for node in nodes_of(view):
        values += yield ValuesAt(node, frame, query_ms)
    return finish_stream(source, function, arguments, values)
