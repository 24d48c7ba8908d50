"""The table of all commands, and the answer to a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.info import (
    InfoCommand,
    encode_info_reply,
    info_error,
    parse_info_command,
    parse_info_request,
)
from asd.info import (
    cluster,
    configuration,
    diagnostics,
    enterprise,
    identity,
    latencies,
    logs,
    masking,
    namespaces,
    partitions,
    peers,
    query,
    shipping,
    sindex,
    statistics,
    truncation,
    udf,
)
from asd.info.request import Handler, Request, error_value
from asd.info.source import InfoConnection, InfoNode
from asd.membership.metadata import Begun
from asd.security.rights import InfoAsked

log = logging.getLogger("asd.info")

MAX_REQUEST: Final = 2 << 20
"""Bytes of a request that are looked at: room for the largest module to upload, in base64."""

MAX_REPLY: Final = 16 << 20
"""Characters after which no further command is answered: a short request can ask for much."""

NOT_AUTHENTICATED: Final = b"ERROR:80:not authenticated\n"
"""The whole answer to whoever has not logged in, whatever was asked."""

SUMMARY: Final = (
    "features",
    "node",
    "compatibility-id",
    "edition",
    "build_ee_sha",
    "build_sha",
    "build_arch",
    "build_time",
    "build_os",
    "build",
    "version",
    "statistics",
    "services-alumni",
    "services",
    "partition-generation",
)
"""What an empty request asks for."""


def _help(request: Request) -> str:
    return ";".join(sorted(COMMANDS))


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "help": _help,
        **identity.COMMANDS,
        **peers.COMMANDS,
        **cluster.COMMANDS,
        **partitions.COMMANDS,
        **namespaces.COMMANDS,
        **statistics.COMMANDS,
        **configuration.COMMANDS,
        **truncation.COMMANDS,
        **latencies.COMMANDS,
        **logs.COMMANDS,
        **sindex.COMMANDS,
        **udf.COMMANDS,
        **query.COMMANDS,
        **diagnostics.COMMANDS,
        **enterprise.COMMANDS,
        **masking.COMMANDS,
        **shipping.COMMANDS,
    }
)
"""Command name to handler."""


def respond(node: InfoNode, connection: InfoConnection, body: bytes) -> bytes:
    """The body of the reply to the body of an info request; an empty one asks for a summary.

    Never raises for what a client can send. What goes beyond `MAX_REQUEST` or `MAX_REPLY` is not
    answered, so that one request can hold up the others only so long. Changes of metadata are only
    begun: see `respond_when_done`.
    """
    reply = _respond(node, connection, body)
    node.metadata.take_begun()
    return reply


def _respond(node: InfoNode, connection: InfoConnection, body: bytes) -> bytes:
    if not connection.rights.authenticated:
        with suppress(OperationError):  # for the audit log alone
            connection.rights.check_info(InfoAsked(connection.peer, "info request"))
        return NOT_AUTHENTICATED
    return encode_info_reply(answers(node, connection, body))


def respond_when_done(
    node: InfoNode, connection: InfoConnection, body: bytes
) -> bytes | Coroutine[Any, Any, bytes]:
    """As `respond`; where commands have begun changes of metadata, when every node has them."""
    reply = _respond(node, connection, body)
    begun = node.metadata.take_begun()
    return when_done(reply, begun) if begun else reply


async def when_done(reply: bytes, begun: list[Begun]) -> bytes:
    """The reply once the changes are over. A request whose changes are not all done is told so in
    place of every `ok`: which of several commands has failed is not known."""
    if all(await asyncio.gather(*begun)):
        return reply
    refusal = info_error(ResultCode.TIMEOUT, "not every node has the change").encode()
    lines = reply.split(b"\n")
    done = [
        line.removesuffix(b"ok") + refusal if line.endswith(b"\tok") else line for line in lines
    ]
    return b"\n".join(done)


def answers(node: InfoNode, connection: InfoConnection, body: bytes) -> Iterator[tuple[str, str]]:
    """The commands of a request and their values, each found out when it is asked for: between two
    of them the caller may do other things. For those who are known to the node."""
    commands = parse_info_request(body[:MAX_REQUEST]) if body else map(parse_info_command, SUMMARY)
    left = MAX_REPLY
    for command in commands:
        value = _answer(node, connection, command)
        yield command.text, value
        left -= len(command.text) + len(value) + 2
        if left < 0:
            return


def _answer(node: InfoNode, connection: InfoConnection, command: InfoCommand) -> str:
    handler = COMMANDS.get(command.name)
    if handler is None:
        return info_error(ResultCode.PARAMETER, "unrecognized command")
    request = Request(node, connection, command)
    try:
        connection.rights.check_info(request.asked())
        return handler(request)
    except OperationError as error:
        return error_value(error)
    except Exception:  # our own bug, or a full disk: it costs one command, not the connection
        log.exception("the info command '%s' failed inside the server", command.name)
        return info_error(ResultCode.SERVER_ERROR, "internal error")
