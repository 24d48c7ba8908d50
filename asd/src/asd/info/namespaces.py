"""Namespaces and sets: names, state, counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from asd.config import StorageConfig, get_config
from asd.config.storage import MEMORY_STRIPES
from asd.info.names import NAMESPACE_COUNTERS, NAMESPACE_STATE, PLACE, STRIPE
from asd.info.request import Handler, Request, pairs, shown, to_bytes, to_text
from asd.info.source import InfoNode
from asd.membership.state import Regime
from asd.shipping.graves import count_graves
from asd.space.namespace import Namespace
from cluster import Role
from storage.index import SetUsage

#: What is neither a count nor 0 in a cluster of one.
_FIXED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "data_compression_ratio": "1.000",
        "record_proto_uncompressed_pct": "0.000",
        "record_proto_compression_ratio": "1.000",
        "query_proto_uncompressed_pct": "0.000",
        "query_proto_compression_ratio": "1.000",
    }
)


def _namespaces(request: Request) -> str:
    return ";".join(namespace.name for namespace in request.node.namespaces.values())


def _namespace(request: Request) -> str:
    namespace = request.node.namespaces.get(to_bytes(request.command.arguments))
    if namespace is None:
        return "type=unknown"
    configuration = get_config(request.node.config, "namespace", namespace.name)
    return pairs([*namespace_figures(request.node, namespace), *configuration])


def namespace_figures(node: InfoNode, namespace: Namespace) -> list[tuple[str, Any]]:
    """(name, value) of all that a namespace measures, in the order tools know."""
    figures = {
        **_FIXED,
        **namespace.statistics.flat(),
        **namespace.engine.statistics(),
    }
    if namespace.ships is not None or namespace.bin_times is not None:
        waiting = cemeteries = 0
        if namespace.engine.index.tombstones or namespace.bin_times is not None:
            waiting, cemeteries = count_graves(namespace.engine.index)
        figures |= {
            "xdr_tombstones": waiting,
            "xdr_bin_cemeteries": cemeteries,
            "objects": figures["objects"] - cemeteries,
        }
    figures |= _room(node, namespace, figures)
    now_s, evict_s = namespace.clock.epoch_s(), namespace.evict_void_time
    figures |= {
        "set_index_used_bytes": namespace.indexes.set_index_used_bytes,
        "sindex_used_bytes": namespace.indexes.used_bytes,
        "current_time": now_s,
        "stop_writes": namespace.stop_writes,
        "hwm_breached": namespace.hwm_breached,
        "evict_void_time": evict_s,
        "smd_evict_void_time": evict_s,
        "evict_ttl": max(0, evict_s - now_s) if evict_s else 0,
        **_of_cluster(node, namespace, figures),
        "non_expirable_objects": node.surveys[to_bytes(namespace.name)].non_expirable,
        "truncate_lut": namespace.truncation.thresholds.get(None, 0),
        "truncating": bool(namespace.truncation.running),
    }
    return [
        *[(name, figures.get(name, 0)) for name in NAMESPACE_STATE],
        *_places(namespace.config.storage_engine, figures),
        *[(name, figures.get(name, 0)) for name in NAMESPACE_COUNTERS],
    ]


def _of_cluster(node: InfoNode, namespace: Namespace, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Its place in the cluster, and whose copies its records are."""
    cluster, name = node.cluster, namespace.name
    progress, shown = cluster.progress(name), cluster.partition_map(name)
    asked, told = cluster.duplicates(name)
    return {
        "ns_cluster_size": len(cluster.nodes),
        **_of_regime(cluster.regime(name)),
        "clock_skew_stop_writes": bool(namespace.consistency and namespace.consistency.skewed),
        "pending_quiesce": cluster.will_be_quiesced,
        "effective_is_quiesced": cluster.is_quiesced,
        "nodes_quiesced": cluster.quiesced,
        "effective_prefer_uniform_balance": cluster.is_uniform(name),
        "dup_res_ask": asked,
        "dup_res_respond_read": told,
        "migrate_tx_instances": progress.sending,
        "migrate_rx_instances": progress.coming,
        "effective_replication_factor": shown.replication_factor,
        "migrate_tx_partitions_active": progress.sending,
        "migrate_rx_partitions_active": progress.coming,
        "migrate_tx_partitions_remaining": progress.to_send,
        "migrate_tx_partitions_lead_remaining": progress.lead_to_send,
        "migrate_rx_partitions_remaining": progress.to_come,
        "migrate_tx_partitions_initial": progress.planned_to_send,
        "migrate_rx_partitions_initial": progress.planned_to_come,
        "migrate_records_transmitted": progress.records_sent,
        "migrate_record_receives": progress.records_come,
        **_copies(node, namespace, figures),
    }


def _of_regime(regime: Regime | None) -> dict[str, int]:
    """Strong consistency: what may not be served."""
    if regime is None:
        return {}
    return {
        "ns_cluster_size": regime.cluster_size,
        "unavailable_partitions": regime.unavailable,
        "dead_partitions": regime.dead,
    }


def _copies(node: InfoNode, namespace: Namespace, figures: Mapping[str, Any]) -> dict[str, int]:
    """Entries by the place of their copy. Where some are tombstones, which copies these are in is
    not looked up: they count as the masters'."""
    index, cluster = namespace.engine.index, node.cluster
    if cluster.is_alone:
        return {"master_objects": figures["objects"], "master_tombstones": figures["tombstones"]}
    counts = {"prole_objects": 0, "non_replica_objects": 0}
    sketch = cluster.sketch(namespace.name)
    for partition, role in enumerate(sketch.roles if sketch is not None else b""):
        if role != Role.MASTER:
            kind = "prole_objects" if role == Role.REPLICA else "non_replica_objects"
            counts[kind] += index.count(partition)
    masters = max(0, figures["objects"] - sum(counts.values()))
    return {**counts, "master_objects": masters, "master_tombstones": figures["tombstones"]}


def _room(node: InfoNode, namespace: Namespace, figures: Mapping[str, Any]) -> dict[str, int]:
    """The room for data where the configuration does not limit it.

    Tools hold what is used of it against the thresholds that stop writes. Of memory there is what
    the machine has free besides; of a disk it is not known, so nothing of it counts as used.
    """
    storage, used = namespace.config.storage_engine, figures["data_used_bytes"]
    if storage.is_limited:
        return {}
    free = node.machine.read().memory_free if storage.engine == "memory" else 0
    if not free:
        return {"data_used_pct": 0, "data_avail_pct": 100}
    used_pct = 100 * used // (used + free)
    return {
        "data_total_bytes": used + free,
        "data_used_pct": used_pct,
        "data_avail_pct": 100 - used_pct,
    }


def _places(config: StorageConfig, figures: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The figures of the store's parts. An engine counts for all of them together: the first of
    them stands for the whole."""
    whole = {**figures, "used_bytes": figures["data_used_bytes"]}
    if config.engine == "memory":
        return [*_place("stripe[0]", STRIPE, whole), *_OTHER_STRIPES]
    places = [f"device[{number}]" for number in range(len(config.device))]
    places += [f"file[{number}]" for number in range(len(config.file))]
    nothing: Mapping[str, Any] = {}
    return [
        row
        for number, place in enumerate(places)
        for row in _place(place, PLACE, nothing if number else whole)
    ]


def _place(place: str, names: Sequence[str], figures: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(f"storage-engine.{place}.{name}", figures.get(name, 0)) for name in names]


_OTHER_STRIPES: Final = tuple(
    row for number in range(1, MEMORY_STRIPES) for row in _place(f"stripe[{number}]", STRIPE, {})
)
"""All but the first: they never change."""


def _sets(request: Request) -> str:
    name, _, set_name = request.command.arguments.partition("/")
    if not name:
        return "".join(_set_rows(each) for each in request.node.namespaces.values())
    namespace = request.node.namespaces.get(to_bytes(name))
    if namespace is None:
        return "ns_type=unknown"
    if request.command.arguments == name:
        return _set_rows(namespace)
    found = namespace.find_set(to_bytes(set_name)) if set_name else None
    return "" if found is None else _set_row(namespace, found)


def _set_rows(namespace: Namespace) -> str:
    return "".join(
        f"ns={namespace.name}:set={to_text(name)}:{_set_row(namespace, set_id)}"
        for set_id, name in enumerate(namespace.set_names)
        if name
    )


def _set_row(namespace: Namespace, set_id: int) -> str:
    configuration = namespace.config.set_config_of(namespace.set_names[set_id]).rows()
    rows = [*set_figures(namespace, set_id), *configuration]
    return ":".join(f"{name}={shown(value)}" for name, value in rows) + ";"


def set_figures(namespace: Namespace, set_id: int) -> list[tuple[str, Any]]:
    """(name, value) of all that is measured of a set, in the order tools know."""
    usage = namespace.engine.index.sets.get(set_id) or SetUsage()
    set_name = namespace.set_names[set_id]
    indexes = [index for index in namespace.indexes if index.definition.set_name == set_name]
    set_index = namespace.config.set_config_of(set_name).enable_index
    truncation = namespace.truncation
    return [
        ("objects", usage.objects),
        ("tombstones", usage.tombstones),
        ("data_used_bytes", usage.bytes),
        ("truncate_lut", truncation.thresholds.get(set_id, 0)),
        ("sindexes", sum(bool(index.definition.name) for index in indexes)),
        ("index_populating", set_index and namespace.indexes.set_index(set_name) is None),
        ("truncating", set_id in truncation.running or None in truncation.running),
    ]


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {"namespaces": _namespaces, "namespace": _namespace, "sets": _sets}
)
