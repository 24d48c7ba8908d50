"""The cluster as the page and the metrics show it: nodes, partitions, migrations, lag.

All of it is what this node knows. Who serves a partition that it has no part in it may learn late.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cluster import PARTITIONS, Lag, Role, Sketch

if TYPE_CHECKING:
    from asd.info.source import InfoNode
    from asd.space.namespace import Namespace

MAX_ADDRESSES: Final = 3
MAX_ADDRESS: Final = 64
"""Addresses shown of another node, and characters of each: it may say what it likes."""

_LETTERS: Final = bytes.maketrans(bytes([Role.MASTER, Role.REPLICA, Role.NONE]), b"mrn")
_NAMES: Final = (("master", "m"), ("replica", "r"), ("none", "n"))
_NO_LAG: Final = Lag(0, 0)

Census: TypeAlias = Mapping[tuple[str, str], int]


def cluster_status(node: InfoNode) -> dict[str, Any]:
    """The cluster as one object of plain values for JSON. O(nodes + partitions x namespaces)."""
    cluster = node.cluster
    return {
        "alone": cluster.is_alone,
        "key": cluster.key,
        "principal": cluster.principal,
        "integrity": cluster.integrity,
        "skew_ms": cluster.skew_ms,
        "generation": cluster.generation,
        "formed_s": (node.clock.monotonic_ms() - cluster.formed_ms) // 1000,
        "settled": cluster.is_settled(),
        "proxied": cluster.proxied,
        "nodes": list(_nodes(node)),
        "namespaces": [_namespace(node, namespace) for namespace in node.namespaces.values()],
    }


def _nodes(node: InfoNode) -> Iterator[dict[str, Any]]:
    """The succession list: its places are what `masters` of a namespace names."""
    cluster, now_ms = node.cluster, node.clock.monotonic_ms()
    found = {row.node: row.at.clear for row in cluster.peers}
    hosts = node.addresses or ["any address"]
    found[node.node_id] = tuple(f"{host}:{node.port}" for host in hosts)
    for name in cluster.nodes:
        standing = cluster.standings[name]
        yield {
            "id": name,
            "me": name == node.node_id,
            "addresses": [text[:MAX_ADDRESS] for text in found.get(name, ())[:MAX_ADDRESSES]],
            "since_s": (now_ms - standing.joined_ms) // 1000,
            "skew_ms": standing.skew_ms,
        }


def _namespace(node: InfoNode, namespace: Namespace) -> dict[str, Any]:
    cluster, name = node.cluster, namespace.name
    sketch, racks, lag = cluster.sketch(name), cluster.racks(name), cluster.lag(name)
    places = {int(each, 16): place for place, each in enumerate(cluster.nodes)}
    return {
        "name": name,
        "copies": cluster.partition_map(name).replication_factor,
        "masters": [places[master] for master in sketch.masters] if sketch else [],
        "roles": letters(sketch) if sketch else "",
        "racks": [racks.get(each, 0) for each in cluster.nodes],
        "lag": [lag.get(each, _NO_LAG).rows for each in cluster.nodes],
        "lag_bytes": [lag.get(each, _NO_LAG).bytes for each in cluster.nodes],
        "progress": cluster.progress(name)._asdict(),
    }


def letters(sketch: Sketch) -> str:
    """This node's role in each partition: `m`aster, `r`eplica or `n`one; a capital where something
    is still to be sent from here or to come here. O(partitions)."""
    shown = bytearray(sketch.roles.translate(_LETTERS))
    for partition in sketch.moving:
        shown[partition] -= 32  # to its capital
    return shown.decode("ascii")


def census(node: InfoNode, namespace: Namespace) -> Census:
    """Partitions by this node's role (`master`, `replica`, `none`) and state (`settled`,
    `migrating`): always all six, which add up to all partitions. Before the first balance, and
    while the next one is being agreed on, a node has no role in any."""
    sketch = node.cluster.sketch(namespace.name)
    if sketch is not None:
        shown = letters(sketch)
    else:
        shown = ("m" if node.cluster.is_alone else "n") * PARTITIONS
    return {
        (name, state): shown.count(letter)
        for name, small in _NAMES
        for state, letter in (("settled", small), ("migrating", small.upper()))
    }
