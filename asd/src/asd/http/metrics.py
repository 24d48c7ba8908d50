"""The node's figures in Prometheus' text format, under the names of the public exporter.

The names are those of info: `aerospike_namespace_client_read_success{ns="test"}` is
`client_read_success` of `namespace/test`. Latencies are true histograms, in milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import fields_dict

from asd.config import get_config
from asd.http.cluster import census
from asd.http.shipping import COUNTERS as SHIPPING_COUNTERS
from asd.info.names import NAMESPACE_COUNTERS
from asd.info.namespaces import namespace_figures, set_figures
from asd.info.statistics import holds, node_figures
from asd.measures.histogram import Histogram
from asd.measures.statistics import ServiceStatistics

if TYPE_CHECKING:
    from asd.info.source import InfoNode
    from asd.space.namespace import Namespace

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = Mapping[str, str]

_COUNTERS: Final = frozenset(
    {
        *fields_dict(ServiceStatistics),
        *NAMESPACE_COUNTERS[NAMESPACE_COUNTERS.index("client_tsvc_error") :],
        "expired_objects",
        "evicted_objects",
        *SHIPPING_COUNTERS,
    }
)
"""Figures that only grow. All others are gauges."""

MIN_BOUND_MS: Final = 1 / 64
MAX_BOUND_MS: Final = 65536
"""The bounds of latencies that are shown: 16 microseconds to a minute."""

_NO_NUMBERS: Final = frozenset({"cluster_key", "cluster_principal", "paxos_principal", "node-id"})
"""Identities, which may look like numbers."""

_PLACE: Final = re.compile(r"storage-engine\.(stripe|file|device)\[(\d+)\]\.(\w+)")
_OF_NAMESPACE: Final = re.compile(r"\{(.*)\}-(.*)")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_TO_UNDERSCORE: Final = str.maketrans("-.", "__")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class _Families:
    """Samples grouped by metric, as the format wants them."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._samples: dict[str, list[str]] = {}
        self._types: dict[str, str] = {}

    def add(self, family: str, kind: str, sample: str) -> None:
        """One more sample of a family of type `kind`: a line of the format."""
        samples = self._samples.get(family)
        if samples is None:
            samples = self._samples[family] = []
            self._types[family] = kind
        samples.append(sample)

    def shown(self, labels: Labels) -> str:
        """Labels as the format has them, those of the node before them."""
        every = {**self._labels, **labels}
        return ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in every.items())

    def add_figures(self, prefix: str, labels: Labels, rows: Iterable[tuple[str, Any]]) -> None:
        """All of the rows that are numbers."""
        shown = self.shown(labels)
        for name, value in rows:
            number = _number(name, value)
            if number is None:
                continue
            place = _PLACE.fullmatch(name) if "[" in name else None
            if place:
                of, index, figure = place.groups()
                family = f"aerospike_{prefix}_storage_engine_{of}_{figure}"
                self.add(family, "gauge", f'{family}{{{shown},{of}_index="{index}"}} {number}')
            else:
                family = f"aerospike_{prefix}_{name.translate(_TO_UNDERSCORE)}"
                kind = "counter" if name in _COUNTERS else "gauge"
                self.add(family, kind, f"{family}{{{shown}}} {number}")

    def lines(self) -> Iterator[str]:
        """The text."""
        for family, samples in self._samples.items():
            yield f"# TYPE {family} {self._types[family]}"
            yield from samples


def exposition(node: InfoNode) -> str:
    """All figures of the node as they are now."""
    service = node.config.network.service
    host = (node.addresses or service.access_address or ("0.0.0.0",))[0]
    families = _Families(
        {
            "cluster_name": node.config.service.cluster_name or "null",
            "service": f"{host}:{node.port}",
        }
    )
    families.add("aerospike_node_up", "gauge", f"aerospike_node_up{{{families.shown({})}}} 1")
    families.add_figures("node_stats", {}, get_config(node.config, "service"))
    families.add_figures("node_stats", {}, [*node_figures(node), *holds(node)])
    for peer, standing in node.cluster.standings.items():
        if peer != node.node_id:
            skew = [("peer_clock_skew_ms", standing.skew_ms)]
            families.add_figures("node_stats", {"peer": peer}, skew)
    for namespace in node.namespaces.values():
        _add_namespace(families, node, namespace)
        _add_partitions(families, node, namespace)
    _add_shipping(families, node)
    for histogram in node.histograms():
        _add_histogram(families, histogram)
    return "\n".join([*families.lines(), ""])


def _add_namespace(families: _Families, node: InfoNode, namespace: Namespace) -> None:
    labels = {"ns": namespace.name}
    of_namespace = {**labels, "storage_engine": namespace.config.storage_engine.engine}
    families.add_figures("namespace", of_namespace, namespace_figures(node, namespace))
    configuration = get_config(node.config, "namespace", namespace.name)
    families.add_figures("namespace", of_namespace, configuration)
    for set_id, set_name in enumerate(namespace.set_names):
        if set_name:
            of_set = {**labels, "set": readable(set_name)}
            families.add_figures("sets", of_set, set_figures(namespace, set_id))
    for index in namespace.indexes.named:
        of_index = {**labels, "sindex": index.definition.name}
        entries = index.entries
        rows = [("entries", len(entries)), ("used_bytes", entries.memory_bytes)]
        families.add_figures("sindex", of_index, [*rows, ("load_pct", index.load_pct)])


def _add_partitions(families: _Families, node: InfoNode, namespace: Namespace) -> None:
    """What this node is to the partitions, and what of its writes others lack."""
    labels = {"ns": namespace.name}
    for (role, state), count in census(node, namespace).items():
        of_these = {**labels, "role": role, "state": state}
        families.add_figures("namespace", of_these, [("partitions", count)])
    for peer, lag in node.cluster.lag(namespace.name).items():
        rows = [
            ("replication_rows_in_flight", lag.rows),
            ("replication_bytes_in_flight", lag.bytes),
        ]
        families.add_figures("namespace", {**labels, "peer": peer}, rows)


def _add_shipping(families: _Families, node: InfoNode) -> None:
    """What goes to each data center, all together and from each namespace."""
    for dc in node.config.xdr.dcs.values():
        families.add_figures("xdr", {"dc": dc.name}, node.shipping.figures(dc.name))
        for name in dc.attached():
            labels = {"dc": dc.name, "ns": name}
            families.add_figures("xdr", labels, node.shipping.figures(dc.name, name))


def _add_histogram(families: _Families, histogram: Histogram) -> None:
    match = _OF_NAMESPACE.fullmatch(histogram.name)
    labels = {"ns": match[1]} if match else {}
    operation = (match[2] if match else histogram.name).replace("-", "_")
    family = f"aerospike_latencies_{operation}_ms"
    shown = families.shown(labels)
    samples = []
    below = 0
    for bound_ms, count in zip(histogram.bounds_ms(), histogram.counts, strict=True):
        below += count
        if MIN_BOUND_MS <= bound_ms <= MAX_BOUND_MS:
            samples.append(f'_bucket{{{shown},le="{bound_ms:g}"}} {below}')
    samples.append(f'_bucket{{{shown},le="+Inf"}} {below}')
    samples.append(f"_sum{{{shown}}} {histogram.total_ns / 1e6}")
    samples.append(f"_count{{{shown}}} {below}")
    for sample in samples:
        families.add(family, "histogram", family + sample)


def _number(name: str, value: Any) -> str | None:
    """The sample's value; None for what is no number."""
    if isinstance(value, str):
        if value in ("true", "false"):
            return "1" if value == "true" else "0"
        return value if name not in _NO_NUMBERS and _NUMBER.fullmatch(value) else None
    return str(int(value)) if isinstance(value, bool) else str(value)


def readable(name: bytes) -> str:
    """A name from the data side of the wire as text, whatever its bytes."""
    return name.decode("utf-8", "backslashreplace")
