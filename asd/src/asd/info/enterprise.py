"""What only the enterprise edition answers: racks, rosters, quiescing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, constant, enterprise_only
from asd.membership import rosters
from asd.space.namespace import Namespace


def _chosen(request: Request) -> Iterable[tuple[str, Namespace]]:
    """The namespaces to show with what comes before each: one without, or all with their names."""
    if "namespace" in request.parameters:
        return [("", request.namespace())]
    return [(f"ns={each.name}:", each) for each in request.node.namespaces.values()]


def _racks_of(request: Request, namespace: Namespace) -> Mapping[str, int]:
    """The rack of each node, as the last balance has it: what clients go by."""
    own = {request.node.node_id: namespace.config.rack_id}
    return request.node.cluster.racks(namespace.name) or own


def _rack_ids(request: Request) -> str:
    """This node's own, for each namespace."""
    return ";".join(
        f"{space.name}:{_racks_of(request, space)[request.node.node_id]}"
        for space in request.node.namespaces.values()
    )


def _racks(request: Request) -> str:
    """Every rack with its nodes, the highest first."""
    return ";".join(
        f"{prefix}{_by_rack(_racks_of(request, namespace))}"
        for prefix, namespace in _chosen(request)
    )


def _by_rack(racks: Mapping[str, int]) -> str:
    nodes = sorted(racks, key=lambda node: int(node, 16), reverse=True)
    return ":".join(
        f"rack_{rack}={','.join(node for node in nodes if racks[node] == rack)}"
        for rack in sorted(set(racks.values()))
    )


def _quiesce(request: Request) -> str:
    if request.node.cluster.is_alone:
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "a node on its own serves everything")
    request.node.cluster.quiesce(True)
    return "ok"


def _quiesce_undo(request: Request) -> str:
    request.node.cluster.quiesce(False)
    return "ok"


def _roster(request: Request) -> str:
    """Without strong consistency no roster is kept; only who is there can be told."""
    return ";".join(
        prefix + _roster_of(request, namespace.name) for prefix, namespace in _chosen(request)
    )


def _roster_of(request: Request, name: str) -> str:
    node = request.node
    regime, roster = node.cluster.regime(name), rosters.current(node.metadata, name)
    observed = regime.observed if regime is not None else dict.fromkeys(node.cluster.nodes, 0)
    present = tuple([(int(each, 16), rack) for each, rack in observed.items()])
    return (
        f"roster={rosters.show_nodes(roster.nodes if roster is not None else ())}"
        f":pending_roster={rosters.show_nodes(rosters.pending(node.metadata, name))}"
        f":observed_nodes={rosters.show_nodes(present)}"
    )


def _roster_set(request: Request) -> str:
    """What is pending comes into effect with the next `recluster:`."""
    namespace, text = request.namespace(), request.required("nodes", max_bytes=1 << 14)
    if namespace.consistency is None:
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "no strong consistency")
    try:
        nodes = rosters.parse_nodes(text)
    except ValueError as error:
        raise OperationError(ResultCode.PARAMETER, str(error)) from None
    now_ms = namespace.clock.epoch_ms()
    rosters.set_pending(request.node.metadata, namespace.name, nodes, now_ms)
    return "ok"


def _revive(request: Request) -> str:
    """Dead partitions are served again from the next balance on."""
    named = "namespace" in request.parameters
    chosen = [request.namespace()] if named else request.node.namespaces.values()
    for namespace in chosen:
        request.node.cluster.revive(namespace.name)
    return "ok"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        name: enterprise_only(handler)
        for name, handler in {
            "rack-ids": _rack_ids,
            "racks": _racks,
            "roster": _roster,
            "roster-set": _roster_set,
            "quiesce": _quiesce,
            "quiesce-undo": _quiesce_undo,
            "revive": _revive,
            "feature-key": constant(""),
        }.items()
    }
)
