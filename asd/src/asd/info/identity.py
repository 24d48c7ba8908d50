"""Who the node is: build, edition, cluster membership, the clients it knows."""

from __future__ import annotations

import base64
import binascii
import platform
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, constant, decimal, pairs
from asd.membership import rosters
from cluster import PARTITIONS

#: The release of the protocol that this server speaks; clients choose their commands by it.
BUILD: Final = "8.1.2.0"
COMPATIBILITY_ID: Final = 15

FEATURES: Final = (
    "batch-any;batch-index;blob-bits;cdt-index;cdt-list;cdt-map;cluster-stable;float;geo;"
    "sindex-exists;peers;pipelining;pquery;pscans;query-show;relaxed-sc;replicas;replicas-all;"
    "replicas-master;replicas-max;truncate-namespace;udf"
)
#: A source tree has no build time and no hash of its own; the fields must not be empty.
_NOT_RECORDED: Final = "unknown"


def edition(request: Request) -> str:
    """The edition's full name."""
    kind = "Community" if request.node.community else "Enterprise"
    return f"Aerospike {kind} Edition"


def version(request: Request) -> str:
    """Edition and build in one."""
    return f"{edition(request)} build {BUILD}"


def release(request: Request) -> str:
    """Edition, build and platform as pairs."""
    rows = [
        ("edition", edition(request)),
        ("version", BUILD),
        ("os", _operating_system()),
        ("arch", platform.machine()),
        ("sha", _NOT_RECORDED),
    ]
    if not request.node.community:
        rows.append(("ee-sha", _NOT_RECORDED))
    return pairs(rows)


def _operating_system() -> str:
    return platform.system().lower()


def _build_ee_sha(request: Request) -> str:
    return "" if request.node.community else _NOT_RECORDED


def _cluster_stable(request: Request) -> str:
    parameters = request.parameters
    size = decimal(parameters["size"]) if "size" in parameters else None
    if "size" in parameters and size is None:
        raise OperationError(ResultCode.PARAMETER, "bad size")
    if parameters.get("ignore-migrations", "false") not in ("true", "false"):
        raise OperationError(ResultCode.PARAMETER, "bad ignore migrations")
    namespace = request.namespace().name if "namespace" in parameters else None
    cluster = request.node.cluster
    if not cluster.nodes:
        raise OperationError(ResultCode.CLUSTER_KEY_MISMATCH, "unstable cluster")
    if size is not None and size != len(cluster.nodes):
        raise OperationError(ResultCode.CLUSTER_KEY_MISMATCH, "cluster not specified size")
    ignores = parameters.get("ignore-migrations") == "true"
    if not cluster.integrity or not (ignores or cluster.is_settled(namespace)):
        raise OperationError(ResultCode.CLUSTER_KEY_MISMATCH, "unstable cluster")
    return cluster.key


def _recluster(request: Request) -> str:
    """Balance anew, by the rosters that are pending."""
    node = request.node
    if node.cluster.principal == node.node_id:
        for namespace in node.namespaces.values():
            if namespace.consistency is not None:
                rosters.adopt(node.metadata, namespace.name, namespace.clock.epoch_ms())
    return "ok" if node.cluster.recluster() else "ignored-by-non-principal"


def _cluster_name(request: Request) -> str:
    return request.node.config.service.cluster_name or "null"


def _objects(request: Request) -> str:
    return str(
        sum(namespace.engine.index.objects for namespace in request.node.namespaces.values())
    )


def _user_agent_set(request: Request) -> str:
    value = request.required("value")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise OperationError(ResultCode.PARAMETER, "'value' invalid base64") from None
    if request.connection.user_agent is not None:
        raise OperationError(ResultCode.PARAMETER, "already set")
    request.connection.user_agent = value
    return "ok"


def _user_agents(request: Request) -> str:
    agents = Counter(connection.user_agent for connection in request.node.connections)
    return "".join(
        f"user-agent={agent}:count={count};" for agent, count in agents.items() if agent is not None
    )


def _connection(request: Request) -> str:
    """Has the tool come by the admin port?"""
    return pairs([("admin", request.connection in request.node.admin)])


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "node": lambda request: request.node.node_id,
        "name": lambda request: request.node.node_id,
        "build": constant(BUILD),
        "build_arch": lambda request: platform.machine(),
        "build_ee_sha": _build_ee_sha,
        "build_os": lambda request: _operating_system(),
        "build_sha": constant(_NOT_RECORDED),
        "build_time": constant(_NOT_RECORDED),
        "edition": edition,
        "version": version,
        "release": release,
        "compatibility-id": constant(str(COMPATIBILITY_ID)),
        "features": constant(FEATURES),
        "status": constant("ok"),
        "connection": _connection,
        "partitions": constant(str(PARTITIONS)),
        "digests": constant("RIPEMD160"),
        "objects": _objects,
        "cluster-name": _cluster_name,
        "cluster-stable": _cluster_stable,
        "get-sl": lambda request: ",".join(request.node.cluster.nodes),
        "recluster": _recluster,
        "user-agents": _user_agents,
        "user-agent-set": _user_agent_set,
    }
)
