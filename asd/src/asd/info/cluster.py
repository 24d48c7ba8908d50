"""The cluster's machinery: nodes to look for, and what it looks like from inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config.kinds import host_port
from asd.config.network import between_nodes
from asd.info.peers import hosts_of
from asd.info.request import Handler, Request, decimal
from asd.membership.dumps import DUMPS
from asd.membership.state import Unreachable
from cluster import Endpoint

log = logging.getLogger("asd.cluster")

_ALL: Final = "all"


def _mesh(request: Request) -> str:
    """Where other nodes' heartbeats come in; empty where they come another way, or not at all."""
    heartbeat = request.node.config.network.heartbeat
    addresses, port = between_nodes(heartbeat)
    if not port or heartbeat.mode != "mesh":
        return ""
    return ",".join(host_port(host, port) for host in hosts_of(request, addresses))


def _tip(request: Request) -> str:
    host, port = request.required("host"), decimal(request.required("port"))
    if port is None:
        raise OperationError(ResultCode.PARAMETER, "'port' must be an integer")
    try:
        request.node.cluster.tip((host, port))
    except Unreachable as error:
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, str(error)) from None
    return "ok"


def _tip_clear(request: Request) -> str:
    """What is no HOST:PORT is neither cleared nor missed."""
    named = request.required("host-port-list")
    found = (_endpoint(text) for text in named.split(","))
    endpoints = None if named == _ALL else [each for each in found if each is not None]
    try:
        cleared, missed = request.node.cluster.clear_tips(endpoints)
    except Unreachable as error:
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, str(error)) from None
    if missed or not cleared:
        text = f"{cleared} cleared, {missed} not found"
        raise OperationError(ResultCode.SERVER_ERROR, text)
    return "ok"


def _endpoint(text: str) -> Endpoint | None:
    host, _, port_text = text.rpartition(":")
    port = decimal(port_text)
    return (host.strip("[]"), port) if host and port is not None else None


def _dump(part: str) -> Handler:
    """Writes what a part looks like into the log."""

    def answer(request: Request) -> str:
        verbose = _verbose(request, "false")
        for line in request.node.cluster.dump(part, verbose):
            log.info("%s: %s", part, line)
        return "ok"

    return answer


def _verbose(request: Request, usual: str) -> bool:
    text = request.parameters.get("verbose", usual)
    if text not in ("true", "false"):
        refusal = "'verbose' may be either 'true' or 'false'"
        raise OperationError(ResultCode.PARAMETER, refusal)
    return text == "true"


def _dump_blocks(request: Request) -> str:
    """The write blocks of a namespace. Here `verbose` must be given."""
    _verbose(request, "")
    namespace = request.namespace()
    figures = ", ".join(f"{name} {value}" for name, value in namespace.engine.statistics().items())
    log.info("{%s} write blocks: %s", namespace.name, figures)
    return "ok"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "mesh": _mesh,
        "tip": _tip,
        "tip-clear": _tip_clear,
        "dump-wb-summary": _dump_blocks,
        **{f"dump-{part}": _dump(part) for part in DUMPS},
    }
)
