"""Reading and changing the configuration of a running node."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import (
    EnterpriseOnlyError,
    InvalidParameterError,
    UnknownContextError,
    get_config,
    set_config,
)
from asd.info.request import MAX_SET, Handler, Request, decimal, pairs, to_bytes
from asd.info.shipping import get_xdr_config, set_xdr_config

log = logging.getLogger("asd.info")

#: Parameters of set-config that say where a change belongs.
_PLACE: Final = frozenset({"context", "namespace", "id", "set"})


def _get_config(request: Request) -> str:
    context = request.optional("context") or ""
    if context == "xdr":
        return get_xdr_config(request)
    try:
        return pairs(get_config(request.node.config, context, _namespace(request, context)))
    except UnknownContextError:
        raise OperationError(ResultCode.PARAMETER, "invalid context") from None


def _namespace(request: Request, context: str) -> str | None:
    return request.namespace("id").name if context == "namespace" else None


def _set_config(request: Request) -> str:
    """The first parameter that can be changed is changed; what comes behind it is not looked at."""
    context = request.required("context")
    if context == "xdr":
        return set_xdr_config(request)
    namespace = _namespace(request, context)
    set_name = request.optional("set", max_bytes=MAX_SET) if namespace is not None else None
    changes = [item for item in request.parameters.items() if item[0] not in _PLACE]
    if context == "service":
        _refuse_lonely(request)
    for name, value in changes or [("", "")]:
        try:
            set_config(
                request.node.config,
                context,
                namespace,
                to_bytes(set_name) if set_name is not None else None,
                name,
                value,
            )
        except InvalidParameterError as error:
            log.info("set-config in the context '%s': %s", context, error)
            continue
        except EnterpriseOnlyError:
            raise OperationError(ResultCode.ENTERPRISE_ONLY, "enterprise only") from None
        except UnknownContextError:
            raise OperationError(ResultCode.PARAMETER, "invalid context") from None
        request.node.apply_configuration()
        return "ok"
    raise OperationError(ResultCode.PARAMETER, "invalid set-config parameter")


def _refuse_lonely(request: Request) -> None:
    """A cluster that would have to be larger than it is would end at once."""
    size = decimal(request.parameters.get("min-cluster-size", "0"))
    if size is not None and size > max(1, len(request.node.cluster.nodes)):
        raise OperationError(ResultCode.PARAMETER, "invalid set-config parameter")


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {"get-config": _get_config, "set-config": _set_config, "config-set": _set_config}
)
