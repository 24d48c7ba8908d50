"""The process that has started a node, at the other end of the node's standard input.

With `--until-eof` the node ends when its standard input is closed. Until then each line of it is a
question, and each answer a line on standard output:

    12 cluster-stable:size=3          a number, and an info command
    asd info 12 8A1D6CF4B2            the number, and the value

Whoever holds the pipe has started the node and may do everything with it: it is asked for no
password and no certificate, and needs not to know at which port the node speaks what. So
`asd --nodes` and `asd.Cluster` look after nodes that let nobody else in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from asd.info import respond_when_done
from asd.info.source import InfoNode
from asd.process.node_processes import ANSWER
from asd.security.rights import UNRESTRICTED, Rights

MOST_BYTES: Final = 1 << 20
"""Of a line that has no end yet; more is no question."""


class Parent:
    """Its questions, as a connection of info's."""

    peer = "parent"
    local_host = "127.0.0.1"
    user_agent: str | None = None

    def __init__(self, node: InfoNode, say: Callable[[bytes], object]) -> None:
        """`say` is given whole lines of standard output."""
        self.rights: Rights = UNRESTRICTED
        self._node = node
        self._say = say
        self._rest = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def feed(self, data: bytes) -> None:
        """Bytes of the standard input."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest if len(rest) <= MOST_BYTES else b""
        for line in lines:
            number, _, command = line.partition(b" ")
            if number.isdigit() and command:
                self._ask(number, command)

    def _ask(self, number: bytes, command: bytes) -> None:
        said = respond_when_done(self._node, self, command + b"\n")
        if isinstance(said, bytes):
            self._answer(number, said)
            return
        task = asyncio.get_running_loop().create_task(self._later(number, said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, number: bytes, said: Coroutine[Any, Any, bytes]) -> None:
        self._answer(number, await said)

    def _answer(self, number: bytes, said: bytes) -> None:
        value = said.partition(b"\t")[2].rstrip(b"\n")
        self._say(b"%s%s %s\n" % (ANSWER, number, value))
