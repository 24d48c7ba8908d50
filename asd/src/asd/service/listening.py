"""Where a node listens: one port, on all of its addresses."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Final

from asd.tls.door import Door, Hall, MakeProtocol

if TYPE_CHECKING:
    from asd.tls.certificates import Certificates

BACKLOG: Final = 4096
"""Connections that the system has ready for us; one more is asked to try again in a second."""

AT_ONCE: Final = 32
"""Connections taken in one turn of the loop: each costs some tenths of a millisecond, all told, and
thousands may come at once. The standard loop takes as many as it is told that the system has ready;
uvloop takes one."""

ATTEMPTS: Final = 20
"""Ports tried before it is said that none is free on all addresses."""


def listening_addresses(configured: tuple[str, ...]) -> list[str] | None:
    """What to bind for the configured addresses; None = all there are."""
    return None if "any" in configured else list(configured)


async def listen(
    make_connection: MakeProtocol,
    addresses: list[str] | None,
    port: int,
    certificates: Certificates | None = None,
    hall: Hall | None = None,
) -> asyncio.Server:
    """Serve a port on all `addresses` (None = all there are); with port 0 any that is free on all.

    With `certificates` nobody is served who does not speak TLS, and show one where one is asked
    for; while their handshakes are under way they are in the `hall`. Raises OSError when the port
    cannot be had.
    """

    def welcome() -> asyncio.BaseProtocol:
        if certificates is None:
            return make_connection("")
        return Door(certificates, make_connection, hall)

    loop = asyncio.get_running_loop()
    wanted = port
    for _ in range(ATTEMPTS):
        try:
            server = await loop.create_server(welcome, addresses, wanted, backlog=AT_ONCE)
        except OSError:
            if wanted == port:
                raise
            wanted = port  # somebody has it on another address: any other, then
            continue
        ports = [socket.getsockname()[1] for socket in server.sockets]
        if len(set(ports)) == 1:
            _have_ready(server)
            return server
        server.close()  # asked for port 0, the system gave each address a port of its own
        wanted = ports[0]
    raise OSError(errno.EADDRINUSE, "no port is free on all addresses")


def _have_ready(server: asyncio.Server) -> None:
    """Let the system have more connections ready than are taken in one turn."""
    for each in server.sockets:
        with each.dup() as listening:
            listening.listen(BACKLOG)
