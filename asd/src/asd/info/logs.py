"""Where log lines go, and from which level on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, decimal
from asd.process.logging import ANY, CONTEXTS, LEVELS

log = logging.getLogger("asd.info")


def _logs(request: Request) -> str:
    sinks = request.node.logs
    return ";".join(f"{number}:{sinks.name(number)}" for number in range(len(sinks)))


def _log(request: Request) -> str:
    number, _, context = request.command.arguments.partition("/")
    sink_id = decimal(number or "0")
    if sink_id is None:
        raise OperationError(ResultCode.PARAMETER, "bad sink-id")
    if sink_id >= len(request.node.logs):
        raise OperationError(ResultCode.SERVER_ERROR, "bad-id")
    if context and context not in CONTEXTS:
        raise OperationError(ResultCode.SERVER_ERROR, "bad-context")
    levels = request.node.logs.levels(sink_id)
    return ";".join(
        f"{name}:{level.upper()}" for name, level in levels.items() if context in ("", name)
    )


def _log_set(request: Request) -> str:
    """All the changes of a request are made, or none."""
    if "id" not in request.parameters:
        raise OperationError(ResultCode.PARAMETER, "missing id")
    sink_id = decimal(request.parameters["id"])
    if sink_id is None:
        raise OperationError(ResultCode.PARAMETER, "bad id")
    changes = {name: level for name, level in request.parameters.items() if name != "id"}
    if not changes:
        raise OperationError(ResultCode.PARAMETER, "missing context")
    sinks = request.node.logs
    known = (
        changes.keys() <= {ANY, *CONTEXTS}
        and set(map(str.lower, changes.values())) <= LEVELS.keys()
    )
    if sink_id >= len(sinks) or not known:
        raise OperationError(ResultCode.PARAMETER, "bad parameter")
    for context, level in changes.items():
        sinks.set_level(sink_id, context, level.lower())
        log.info("sink %s: level of %s set to %s", sinks.name(sink_id), context, level.lower())
    return "ok"


def _log_message(request: Request) -> str:
    log.info("%r says %r", request.parameters.get("who", ""), request.required("message"))
    return ""


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "logs": _logs,
        "log": _log,
        "log-set": _log_set,
        "set-log": _log_set,
        "log-message": _log_message,
    }
)
