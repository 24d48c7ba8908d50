"""The door of a port that speaks TLS: the handshake, and a look at the certificate, before anybody
behind it hears of a connection.

The loop can listen for TLS by itself, and then says of a handshake that fails neither why nor whose
it was. An operator needs both: a certificate that has expired is a line in the log with the address
of the machine that has it. So a port listens in the clear, each connection is taken by a `Door`,
which hands it to the loop's TLS (`start_tls`), and puts the protocol behind itself in its own place
when all is well.

What must hold, of bytes that come early:

- The first ones belong to the handshake. With uvloop a connection cannot be kept from reading until
  a task has its turn, so the first step of `start_tls`, which puts TLS in its place, is taken at
  once (`_Begun`).
- What the client sends right behind its last handshake message arrives before the door knows that
  the handshake is over (`data_received`), and must not be lost.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from asd.config.kinds import host_port

if TYPE_CHECKING:
    from asd.tls.certificates import Certificates

HANDSHAKE_WITHIN_S: Final = 10.0
"""After this who has not finished the handshake is cut."""

MakeProtocol: TypeAlias = Callable[[str], asyncio.BaseProtocol]
"""Makes what serves a connection, given the user whom its certificate names, or nothing."""


class Hall(Protocol):
    """Where those wait whose handshake is under way; there is room for some."""

    def enter(self, door: Door, peer: str) -> bool:
        """One more waits; False: there is no room for it."""

    def leave(self, door: Door) -> None:
        """It waits no longer, if it did."""


class Door(asyncio.Protocol):
    """Awaits the handshake of one connection that somebody has made."""

    def __init__(
        self,
        certificates: Certificates,
        make: MakeProtocol,
        hall: Hall | None = None,
    ) -> None:
        """`hall` says how many there may be; None: any number."""
        self._certificates = certificates
        self._make = make
        self._hall = hall
        self._early = b""
        self._lost = False
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected: what is sent is for the handshake."""
        # uvloop's transports are not subclasses of asyncio's
        plain: Any = transport
        if plain.is_closing():
            return  # gone already
        if self._hall is not None and not self._hall.enter(self, peer_of(plain)):
            plain.abort()
            return
        loop, context = asyncio.get_running_loop(), self._certificates.context
        handshake = _Begun(
            loop.start_tls(
                plain, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_WITHIN_S
            )
        )
        self._opening = loop.create_task(self._open(handshake, peer_of(plain)))

    def data_received(self, data: bytes) -> None:
        """The handshake is over, which the door is about to hear."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self._lost = True
        self._leave()

    def _leave(self) -> None:
        if self._hall is not None:
            self._hall.leave(self)

    async def _open(self, handshake: _Begun, peer: str) -> None:
        try:
            secured = await self._shaken(handshake, peer)
        finally:
            self._leave()
        if secured is None or self._lost or secured.is_closing():
            return
        user = self._certificates.let_in(secured.get_extra_info("ssl_object"), peer)
        if user is None:
            secured.abort()
            return
        behind: Any = self._make(user)
        secured.set_protocol(behind)
        behind.connection_made(secured)
        if self._early and not secured.is_closing():
            behind.data_received(self._early)

    async def _shaken(self, handshake: _Begun, peer: str) -> Any:
        """The transport that speaks TLS; None where there is none."""
        try:
            return await handshake
        except ssl.SSLError as error:
            self._certificates.complain(peer, error)
        except ConnectionAbortedError:
            self._certificates.complain(peer, f"no handshake within {HANDSHAKE_WITHIN_S:g} s")
        except OSError:
            pass  # it has gone away of itself
        return None


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Host and port of the other side, as the log has them."""
    name = transport.get_extra_info("peername")
    return host_port(*name[:2]) if name else "?"


class _Begun:
    """A coroutine whose first step is taken at once; to be awaited for the others."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._awaits = coroutine.send(None)

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            yield self._awaits
        except BaseException as error:
            self._coroutine.throw(error)
            raise
        return (yield from self._coroutine.__await__())
