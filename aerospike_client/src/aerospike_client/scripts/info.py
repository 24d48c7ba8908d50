"""Info commands: asking, and what is made of the answers."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from aerospike_client.core.nodes import Node
from aerospike_client.core.view import ClusterView
from aerospike_client.errors import BadReply, ClientError, NotConnected, TimedOut, server_error
from aerospike_client.scripts.effects import InfoAt, Pause, Script

T = TypeVar("T")

POLL_MS = 20
"""The first pause between two looks at something that takes time; later ones are longer."""

_MAX_POLL_MS = 1000


def nodes_of(view: ClusterView) -> list[Node]:
    """All active nodes. NotConnected when there is none."""
    nodes = sorted(view.active_nodes(), key=lambda node: node.name)
    if not nodes:
        raise NotConnected("no node of the cluster is known")
    return nodes


def named_node(view: ClusterView, name: str | None) -> Node:
    """The node of that name, or any. NotConnected when there is none."""
    if name is None:
        return nodes_of(view)[0]
    node = view.nodes.get(name)
    if node is None or not node.active:
        raise NotConnected(f"no node {name!r} is known; known are: {', '.join(view.nodes)}")
    return node


def ask(node: Node, command: str, timeout_ms: int) -> Script[str]:
    """The answer to one command as it came, an error's text too."""
    answers: dict[str, str] = yield InfoAt(node, (command,), timeout_ms)
    try:
        return answers[command]
    except KeyError:
        raise BadReply(f"the reply has no answer to {command!r}", node=str(node)) from None


def ask_ok(node: Node, command: str, timeout_ms: int) -> Script[str]:
    """The answer to one command. Raises the ServerError that it reports."""
    answer = yield from ask(node, command, timeout_ms)
    error = info_failure(answer, node)
    if error is not None:
        raise error
    return answer


def ask_each(
    view: ClusterView, command: str, timeout_ms: int
) -> Script[dict[str, str | ClientError]]:
    """The answers of all nodes by their names; an error in the place of one that did not."""
    answers: dict[str, str | ClientError] = {}
    for node in nodes_of(view):
        try:
            answers[node.name] = yield from ask(node, command, timeout_ms)
        except ClientError as error:
            answers[node.name] = error
    return answers


def info_failure(answer: str, node: Node | None = None) -> ClientError | None:
    """The error that an answer reports, if it does.

    `ERROR:<code>:<message>` (no code is 1), the older `FAIL:` alike, and what functions' commands
    say: `error=<what>;file=...;line=...;message=<base64>`.
    """
    name = str(node) if node is not None else None
    if answer.startswith(("ERROR:", "FAIL:", "ERROR=")):
        code, _, message = answer.partition(":")[2].partition(":")
        number = int(code) if code.isdecimal() else 1
        return server_error(number, message or answer, node=name)
    if answer.startswith("error="):
        parts = dict(part.partition("=")[::2] for part in answer.split(";"))
        message = parts["error"].replace("_", " ")
        if "message" in parts:
            with contextlib.suppress(ValueError):  # not base64: the code word must do
                text = base64.b64decode(parts["message"] + "===").decode("utf-8", "replace")
                message = f"{parts.get('file', '')}:{parts.get('line', '')}: {text}"
        return server_error(100, message, node=name)
    return None


def rows(answer: str) -> list[dict[str, str]]:
    """`a=1:b=2;a=3:b=4` as dicts.

    >>> rows("ns=test:set=demo;ns=bar:set=null")
    [{'ns': 'test', 'set': 'demo'}, {'ns': 'bar', 'set': 'null'}]
    """
    return [pairs(row, ":") for row in answer.split(";") if row]


def pairs(text: str, separator: str = ";") -> dict[str, str]:
    """`key=value` pairs; a piece without `=` belongs to the value before it."""
    found: dict[str, str] = {}
    last = ""
    for piece in text.split(separator):
        key, equals, value = piece.partition("=")
        if equals:
            last = key
            found[key] = value
        elif last and piece:
            found[last] += separator + piece
    return found


def until(condition: Callable[[], Script[bool]], timeout_ms: int, what: str) -> Script[None]:
    """Look again and again until it holds. TimedOut after `timeout_ms` of pauses (0 = never)."""
    waited, pause = 0, POLL_MS
    while not (yield from condition()):
        if timeout_ms and waited >= timeout_ms:
            raise TimedOut(f"{what} is not through after {timeout_ms} ms")
        yield Pause(pause)
        waited += pause
        pause = min(2 * pause, _MAX_POLL_MS)


def joined(parts: Sequence[tuple[str, str]]) -> str:
    """Parameters of a command, those with an empty value left out."""
    return ";".join(f"{key}={value}" for key, value in parts if value)
