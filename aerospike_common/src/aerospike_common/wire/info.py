"""Info: text commands and their replies (frame type 1).

A request is a list of commands, each ended by a line feed:

    name
    name:key=value;key=value
    name/argument/argument

The reply repeats each command as it was sent, then a tab, the value and a line feed. Bytes that are
not UTF-8 pass through unchanged (`surrogateescape`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import MessageError

_NAME_END: Final = re.compile("[:/;]")


class InfoCommand(NamedTuple):
    """One command of an info request."""

    #: The command as sent, up to its line feed or first NUL; the reply repeats it.
    text: str
    #: What comes before the first of `:`, `/` and `;`.
    name: str
    #: What comes after it.
    arguments: str


def parse_info_command(text: str) -> InfoCommand:
    """Split one command text (no line feed). Never fails; the name may be empty.

    >>> parse_info_command("get-config:context=service")
    InfoCommand(text='get-config:context=service', name='get-config', arguments='context=service')
    """
    text = text.partition("\0")[0]
    end = _NAME_END.search(text)
    if end is None:
        return InfoCommand(text, text, "")
    return InfoCommand(text, text[: end.start()], text[end.end() :])


def parse_info_request(body: bytes) -> Iterator[InfoCommand]:
    """The commands of an info request in order; what follows the last line feed is no command.

    Made one at a time, so that a body full of line feeds costs no more memory than its bytes.
    """
    start = 0
    while (end := body.find(b"\n", start)) >= 0:
        yield parse_info_command(body[start:end].decode("utf-8", "surrogateescape"))
        start = end + 1


def info_parameters(arguments: str) -> dict[str, str]:
    """The `key=value` pairs joined by `;`; of several pairs with one key the first counts.

    A piece without `=` names a key with an empty value.

    >>> info_parameters("namespace=test;set=a=b")
    {'namespace': 'test', 'set': 'a=b'}
    """
    parameters: dict[str, str] = {}
    for piece in arguments.split(";"):
        if piece:
            key, _, value = piece.partition("=")
            parameters.setdefault(key, value)
    return parameters


def info_error(code: int, message: str) -> str:
    """The value that reports an error; clients read the code, and its absence as 1.

    >>> info_error(4, "bad id"), info_error(1, "bad-id")
    ('ERROR:4:bad id', 'ERROR::bad-id')
    """
    number = "" if code == ResultCode.SERVER_ERROR else str(int(code))
    return f"ERROR:{number}:{message}"


def encode_info_request(commands: Iterable[str]) -> bytes:
    """The body of an info request."""
    return "".join(f"{text}\n" for text in commands).encode("utf-8", "surrogateescape")


def encode_info_reply(answers: Iterable[tuple[str, str]]) -> bytes:
    """The body of an info reply, from pairs of command text and value."""
    text = "".join(f"{command}\t{value}\n" for command, value in answers)
    return text.encode("utf-8", "surrogateescape")


def parse_info_reply(body: bytes) -> list[tuple[str, str]]:
    """The pairs of command text and value of an info reply.

    Raises MessageError when a line has no tab or the last line does not end.
    """
    lines = body.decode("utf-8", "surrogateescape").split("\n")
    if lines.pop():
        raise MessageError("info reply cut off")
    answers: list[tuple[str, str]] = []
    for line in lines:
        command, tab, value = line.partition("\t")
        if not tab:
            raise MessageError("info reply line without a tab")
        answers.append((command, value))
    return answers
