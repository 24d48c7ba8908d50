"""What both faces make of replies that are no records."""

from __future__ import annotations

from typing import Any

from aerospike_client.core.nodes import Node
from aerospike_client.errors import server_error
from aerospike_client.transport import Broken
from aerospike_common.wire import (
    MessageError,
    MessageType,
    encode_info_request,
    parse_info_reply,
)
from aerospike_common.wire.frame import frame


def info_frame(commands: tuple[str, ...]) -> bytes:
    """The frame that asks all of these at once."""
    return frame(MessageType.INFO, encode_info_request(commands))


def info_answers(reply: tuple[int, bytes]) -> dict[str, str]:
    """Command -> value, of a reply's type and body.

    Raises Broken when it is of another kind, MessageError when it cannot be read or is nothing but
    an error (as before a login).
    """
    kind, body = reply
    if kind != MessageType.INFO:
        raise Broken("answered an info command with something else", True)
    if body.startswith(b"ERROR:"):
        raise MessageError(body.decode("utf-8", "replace").strip())
    return dict(parse_info_reply(body))


def checked_values(values: list[Any], code: int, node: Node) -> list[Any]:
    """The values of an aggregation whose reply ended with this code. Raises ServerError."""
    if code:
        raise server_error(code, node=str(node))
    return values
