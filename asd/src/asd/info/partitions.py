"""The partition map, as clients read it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, decimal
from asd.space.namespace import Namespace
from cluster import PartitionMap, PartitionView

_HEADER: Final = (
    "namespace:partition:state:n_replicas:replica:succession:n_dupl:working_master:proxy_dst:"
    "emigrates:lead_emigrates:immigrates:records:tombstones:regime:tree_id:version:final_version"
)
_NO_VERSION: Final = "000000000000.0.-p-"


def _map(request: Request, namespace: Namespace) -> PartitionMap:
    return request.node.cluster.partition_map(namespace.name)


def _bitmaps(partition_map: PartitionMap, limit: int) -> list[str]:
    return [base64.b64encode(column).decode() for column in partition_map.columns[:limit]]


def _each(request: Request) -> Iterator[Namespace]:
    return iter(request.node.namespaces.values())


def _replicas(request: Request) -> str:
    limit = decimal(request.parameters.get("max", "256"))
    if limit is None:
        raise OperationError(ResultCode.PARAMETER, "bad max")
    rows: list[str] = []
    for namespace in _each(request):
        # A limit of 0 is none: a map without columns would tell clients nothing.
        shown = _map(request, namespace)
        bitmaps = _bitmaps(shown, limit or shown.replication_factor)
        parts = [str(shown.regime), str(len(bitmaps)), *bitmaps]
        rows.append(f"{namespace.name}:{','.join(parts)}")
    return ";".join(rows)


def _replicas_all(request: Request) -> str:
    rows: list[str] = []
    for namespace in _each(request):
        shown = _map(request, namespace)
        bitmaps = _bitmaps(shown, shown.replication_factor)
        rows.append(f"{namespace.name}:{','.join([str(len(bitmaps)), *bitmaps])}")
    return ";".join(rows)


def _replicas_master(request: Request) -> str:
    return ";".join(
        f"{namespace.name}:{_bitmaps(_map(request, namespace), 1)[0]}"
        for namespace in _each(request)
    )


def _partition_info(request: Request) -> str:
    rows = [_HEADER]
    for namespace in _each(request):
        rows += _partition_rows(request, namespace)
    return ";".join(rows)


def _partition_rows(request: Request, namespace: Namespace) -> Iterator[str]:
    cluster, index = request.node.cluster, namespace.engine.index
    factor = cluster.partition_map(namespace.name).replication_factor
    key = cluster.key.lower().zfill(12)
    strong = cluster.regime(namespace.name)
    regime = strong.number if strong is not None else 0
    key = f"{regime:012x}" if strong is not None else key
    for view in cluster.partitions(namespace.name):
        working = f"{view.working_master:X}"
        leads = view.replica == 0 or working == request.node.node_id
        parts = (
            *(namespace.name, view.partition, view.state, factor, view.replica, view.succession),
            *(view.duplicates, working if leads else "0", working),
            *(view.emigrates, view.lead_emigrates, view.immigrates),
            *(index.count(view.partition), 0, regime, int(view.version is not None)),
            _version(view, key),
            f"{key}.0.{'-' if view.replica else 'm'}p-",
        )
        yield ":".join(map(str, parts))


def _version(view: PartitionView, key: str) -> str:
    """Of a copy of another cluster nobody knows whether it has everything: it shows as a subset."""
    version = view.version
    if version is None or version.witnesses:
        return _NO_VERSION
    shown = f"{version.cluster_key:012x}"
    flags = (
        "m" if version.vouches else "-",
        "p" if version.full and shown == key else "s",
        "e" if version.evades else "-",
    )
    return f"{shown}.0.{''.join(flags)}"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "partition-generation": lambda request: str(request.node.cluster.partition_generation),
        "rebalance-generation": lambda request: str(request.node.cluster.rebalance_generation),
        "replicas": _replicas,
        "replicas-all": _replicas_all,
        "replicas-master": _replicas_master,
        "partition-info": _partition_info,
    }
)
