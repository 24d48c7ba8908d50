"""The partition map, as clients read it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, constant, decimal
from asd.space.namespace import Namespace
from cluster import PARTITIONS

#: Counts ownership changes; the first balance of a cluster of one is its last.
PARTITION_GENERATION: Final = 1
REBALANCE_GENERATION: Final = 1


def _bitmaps(namespace: Namespace, limit: int) -> list[str]:
    columns = namespace.partition_map.columns[:limit]
    return [base64.b64encode(column).decode() for column in columns]


def _each(request: Request) -> Iterator[Namespace]:
    return iter(request.node.namespaces.values())


def _replicas(request: Request) -> str:
    limit = decimal(request.parameters.get("max", "256"))
    if limit is None:
        raise OperationError(ResultCode.PARAMETER, "bad max")
    rows: list[str] = []
    for namespace in _each(request):
        # A limit of 0 still shows the masters: a map without columns would tell clients nothing.
        bitmaps = _bitmaps(namespace, max(limit, 1))
        parts = [str(namespace.partition_map.regime), str(len(bitmaps)), *bitmaps]
        rows.append(f"{namespace.name}:{','.join(parts)}")
    return ";".join(rows)


def _replicas_all(request: Request) -> str:
    rows: list[str] = []
    for namespace in _each(request):
        bitmaps = _bitmaps(namespace, namespace.partition_map.replication_factor)
        rows.append(f"{namespace.name}:{','.join([str(len(bitmaps)), *bitmaps])}")
    return ";".join(rows)


def _replicas_master(request: Request) -> str:
    return ";".join(f"{namespace.name}:{_bitmaps(namespace, 1)[0]}" for namespace in _each(request))


def _partition_info(request: Request) -> str:
    rows = ["namespace:partition:state:n_replicas:replica:succession"]
    for namespace in _each(request):
        factor = namespace.partition_map.replication_factor
        rows += [
            f"{namespace.name}:{partition}:S:{factor}:0:{request.node.node_id}"
            for partition in range(PARTITIONS)
            if namespace.partition_map.is_master(partition)
        ]
    return ";".join(rows)


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "partition-generation": constant(str(PARTITION_GENERATION)),
        "rebalance-generation": constant(str(REBALANCE_GENERATION)),
        "replicas": _replicas,
        "replicas-all": _replicas_all,
        "replicas-master": _replicas_master,
        "partition-info": _partition_info,
    }
)
