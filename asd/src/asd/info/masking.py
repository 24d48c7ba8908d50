"""Masking rules: put, removed, listed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import MAX_SET, Handler, Request, enterprise_only
from asd.space.masking import RuleText
from asd.transactions.ops import MAX_BIN_NAME

_NAMED: Final = ("namespace", "set", "bin", "type", "function")
_REMOVE: Final = "remove"


def _masking(request: Request) -> str:
    namespace = request.namespace().name
    rule = RuleText(
        request.required("set", max_bytes=MAX_SET),
        request.required("bin", max_bytes=MAX_BIN_NAME),
        request.optional("type") or "string",
        request.required("function"),
        {key: value for key, value in request.parameters.items() if key not in _NAMED},
    )
    if rule.function == _REMOVE:
        request.node.masking.remove(namespace, rule)
        return "ok"
    for value in request.parameters.values():
        if ":" in value:  # which parts the rules of a listing
            raise OperationError(ResultCode.PARAMETER, "no ':' can be in a masking rule")
    request.node.masking.put(namespace, rule)
    return "ok"


def _show(request: Request) -> str:
    named = "namespace" in request.parameters or "ns" in request.parameters
    chosen = [request.namespace("ns")] if named else request.node.namespaces.values()
    of_set = request.optional("set", max_bytes=MAX_SET)
    return ":".join(
        rule.shown(namespace.name)
        for namespace in chosen
        for rule in request.node.masking.rules(namespace.name)
        if of_set in (None, rule.set_name)
    )


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {"masking": enterprise_only(_masking), "masking-show": enterprise_only(_show)}
)
"""Without access control rules are kept and listed, and nothing is masked: all may see all."""
