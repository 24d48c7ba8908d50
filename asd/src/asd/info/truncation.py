"""Forgetting the records of a set or a namespace, all or those not written since a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import MAX_SET, Handler, Request, to_bytes
from citrusleaf.cf_clock import unix_ms_to_epoch_ms

_NS_PER_MS: Final = 1_000_000
_DIGITS: Final = re.compile(r"\s*(\d*)")


def _truncate(request: Request) -> str:
    namespace = request.namespace_name()
    set_name = request.required("set", max_bytes=MAX_SET)
    request.node.truncations.truncate(namespace, set_name, _before_ms(request))
    return "ok"


def _truncate_namespace(request: Request) -> str:
    namespace = request.namespace_name()
    if "set" in request.parameters:
        raise OperationError(ResultCode.PARAMETER, "unexpected set name")
    request.node.truncations.truncate(namespace, None, _before_ms(request))
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


def _undo(request: Request) -> str:
    namespace = request.namespace_name()
    set_name = request.required("set", max_bytes=MAX_SET)
    request.node.truncations.undo(namespace, set_name)
    return "ok"


def _undo_namespace(request: Request) -> str:
    request.node.truncations.undo(request.namespace_name(), None)
    return "ok"


def _eviction_reset(request: Request) -> str:
    """Forget how far eviction has come; the next one looks at the records anew."""
    found = request.node.namespaces.get(to_bytes(request.namespace_name()))
    if found is not None:
        found.evict_void_time = 0
    return "ok"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "truncate": _truncate,
        "truncate-undo": _undo,
        "truncate-namespace": _truncate_namespace,
        "truncate-namespace-undo": _undo_namespace,
        "eviction-reset": _eviction_reset,
    }
)
