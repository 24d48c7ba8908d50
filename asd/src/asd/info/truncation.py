"""Forgetting the records of a set or a namespace, all or those not written since a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import MAX_SET, Handler, Request, to_bytes
from asd.namespace import Namespace
from citrusleaf.cf_clock import unix_ms_to_epoch_ms

_NS_PER_MS: Final = 1_000_000
_DIGITS: Final = re.compile(r"\s*(\d*)")


def _truncate(request: Request) -> str:
    namespace = request.namespace_name()
    set_name = request.required("set", max_bytes=MAX_SET)
    before_ms = _before_ms(request)
    found = request.node.namespaces.get(to_bytes(namespace))
    set_id = found.find_set(to_bytes(set_name)) if found is not None else None
    if found is not None and set_id is not None:
        _forget(found, set_id, before_ms)
    return "ok"


def _truncate_namespace(request: Request) -> str:
    namespace = request.namespace_name()
    if "set" in request.parameters:
        raise OperationError(ResultCode.PARAMETER, "unexpected set name")
    before_ms = _before_ms(request)
    found = request.node.namespaces.get(to_bytes(namespace))
    if found is None:
        return "ok"
    if "lut" not in request.parameters:
        found.engine.clear()
        return "ok"
    for set_id in range(len(found.set_names)):
        _forget(found, set_id, before_ms)
    return "ok"


def _before_ms(request: Request) -> int:
    """The moment before which records were last written that are to go, in ms since 2010.

    `lut` is in nanoseconds since 1970 and read up to its first non-digit; without it, now.
    """
    now_ms = request.node.clock.epoch_ms()
    if "lut" not in request.parameters:
        return now_ms + 1
    match = _DIGITS.match(request.required("lut"))
    lut_ns = int((match and match[1]) or 0)
    before_ms = unix_ms_to_epoch_ms(lut_ns // _NS_PER_MS)
    if before_ms <= 0:
        raise OperationError(ResultCode.PARAMETER, "would truncate to 0")
    if before_ms > now_ms:
        raise OperationError(ResultCode.PARAMETER, "would truncate in the future")
    return before_ms


def _forget(namespace: Namespace, set_id: int, before_ms: int) -> None:
    """Remove the set's records whose last update came before `before_ms`. O(index)."""
    index = namespace.engine.index
    for first, last in index.slices():
        for digest in index.in_set(set_id, first, last):
            if index.entry(index.find(digest)).last_update_time < before_ms:
                namespace.remove(digest)


def _undo(request: Request) -> str:
    request.namespace_name()
    request.required("set", max_bytes=MAX_SET)
    return "ok"


def _namespace_only(request: Request) -> str:
    """Commands that change nothing here: there is no mark to take back, and nothing is evicted."""
    request.namespace_name()
    return "ok"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "truncate": _truncate,
        "truncate-undo": _undo,
        "truncate-namespace": _truncate_namespace,
        "truncate-namespace-undo": _namespace_only,
        "eviction-reset": _namespace_only,
    }
)
