"""What both faces make of replies that are no records."""

from __future__ import annotations

from typing import Any, Final

from aerospike_client.core.nodes import Node
from aerospike_client.core.session import ENDED
from aerospike_client.errors import server_error
from aerospike_client.transport import Broken
from aerospike_common.wire import (
    AdminMessage,
    MessageError,
    MessageType,
    encode_info_request,
    parse_info_reply,
)
from aerospike_common.wire.frame import frame

_CODE_AT: Final = 5


def info_frame(commands: tuple[str, ...]) -> bytes:
    """The frame that asks all of these at once."""
    return frame(MessageType.INFO, encode_info_request(commands))


def info_answers(reply: tuple[int, bytes]) -> dict[str, str]:
    """Command -> value, of a reply's type and body.

    Raises Broken when it is of another kind, MessageError when it cannot be read or is nothing but
    an error, SecurityFailed when nobody is logged in (any more).
    """
    kind, body = reply
    if kind != MessageType.INFO:
        raise Broken("answered an info command with something else", True)
    if body.startswith(b"ERROR:"):
        text = body.decode("utf-8", "replace").strip()
        _check_session(text)
        raise MessageError(text)
    answers = dict(parse_info_reply(body))
    for answer in answers.values():
        _check_session(answer)
    return answers


def _check_session(answer: str) -> None:
    """SecurityFailed where an answer says that nobody is logged in."""
    word, _, rest = answer.partition(":")
    code = rest.partition(":")[0] if word == "ERROR" else ""
    if code.isdecimal() and int(code) in ENDED:
        raise server_error(int(code))


def in_session(reply: tuple[int, bytes]) -> bytes:
    """The body of a message. Raises SecurityFailed when it says that nobody is logged in."""
    _, body = reply
    if len(body) > _CODE_AT and body[_CODE_AT] in ENDED:
        raise server_error(body[_CODE_AT])
    return body


def in_session_too(messages: list[AdminMessage]) -> list[AdminMessage]:
    """The messages of an admin reply, likewise."""
    if messages and messages[0].result_code in ENDED:
        raise server_error(messages[0].result_code)
    return messages


def checked_values(values: list[Any], code: int, node: Node) -> list[Any]:
    """The values of an aggregation whose reply ended with this code. Raises ServerError."""
    if code:
        raise server_error(code, node=str(node))
    return values
