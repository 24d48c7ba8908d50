"""Change shipping, as tools configure and watch it: `context=xdr` of get-config, set-config and
get-stats, and the filters.

The parameters of a command come in any order. A namespace of this node has settings and figures for
every data center, attached or not: tools set parameters first and attach it then.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import InvalidParameterError
from asd.config.xdr import DcConfig
from asd.info.request import Handler, Request, constant, decimal, enterprise_only, pairs
from asd.shipping.compression import ASKED, told
from asd.shipping.shipping import MODULE

log = logging.getLogger("asd.info")

_PLACE: Final = frozenset({"context", "dc", "namespace", "action", "rewind"})
NO_DC: Final = "DC not found"


def _dc(request: Request) -> DcConfig:
    name = request.required("dc")
    try:
        return request.node.config.xdr.dcs[name]
    except KeyError:
        raise OperationError(ResultCode.PARAMETER, NO_DC) from None


def get_xdr_config(request: Request) -> str:
    """Of all, of a data center, or of a namespace in one."""
    if request.node.community or "dc" not in request.parameters:
        xdr = request.node.config.xdr
        return "" if request.node.community else pairs(xdr.shown_rows())
    dc = _dc(request)
    if "namespace" not in request.parameters:
        return pairs(dc.shown_rows())
    return pairs(dc.namespace(request.namespace().name).rows())


def set_xdr_config(request: Request) -> str:
    """Change one thing: see `docs/shipping.md` for all forms."""
    if request.node.community:
        raise OperationError(ResultCode.ENTERPRISE_ONLY, "enterprise only")
    try:
        _change(request)
    except InvalidParameterError as error:
        log.info("set-config in the context 'xdr': %s", error)
        raise OperationError(ResultCode.PARAMETER, str(error)) from None
    request.node.apply_configuration()
    if "rewind" in request.parameters:
        _rewind(request)
    return "ok"


def _change(request: Request) -> None:
    xdr, action = request.node.config.xdr, request.parameters.get("action", "")
    changes = [item for item in request.parameters.items() if item[0] not in _PLACE]
    if "dc" not in request.parameters:
        return xdr.set(*_only(changes))
    if action == "create":
        xdr.create(request.required("dc"))
        return None
    dc = _dc(request)
    if action == "delete":
        del xdr.dcs[dc.name]
        return None
    if "node-address-port" in request.parameters:
        return _change_nodes(dc, request.parameters["node-address-port"], action)
    if "namespace" not in request.parameters:
        name, value = _only(changes)
        if name == "tls-name" and value and value not in request.node.config.network.tls:
            raise InvalidParameterError(f"tls-name '{value}': there is no such tls block")
        return dc.set(name, value)
    namespace = request.namespace().name
    if action:
        return _attach(request, dc, namespace, action)
    return dc.set_of_namespace(namespace, *_only(changes))


def _only(changes: list[tuple[str, str]]) -> tuple[str, str]:
    if len(changes) != 1:
        raise InvalidParameterError("one parameter is set at a time")
    return changes[0]


def _change_nodes(dc: DcConfig, address: str, action: str) -> None:
    if action == "add":
        dc.add_node(address)
    elif action == "remove":
        dc.remove_node(address)
    else:
        raise InvalidParameterError("node-address-port needs action=add or action=remove")


def _attach(request: Request, dc: DcConfig, namespace: str, action: str) -> None:
    if action not in ("add", "remove"):
        raise InvalidParameterError(f"action '{action}' of a namespace: add or remove")
    if "rewind" in request.parameters:
        _seconds(request.parameters["rewind"])
    dc.namespace(namespace).attach(action == "add")


def _seconds(text: str) -> int | None:
    """How far back; None for everything."""
    seconds = decimal(text)
    if text == "all":
        return None
    if not seconds:
        raise InvalidParameterError("rewind: a number of seconds from 1 on, or all")
    return seconds


def _rewind(request: Request) -> None:
    seconds = _seconds(request.parameters["rewind"])
    dc, namespace = request.parameters["dc"], request.parameters.get("namespace", "")
    request.node.shipping.rewind(dc, namespace, seconds)


def get_stats(request: Request) -> str:
    """What has been shipped to a data center, or from one namespace."""
    if request.required("context") != "xdr":
        raise OperationError(ResultCode.PARAMETER, "unknown context")
    if request.node.community or "dc" not in request.parameters:
        return ""
    dc = _dc(request)
    namespace = request.namespace().name if "namespace" in request.parameters else None
    return pairs(request.node.shipping.figures(dc.name, namespace))


# ---------------------------------------------------------------------- filters


def _set_filter(request: Request) -> str:
    """Kept with the metadata of the cluster: one node is told."""
    dc, namespace = _dc(request), request.namespace()
    text = request.required("exp", max_bytes=1 << 20)
    key, now_ms = f"{dc.name}|{namespace.name}", request.node.clock.epoch_ms()
    if text == "null":
        request.node.metadata.delete(MODULE, key, now_ms)
        return "ok"
    try:
        request.node.shipping.check_filter(text)
    except (OperationError, ValueError):
        raise OperationError(ResultCode.PARAMETER, "bad expression") from None
    request.node.metadata.set(MODULE, key, text, now_ms)
    return "ok"


def _get_filter(request: Request) -> str:
    """A row for each attached namespace, the expression readable or as it was sent."""
    dc = _dc(request)
    names = [request.namespace().name] if "namespace" in request.parameters else dc.attached()
    return ";".join(_filter_rows(request, dc, names))


def _filter_rows(request: Request, dc: DcConfig, names: list[str]) -> Iterator[str]:
    in_base64 = request.parameters.get("b64") == "true"
    for name in names:
        text = request.node.shipping.filter_of(dc.name, name)
        shown = text if text is None or in_base64 else _readable(text)
        yield f"namespace={name}:exp={shown or 'null'}"


def _readable(text: str) -> str:
    # imported here: it brings the client along, which only those need who ship
    from aerospike_client.expressions.explain import explain

    try:
        shown = explain(base64.b64decode(text))
    except (binascii.Error, ValueError):
        return text
    return shown.replace(";", ",").replace(":", " ")


def _dc_state(request: Request) -> str:
    """Whether nodes of it are connected."""
    dc = _dc(request)
    nodes = dict(request.node.shipping.figures(dc.name))["nodes"]
    return f"state={'CLUSTER_UP' if nodes else 'CLUSTER_DOWN'}:nodes={nodes}"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "get-stats": get_stats,
        ASKED: enterprise_only(constant(told())),
        "xdr-dc-state": enterprise_only(_dc_state),
        "xdr-get-filter": enterprise_only(_get_filter),
        "xdr-set-filter": enterprise_only(_set_filter),
    }
)
