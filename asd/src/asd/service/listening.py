"""Where a node listens: one port, on all of its addresses."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from ssl import SSLContext
from typing import Final

BACKLOG: Final = 1024
HANDSHAKE_WITHIN_S: Final = 10.0
"""After this a client that has not finished its TLS handshake is cut: it is counted nowhere yet."""
ATTEMPTS: Final = 20
"""Ports tried before it is said that none is free on all addresses."""


def listening_addresses(configured: tuple[str, ...]) -> list[str] | None:
    """What to bind for the configured addresses; None = all there are."""
    return None if "any" in configured else list(configured)


async def listen(
    make_connection: Callable[[], asyncio.BaseProtocol],
    addresses: list[str] | None,
    port: int,
    tls: SSLContext | None = None,
) -> asyncio.Server:
    """Serve a port on all `addresses` (None = all there are); with port 0 any that is free on all.

    With `tls` nobody is served who does not speak it.

    Raises OSError when the port cannot be had.
    """
    loop = asyncio.get_running_loop()
    wanted = port
    for _ in range(ATTEMPTS):
        try:
            server = await loop.create_server(
                make_connection,
                addresses,
                wanted,
                backlog=BACKLOG,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else HANDSHAKE_WITHIN_S,
            )
        except OSError:
            if wanted == port:
                raise
            wanted = port  # somebody has it on another address: any other, then
            continue
        ports = [socket.getsockname()[1] for socket in server.sockets]
        if len(set(ports)) == 1:
            return server
        server.close()  # asked for port 0, the system gave each address a port of its own
        wanted = ports[0]
    raise OSError(errno.EADDRINUSE, "no port is free on all addresses")
