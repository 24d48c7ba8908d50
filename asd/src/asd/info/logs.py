"""Where log lines go, and from which level on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import LOG_LEVELS, LogSink
from asd.info.request import Handler, Request, decimal

log = logging.getLogger("asd.info")

#: The parts of the server that log, by the contexts operators know.
CONTEXTS: Final = ("connections", "info", "node", "nsup", "service", "tsvc")
_ANY: Final = "any"


def _sinks(request: Request) -> tuple[LogSink, ...]:
    return request.node.config.logging.sinks


def _logs(request: Request) -> str:
    return ";".join(f"{i}:{sink.path or 'stderr'}" for i, sink in enumerate(_sinks(request)))


def _log(request: Request) -> str:
    number, _, context = request.command.arguments.partition("/")
    sink_id = decimal(number or "0")
    if sink_id is None:
        raise OperationError(ResultCode.PARAMETER, "bad sink-id")
    if sink_id >= len(_sinks(request)):
        raise OperationError(ResultCode.SERVER_ERROR, "bad-id")
    sink = _sinks(request)[sink_id]
    if context and context not in CONTEXTS:
        raise OperationError(ResultCode.SERVER_ERROR, "bad-context")
    return ";".join(
        f"{name}:{_level(sink, name).upper()}" for name in CONTEXTS if context in ("", name)
    )


def _log_set(request: Request) -> str:
    """Levels are fixed at start: only what is in effect already can be asked for."""
    if "id" not in request.parameters:
        raise OperationError(ResultCode.PARAMETER, "missing id")
    sink_id = decimal(request.parameters["id"])
    if sink_id is None:
        raise OperationError(ResultCode.PARAMETER, "bad id")
    changes = {name: level for name, level in request.parameters.items() if name != "id"}
    if not changes:
        raise OperationError(ResultCode.PARAMETER, "missing context")
    sinks = _sinks(request)
    known = all(name in (_ANY, *CONTEXTS) for name in changes)
    if sink_id >= len(sinks) or not known or not set(changes.values()) <= set(LOG_LEVELS):
        raise OperationError(ResultCode.PARAMETER, "bad parameter")
    if any(_level(sinks[sink_id], name) != level for name, level in changes.items()):
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "log levels are fixed at start")
    return "ok"


def _level(sink: LogSink, context: str) -> str:
    return sink.levels.get(context, sink.levels.get(_ANY, "critical"))


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
