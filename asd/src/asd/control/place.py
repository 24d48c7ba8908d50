"""Where a server is controlled: a port of the loopback interface, or a socket in the file system.

An adapter: it makes, finds and removes sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import tempfile
import uuid
from collections.abc import Callable
from typing import Final

from attrs import evolve, frozen

LOOPBACK: Final = "127.0.0.1"
LONGEST_PATH: Final = 100
"""Bytes; systems know no longer names of sockets than about this."""
OWNER_ALONE: Final = 0o177
"""What a new socket's mode leaves out: everybody but its owner."""


@frozen
class Place:
    """A port, or a path."""

    port: int = 0
    """0 with no path: any free one."""
    path: str = ""

    def __str__(self) -> str:
        return self.path or f"{LOOPBACK}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """A place as the command line has it: PATH, or PORT. Raises ValueError."""
        if text.isdecimal():
            if int(text) > 65535:
                raise ValueError(f"'{text}' is no port: expected 0 to 65535")
            return cls(port=int(text))
        if not 0 < len(os.fsencode(text)) <= LONGEST_PATH:
            raise ValueError(f"'{text}' has to be a port, or a path of 1 to {LONGEST_PATH} bytes")
        return cls(path=text)

    def connect(self, timeout_s: float) -> socket.socket:
        """A connection to a server that is controlled here. Raises OSError."""
        if not self.path:
            return socket.create_connection((LOOPBACK, self.port), timeout_s)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(timeout_s)
            connection.connect(self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def remove(self) -> None:
        """Take a socket out of the file system, if it is there."""
        if self.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)


async def listen(
    make_connection: Callable[[], asyncio.BaseProtocol], place: Place
) -> tuple[asyncio.Server, Place]:
    """Listen at a place; it is given back with the port it has got. Raises OSError."""
    loop = asyncio.get_running_loop()
    if place.path:
        bound = _bind(place)
        return await loop.create_unix_server(make_connection, sock=bound), place
    server = await loop.create_server(make_connection, LOOPBACK, place.port)
    return server, evolve(place, port=server.sockets[0].getsockname()[1])


def _bind(place: Place) -> socket.socket:
    """A socket of its owner alone. One that a server has left behind, that was killed, is
    replaced."""
    if _is_left_behind(place):
        place.remove()
    bound = socket.socket(socket.AF_UNIX)
    before = os.umask(OWNER_ALONE)
    try:
        bound.bind(place.path)
    except BaseException:
        bound.close()
        raise
    finally:
        os.umask(before)
    return bound


def _is_left_behind(place: Place) -> bool:
    """Is there a socket that nobody listens on?"""
    try:
        place.connect(1.0).close()
    except OSError as error:
        return error.errno == errno.ECONNREFUSED and not os.path.isfile(place.path)
    return False


def new_place() -> Place:
    """A new name for a socket of this user's."""
    folder, name = tempfile.gettempdir(), f"asd-{uuid.uuid4().hex}.sock"
    if len(os.fsencode(os.path.join(folder, name))) > LONGEST_PATH:
        folder = "/tmp"  # the folder that was chosen for this user may be deep
    return Place(path=os.path.join(folder, name))
